"""One door to HTML pages that are a single file: styles and images inside, nothing fetched.

Templates lie beside the step that fills them and extend `common/page.html.j2`.
"""

from __future__ import annotations

import base64
import functools
import math
from pathlib import Path

import cv2
import jinja2
import numpy as np

from components.common.errors import InputError

TEMPLATES_ROOT = Path(__file__).resolve().parents[1]  # the `components` package
JPEG_QUALITY = 85  # 0 to 100; below about 80 the blocks show on petals


def percent(fraction: float, digits: int = 1) -> str:
    """Write a fraction as a percentage: 0.915 becomes "91.5 %", with a space that never breaks."""
    # What is not perfect must not read as if it were: 0.9999 is 99.9 %, not 100.0 %.
    points = 100 * fraction if fraction >= 1 else min(100 * fraction, 100 - 10.0**-digits)
    return f"{points:.{digits}f}\N{NO-BREAK SPACE}%"


def percent_css(fraction: float) -> str:
    """Write a fraction as a CSS length, held in 0-100 % so that no bar leaves its track."""
    inside = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
    return f"{100 * inside:.1f}%"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES_ROOT),
        # Class and file names come from other people's data sets: every value is escaped,
        # whatever the template's suffix (jinja's own rule by suffix would skip `.j2`).
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, percent_css=percent_css)
    return environment


def render_page(template: str, **context: object) -> str:
    """Fill a template of the `components` package.

    Args:
        template: Path inside the package, with `/`, e.g. "evaluate/report.html.j2".
        **context: What the template names. A name that it needs and does not get is an error.

    Returns:
        The page, a whole HTML document.

    Raises:
        InputError: If there is no such template.
        jinja2.UndefinedError: If the template needs a name that `context` lacks.
    """
    try:
        page = _environment().get_template(template)
    except jinja2.TemplateNotFound as error:
        raise InputError(
            f"`template` must name a file under {TEMPLATES_ROOT}, such as "
            f"'evaluate/report.html.j2'. Received: {template!r} (not found: {error.name!r})"
        ) from error
    return page.render(**context)


def data_uri(content: bytes, media_type: str) -> str:
    """Turn bytes into an address that holds them, for `<img src>`.

    Args:
        content: The file's bytes.
        media_type: For example "image/png".

    Returns:
        A `data:` address in base 64.

    Reference:
        RFC 2397, "The data URL scheme".
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def thumbnail(photo: np.ndarray, *, size: int) -> str:
    """Shrink a photo to a JPEG `data:` address; the aspect stays, a smaller photo is not enlarged.

    Args:
        photo: RGB, uint8, shape `(height, width, 3)`.
        size: Longest side of the result, pixels.

    Returns:
        A `data:image/jpeg` address.

    Raises:
        InputError: If `photo` is not such an array or `size` is below 1.
    """
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.size == 0:
        raise InputError(
            "`photo` must be uint8 RGB, shape (height, width, 3). "
            f"Received: dtype={photo.dtype}, shape={photo.shape}"
        )
    if size < 1:
        raise InputError(f"`size` must be at least 1 pixel. Received: {size}")
    bgr = cv2.cvtColor(_shrink(photo, size), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data_uri(encoded.tobytes(), "image/jpeg")


def _shrink(photo: np.ndarray, size: int) -> np.ndarray:
    height, width = photo.shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return photo
    to_size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Area averaging is the one cv2 method that does not alias when it shrinks.
    shrunk: np.ndarray = cv2.resize(photo, to_size, interpolation=cv2.INTER_AREA)
    return shrunk
