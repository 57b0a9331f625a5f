"""Rectangles of a photo, drawn at random, and what may stand in them."""

from __future__ import annotations

import math

import numpy as np

from components.common.pixels import Photo

Rectangle = tuple[slice, slice]  # rows and columns

SHARES = (0.02, 0.4)  # of the photo's area, as in the paper
ASPECTS = (0.3, 1 / 0.3)  # height to width, as in the paper


def draw_rectangle(height: int, width: int, rng: np.random.Generator) -> Rectangle:
    """Draw a rectangle inside a photo: its area and its aspect uniformly, then its place.

    Args:
        height: Of the photo, pixels.
        width: Of the photo, pixels.
        rng: Source of the numbers.

    Reference:
        Zhong et al., 2020, "Random Erasing Data Augmentation", algorithm 1.
    """
    while True:  # 9 in 10 fit, in a square
        area = height * width * rng.uniform(*SHARES)
        aspect = rng.uniform(*ASPECTS)
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < rows < height and 0 < columns < width:
            top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
            return slice(top, top + rows), slice(left, left + columns)


def area(rectangle: Rectangle) -> int:
    """Pixels in a rectangle."""
    return math.prod(int(side.stop - side.start) for side in rectangle)


def erase(photo: Photo, rectangle: Rectangle, rng: np.random.Generator) -> Photo:
    """Put noise into a rectangle of a photo.

    Args:
        photo: Changed in place.
        rectangle: Where.
        rng: Source of the noise.

    Returns:
        The same photo.
    """
    part = photo[rectangle]
    part[:] = np.frombuffer(rng.bytes(part.size), np.uint8).reshape(part.shape)
    return photo
