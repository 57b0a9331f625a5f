"""Arithmetic that makes one array of weights fit where another shape is wanted. Pure NumPy.

Kernels have shape `(height, width, inputs, outputs)`; that of a dense layer over flattened features
is such a kernel as large as the feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as gray photos are made
APART = 0.05  # of a kernel's spread: what is added to repeated outputs


def gray_to_rgb(kernel: Array) -> Array:
    """Make a kernel over gray photos one over RGB photos that answers as before.

    Args:
        kernel: Shape `(height, width, 1, outputs)`.

    Returns:
        Shape `(height, width, 3, outputs)`; a photo and its gray version give the same response.
    """
    return kernel * LUMA[:, None]


def rgb_to_gray(kernel: Array) -> Array:
    """Make a kernel over RGB photos one over gray photos, in which all three were equal.

    Args:
        kernel: Shape `(height, width, 3, outputs)`.

    Returns:
        Shape `(height, width, 1, outputs)`; a gray photo gives the same response.
    """
    summed: Array = kernel.sum(axis=2, keepdims=True)
    return summed


def fit_window(kernel: Array, height: int, width: int) -> Array:
    """Bring a kernel to another window about the same centre.

    Zeros are added around it, so that it answers as before; a smaller window cuts its rim off.

    Args:
        kernel: Shape `(any, any, inputs, outputs)`.
        height: Of the window.
        width: Of the window.
    """
    for axis, size in enumerate((height, width)):
        kernel = np.moveaxis(_fit_length(np.moveaxis(kernel, axis, 0), size), 0, axis)
    return kernel


def resize_positions(kernel: Array, height: int, width: int) -> Array:
    """Bring weights that stand for positions in a photo to a photo of another size.

    The result answers to a photo as `kernel` does to that photo resized bilinearly to the size that
    `kernel` knows. So its sum stays the same: more positions have smaller weights.

    Args:
        kernel: Shape `(any, any, inputs, outputs)`.
        height: Of the photo or feature map.
        width: Of the photo or feature map.
    """
    rows = resize_matrix(height, kernel.shape[0])
    columns = resize_matrix(width, kernel.shape[1])
    resized = np.tensordot(rows, kernel, axes=(0, 0))
    return np.moveaxis(np.tensordot(columns, resized, axes=(0, 1)), 0, 1)


def resize_matrix(before: int, after: int) -> Array:
    """The matrix that resizes a line of pixels bilinearly, with antialiasing where it shrinks.

    Returns:
        Shape `(after, before)`; each row sums to 1.
    """
    scale = before / after
    # Beyond the edge there is more of the pixel at the edge.
    centres = np.clip((np.arange(after) + 0.5) * scale - 0.5, 0, before - 1)
    distances = np.abs(centres[:, None] - np.arange(before)) / max(scale, 1.0)
    weights = np.maximum(0, 1 - distances)
    matrix: Array = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def fit_inputs(kernel: Array, number: int) -> Array:
    """Bring a kernel to another number of inputs, as `fit_outputs` left them in the layer before.

    Each weight is shared out over the copies of its input, so that it answers as before.

    Args:
        kernel: Shape `(height, width, inputs, outputs)`.
        number: Of inputs.

    Reference:
        Chen et al., 2015, "Net2Net: Accelerating Learning via Knowledge Transfer", Net2WiderNet.
    """
    before = kernel.shape[2]
    source = np.arange(number) % before
    copies = np.maximum(np.bincount(source, minlength=before), 1)
    shares: Array = np.float32(1) / copies[source, None].astype(np.float32)
    return kernel[:, :, source] * shares


def pick_inputs(kernel: Array, picks: Sequence[tuple[slice | None, int]]) -> Array:
    """Bring a kernel to inputs that stand in other places.

    Args:
        kernel: Shape `(height, width, inputs, outputs)`.
        picks: For each run of inputs wanted, where it was and how many it is now. Those that were
            nowhere get weights of 0, so that it answers as before.
    """
    height, width, _, outputs = kernel.shape
    parts = [
        np.zeros((height, width, number, outputs), np.float32)
        if place is None
        else fit_inputs(kernel[:, :, place], number)
        for place, number in picks
    ]
    return np.concatenate(parts, axis=2)


def fit_outputs(array: Array, number: int) -> Array:
    """Bring an array to another number of outputs: those there are, again and again, or cut.

    Args:
        array: Outputs last: a kernel, a bias, or what a normalisation keeps of each.
        number: Of outputs.
    """
    return array[..., np.arange(number) % array.shape[-1]]


def tell_apart(kernel: Array, before: int) -> Array:
    """Add a little noise to outputs that repeat others: the same twice would learn the same.

    Args:
        kernel: Shape `(..., outputs)`.
        before: Outputs from here on are repeated ones.
    """
    noise: Array = np.random.default_rng(0).standard_normal(kernel.shape, np.float32)
    noise[..., :before] = 0
    return kernel + np.float32(APART * kernel.std()) * noise


def move_classes(array: Array, before: Sequence[str], after: Sequence[str]) -> Array:
    """Bring what is kept of each class to other classes, by name.

    A new class starts at the mean of all earlier ones: its logit is their mean for every photo, so
    it neither wins nor costs much before it was learned, and the others keep their order.

    Args:
        array: Shape `(..., earlier classes)`.
        before: Earlier classes, in label order.
        after: Classes wanted, in label order.

    Returns:
        Shape `(..., classes wanted)`.
    """
    mean = array.mean(axis=-1)
    columns = [array[..., before.index(name)] if name in before else mean for name in after]
    return np.stack(columns, axis=-1)


def _fit_length(kernel: Array, size: int) -> Array:
    """Cut or pad the first axis about its middle."""
    before = len(kernel)
    if size <= before:
        start = (before - size) // 2
        return kernel[start : start + size]
    start = (size - before) // 2
    fitted = np.zeros((size, *kernel.shape[1:]), kernel.dtype)
    fitted[start : start + before] = kernel
    return fitted
