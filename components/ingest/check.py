"""Is this photo usable? It must pass Pillow, which is strict, and OpenCV, which training uses."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = {"JPEG": "jpeg", "PNG": "png", "BMP": "bmp", "WEBP": "webp"}  # Pillow's name: ours
# What phones write: a JPEG with more pictures behind it, which every decoder skips.
SPECIAL_FORMATS = {"MPO": "jpeg"}
EXIF_ORIENTATION = 0x0112
TURNED = {5, 6, 7, 8}  # orientations that swap height and width


@dataclass(frozen=True, kw_only=True)
class PhotoShape:
    """Format and size of a photo that decodes."""

    format: str
    height: int  # pixels, turned as EXIF says
    width: int


def check_photo(encoded: bytes) -> PhotoShape | str:
    """Decode a photo to its last byte, by both decoders.

    OpenCV alone would take a truncated JPEG; Pillow alone, a PNG with a wrong checksum, which
    training could not read.

    Args:
        encoded: The file's bytes.

    Returns:
        Its shape or, where it cannot be used, the reason.
    """
    if not encoded:
        return "empty or unreadable file"
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            name = (FORMATS | SPECIAL_FORMATS).get(image.format or "")
            if name is None:
                return f"format {image.format} (usable: {', '.join(FORMATS.values())})"
            # Pillow itself only warns up to twice the limit, and warnings that are turned into
            # errors are turned for all threads at once, or for none.
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                return _too_many_pixels()
            image.load()
            if not _opencv_decodes(encoded):
                return "does not decode: damaged, or too wide"
            turned = image.getexif().get(EXIF_ORIENTATION) in TURNED
            width, height = image.size[::-1] if turned else image.size
            return PhotoShape(format=name, height=height, width=width)
    except UnidentifiedImageError:
        return "not an image"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels()
    except Exception as error:  # Pillow's decoders raise whatever they meet in broken bytes
        return f"does not decode: {str(error) or type(error).__name__}"


def _opencv_decodes(encoded: bytes) -> bool:
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB) is not None
    except cv2.error:  # more than 2^20 pixels a side
        return False


def _too_many_pixels() -> str:
    return f"more than {Image.MAX_IMAGE_PIXELS} pixels"
