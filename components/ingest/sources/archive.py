"""`archive:PATH`: a zip or tar archive, on disk or in a bucket, with one folder a class."""

from __future__ import annotations

import errno
import functools
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from components.common import storage
from components.common.errors import InputError
from components.common.manifest import Rejected
from components.ingest.sources.listing import Listing, is_hidden, printable, read_ahead, sort_out
from components.ingest.sources.members import Member, Members, TarMembers, ZipMembers, decompress
from components.ingest.sources.photo import SourcePhoto

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MACOS_FOLDER = "__MACOSX"  # what macOS keeps about each file of a zip that it made
DRIVE = re.compile("[A-Za-z]:")
CONTROL = re.compile(r"[\0-\x1f\x7f]")
NUM_THREADS = 2  # decompressing releases the interpreter lock


class ArchiveSource:
    """Photos in an archive, in folders named by class, which may lie in a single folder.

    Their order is that of the folder that the archive was made of.
    """

    def __init__(self, path: str) -> None:
        if not path.lower().endswith(SUFFIXES):
            raise InputError(
                f"`dataset` must name an archive ({', '.join(SUFFIXES)})."
                f" Received: 'archive:{path}'"
            )
        if not storage.exists(path):
            raise InputError(f"No such file: '{path}'. Expected an archive of photos.")
        self._path = path
        if not storage.is_remote(path):  # a machine that only submits need not fetch it
            _ = self._contents

    @property
    def name(self) -> str:
        """The name of the file, without its suffix."""
        name = PurePosixPath(self._path).name
        return name[: -len(next(suffix for suffix in SUFFIXES if name.lower().endswith(suffix)))]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self._contents.listing.classes

    @property
    def skipped(self) -> tuple[Rejected, ...]:
        """Members that are no photos of any class, and those that no archive should have."""
        return self._contents.listing.skipped

    @property
    def num_files(self) -> int:
        """Photos and whatever else lies in the class folders."""
        return len(self._contents.listing.paths)

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of each file, decompressed, in the order of `photos`."""
        return self._contents.listing.sizes

    def photos(self, start: int = 0, stop: int | None = None) -> Iterator[SourcePhoto]:
        """Yield the files of every class, each read from its place in the archive."""
        return read_ahead(self._contents.listing.paths[start:stop], self.read, NUM_THREADS)

    def read(self, filename: str) -> bytes:
        """The bytes of one photo; none where they are damaged."""
        try:
            return self._contents.members.read(self._contents.top + filename)
        except Exception:  # zipfile raises whatever its decompressors do
            return b""

    def fingerprint(self) -> str:
        """Size and version of the file, hashed."""
        return storage.fingerprint(self._path)

    @functools.cached_property
    def _contents(self) -> _Contents:
        members = _open(self._path)
        try:
            listed = list(members)
        except Exception as error:  # tarfile raises whatever it meets in broken bytes
            raise _damaged(self._path, error) from error
        return _sort_out(self._path, members, listed)


@dataclass(frozen=True, kw_only=True)
class _Contents:
    members: Members
    listing: Listing
    top: str  # what stands before the class in every name, with `/` at its end, or nothing


def _open(path: str) -> Members:
    file = _fetch(path)
    try:
        if path.lower().endswith(".zip"):
            return ZipMembers(file)
        if path.lower().endswith(".tar"):
            return TarMembers(file)
        with file:
            return TarMembers(decompress(file))
    except Exception as error:  # zipfile, too
        file.close()
        raise _damaged(path, error) from error


def _fetch(path: str) -> BinaryIO:
    """Open a file; one in a bucket as a copy that is gone when it is closed, or we are."""
    if not storage.is_remote(path):
        try:
            return Path(path).open("rb")
        except OSError as error:
            raise _damaged(path, error) from error
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        copy = Path(scratch, "archive")
        storage.download_file(path, copy)
        return copy.open("rb")  # stays readable without its name


def _damaged(path: str, error: Exception) -> InputError:
    if isinstance(error, OSError) and error.errno is not None:
        is_full = error.errno == errno.ENOSPC
        room = f" Its copy needs room in '{tempfile.gettempdir()}' (TMPDIR)." if is_full else ""
        return InputError(f"'{path}' cannot be read: {error.strerror}.{room}")
    kind = next(suffix for suffix in SUFFIXES if path.lower().endswith(suffix))
    return InputError(
        f"'{path}' is damaged, or no {kind} file: {error}. Fetch it again, or make it anew."
    )


def _sort_out(path: str, members: Members, listed: Sequence[Member]) -> _Contents:
    """Choose the members that are photos of a class."""
    times = Counter(member.name for member in listed if not member.is_folder)
    files: list[Member] = []
    folders: list[str] = []
    refused: list[Rejected] = []
    for member in listed:
        if member.name.partition("/")[0] in (".", MACOS_FOLDER):
            continue
        if reason := _trick(member.name) or member.reason or _twice(times[member.name]):
            refused.append(Rejected(file=printable(member.name), reason=reason))
        elif member.is_folder:
            folders.append(f"{member.name}/")
        else:
            files.append(member)
    top = _common_top(member.name for member in files)
    listing = sort_out(
        path,
        ((member.name.removeprefix(top), member.size_bytes) for member in files),
        folders=_class_folders(folders, top),
        refused=refused,
    )
    return _Contents(members=members, listing=listing, top=top)


def _trick(name: str) -> str | None:
    """Why a name is one that no archive of photos needs, and that may fool who unpacks it."""
    if name.startswith("/") or DRIVE.match(name):
        return "absolute path"
    if ".." in name.split("/"):
        return "path with '..'"
    if "\\" in name:
        return "path with a backslash"
    return "control character in its name" if CONTROL.search(name) else None


def _twice(times: int) -> str | None:
    return f"{times} members of that name" if times > 1 else None


def _common_top(names: Iterable[str]) -> str:
    """The single folder that all classes lie in, as where a whole folder was zipped."""
    seen = [name.split("/") for name in names if not is_hidden(name) and "/" in name]
    tops = {parts[0] for parts in seen}
    is_above = len(tops) == 1 and any(len(parts) > 2 for parts in seen)
    return f"{tops.pop()}/" if is_above else ""


def _class_folders(folders: Iterable[str], top: str) -> set[str]:
    """Names of the folders in which classes are expected, all with `/` at their end."""
    below = (folder.removeprefix(top) for folder in folders if folder.startswith(top))
    return {name[:-1] for name in below if name.count("/") == 1 and not is_hidden(name)}
