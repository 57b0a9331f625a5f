"""`folder:PATH` and `gs://BUCKET/PREFIX`: one folder a class, photos at any depth below it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from components.common import storage
from components.common.errors import InputError
from components.common.manifest import Rejected
from components.common.parallel import map_in_order
from components.ingest.sources.photo import SourcePhoto

SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}
PARALLEL_DOWNLOADS = 16  # a bucket answers slowly, but many at once


class FolderSource:
    """Photos in folders named by class, on disk or in a bucket."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        files = [file.path for file in storage.list_files(folder)]
        skipped = {path: reason for path in files if (reason := _why_skipped(path))}
        self.skipped = tuple(
            Rejected(file=path.encode(errors="backslashreplace").decode(), reason=reason)
            for path, reason in skipped.items()
        )
        # Shards should mix the classes, and an order by name would not.
        self._paths = sorted(
            (path for path in files if path not in skipped),
            key=lambda path: hashlib.sha256(path.encode()).digest(),
        )
        self.classes = tuple(sorted({PurePosixPath(path).parts[0] for path in self._paths}))
        self._check_classes()

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
        return len(self._paths)

    def photos(self) -> Iterator[SourcePhoto]:
        """Yield the files of every class, read ahead in parallel."""
        workers = PARALLEL_DOWNLOADS if storage.is_remote(self._folder) else 2
        with ThreadPoolExecutor(workers) as pool:
            yield from map_in_order(pool, self._read, self._paths, ahead=2 * workers)

    def fingerprint(self) -> str:
        """Names, sizes and versions of the files, hashed."""
        return storage.fingerprint(self._folder)

    def _read(self, path: str) -> SourcePhoto:
        try:
            encoded = storage.read_bytes(storage.join(self._folder, path))
        except OSError:  # local: a link to nowhere, no permission, or removed meanwhile
            encoded = b""
        class_name = PurePosixPath(path).parts[0]
        return SourcePhoto(filename=path, class_name=class_name, encoded=encoded)

    def _check_classes(self) -> None:
        if empty := sorted(_local_subfolders(self._folder) - set(self.classes)):
            raise InputError(
                f"'{self._folder}' has no photos for class '{empty[0]}'."
                " Add photos to that folder, or remove it."
            )
        if len(self.classes) < 2:
            raise InputError(
                f"'{self._folder}' must hold 2 or more folders, one a class."
                f" Received: {', '.join(self.classes) or 'no folder with files in it'}."
            )
        if {name.lower() for name in self.classes} <= SPLIT_NAMES:
            raise InputError(
                f"'{self._folder}' is split already ({', '.join(self.classes)}); pawpetal splits by"
                " itself. Give it one folder a class, with all photos together."
            )


def _why_skipped(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    if any("\udc80" <= character <= "\udcff" for character in path):  # how Python reads such names
        return "name is not UTF-8"
    if any(part.startswith(".") for part in parts):
        return "hidden file"
    return "not in a class folder" if len(parts) == 1 else None


def _local_subfolders(folder: str) -> set[str]:
    if storage.is_remote(folder):
        return set()  # a bucket has no empty folders
    children = Path(folder).iterdir()
    return {child.name for child in children if child.is_dir() and not child.name.startswith(".")}
