"""Photos as TFRecord examples: the bytes of the original file, its label, box and mask.

Keys follow the TensorFlow Object Detection API, so that other tools read them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.common.errors import DataError
from components.common.tfrecord import example_class


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
    example = example_class()()
    feature = example.features.feature
    of_bytes = {
        "image/encoded": record.encoded,
        "image/format": record.format.encode(),
        "image/class/text": record.class_name.encode(),
        "image/filename": record.filename.encode(),
        "image/sha256": record.sha256.encode(),
    }
    if record.mask is not None:
        of_bytes["image/segmentation/class/encoded"] = record.mask
        of_bytes["image/segmentation/class/format"] = b"png"
    of_int = {
        "image/height": record.height,
        "image/width": record.width,
        "image/class/label": record.label,
    }
    for key, content in of_bytes.items():
        feature[key].bytes_list.value.append(content)
    for key, number in of_int.items():
        feature[key].int64_list.value.append(number)
    for key, side in zip(_BOX_KEYS, record.box or (), strict=False):
        feature[key].float_list.value.append(side)
    # Map entries have no order of their own, and the shard's checksum must not depend on luck.
    return bytes(example.SerializeToString(deterministic=True))


def from_example(serialized: bytes) -> PhotoRecord:
    """Parse what `to_example` made.

    Raises:
        DataError: If a key is missing.
    """
    features = example_class().FromString(serialized).features.feature

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


_BOX_KEYS = tuple(f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax"))


def _first(values: Any, key: str) -> Any:
    if not values:
        raise DataError(f"A photo record must hold '{key}'. Received a record without it.")
    return values[0]
