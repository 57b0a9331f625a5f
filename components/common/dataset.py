"""Dataset folders: a few large shards, an index of all photos, and a manifest, written last.

Below a storage root a dataset is in `datasets/NAME/DIGEST`, named by its content: writing the same
photos again finds them there. What is made of it, such as its splits, is in folders within.
Without a root a dataset is in the folder of the step that made it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from components.common import storage
from components.common.errors import DataError, InputError
from components.common.index import IndexBuilder, PhotoFacts, PhotoIndex
from components.common.manifest import FILE_NAME as MANIFEST_FILE
from components.common.manifest import Manifest, Rejected, Shard, dataset_digest
from components.common.records import PhotoRecord, from_example, to_example
from components.common.shards import SHARD_SIZE_BYTES, ShardsWriter, read_record, read_shard

ROOM = "datasets"  # below a storage root


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a split knows of the whole that it is a part of."""

    split: str
    dataset_digest: str  # of the whole
    rule: str  # how it was split, for people and for comparing


class DatasetWriter:
    """Writes photos into a dataset folder, shard by shard, in the order given."""

    def __init__(self, folder: Path, classes: tuple[str, ...], *, location: str = "") -> None:
        """Prepare.

        Args:
            folder: Where the manifest will be.
            classes: Names in label order.
            location: URI of the folder of the shards; empty: beside the manifest.
        """
        self._folder = folder
        self._location = location
        self._index = IndexBuilder(classes)
        self._shards = ShardsWriter(location or str(folder), full_bytes=SHARD_SIZE_BYTES)
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, record: PhotoRecord, facts: PhotoFacts | None = None) -> None:
        """Append one photo, and what was learned of it."""
        shard, offset = self._shards.add(to_example(record))
        self._index.add(record, facts, shard=shard, offset=offset)

    def finish(
        self,
        *,
        name: str,
        source: str,
        part: Part | None = None,
        rejected: Iterable[Rejected] = (),
    ) -> Manifest:
        """Close the last shard and write index and manifest, which makes the folder a dataset.

        Args:
            name: Short name of the dataset.
            source: URI it came from.
            part: Which part of a whole dataset this is; None for a whole one.
            rejected: Files that were left out.
        """
        shards = self._shards.finish()
        index = self._index.build()
        manifest = describe(index, shards, name=name, source=source, part=part, rejected=rejected)
        return publish(manifest, index, self._folder, self._location)


def describe(
    index: PhotoIndex,
    shards: Iterable[Shard],
    *,
    name: str,
    source: str,
    part: Part | None = None,
    rejected: Iterable[Rejected] = (),
) -> Manifest:
    """The manifest of photos that are in shards; see `DatasetWriter.finish`."""
    digest = dataset_digest(index.classes, index.photos())
    return Manifest(
        name=name,
        source=source,
        split=part.split if part else None,
        split_rule=part.rule if part else None,
        classes=index.classes,
        counts=index.counts(),
        num_photos=len(index),
        size_bytes=int(index.size_bytes.sum()),
        digest=digest,
        dataset_digest=part.dataset_digest if part else digest,
        shards=tuple(shards),
        rejected=tuple(rejected),
    )


def publish(
    manifest: Manifest,
    index: PhotoIndex,
    folder: Path,
    location: str = "",
    *,
    instead: bool = False,
) -> Manifest:
    """Make a dataset of shards that are in place, by its index and, last, its manifest.

    Args:
        manifest: Describes it.
        index: Of its photos.
        folder: Of the step's output.
        location: URI of the folder of the shards, where that is another one.
        instead: Replace the manifest of a dataset that is there; else that one is kept, whoever
            wrote it.

    Returns:
        The manifest as written to `folder`.
    """
    place, content = location or str(folder), index.to_bytes()
    name = f"index-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    storage.write_bytes(storage.join(place, name), content, if_absent=True)
    # It does not say where it is, so that a storage root can be moved or copied.
    manifest = replace(manifest, index=name, location="")
    is_new = manifest.save(place, if_absent=bool(location) and not instead)
    kept = None if is_new else find_dataset(location)
    return refer(manifest, kept or replace(manifest, location=location), folder)


def refer(manifest: Manifest, kept: Manifest, folder: Path) -> Manifest:
    """Describe in a step's folder a dataset that is kept elsewhere, or there.

    Args:
        manifest: As this step sees it: its source, its split.
        kept: As it is kept.
        folder: Of the step's output.

    Returns:
        The manifest as written to `folder`.
    """
    manifest = replace(
        manifest,
        shards=kept.shards,
        index=kept.index,
        checked=kept.checked,
        location=kept.location,
        generation=kept.generation,
        previous=kept.previous,
    )
    manifest.save(folder)
    return manifest


def read_index(folder: str | Path) -> PhotoIndex:
    """Read the index of a dataset.

    Args:
        folder: Where the manifest is, local or in Cloud Storage; the index may be elsewhere.

    Raises:
        DataError: If it is gone.
    """
    manifest = Manifest.load(folder)
    uri = storage.join(manifest.location or str(folder), manifest.index)
    if not storage.exists(uri):
        raise DataError(f"'{uri}' is gone, which a dataset needs: run again with --no-cache.")
    return PhotoIndex.from_bytes(storage.read_bytes(uri))


def read_photos(folder: str | Path) -> Iterator[PhotoRecord]:
    """Stream every photo of a dataset, in the order of its index; see `read_examples`."""
    return map(from_example, read_examples(folder))


def read_examples(folder: str | Path) -> Iterator[bytes]:
    """Stream every photo of a dataset as it is stored, in the order of its index.

    Args:
        folder: Where the manifest is, local or in Cloud Storage; the shards may be elsewhere.

    Raises:
        DataError: If a shard is missing, damaged or cut short.
    """
    manifest = Manifest.load(folder)
    for shard in manifest.shards:
        yield from read_shard(storage.join(manifest.location or str(folder), shard.file), shard)


def read_photo(folder: str, shards: Iterable[Shard], index: PhotoIndex, row: int) -> PhotoRecord:
    """One photo of a dataset, without reading the others.

    Args:
        folder: Where the shards are.
        shards: Of the dataset.
        index: Of the dataset.
        row: Of the photo in the index.
    """
    number, start = int(index.shards[row]), int(index.offsets[row])
    shard = list(shards)[number]
    is_last = row + 1 == len(index) or index.shards[row + 1] != number
    stop = shard.size_bytes if is_last else int(index.offsets[row + 1])
    return read_record(storage.join(folder, shard.file), start, stop)


def dataset_location(root: str, name: str, digest: str) -> str:
    """Where a dataset is below a storage root.

    Raises:
        InputError: If no folder can have its name.
    """
    if not name or "/" in name or name.startswith("."):
        raise InputError(
            "`dataset` must have a name that does not begin with a dot, to be kept under."
            f" Received: '{name}'. Rename the folder or the archive."
        )
    return storage.join(root, f"{ROOM}/{name}/{digest}")


def part_location(whole: Manifest, name: str) -> str:
    """Where something made of a dataset is: in its folder; empty where there is no such place."""
    return storage.join(whole.location, name) if whole.location else ""


def find_dataset(location: str) -> Manifest | None:
    """The manifest of the dataset at a place; None where there is none, or not yet."""
    if not location or not storage.exists(storage.join(location, MANIFEST_FILE)):
        return None
    return replace(Manifest.load(location), location=location)


def is_whole(manifest: Manifest) -> bool:
    """Whether every file of a dataset is in its location, with its size."""
    files = storage.list_files(manifest.location, missing_ok=True)
    sizes = {file.path: file.size_bytes for file in files}
    return manifest.index in sizes and all(
        sizes.get(shard.file) == shard.size_bytes for shard in manifest.shards
    )


def list_datasets(root: str) -> list[tuple[str, Manifest]]:
    """The datasets below a storage root, with their URIs; by name, oldest version first.

    Args:
        root: Local path or gs:// URI.
    """
    room = storage.join(root, ROOM)
    found = []
    for file in storage.list_files(room, missing_ok=True):
        path = PurePosixPath(file.path)
        if path.name != MANIFEST_FILE or any(part.startswith(".") for part in path.parts):
            continue
        uri = storage.join(room, str(path.parent))
        try:
            found.append((uri, Manifest.load(uri)))
        except DataError as error:  # of another format: that must not hide the others
            print(f"left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda one: (one[1].name, one[1].generation, one[0]))


def add_version(root: str, manifest: Manifest) -> None:
    """Remember a whole dataset as a version of its name, so that the next one finds it."""
    marker = f"{_versions(manifest.name)}/{manifest.generation:06d}-{manifest.digest}"
    storage.write_bytes(storage.join(root, marker), b"", if_absent=True)


def versions(root: str, name: str) -> Iterator[Manifest]:
    """The whole datasets of a name below a storage root, newest first."""
    markers = storage.list_files(storage.join(root, _versions(name)), missing_ok=True)
    for marker in reversed(markers):
        digest = marker.path.partition("-")[2]
        try:
            manifest = find_dataset(dataset_location(root, name, digest))
        except DataError as error:
            print(f"left out: {error}")
            continue
        if manifest:  # it may have been deleted
            yield manifest


def _versions(name: str) -> str:
    return f"{ROOM}/{name}/.versions"
