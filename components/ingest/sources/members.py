"""What zip and tar archives hold, read in place: nothing is unpacked to disk by its name."""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
import tempfile
import weakref
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

MIB = 1 << 20
MOST_BYTES = 256 * MIB  # of one member: no photo that is small enough to decode is larger
# A bomb: more bytes than this that come of a hundredth of them, which no photos do.
BOMB_BYTES, BOMB_RATIO = 64 * MIB, 100
END_OF_TAR = bytes(tarfile.BLOCKSIZE)
MEANS_NOTHING = re.compile(r"(^|/)(\.?/|\.?$)")  # parts of a path that are empty, or a dot
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An entry of an archive, before its bytes are read."""

    name: str  # with `/`, without `./` and `//`; what is not UTF-8 as surrogates
    size_bytes: int  # as the archive says
    is_folder: bool
    reason: str | None  # why it cannot be a photo, whatever its name


class Members(Protocol):
    """An archive whose members can be read in any order, by several threads."""

    def __iter__(self) -> Iterator[Member]:
        """All members, in the order of the archive."""

    def read(self, name: str) -> bytes:
        """The bytes of the last member of that name."""


class ZipMembers:
    """Those of a .zip."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(file)
        weakref.finalize(self, file.close)
        self._infos = {_zip_name(info): info for info in self._archive.infolist()}

    def __iter__(self) -> Iterator[Member]:
        for info in self._archive.infolist():
            yield Member(
                name=_zip_name(info),
                size_bytes=info.file_size,
                is_folder=info.is_dir(),
                reason=_why_not_zipped(info),
            )

    def read(self, name: str) -> bytes:
        return self._archive.read(self._infos[name])


class TarMembers:
    """Those of a .tar that is not compressed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        weakref.finalize(self, file.close)
        self._places: dict[str, tuple[int, int]] = {}  # start and size of each member, in bytes

    def __iter__(self) -> Iterator[Member]:
        self._file.seek(0)
        # Names that are not UTF-8 are read with surrogates, whatever the locale.
        with tarfile.open(fileobj=self._file, mode="r:", encoding="utf-8") as archive:
            while info := archive.next():
                cast(Any, archive).members.clear()  # it would hold them all, 1,000 bytes each
                name = _clean(info.name)
                self._places[name] = (info.offset_data, info.size)
                yield Member(
                    name=name,
                    size_bytes=info.size,
                    is_folder=info.isdir(),
                    reason=_why_not_in_tar(info),
                )
            self._file.seek(archive.offset)
            if self._file.read(len(END_OF_TAR)) != END_OF_TAR:  # tarfile takes it for the end
                raise tarfile.ReadError("it ends too early, or bytes were lost")

    def read(self, name: str) -> bytes:
        start, size_bytes = self._places[name]
        return os.pread(self._file.fileno(), size_bytes, start)


def decompress(file: BinaryIO) -> BinaryIO:
    """Decompress gzip into a file without a name, which is gone when it is closed, or we are.

    Raises:
        tarfile.ReadError: If it is a bomb.
    """
    most = max(BOMB_BYTES, BOMB_RATIO * os.fstat(file.fileno()).st_size)
    plain = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # outlives this call
    try:
        with gzip.open(file) as content:
            while part := content.read(MIB):
                plain.write(part)
                if plain.tell() > most:
                    raise tarfile.ReadError(f"more than {BOMB_RATIO} times its size in bytes")
        plain.flush()
    except BaseException:
        plain.close()
        raise
    return plain


def _zip_name(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x800:  # it says that the name is UTF-8
        return _clean(info.orig_filename)
    try:  # what macOS and Linux write is UTF-8 all the same
        return _clean(info.orig_filename.encode("cp437").decode(errors="surrogateescape"))
    except UnicodeEncodeError:
        return _clean(info.orig_filename)


def _clean(name: str) -> str:
    return PurePosixPath(name).as_posix() if MEANS_NOTHING.search(name) else name


def _why_not_zipped(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix wrote it
    if kind == stat.S_IFLNK:
        return "link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "no plain file"
    if info.flag_bits & 0x1:
        return "encrypted"
    if info.compress_type not in READABLE:
        return f"compressed by method {info.compress_type}, which cannot be read"
    if info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
        return f"decompresses to more than {BOMB_RATIO} times its size"
    return _why_too_large(info.file_size)


def _why_not_in_tar(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "link"
    if not (info.isdir() or info.isreg()) or info.issparse():
        return "no plain file"
    return _why_too_large(info.size)


def _why_too_large(size_bytes: int) -> str | None:
    return f"more than {MOST_BYTES // MIB} MiB" if size_bytes > MOST_BYTES else None
