"""A small inception network, to be trained from scratch.

Reference:
    Szegedy et al., 2014, "Going Deeper with Convolutions"; each module halves the size as in
    Chollet, 2017, "Deep Learning with Python", 7.1. BatchNorm is from Ioffe and Szegedy, 2015.
"""

from __future__ import annotations

import keras
from keras import layers

STEM = 16  # filters
MODULES = (16, 32, 64)  # filters of each branch; a module has four, and halves the size
BATCH_NORM_MOMENTUM = 0.9  # the usual 0.99 needs more steps than a small dataset has


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it: stem, three modules, global average pooling.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, 256)`.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    x = _conv(layers.Rescaling(1 / 127.5, offset=-1)(photos), STEM, 3, stride=2)
    for filters in MODULES:
        x = _module(x, filters)
    return keras.Model(photos, layers.GlobalAveragePooling2D()(x), name="inception")


def _module(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """Look at the same maps in four ways, and give all four."""
    pooled = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    deep = _conv(_conv(x, filters, 1), filters, 3)
    branches = [
        _conv(x, filters, 1, stride=2),
        _conv(_conv(x, filters, 1), filters, 3, stride=2),
        _conv(pooled, filters, 3),
        _conv(deep, filters, 3, stride=2),
    ]
    return layers.Concatenate()(branches)


def _conv(x: keras.KerasTensor, filters: int, size: int, *, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    normalised = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(convolution(x))
    return layers.ReLU()(normalised)
