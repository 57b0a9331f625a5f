"""Is this photo usable? Decodes it strictly, as training later will."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

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
    """Decode a photo to its last byte; OpenCV alone would take a truncated one.

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
            turned = image.getexif().get(EXIF_ORIENTATION) in TURNED
            width, height = image.size[::-1] if turned else image.size
            return PhotoShape(format=name, height=height, width=width)
    except UnidentifiedImageError:
        return "not an image"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels()
    except Exception as error:  # Pillow's decoders raise whatever they meet in broken bytes
        return f"does not decode: {str(error) or type(error).__name__}"


def _too_many_pixels() -> str:
    return f"more than {Image.MAX_IMAGE_PIXELS} pixels"
