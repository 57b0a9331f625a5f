"""Is this photo usable, and what is there to know of it? Decoded once, and not larger than needed.

JPEGs are decoded at an eighth of their size or so, which reads every bit and skips most of the
arithmetic. simplejpeg does it, since it alone tells what libjpeg warns of: where bytes were lost or
overwritten in the middle, OpenCV and Pillow fill up with gray.
"""

from __future__ import annotations

import io
import re
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from components.common.index import TRAITS, PhotoFacts
from components.common.looks import perceptual_hash
from components.ingest.header import SIDEWAYS, Header, contradicts, read_header

# OpenCV would print of every broken file what is listed as the reason for its rejection.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

SHORT_SIDE_PX = 45  # looks are taken from a copy with this at least, if the photo has it
GRAY_TOLERANCE = 2  # levels between the channels of a photo without colours, once a JPEG
# What libjpeg warns of where all pixels may be sound: odd headers, and bytes that nobody reads. It
# names the marker behind those; before the next scan of a progressive JPEG they are lost pixels.
HARMLESS = re.compile(
    r"extraneous bytes before marker 0x(d9|e|fe|db|c[0-2])"
    r"|Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color"
)

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB


class _BrokenError(Exception):
    """The photo does not decode; the text is the reason."""


def check_photo(encoded: bytes, filename: str = "", *, decode: bool = True) -> PhotoFacts | str:
    """Decide whether a photo can be used, and describe it.

    Args:
        encoded: The file's bytes.
        filename: Its name, to compare the suffix with the bytes.
        decode: Whether to decode it. Otherwise the header decides, and hash, mean and std are
            None.

    Returns:
        What was learned or, where it cannot be used, the reason. Hash, mean and std are those of
        the photo upright, its short side brought to 45 to 90 pixels where it has more.
    """
    if not encoded:
        return "empty or unreadable file"
    header = read_header(encoded)
    if isinstance(header, str):
        return header
    try:
        pixels = _decode(encoded, header) if decode else None
    except _BrokenError as error:
        return f"does not decode: {error}"
    return _facts(header, filename, pixels)


def _facts(header: Header, filename: str, pixels: Pixels | None) -> PhotoFacts:
    found = set(header.traits)
    if contradicts(filename, header.format):
        found.add("wrong-suffix")
    height, width = header.height, header.width
    if header.exif.orientation in SIDEWAYS:
        height, width = width, height
    looks: dict[str, Any] = {}
    if pixels is not None:
        mean, std = cv2.meanStdDev(pixels)
        looks["mean"], looks["std"] = tuple(mean.ravel().tolist()), tuple(std.ravel().tolist())
        looks["hash"] = perceptual_hash(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        if _is_gray(pixels):
            found.add("grayscale")
    return PhotoFacts(
        format=header.format,
        height=height,
        width=width,
        traits=tuple(trait for trait in TRAITS if trait in found),
        camera=header.exif.camera,
        **looks,
    )


def _is_gray(pixels: Pixels) -> bool:
    red, green, blue = cv2.split(pixels)
    farthest = max(cv2.norm(green, other, cv2.NORM_INF) for other in (red, blue))
    return farthest <= GRAY_TOLERANCE


def _decode(encoded: bytes, header: Header) -> Pixels:
    """Decode a photo to its last byte; the result is small, and upright.

    Raises:
        _BrokenError: If it does not decode.
    """
    if header.format != "jpeg":
        return _shrink(_decode_by_opencv(encoded))
    if "cmyk" in header.traits:  # simplejpeg can tell whether it is sound, but not its colours
        _decode_jpeg(encoded, "CMYK")
        return _shrink(_decode_by_opencv(encoded))
    return _turn(_shrink(_decode_jpeg(encoded, "RGB")), header.exif.orientation)


def _decode_jpeg(encoded: bytes, colors: str) -> Pixels:
    try:
        return _decode_by_simplejpeg(encoded, colors, strict=True)
    except _BrokenError as error:
        if not HARMLESS.search(str(error)):
            raise
    _decode_by_pillow(encoded)  # the first warning hid all others
    return _decode_by_simplejpeg(encoded, colors, strict=False)


def _decode_by_simplejpeg(encoded: bytes, colors: str, *, strict: bool) -> Pixels:
    """All bits, but only as many pixels as looks need."""
    try:
        pixels = simplejpeg.decode_jpeg(
            encoded, colors, min_height=SHORT_SIDE_PX, min_width=SHORT_SIDE_PX, strict=strict
        )
    except Exception as error:  # ValueError, and whatever its binding meets in broken bytes
        what = str(error).removeprefix("Corrupt JPEG data: ")
        raise _BrokenError(f"truncated or damaged ({what})") from None
    return np.asarray(pixels)


def _decode_by_opencv(encoded: bytes) -> Pixels:
    """All pixels, upright, as training sees them."""
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # more than 2^20 pixels a side
        pixels = None
    if pixels is None:
        _decode_by_pillow(encoded)  # has better words
        raise _BrokenError("damaged, or too wide")
    return np.asarray(pixels)


def _decode_by_pillow(encoded: bytes) -> None:
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
    except Exception as error:  # its decoders raise whatever they meet in broken bytes
        raise _BrokenError(str(error) or type(error).__name__) from None


def _shrink(pixels: Pixels) -> Pixels:
    """Average over squares, so that a large photo costs no more than decoding it."""
    height, width = pixels.shape[:2]
    factor = min(height, width) // SHORT_SIDE_PX
    if factor < 2:
        return pixels
    size = (width // factor, height // factor)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    """Bring a photo upright, as its EXIF orientation asks."""
    if orientation in SIDEWAYS:  # 5 to 8 are 1 to 4 with the sides swapped
        pixels = np.asarray(cv2.transpose(pixels))
        orientation -= 4
    flip = {2: 1, 3: -1, 4: 0}.get(orientation)  # left to right, both, top to bottom
    return pixels if flip is None else np.asarray(cv2.flip(pixels, flip))
