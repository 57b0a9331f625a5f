"""Photos as TFRecord examples: the bytes of the original file, its label, box and mask.

Keys follow the TensorFlow Object Detection API, so that other tools read them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PhotoRecord:
    """One checked photo."""

    encoded: bytes  # the original file, never re-encoded
    format: str  # "jpeg", "png", "bmp" or "webp"
    height: int  # pixels, as a person sees it (turned as EXIF says)
    width: int
    label: int  # index into the manifest's classes
    class_name: str
    filename: str  # relative to its source
    sha256: str  # of `encoded`, hexadecimal
    box: tuple[float, float, float, float] | None = None  # (xmin, ymin, xmax, ymax) in [0, 1]
    mask: bytes | None = None  # PNG, 8-bit gray, 1 on the object


def to_example(record: PhotoRecord) -> bytes:
    """Serialize as a `tf.train.Example`."""
    import tensorflow as tf

    def of_bytes(value: bytes) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_int(value: int) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    features = {
        "image/encoded": of_bytes(record.encoded),
        "image/format": of_bytes(record.format.encode()),
        "image/height": of_int(record.height),
        "image/width": of_int(record.width),
        "image/class/label": of_int(record.label),
        "image/class/text": of_bytes(record.class_name.encode()),
        "image/filename": of_bytes(record.filename.encode()),
        "image/sha256": of_bytes(record.sha256.encode()),
    }
    for key, value in zip(_BOX_KEYS, record.box or (), strict=False):
        features[key] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    if record.mask is not None:
        features["image/segmentation/class/encoded"] = of_bytes(record.mask)
        features["image/segmentation/class/format"] = of_bytes(b"png")
    example = tf.train.Example(features=tf.train.Features(feature=features))
    # Map entries have no order of their own, and the shard's checksum must not depend on luck.
    return bytes(example.SerializeToString(deterministic=True))


def from_example(serialized: bytes) -> PhotoRecord:
    """Parse what `to_example` made.

    Raises:
        ValueError: If a key is missing.
    """
    import tensorflow as tf

    features = tf.train.Example.FromString(serialized).features.feature

    def text(key: str) -> str:
        return str(_first(features[key].bytes_list.value, key).decode())

    mask = features["image/segmentation/class/encoded"].bytes_list.value
    box = [value for key in _BOX_KEYS for value in features[key].float_list.value]
    return PhotoRecord(
        encoded=_first(features["image/encoded"].bytes_list.value, "image/encoded"),
        format=text("image/format"),
        height=_first(features["image/height"].int64_list.value, "image/height"),
        width=_first(features["image/width"].int64_list.value, "image/width"),
        label=_first(features["image/class/label"].int64_list.value, "image/class/label"),
        class_name=text("image/class/text"),
        filename=text("image/filename"),
        sha256=text("image/sha256"),
        box=(box[0], box[1], box[2], box[3]) if box else None,
        mask=mask[0] if mask else None,
    )


def read_shard(path: Path) -> Iterator[PhotoRecord]:
    """Stream the photos of one shard; TensorFlow checks each record's CRC."""
    import tensorflow as tf

    for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        yield from_example(serialized)


_BOX_KEYS = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))


def _first(values: Any, key: str) -> Any:
    if not values:
        raise ValueError(f"A photo record must hold '{key}'. Received a record without it.")
    return values[0]
