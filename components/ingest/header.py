"""What the head of a photo's file says, before a pixel is decoded."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import PurePosixPath

import simplejpeg
from PIL import Image, UnidentifiedImageError

from components.ingest.exif import Exif, read_exif

FORMATS = {"JPEG": "jpeg", "PNG": "png", "BMP": "bmp", "WEBP": "webp"}  # Pillow's name: ours
SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "bmp": (".bmp", ".dib"),
    "webp": (".webp",),
}
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")  # of the photos of phones
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width
TURNED = (3, 4, *SIDEWAYS)  # 2 is mirrored only


@dataclass(frozen=True, kw_only=True)
class Header:
    """Format, size and kind of a photo."""

    format: str  # "jpeg", "png", "bmp" or "webp"
    height: int  # pixels, as they are stored
    width: int
    traits: frozenset[str]  # those of `components.common.index.TRAITS` that a header shows
    exif: Exif


def read_header(encoded: bytes) -> Header | str:
    """Read the header of a photo.

    Args:
        encoded: The file's bytes.

    Returns:
        The header or, where it is of no photo that can be used, the reason.
    """
    header = _read_jpeg(encoded) or _read_other(encoded)
    # Not left to Pillow, which knows nothing of JPEGs here, and only warns up to twice the limit.
    if isinstance(header, Header) and header.height * header.width > _most_pixels():
        return _too_many_pixels()
    return header


def contradicts(filename: str, file_format: str) -> bool:
    """Whether a file's name says another format than its bytes."""
    suffix = PurePosixPath(filename).suffix.lower()
    return suffix != "" and suffix not in SUFFIXES[file_format]


def _read_jpeg(encoded: bytes) -> Header | None:
    """The header of a JPEG, which takes Pillow 5 times as long."""
    if not encoded.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, colors, _ = simplejpeg.decode_jpeg_header(encoded, strict=False)
    except Exception:  # whatever its binding meets in broken bytes; Pillow will find the words
        return None
    exif = read_exif(_find_exif(encoded))
    found = {"Gray": {"grayscale"}, "CMYK": {"cmyk"}, "YCCK": {"cmyk"}}.get(str(colors), set())
    if exif.orientation in TURNED:
        found.add("turned")
    return Header(
        format="jpeg", height=int(height), width=int(width), traits=frozenset(found), exif=exif
    )


def _find_exif(jpeg: bytes) -> bytes:
    """The EXIF data of a JPEG; it stands in a segment before the pixels."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and (marker := jpeg[at + 1 : at + 2]) != b"\xda":
        size = int.from_bytes(jpeg[at + 2 : at + 4])
        if marker == b"\xe1" and jpeg.startswith(b"Exif\0\0", at + 4):
            return jpeg[at + 4 : at + 2 + size]
        at += 2 + size
    return b""


def _read_other(encoded: bytes) -> Header | str:
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return _describe(image, encoded)
    except UnidentifiedImageError:
        is_heic = encoded[4:8] == b"ftyp" and encoded[8:12] in HEIC_BRANDS
        return _unusable("HEIC") if is_heic else "not an image"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels()
    except Exception as error:  # Pillow raises whatever it meets in broken bytes
        return f"does not decode: {str(error) or type(error).__name__}"


def _describe(image: Image.Image, encoded: bytes) -> Header | str:
    name = FORMATS.get(image.format or "")
    if name is None:
        return _unusable(str(image.format))
    exif = read_exif(image.info.get("exif", b""))
    is_animated = bool(getattr(image, "is_animated", False))
    has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
    traits = {
        "grayscale": image.mode in ("1", "L", "LA", "I;16"),
        # Pillow gives every frame of an animated WebP an alpha channel.
        "alpha": has_alpha and not (name == "webp" and is_animated),
        "palette": image.mode == "P",
        "16-bit": name == "png" and encoded[24] == 16,  # the header's bits a sample
        "animated": is_animated,
        "turned": exif.orientation in TURNED,
    }
    return Header(
        format=name,
        height=image.height,
        width=image.width,
        traits=frozenset(trait for trait, is_so in traits.items() if is_so),
        exif=exif,
    )


def _unusable(file_format: str) -> str:
    return f"format {file_format} (usable: {', '.join(FORMATS.values())})"


def _most_pixels() -> float:
    return Image.MAX_IMAGE_PIXELS or math.inf


def _too_many_pixels() -> str:
    return f"more than {Image.MAX_IMAGE_PIXELS} pixels"
