"""One residual block straight on the photo, flattened: the listing of a book, to compare with.

Reference:
    Chollet, 2017, "Deep Learning with Python", 7.1; He et al., 2015, arXiv 1512.03385.
"""

from __future__ import annotations

import keras
from keras import layers

from components.train.architectures.parameters import REFERENCE_FILTERS, REFERENCE_UNITS


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it: three convolutions and pooling, beside a projection of the photo.

    The listing's other shortcut, the photo itself, has too few channels to be added.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, 256)`.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    x = y = layers.Rescaling(1 / 255)(photos)
    for _ in range(3):
        y = layers.Conv2D(REFERENCE_FILTERS, 3, padding="same", activation="relu")(y)
    y = layers.MaxPooling2D(2, padding="same")(y)
    # A 1x1 convolution of stride 2 by another name: TensorFlow 2.21 crashes in the gradient of
    # that one over 3 channels.
    shortcut = layers.Conv2D(REFERENCE_FILTERS, 1)(x[:, ::2, ::2])
    flat = layers.Flatten()(layers.Add()([y, shortcut]))
    features = layers.Dense(REFERENCE_UNITS, activation="relu")(flat)
    return keras.Model(photos, features, name="residual_reference")
