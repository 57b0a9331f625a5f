"""Photos as arrays of one size, ready for a network."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.dataset import read_photos
from components.common.errors import DataError
from components.common.manifest import Manifest
from components.common.parallel import map_in_order
from components.common.progress import Meter
from components.common.records import PhotoRecord

NUM_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """All photos of one split."""

    images: NDArray[np.uint8]  # (n, size, size, 3), RGB, in [0, 255]
    labels: NDArray[np.int32]  # (n,), indices into `classes`
    filenames: tuple[str, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def decode(record: PhotoRecord, size: int) -> NDArray[np.uint8]:
    """Decode one photo, turned as its EXIF data says, and stretch it to a square.

    Args:
        record: The photo.
        size: Height and width of the result, pixels.

    Returns:
        Shape `(size, size, 3)`, RGB, uint8.
    """
    image = cv2.imdecode(np.frombuffer(record.encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise DataError(f"'{record.filename}' does not decode. Ingest the photos again.")
    shrinks = image.shape[0] > size or image.shape[1] > size
    # Averaging over areas, where it shrinks, since sampling alone would add moire.
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=method)  # type: ignore[no-any-return]


@contextmanager
def load_photos(folder: Path, size: int) -> Iterator[PhotoSet]:
    """Decode a dataset once, into a file that the system pages in and out as memory allows.

    Args:
        folder: Dataset folder.
        size: Height and width of the photos, pixels.

    Yields:
        The photos; the file behind them is gone after the block.
    """
    manifest = Manifest.load(folder)
    shape = (manifest.num_photos, size, size, 3)
    labels = np.empty(manifest.num_photos, np.int32)
    filenames = []
    meter = Meter(f"decoded {manifest.split or ''}".strip(), manifest.num_photos)
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        _check_space(scratch, math.prod(shape))
        images = np.memmap(Path(scratch, "images"), np.uint8, "w+", shape=shape)
        with ThreadPoolExecutor(NUM_THREADS) as pool:
            records = read_photos(folder)
            decoded = map_in_order(pool, lambda r: (r, decode(r, size)), records, ahead=64)
            for row, (record, image) in enumerate(decoded):
                images[row], labels[row] = image, record.label
                filenames.append(record.filename)
                meter.show(row + 1)
        yield PhotoSet(
            images=images, labels=labels, filenames=tuple(filenames), classes=manifest.classes
        )


def _check_space(folder: str, needed: int) -> None:
    """A file that is mapped grows as it is written, and a full disk then ends the process."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"Decoded photos need {needed / 2**30:.1f} GiB in '{folder}', which has"
            f" {free / 2**30:.1f} GiB free. Set TMPDIR to a larger disk, or lower `image_size`."
        )
