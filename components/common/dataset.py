"""Dataset folders: a few large TFRecord shards and a manifest that is written last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from components.common.errors import DataError
from components.common.manifest import Manifest, Rejected, Shard, dataset_digest
from components.common.records import PhotoRecord, read_shard, to_example
from components.common.tfrecord import write_record

SHARD_SIZE_BYTES = 128 * 2**20  # few large files: launchers copy artifacts one file at a time


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a split knows of the whole that it is a part of."""

    split: str
    dataset_digest: str  # of the whole
    rule: str  # how it was split, for people and for comparing


class DatasetWriter:
    """Writes photos into a dataset folder, shard by shard, in the order given."""

    def __init__(self, folder: Path, classes: tuple[str, ...]) -> None:
        self._folder = folder
        self._classes = classes
        self._counts: Counter[str] = Counter()
        self._photos: list[tuple[str, str]] = []
        self._size_bytes = 0
        self._shards: list[Shard] = []
        self._shard: BinaryIO | None = None  # the one that is open
        self._shard_photos = 0
        self._shard_bytes = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def counts(self) -> Counter[str]:
        """Photos written so far, by class."""
        return self._counts

    def add(self, record: PhotoRecord) -> None:
        """Append one photo."""
        if self._shard is None:
            self._shard = self._open_shard()
        write_record(self._shard, to_example(record))
        self._shard_photos += 1
        self._shard_bytes += len(record.encoded)
        self._size_bytes += len(record.encoded)
        self._counts[record.class_name] += 1
        self._photos.append((record.class_name, record.sha256))
        if self._shard_bytes >= SHARD_SIZE_BYTES:
            self._close_shard()

    def finish(
        self,
        *,
        name: str,
        source: str,
        part: Part | None = None,
        rejected: Iterable[Rejected] = (),
    ) -> Manifest:
        """Close the last shard and write the manifest, which makes the folder a dataset.

        Args:
            name: Short name of the dataset.
            source: URI it came from.
            part: Which part of a whole dataset this is; None for a whole one.
            rejected: Files that were left out.
        """
        self._close_shard()
        digest = dataset_digest(self._classes, self._photos)
        manifest = Manifest(
            name=name,
            source=source,
            split=part.split if part else None,
            split_rule=part.rule if part else None,
            classes=self._classes,
            counts={class_name: self._counts[class_name] for class_name in self._classes},
            num_photos=len(self._photos),
            size_bytes=self._size_bytes,
            digest=digest,
            dataset_digest=part.dataset_digest if part else digest,
            shards=tuple(self._shards),
            rejected=tuple(rejected),
        )
        manifest.save(self._folder)
        return manifest

    def _open_shard(self) -> BinaryIO:
        path = self._folder / f"photos-{len(self._shards):05d}.tfrecord"
        self._shard_photos = self._shard_bytes = 0
        return path.open("wb")

    def _close_shard(self) -> None:
        if self._shard is None:
            return
        self._shard.close()
        self._shard = None
        file = f"photos-{len(self._shards):05d}.tfrecord"
        size_bytes = (self._folder / file).stat().st_size
        self._shards.append(Shard(file=file, num_photos=self._shard_photos, size_bytes=size_bytes))


def read_photos(folder: Path) -> Iterator[PhotoRecord]:
    """Stream every photo of a dataset folder, in the order it was written.

    Raises:
        DataError: If a shard is missing or has another size than the manifest says.
    """
    for shard in Manifest.load(folder).shards:
        path = folder / shard.file
        size_bytes = path.stat().st_size if path.is_file() else None
        if size_bytes != shard.size_bytes:
            raise DataError(
                f"'{path}' must have {shard.size_bytes} bytes. Received: {size_bytes}."
                " The dataset was damaged: run its step again without the cache."
            )
        yield from read_shard(path)
