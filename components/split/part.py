"""One split of a dataset, written, or found where it was kept before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from components.common.dataset import Part, describe, find_dataset, part_location, publish, refer
from components.common.index import PhotoIndex
from components.common.manifest import Manifest, dataset_digest
from components.common.shards import ShardsWriter


class PartWriter:
    """Writes the photos of one split; nothing where a storage root has them already."""

    def __init__(self, whole: Manifest, index: PhotoIndex, part: Part, folder: Path) -> None:
        """Prepare.

        Args:
            whole: The dataset that is split.
            index: Of the photos of this split.
            part: What is known of the split.
            folder: Where its manifest is written.
        """
        self._whole, self._part, self._folder = whole, part, folder
        digest = dataset_digest(index.classes, index.photos())
        self._location = part_location(whole, f"{part.split}-{digest[:16]}")
        self._kept = find_dataset(self._location)
        self._index = index
        self._places = np.empty((len(index), 2), np.int64)  # shard and offset of each photo
        self._num_photos = 0  # written so far
        self._shards = ShardsWriter(self._location or str(folder))

    @property
    def is_kept(self) -> bool:
        """Whether the photos are in place already."""
        return self._kept is not None

    def add(self, example: bytes) -> None:
        """Append one photo, in the order of the index, as it is stored in the whole."""
        if not self._kept:
            self._places[self._num_photos] = self._shards.add(example)
            self._num_photos += 1

    def finish(self) -> Manifest:
        """Write the manifest."""
        manifest = describe(
            self._index,
            self._shards.finish(),
            name=self._whole.name,
            source=self._whole.source,
            part=self._part,
        )
        if self._kept:
            return refer(manifest, self._kept, self._folder)
        shards, offsets = self._places.T
        index = replace(self._index, shards=shards.astype(np.int32), offsets=offsets)
        return publish(manifest, index, self._folder, self._location)

    def discard(self) -> None:
        """Leave nothing behind that is half done; nothing to do once it is finished."""
        self._shards.discard()
