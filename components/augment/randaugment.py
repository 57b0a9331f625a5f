"""RandAugment: a few operations drawn from a list, all of one magnitude."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from components.augment import colour
from components.augment.colour import Recolour
from components.augment.warp import Warp, to_affine
from components.common.affine import IDENTITY, Affine, about_centre, shifting
from components.common.pixels import Photo, warp

MAX_MAGNITUDE = 30  # at which the operations are as strong as below

# Each takes a strength in [-1, 1].
MOVES: dict[str, Callable[[float, int, int], Affine]] = {
    "shear_x": lambda s, h, w: about_centre(Affine(xy=0.3 * s), h, w),
    "shear_y": lambda s, h, w: about_centre(Affine(yx=0.3 * s), h, w),
    "translate_x": lambda s, _, w: shifting(150 / 331 * w * s, 0),
    "translate_y": lambda s, h, _: shifting(0, 150 / 331 * h * s),
    "rotate": lambda s, h, w: to_affine(Warp(rotation_degrees=30 * s), h, w),
}
COLOURS: dict[str, Callable[[Photo, float], Photo]] = {
    "identity": lambda photo, _: photo,
    "brightness": lambda photo, s: colour.jitter(photo, brightness=1 + 0.9 * s),
    "color": lambda photo, s: colour.jitter(photo, saturation=1 + 0.9 * s),
    "contrast": lambda photo, s: colour.jitter(photo, contrast=1 + 0.9 * s),
    "sharpness": lambda photo, s: colour.sharpen(photo, 1 + 0.9 * s),
    "posterize": lambda photo, s: colour.posterize(photo, 8 - round(4 * abs(s))),
    "solarize": lambda photo, s: colour.solarize(photo, 255 * (1 - abs(s))),
    "autocontrast": lambda photo, _: colour.autocontrast(photo),
    "equalize": lambda photo, _: colour.equalize(photo),
}
OPERATIONS = (*MOVES, *COLOURS)


def draw_operations(
    number: int, magnitude: float, height: int, width: int, rng: np.random.Generator
) -> tuple[Affine, list[Recolour]]:
    """Draw operations, each as likely as the others, and which way they go.

    Moves about the centre are joined to one map, so that pixels are sampled once; colours come
    after them in the order drawn. Places outside take the nearest pixel, not gray.

    Args:
        number: Of operations.
        magnitude: Of all of them, in [0, `MAX_MAGNITUDE`].
        height: Of the photo, pixels.
        width: Of the photo, pixels.
        rng: Source of the numbers.

    Returns:
        The map of the moves, and the colour operations.

    Reference:
        Cubuk et al., 2020, "RandAugment", with the ranges of torchvision's RandAugment.
    """
    moved, colours = IDENTITY, list[Recolour]()
    for chosen in rng.integers(len(OPERATIONS), size=number):
        name = OPERATIONS[chosen]
        strength = magnitude / MAX_MAGNITUDE * (1.0 if rng.random() < 0.5 else -1.0)
        if name in MOVES:
            moved = MOVES[name](strength, height, width).then(moved)
        else:
            colours.append(partial(_recolour, name, strength))
    return moved, colours


def apply_operation(photo: Photo, name: str, strength: float) -> Photo:
    """Do one of `OPERATIONS` alone.

    Args:
        photo: Shape `(height, width, 3)`, RGB, uint8.
        name: Of the operation.
        strength: In [-1, 1].
    """
    if name in COLOURS:
        return COLOURS[name](photo, strength)
    height, width = photo.shape[:2]
    return warp(photo, MOVES[name](strength, height, width), height, width)


def _recolour(name: str, strength: float, photo: Photo) -> Photo:
    return COLOURS[name](photo, strength)
