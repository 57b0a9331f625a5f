"""What is known of every photo of a dataset, in columns: a million photos take some 150 MB."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.records import PhotoRecord

FORMATS = ("jpeg", "png", "bmp", "webp")
# What is unusual about a photo that can be used all the same; bit i of a mask stands for entry i.
TRAITS = (
    "grayscale",  # one channel, or three that are equal
    "alpha",
    "palette",
    "cmyk",
    "16-bit",
    "animated",  # its first frame is used
    "turned",  # EXIF says that it lies on its side or stands on its head
    "wrong-suffix",  # the name says another format than the bytes
)
HASH_WORDS = 4  # a perceptual hash has 256 bits


@dataclass(frozen=True, kw_only=True)
class PhotoFacts:
    """What was learned of one photo by looking at its bytes."""

    format: str  # one of `FORMATS`
    height: int  # pixels, turned as EXIF says
    width: int
    traits: tuple[str, ...] = ()  # some of `TRAITS`
    camera: str = ""  # maker and model as EXIF says, "" where it says nothing
    # What follows needs the photo to be decoded, and is None where it was not.
    hash: tuple[int, int, int, int] | None = None  # perceptual, 256 bits in words of 64
    mean: tuple[float, float, float] | None = None  # of red, green and blue, in [0, 255]
    std: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotoIndex:
    """All photos of a dataset, one a row, in the order of its records. `n` is their number."""

    classes: tuple[str, ...]
    filenames: Sequence[str]  # relative to the source
    labels: NDArray[np.int32]  # (n,), indices into `classes`
    sha256: NDArray[np.uint8]  # (n, 32)
    size_bytes: NDArray[np.int64]  # (n,)
    heights: NDArray[np.int32]  # (n,), pixels, turned as EXIF says
    widths: NDArray[np.int32]  # (n,)
    formats: NDArray[np.uint8]  # (n,), indices into `FORMATS`
    traits: NDArray[np.uint16]  # (n,), bit masks over `TRAITS`
    cameras: Sequence[str]  # (n,), "" where EXIF says nothing
    decoded: NDArray[np.bool_]  # (n,), whether hash, mean and std were taken
    hashes: NDArray[np.uint64]  # (n, HASH_WORDS), perceptual
    means: NDArray[np.float32]  # (n, 3), of red, green and blue, in [0, 255]
    stds: NDArray[np.float32]  # (n, 3)
    generations: NDArray[np.int32]  # (n,), versions of the dataset before the photo came into it
    leaders: NDArray[np.uint8]  # (n, 32), SHA-256 of the photo whose split it shares
    shards: NDArray[np.int32]  # (n,), which shard holds the photo
    offsets: NDArray[np.int64]  # (n,), where in the shard its record begins, bytes

    def __len__(self) -> int:
        return len(self.labels)

    def has_trait(self, trait: str) -> NDArray[np.bool_]:
        """Which photos have one of `TRAITS`, shape `(n,)`."""
        return np.asarray((self.traits >> TRAITS.index(trait)) & 1, bool)

    def photos(self) -> Iterator[tuple[str, str]]:
        """(class name, SHA-256) of each photo, as `dataset_digest` takes them."""
        for label, sha256 in zip(self.labels.tolist(), self.sha256, strict=True):
            yield self.classes[label], sha256.tobytes().hex()

    def counts(self) -> dict[str, int]:
        """Photos a class."""
        counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    def take(self, rows: NDArray[Any]) -> PhotoIndex:
        """Some of the photos.

        Args:
            rows: Row numbers, or a mask of shape `(n,)`.
        """
        chosen = np.arange(len(self))[rows]
        return PhotoIndex(
            classes=self.classes,
            filenames=[self.filenames[row] for row in chosen],
            cameras=[self.cameras[row] for row in chosen],
            **{name: getattr(self, name)[chosen] for name in _COLUMNS},
        )

    def to_bytes(self) -> bytes:
        """Serialize as a compressed .npz file, the same bytes for the same photos."""
        columns: dict[str, Any] = {
            name: np.asarray(getattr(self, name), _ROW[name].base) for name in _COLUMNS
        }
        columns["leaders"] = self.leaders ^ self.sha256  # nearly all 0, which takes no room
        for name in ("classes", "filenames", "cameras"):
            columns[name] = _pack(getattr(self, name))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **columns)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> PhotoIndex:
        """Parse what `to_bytes` made."""
        with np.load(io.BytesIO(content), allow_pickle=False) as columns:
            arrays = {name: columns[name] for name in _COLUMNS}
            arrays["leaders"] ^= arrays["sha256"]
            return cls(
                classes=tuple(_unpack(columns["classes"])),
                filenames=_unpack(columns["filenames"]),
                cameras=list(map(sys.intern, _unpack(columns["cameras"]))),
                **arrays,
            )


class IndexBuilder:
    """Gathers the rows of an index, photo by photo."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._rows = bytearray()
        self._filenames: list[str] = []
        self._cameras: list[str] = []

    def add(
        self,
        record: PhotoRecord,
        facts: PhotoFacts | None = None,
        *,
        shard: int = 0,
        offset: int = 0,
    ) -> None:
        """Append one photo.

        Args:
            record: The photo.
            facts: What was learned of it; None where nobody looked.
            shard: Which shard holds it.
            offset: Where in that shard its record begins, bytes.
        """
        if facts is None:
            facts = PhotoFacts(format=record.format, height=record.height, width=record.width)
        self._filenames.append(record.filename)
        self._cameras.append(sys.intern(facts.camera))  # few, each very often
        self._rows += _PACKED.pack(
            record.label,
            bytes.fromhex(record.sha256),
            len(record.encoded),
            record.height,
            record.width,
            FORMATS.index(record.format),
            sum(1 << TRAITS.index(trait) for trait in facts.traits),
            facts.hash is not None,
            *(facts.hash or (0,) * HASH_WORDS),
            *(facts.mean or (0.0,) * 3),
            *(facts.std or (0.0,) * 3),
            0,  # generation
            bytes.fromhex(record.sha256),  # it follows nobody
            shard,
            offset,
        )

    def build(self) -> PhotoIndex:
        """The index of all photos, once the last one is added."""
        rows = np.frombuffer(self._rows, _ROW)
        return PhotoIndex(
            classes=self._classes,
            filenames=self._filenames,
            cameras=self._cameras,
            **{name: rows[name] for name in _COLUMNS},
        )


def concatenate(parts: Sequence[PhotoIndex]) -> PhotoIndex:
    """Join the indexes of shards into one; the i-th part's photos are in shard i."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    numbers = np.arange(len(parts), dtype=np.int32)
    columns["shards"] = np.repeat(numbers, [len(part) for part in parts])
    return PhotoIndex(
        classes=parts[0].classes,
        filenames=[name for part in parts for name in part.filenames],
        cameras=[camera for part in parts for camera in part.cameras],
        **columns,
    )


_ROW = np.dtype(
    [
        ("labels", "<i4"),
        ("sha256", "u1", 32),
        ("size_bytes", "<i8"),
        ("heights", "<i4"),
        ("widths", "<i4"),
        ("formats", "u1"),
        ("traits", "<u2"),
        ("decoded", "?"),
        ("hashes", "<u8", HASH_WORDS),
        ("means", "<f4", 3),
        ("stds", "<f4", 3),
        ("generations", "<i4"),
        ("leaders", "u1", 32),
        ("shards", "<i4"),
        ("offsets", "<i8"),
    ]
)
_PACKED = struct.Struct("<i32sqiiBH?4Q3f3fi32siq")  # the same; an array is filled 7 times slower
_COLUMNS = tuple(_ROW.names or ())


def _pack(names: Iterable[str]) -> NDArray[np.uint8]:
    # Each ends with a zero byte, which no name holds: so that no names and one empty one differ.
    return np.frombuffer("".join(f"{name}\0" for name in names).encode(), np.uint8)


def _unpack(packed: NDArray[np.uint8]) -> list[str]:
    return packed.tobytes().decode().split("\0")[:-1]
