"""One inception module straight on the photo, flattened: the listing of a book, to compare with.

Hundreds of millions of parameters at its usual size, nearly all in the dense layer.

Reference:
    Chollet, 2017, "Deep Learning with Python", 7.1; Szegedy et al., 2014, arXiv 1409.4842.
"""

from __future__ import annotations

import keras
from keras import layers

from components.train.architectures.parameters import REFERENCE_FILTERS, REFERENCE_UNITS


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, 256)`.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    x = layers.Rescaling(1 / 255)(photos)
    branches = [
        # A 1x1 convolution of stride 2 by another name: TensorFlow 2.21 crashes in the gradient of
        # that one over 3 channels.
        _conv(x[:, ::2, ::2], 1),
        _conv(_conv(x, 1), 3, stride=2),
        _conv(layers.AveragePooling2D(3, strides=2, padding="same")(x), 3),
        _conv(_conv(_conv(x, 1), 3), 3, stride=2),
    ]
    flat = layers.Flatten()(layers.Concatenate()(branches))
    features = layers.Dense(REFERENCE_UNITS, activation="relu")(flat)
    return keras.Model(photos, features, name="inception_reference")


def _conv(x: keras.KerasTensor, size: int, *, stride: int = 1) -> keras.KerasTensor:
    # "same", which the listing leaves out: without it the branches end in different sizes.
    return layers.Conv2D(
        REFERENCE_FILTERS, size, strides=stride, padding="same", activation="relu"
    )(x)
