"""Photos as arrays of one size, ready for a network."""

from __future__ import annotations

import copy
import math
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.dataset import read_photos
from components.common.errors import DataError
from components.common.manifest import Manifest
from components.common.parallel import map_in_order, num_cores
from components.common.pixels import Photo, Picture, read, to_square
from components.common.progress import Meter, report
from components.common.records import PhotoRecord, from_example, to_example

READ_AHEAD = 64  # photos


class EncodedImages:
    """Photos in a file, still encoded: each is decoded anew whenever it is asked for.

    Takes about a tenth of the room of decoded ones, and is indexed as an array of them is.
    """

    def __init__(self, file: Path, ends: NDArray[np.int64], size: int) -> None:
        """Prepare.

        Args:
            file: Photos, serialized by `to_example`, one after another.
            ends: Byte after each photo in it.
            size: Height and width that they are brought to, pixels.
        """
        self._content = np.memmap(file, np.uint8, "r")
        self._ends = ends
        self._starts = np.concatenate([[0], ends[:-1]])
        self.shape = (len(ends), size, size, 3)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, rows: int | slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """The photo of one row, or the photos of several."""
        chosen = np.arange(len(self))[rows]
        if np.ndim(chosen) == 0:
            return self._decode(int(chosen))
        photos = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, row in enumerate(chosen):
            photos[place] = self._decode(int(row))
        return photos

    def first(self, number: int) -> EncodedImages:
        """The first photos, still encoded."""
        some = copy.copy(self)
        some._ends, some._starts = self._ends[:number], self._starts[:number]
        some.shape = (len(some._ends), *self.shape[1:])
        return some

    def _decode(self, row: int) -> Photo:
        content = self._content[self._starts[row] : self._ends[row]].tobytes()
        return decode(from_example(content), self.shape[1])


Images = NDArray[np.uint8] | EncodedImages  # (n, size, size, 3), RGB, in [0, 255]
Mask = NDArray[np.uint8]  # (height, width), 1 on the object


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """All photos of one split."""

    images: Images
    labels: NDArray[np.int32]  # (n,), indices into `classes`
    boxes: NDArray[np.float32]  # (n, 4), (xmin, ymin, xmax, ymax) in [0, 1]; NaN where unknown
    filenames: tuple[str, ...]
    classes: tuple[str, ...]
    # PNG files, a hundredth of what decoded ones take; None where unknown, empty where all are.
    encoded_masks: tuple[bytes | None, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def mask(self, row: int) -> Mask | None:
        """The mask of one photo, in its own size: 1 on the object; None where there is none."""
        encoded = self.encoded_masks[row] if self.encoded_masks else None
        return None if encoded is None else _decode_gray(encoded)

    def first(self, number: int) -> PhotoSet:
        """The first photos, without copying them."""
        images = self.images
        return replace(
            self,
            images=images.first(number) if isinstance(images, EncodedImages) else images[:number],
            labels=self.labels[:number],
            boxes=self.boxes[:number],
            filenames=self.filenames[:number],
            encoded_masks=self.encoded_masks[:number],
        )


def as_input(images: NDArray[np.uint8], channels: int) -> NDArray[np.float32]:
    """Make of photos what a network takes.

    Args:
        images: RGB, shape `(n, height, width, 3)`, in [0, 255].
        channels: 3, or 1 for gray: the luma of ITU-R BT.601, as JPEG has it.

    Returns:
        Shape `(n, height, width, channels)`, in [0, 255].
    """
    if channels == 3:
        return images.astype(np.float32)
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    return np.array(gray, np.float32).reshape(*images.shape[:3], 1)


def open_picture(record: PhotoRecord, size: int) -> Picture:
    """Decode one photo, turned as its EXIF data says, with about the pixels that a square needs.

    Args:
        record: The photo.
        size: Height and width of the square, pixels.

    Raises:
        DataError: If it does not decode.
    """
    picture = read(
        record.encoded,
        is_jpeg=record.format == "jpeg",
        height=record.height,
        width=record.width,
        size=size,
    )
    if picture is None:
        raise DataError(f"'{record.filename}' does not decode. Ingest the photos again.")
    return picture


def decode(record: PhotoRecord, size: int) -> Photo:
    """Decode one photo, turned as its EXIF data says, and stretch it to a square.

    Args:
        record: The photo.
        size: Height and width of the result, pixels.

    Returns:
        Shape `(size, size, 3)`, RGB, uint8.

    Raises:
        DataError: If it does not decode.
    """
    return to_square(open_picture(record, size), size)


def decode_mask(record: PhotoRecord) -> Mask | None:
    """The mask of one photo: 1 on the object, shape as the photo; None where there is none."""
    return None if record.mask is None else _decode_gray(record.mask)


def _decode_gray(encoded: bytes) -> Mask | None:
    mask: Mask | None = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    return mask


@contextmanager
def load_photos(folder: Path, size: int, *, masks: bool = False) -> Iterator[PhotoSet]:
    """Decode a dataset once, into a file that the system pages in and out as memory allows.

    Where that file would not fit on the disk, photos are kept encoded and decoded when asked for.

    Args:
        folder: Dataset folder.
        size: Height and width of the photos, pixels.
        masks: Whether masks are wanted, too; they stay in memory.

    Yields:
        The photos; the file behind them is gone after the block.

    Raises:
        DataError: If a photo does not decode, or the disk is too small even for encoded ones.
    """
    manifest = Manifest.load(folder)
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        loader = _Loader(folder, manifest, Path(scratch, "images"), size, masks=masks)
        yield PhotoSet(
            images=loader.decoded() if _has_room(scratch, manifest, size) else loader.encoded(),
            labels=loader.labels,
            boxes=loader.boxes,
            filenames=tuple(loader.filenames),
            classes=manifest.classes,
            encoded_masks=tuple(loader.masks) if any(loader.masks) else (),
        )


class _Loader:
    """Brings photos into a file; what is known of them stays in memory."""

    def __init__(
        self, folder: Path, manifest: Manifest, file: Path, size: int, *, masks: bool
    ) -> None:
        self.labels = np.empty(manifest.num_photos, np.int32)
        self.boxes = np.full((manifest.num_photos, 4), np.nan, np.float32)
        self.filenames: list[str] = []
        self.masks: list[bytes | None] = []
        self._folder, self._file, self._size = folder, file, size
        self._wants_masks = masks
        self._name = manifest.split or ""

    def decoded(self) -> NDArray[np.uint8]:
        shape = (len(self.labels), self._size, self._size, 3)
        images = np.memmap(self._file, np.uint8, "w+", shape=shape)
        meter = Meter(f"decoded {self._name}".strip(), len(self.labels))
        with ThreadPoolExecutor(num_cores()) as pool:
            records = read_photos(self._folder)
            pairs = map_in_order(
                pool, lambda r: (r, decode(r, self._size)), records, ahead=READ_AHEAD
            )
            for row, (record, image) in enumerate(pairs):
                images[row] = image
                self._remember(row, record)
                meter.show(row + 1)
        return images

    def encoded(self) -> EncodedImages:
        ends = np.empty(len(self.labels), np.int64)
        meter = Meter(f"copied {self._name}".strip(), len(self.labels))
        with self._file.open("wb") as file:
            for row, record in enumerate(read_photos(self._folder)):
                file.write(to_example(replace(record, mask=None)))
                ends[row] = file.tell()
                self._remember(row, record)
                meter.show(row + 1)
        return EncodedImages(self._file, ends, self._size)

    def _remember(self, row: int, record: PhotoRecord) -> None:
        self.labels[row] = record.label
        self.filenames.append(record.filename)
        if self._wants_masks:
            self.masks.append(record.mask)
        if record.box is not None:
            self.boxes[row] = record.box


def _has_room(folder: str, manifest: Manifest, size: int) -> bool:
    """Whether decoded photos fit; a mapped file grows as it is written, and a full disk kills."""
    needed = math.prod((manifest.num_photos, size, size, 3))
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return True
    if manifest.size_bytes > free:
        raise DataError(
            f"The photos need {manifest.size_bytes / 2**30:.1f} GiB in '{folder}', which has"
            f" {free / 2**30:.1f} GiB free. Set TMPDIR to a larger disk."
        )
    report(
        f"{needed / 2**30:.1f} GiB of decoded photos do not fit into '{folder}': each is decoded"
        " whenever it is needed"
    )
    return False
