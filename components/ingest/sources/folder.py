"""`folder:PATH` and `gs://BUCKET/PREFIX`: one folder a class, photos at any depth below it."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

from components.common import storage
from components.common.storage.stored import StoredFile
from components.ingest.sources.listing import read_ahead, sort_out
from components.ingest.sources.photo import SourcePhoto

# A link to nowhere or in a circle, removed meanwhile, no permission, a folder: that is how it is.
UNREADABLE = (errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR)
PARALLEL_DOWNLOADS = 16  # a bucket answers slowly, but many at once


class FolderSource:
    """Photos in folders named by class, on disk or in a bucket."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        files = storage.list_files(folder)
        # Of what is read, not of what may lie there by the time that somebody asks.
        self._fingerprint = storage.fingerprint_of(files)
        self._listing = sort_out(
            folder,
            _take_all(files),
            folders=_local_subfolders(folder),
        )
        self.classes = self._listing.classes
        self.skipped = self._listing.skipped

    @property
    def name(self) -> str:
        """The name of the folder, or of the bucket where there is no prefix."""
        folder = self._folder.rstrip("/")
        return (
            folder.rsplit("/", 1)[-1] if storage.is_remote(folder) else Path(folder).resolve().name
        )

    @property
    def num_files(self) -> int:
        """Photos and whatever else lies in the class folders."""
        return len(self._listing.paths)

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of each file, in the order of `photos`."""
        return self._listing.sizes

    def photos(self, start: int = 0, stop: int | None = None) -> Iterator[SourcePhoto]:
        """Yield the files of every class, read ahead in parallel."""
        num_threads = PARALLEL_DOWNLOADS if storage.is_remote(self._folder) else 1
        return read_ahead(self._listing.paths[start:stop], self.read, num_threads)

    def read(self, filename: str) -> bytes:
        """The bytes of one photo; none where it cannot be read.

        Raises:
            OSError: If it could not be read this time, as by a failing disk.
        """
        try:
            return storage.read_bytes(storage.join(self._folder, filename))
        except OSError as error:
            if error.errno in UNREADABLE:
                return b""
            raise

    def fingerprint(self) -> str:
        """Names, sizes and versions of the files, hashed."""
        return self._fingerprint


def _take_all(files: list[StoredFile]) -> Iterator[tuple[str, int]]:
    """Path and size of each; what is taken is let go of, since a million of them fill memory."""
    files.reverse()
    while files:
        file = files.pop()
        yield file.path, file.size_bytes


def _local_subfolders(folder: str) -> set[str]:
    if storage.is_remote(folder):
        return set()  # a bucket has no empty folders
    children = Path(folder).iterdir()
    return {child.name for child in children if child.is_dir() and not child.name.startswith(".")}
