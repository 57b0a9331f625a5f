"""The affine warp that a policy draws for a photo; boxes and masks move with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.policies import Policy
from components.common.affine import Affine, about_centre, scaling
from components.common.pixels import Photo
from components.common.pixels import warp as warp_photo

Box = tuple[float, float, float, float]  # (xmin, ymin, xmax, ymax), fractions of the sides


@dataclass(frozen=True, kw_only=True)
class Warp:
    """What is done to one photo."""

    rotation_degrees: float = 0.0
    shift_x: float = 0.0  # pixels
    shift_y: float = 0.0
    shear_degrees: float = 0.0
    zoom_x: float = 1.0  # above 1 shows more: the photo gets smaller
    zoom_y: float = 1.0
    flip: bool = False


def draw_warp(policy: Policy, height: int, width: int, rng: np.random.Generator) -> Warp:
    """Draw the warp of one photo.

    Args:
        policy: Ranges to draw from.
        height: Of the photo, pixels.
        width: Of the photo, pixels.
        rng: Source of the numbers.
    """
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y = rng.uniform(-1.0, 1.0, 6).tolist()
    return Warp(
        rotation_degrees=policy.rotation_degrees * rotation,
        shift_x=policy.width_shift * width * shift_x,
        shift_y=policy.height_shift * height * shift_y,
        shear_degrees=policy.shear_degrees * shear,
        zoom_x=1.0 + policy.zoom * zoom_x,
        zoom_y=1.0 + policy.zoom * zoom_y,
        flip=policy.horizontal_flip and bool(rng.random() < 0.5),
    )


def to_affine(warp: Warp, height: int, width: int) -> Affine:
    """The map from places in the warped photo to places in the original.

    Rotation, shift, shear and zoom are composed about the centre as Keras' ImageDataGenerator
    composes them, `apply_affine_transform` in keras/src/legacy/preprocessing/image.py: the product
    of their matrices in this order, and the mirror last.

    Args:
        warp: What is done.
        height: Of the photo, pixels.
        width: Of the photo, pixels.
    """
    theta, shear = math.radians(warp.rotation_degrees), math.radians(warp.shear_degrees)
    cos, sin = math.cos(theta), math.sin(theta)
    shear_x, shear_y = -math.sin(shear) * warp.zoom_y, math.cos(shear) * warp.zoom_y
    zoom_x = -warp.zoom_x if warp.flip else warp.zoom_x
    # Multiplied out, since it is done for every photo; the test compares with the product.
    return about_centre(
        Affine(
            xx=cos * zoom_x,
            xy=cos * shear_x - sin * shear_y,
            x0=cos * warp.shift_x - sin * warp.shift_y,
            yx=sin * zoom_x,
            yy=sin * shear_x + cos * shear_y,
            y0=sin * warp.shift_x + cos * warp.shift_y,
        ),
        height,
        width,
    )


def apply_warp(photo: Photo, warp: Warp) -> Photo:
    """Warp one photo; places outside it take the nearest pixel.

    Args:
        photo: Shape `(height, width, 3)`, RGB, uint8.
        warp: What is done.

    Returns:
        Same shape and type.
    """
    height, width = photo.shape[:2]
    return warp_photo(photo, to_affine(warp, height, width), height, width)


def warp_box(box: Box, moved: Affine, height: int, width: int) -> Box | None:
    """Where a box is after a warp: the smallest upright box around it, cut off at the edges.

    Args:
        box: In the original.
        moved: From places in the warped photo to places in the original.
        height: Of both, pixels.
        width: Of both, pixels.

    Returns:
        The box in the warped photo; None where nothing of it is left.
    """
    xmin, ymin, xmax, ymax = box
    inverse = moved.inverse()
    # The left edge of a photo lies at -0.5, half a pixel from the centre of its first.
    corners = [
        inverse(x * width - 0.5, y * height - 0.5) for x in (xmin, xmax) for y in (ymin, ymax)
    ]
    xs, ys = zip(*corners, strict=True)
    left, right = max(0.0, (min(xs) + 0.5) / width), min(1.0, (max(xs) + 0.5) / width)
    top, bottom = max(0.0, (min(ys) + 0.5) / height), min(1.0, (max(ys) + 0.5) / height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def warp_mask(mask: NDArray[np.uint8], moved: Affine, height: int, width: int) -> NDArray[np.uint8]:
    """Stretch a mask to a photo's size and warp it; outside there is no object.

    Args:
        mask: Shape `(any, any)`; its values are kept, since between them there is nothing.
        moved: From places in the warped photo to places in the original.
        height: Of the warped photo, pixels.
        width: Of the warped photo, pixels.

    Returns:
        Shape `(height, width)`.
    """
    warped: NDArray[np.uint8] = cv2.warpAffine(
        mask,
        moved.then(scaling(mask.shape[1] / width, mask.shape[0] / height)).to_array(),
        (width, height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return warped
