"""A small residual network, to be trained from scratch.

Reference:
    He et al., 2015, "Deep Residual Learning for Image Recognition"; the pooled shortcuts are from
    He et al., 2018, "Bag of Tricks for Image Classification", ResNet-D.
"""

from __future__ import annotations

import keras
from keras import layers

STAGES = (16, 32, 64, 128)  # filters; each stage after the first halves the size
BATCH_NORM_MOMENTUM = 0.9  # the usual 0.99 needs more steps than a small dataset has


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it: stem, one residual block a stage, global average pooling.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, 128)`.
    """
    inputs = keras.Input((image_size, image_size, channels), name="photos")
    *_, last = build_stages(inputs)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(last), name="residual")


def build_stages(photos: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Build stem and residual blocks, which keep where things are.

    Args:
        photos: Shape `(n, height, width, channels)`, in [0, 255].

    Returns:
        The feature map of each stage; that of the first has half the photos' height and width.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1)(photos)
    x = layers.ReLU()(_conv(x, STAGES[0], 3, stride=2))
    stages = []
    for stage, filters in enumerate(STAGES):
        x = _block(x, filters, stride=2 if stage else 1)
        stages.append(x)
    return stages


def _block(x: keras.KerasTensor, filters: int, *, stride: int) -> keras.KerasTensor:
    shortcut = layers.AveragePooling2D(stride, padding="same")(x) if stride > 1 else x
    if shortcut.shape[-1] != filters:
        shortcut = _conv(shortcut, filters, 1)
    x = layers.ReLU()(_conv(x, filters, 3, stride=stride))
    return layers.ReLU()(layers.Add()([shortcut, _conv(x, filters, 3)]))


def _conv(x: keras.KerasTensor, filters: int, size: int, *, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(convolution(x))
