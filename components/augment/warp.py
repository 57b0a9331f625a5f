"""One affine warp a photo for the whole policy, drawn anew in every epoch, nearest fill."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.policies import Policy

Photos = NDArray[np.uint8]


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
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y = rng.uniform(-1.0, 1.0, 6)
    return Warp(
        rotation_degrees=policy.rotation_degrees * rotation,
        shift_x=policy.width_shift * width * shift_x,
        shift_y=policy.height_shift * height * shift_y,
        shear_degrees=policy.shear_degrees * shear,
        zoom_x=1.0 + policy.zoom * zoom_x,
        zoom_y=1.0 + policy.zoom * zoom_y,
        flip=policy.horizontal_flip and bool(rng.random() < 0.5),
    )


def matrix(warp: Warp, height: int, width: int) -> NDArray[np.float64]:
    """The map from places in the warped photo to places in the original, as OpenCV takes it.

    Rotation, shift, shear and zoom are composed about the centre as Keras' ImageDataGenerator
    composes them, `apply_affine_transform` in keras/src/legacy/preprocessing/image.py.

    Args:
        warp: What is done.
        height: Of the photo, pixels.
        width: Of the photo, pixels.

    Returns:
        Matrix of shape `(2, 3)` that takes (x, y, 1).
    """
    theta, shear = math.radians(warp.rotation_degrees), math.radians(warp.shear_degrees)
    rotation = [[math.cos(theta), -math.sin(theta), 0], [math.sin(theta), math.cos(theta), 0]]
    shift = [[1, 0, warp.shift_x], [0, 1, warp.shift_y]]
    shearing = [[1, -math.sin(shear), 0], [0, math.cos(shear), 0]]
    zoom = [[warp.zoom_x, 0, 0], [0, warp.zoom_y, 0]]
    flip = [[-1 if warp.flip else 1, 0, 0], [0, 1, 0]]
    x, y = (width - 1) / 2, (height - 1) / 2
    parts = (
        [[1, 0, x], [0, 1, y]],
        rotation,
        shift,
        shearing,
        zoom,
        flip,
        [[1, 0, -x], [0, 1, -y]],
    )
    product = np.linalg.multi_dot([np.array([*part, [0, 0, 1]], float) for part in parts])
    return np.asarray(product[:2])


def apply_warp(photo: Photos, warp: Warp) -> Photos:
    """Warp one photo; places outside it take the nearest pixel.

    Args:
        photo: Shape `(height, width, channels)`, uint8.
        warp: What is done.

    Returns:
        Same shape and type.
    """
    height, width = photo.shape[:2]
    return cv2.warpAffine(  # type: ignore[no-any-return]  # cv2 is untyped here
        photo,
        matrix(warp, height, width),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


@dataclass(frozen=True, kw_only=True)
class Augmenter:
    """Warps photos so that each is different in every epoch and the same in every run.

    A photo's numbers come from (seed, epoch, index) alone: not from the batch it stands in, the
    thread that works on it, or what was drawn before. So a run can stop and go on anywhere.
    """

    policy: Policy
    seed: int

    def __call__(self, photos: Photos, indices: NDArray[np.integer], epoch: int) -> Photos:
        """Augment a batch.

        Args:
            photos: Shape `(n, height, width, channels)`, uint8.
            indices: Place of each photo in its dataset, shape `(n,)`.
            epoch: Counts from 0.

        Returns:
            Same shape and type.
        """
        if self.policy.name == "none":
            return photos
        height, width = photos.shape[1:3]
        warped = np.empty_like(photos)
        for row, index in enumerate(indices):
            rng = np.random.default_rng((self.seed, epoch, int(index)))
            warped[row] = apply_warp(photos[row], draw_warp(self.policy, height, width, rng))
        return warped
