"""The little that is wanted of a photo's EXIF data: how the camera was held, and which it was.

Pillow reads all of it, which takes longer than the rest of the header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAKER, MODEL, ORIENTATION = 0x010F, 0x0110, 0x0112  # tags
BYTE_ORDERS = {b"II": "<", b"MM": ">"}
MOST_CHARACTERS = 80  # of a camera's name


@dataclass(frozen=True, kw_only=True)
class Exif:
    """What a photo's EXIF data says, or what holds where it says nothing."""

    orientation: int = 1  # 1 to 8; 1 is upright
    camera: str = ""  # maker and model


def read_exif(data: bytes) -> Exif:
    """Read EXIF data, as far as it is sound.

    Args:
        data: A TIFF header and what follows it, with or without `Exif` before it.

    Reference:
        CIPA DC-008, "Exchangeable image file format for digital still cameras".
    """
    try:
        tags = _read_tags(data.removeprefix(b"Exif\0\0"))
    except (KeyError, struct.error):  # garbage, or cut short
        return Exif()
    (orientation,) = struct.unpack_from("<H", tags.get(ORIENTATION, b"\1\0"))
    maker, model = _text(tags.get(MAKER, b"")), _text(tags.get(MODEL, b""))
    named_twice = model.lower().startswith(maker.lower())
    return Exif(
        orientation=orientation if orientation in range(1, 9) else 1,
        camera=(model if named_twice else f"{maker} {model}".strip())[:MOST_CHARACTERS],
    )


def _read_tags(tiff: bytes) -> dict[int, bytes]:
    """The values of the three tags, those that are there; numbers in little-endian order."""
    order = BYTE_ORDERS[tiff[:2]]
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    (number,) = struct.unpack_from(f"{order}H", tiff, first)
    tags = {}
    for at in range(first + 2, first + 2 + 12 * number, 12):
        tag, _, size = struct.unpack_from(f"{order}HHI", tiff, at)
        if tag == ORIENTATION:
            tags[tag] = struct.pack("<H", *struct.unpack_from(f"{order}H", tiff, at + 8))
        elif tag in (MAKER, MODEL):  # up to 4 characters stand in the place of their address
            start = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", tiff, at + 8)[0]
            tags[tag] = tiff[start : start + size]
    return tags


def _text(value: bytes) -> str:
    """Text up to the first zero, without what terminals and pages would not show."""
    decoded = value.partition(b"\0")[0].decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
