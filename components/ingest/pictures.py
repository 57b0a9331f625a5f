"""The few photos that a data report shows, fetched one by one from where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common import pixels
from components.common.dataset import read_photo
from components.common.errors import PawpetalError
from components.common.index import FORMATS, PhotoIndex
from components.common.manifest import Shard
from components.ingest.album import THUMBNAIL_SIZE
from components.ingest.sources import Source

MOST_SAMPLES = 54  # over all classes
MOST_SAMPLES_A_CLASS = 8


class Pictures:
    """Photos by name."""

    def __init__(self, index: PhotoIndex, encoded: Callable[[int], bytes]) -> None:
        """Prepare.

        Args:
            index: Of the photos.
            encoded: Gives the bytes of the photo in a row of the index.
        """
        self._index = index
        self._encoded = encoded

    @classmethod
    def of_dataset(cls, location: str, shards: Sequence[Shard], index: PhotoIndex) -> Pictures:
        """Photos that are in shards already."""
        return cls(index, lambda row: read_photo(location, shards, index, row).encoded)

    @classmethod
    def of_source(cls, source: Source, index: PhotoIndex) -> Pictures:
        """Photos that are only in their source."""
        return cls(index, lambda row: source.read(index.filenames[row]))

    def read(self, filename: str) -> NDArray[np.uint8] | None:
        """One photo, no larger than needed; None where it cannot be had.

        Returns:
            RGB, shape `(height, width, 3)`.
        """
        try:
            row = self._index.filenames.index(filename)  # a few times: no table of a million names
        except ValueError:
            return None
        try:
            picture = pixels.read(
                self._encoded(row),
                is_jpeg=FORMATS[self._index.formats[row]] == "jpeg",
                height=int(self._index.heights[row]),
                width=int(self._index.widths[row]),
                size=THUMBNAIL_SIZE,
            )
        except (PawpetalError, OSError, cv2.error):  # a report does without
            return None
        return picture.pixels if picture else None

    def samples(self) -> list[tuple[str, list[str]]]:
        """Names of some photos of each class; of the first classes only, where there are many."""
        classes = self._index.classes[:MOST_SAMPLES]
        most = min(MOST_SAMPLES_A_CLASS, MOST_SAMPLES // len(classes))
        chosen = []
        for label, class_name in enumerate(classes):
            rows = np.flatnonzero(self._index.labels == label)[:most]
            chosen.append((class_name, [self._index.filenames[row] for row in rows]))
        return chosen
