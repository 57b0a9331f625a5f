"""MobileNetV2, for transfer from ImageNet.

Reference:
    Sandler et al., 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".
"""

from __future__ import annotations

import keras
from keras import layers


def build_backbone(image_size: int) -> keras.Model:
    """Build it with its own preprocessing and global average pooling, weights random.

    Args:
        image_size: Height and width of the photos, pixels.

    Returns:
        A model from `(n, image_size, image_size, 3)` in [0, 255] to `(n, 1280)`.
    """
    inputs = keras.Input((image_size, image_size, 3), name="photos")
    network = keras.applications.MobileNetV2(
        input_shape=(image_size, image_size, 3), include_top=False, weights=None, pooling="avg"
    )
    features = network(layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    return keras.Model(inputs, features, name="mobilenet_v2")
