"""Two dense layers on the pixels: the baseline, which knows nothing of photos.

Reference:
    Rosenblatt, 1958, "The Perceptron"; ReLU in place of its threshold.
"""

from __future__ import annotations

import keras
from keras import layers

from components.train.architectures.parameters import DENSE_UNITS


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, 128)`.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    x = layers.Flatten()(layers.Rescaling(1 / 127.5, offset=-1)(photos))
    for units in DENSE_UNITS:
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(photos, x, name="dense")
