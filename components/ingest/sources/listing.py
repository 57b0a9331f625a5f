"""Files sorted out into photos of classes and the rest; the same for folders and archives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from components.common.errors import InputError
from components.common.manifest import Rejected
from components.common.parallel import map_in_order
from components.ingest.sources.photo import SourcePhoto

SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What lies in class folders, in an order that depends on the names alone."""

    paths: tuple[str, ...]  # relative to the folder of classes, with `/`
    sizes: tuple[int, ...]  # bytes, in the same order
    classes: tuple[str, ...]  # sorted
    skipped: tuple[Rejected, ...]  # in the order they were given


def sort_out(
    where: str,
    files: Iterable[tuple[str, int]],
    *,
    folders: Collection[str] = (),
    refused: Iterable[Rejected] = (),
) -> Listing:
    """Tell photos from other files, by their paths alone.

    Args:
        where: What the user named, for messages.
        files: Path and bytes of each file.
        folders: Names of the class folders that are there, if only to be empty.
        refused: Files that were left out already; they are listed first.

    Raises:
        InputError: If they are not photos of 2 or more classes.
    """
    photos: list[tuple[str, int]] = []
    skipped = list(refused)
    for path, size_bytes in files:
        if reason := _why_skipped(path):
            skipped.append(Rejected(file=printable(path), reason=reason))
        else:
            photos.append((path, size_bytes))
    # Shards should mix the classes, and an order by name would not.
    photos.sort(key=lambda photo: hashlib.sha256(photo[0].encode()).digest())
    classes = tuple(sorted({class_of(path) for path, _ in photos}))
    _check_classes(where, classes, folders, skipped)
    return Listing(
        paths=tuple(path for path, _ in photos),
        sizes=tuple(size_bytes for _, size_bytes in photos),
        classes=classes,
        skipped=tuple(skipped),
    )


def read_ahead(
    paths: Iterable[str], read: Callable[[str], bytes], num_threads: int
) -> Iterator[SourcePhoto]:
    """Read photos in their order, several at a time.

    Args:
        paths: As they are listed.
        read: Gives the bytes of a photo by its path.
        num_threads: How many to read at a time. With 1 each is read when it is asked for: files of
            this machine are there sooner than another thread could hand them over.
    """

    def photo(path: str) -> SourcePhoto:
        return SourcePhoto(filename=path, class_name=class_of(path), encoded=read(path))

    if num_threads == 1:
        yield from map(photo, paths)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        yield from map_in_order(pool, photo, paths, ahead=2 * num_threads)


def class_of(path: str) -> str:
    """The class that a photo's path names: its first folder."""
    return path.partition("/")[0]


def is_hidden(path: str) -> bool:
    """Whether the file, or a folder on the way to it, is hidden."""
    return path.startswith(".") or "/." in path


def printable(path: str) -> str:
    """The path as text that any file and any terminal takes."""
    return path.encode(errors="backslashreplace").decode()


def _why_skipped(path: str) -> str | None:
    if printable(path) != path:  # Python keeps other bytes as surrogates
        return "name is not UTF-8"
    if is_hidden(path):
        return "hidden file"
    return None if "/" in path else "not in a class folder"


def _check_classes(
    where: str, classes: tuple[str, ...], folders: Collection[str], skipped: list[Rejected]
) -> None:
    if empty := sorted(set(folders) - set(classes)):
        raise InputError(
            f"'{where}' has no photos for class '{empty[0]}'."
            " Add photos to that folder, or remove it."
        )
    if len(classes) < 2:
        why = f" Left out: {skipped[0].file} ({skipped[0].reason})." if skipped else ""
        raise InputError(
            f"'{where}' must hold 2 or more folders, one a class."
            f" Received: {', '.join(classes) or 'no folder with files in it'}.{why}"
        )
    if {name.lower() for name in classes} <= SPLIT_NAMES:
        raise InputError(
            f"'{where}' is split already ({', '.join(classes)}); pawpetal splits by"
            " itself. Give it one folder a class, with all photos together."
        )
