"""A residual network whose features keep where things are, for a head that says class and place.

Reference:
    He et al., 2015, "Deep Residual Learning for Image Recognition"; the finer map beside the
    coarse one is from Lin et al., 2017, "Feature Pyramid Networks for Object Detection".
"""

from __future__ import annotations

import keras
from keras import layers

from components.train.architectures.residual import build_stages


def build_backbone(image_size: int, channels: int = 3) -> keras.Model:
    """Build it: the stages of the residual network, the last one laid over the one before.

    Args:
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to feature maps
        `(n, s, s, 192)`, where s is an eighth of `image_size`, rounded up.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    *_, fine, coarse = build_stages(photos)
    # Where a side is odd, the coarse map reaches half a cell over the edge.
    laid_over = layers.UpSampling2D(2)(coarse)[:, : fine.shape[1], : fine.shape[2]]
    return keras.Model(photos, layers.Concatenate()([fine, laid_over]), name="two_output")
