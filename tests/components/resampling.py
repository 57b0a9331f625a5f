"""What resampling should give, slowly and exactly, and how far it is from that."""

from __future__ import annotations

import math

import cv2
import numpy as np

from components.common.affine import IDENTITY, Affine, scaling

SAMPLES = 6  # a pixel and direction


def exact_square(photo: np.ndarray, size: int, moved: Affine = IDENTITY) -> np.ndarray:
    """The mean of all that each pixel of a warped square covers, places outside repeated."""
    height, width = photo.shape[:2]
    placed = (
        scaling(1 / SAMPLES, 1 / SAMPLES).then(moved).then(scaling(width / size, height / size))
    )
    fine = cv2.warpAffine(
        photo.astype(np.float32),
        placed.to_array(),
        (SAMPLES * size, SAMPLES * size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return fine.reshape(size, SAMPLES, size, SAMPLES, 3).mean(axis=(1, 3))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal to noise ratio of two photos in [0, 255], dB; infinite where they are equal."""
    error = float(np.mean((one.astype(float) - other) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf
