"""Networks of keras.applications, for transfer from ImageNet."""

from __future__ import annotations

import keras
from keras import layers

from components.train.architectures.applications import Application

# From pixels in [0, 255]: scale and offset, the same or one a channel. Those of "torch" are
# ImageNet's mean and standard deviation, (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) of RGB in
# [0, 1]; those of "caffe" its mean, of BGR in [0, 255].
RESCALINGS = {
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225],
        [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
    ),
    "caffe": (1.0, [-103.939, -116.779, -123.68]),
}


def build_backbone(application: Application, image_size: int, channels: int = 3) -> keras.Model:
    """Build one with its own preprocessing and global average pooling, weights random.

    Args:
        application: Which network.
        image_size: Height and width of the photos, pixels.
        channels: 3, or 1 for gray photos, which are repeated: the network has three.

    Returns:
        A model from `(n, image_size, image_size, channels)` in [0, 255] to `(n, num_features)`.
    """
    photos = keras.Input((image_size, image_size, channels), name="photos")
    x = layers.Concatenate()([photos] * 3) if channels == 1 else photos
    network = build_network(application, image_size)
    features = layers.GlobalAveragePooling2D()(network(preprocess(x, application.preprocessing)))
    return keras.Model(photos, features, name=application.name.lower())


def build_network(
    application: Application, image_size: int, weights: str | None = None
) -> keras.Model:
    """Build the network of keras.applications alone, without its top.

    Args:
        application: Which network.
        image_size: Height and width of the photos, pixels.
        weights: "imagenet", which may download them, or None for random ones.
    """
    build = getattr(keras.applications, application.name)
    return build(input_shape=(image_size, image_size, 3), include_top=False, weights=weights)


def preprocess(photos: keras.KerasTensor, preprocessing: str) -> keras.KerasTensor:
    """Bring RGB photos in [0, 255] to what the weights of a network expect.

    Args:
        photos: Shape `(n, height, width, 3)`.
        preprocessing: As `Application.preprocessing` names it.
    """
    if preprocessing == "inside":
        return photos
    if preprocessing == "caffe":
        photos = keras.ops.flip(photos, axis=-1)  # to BGR
    scale, offset = RESCALINGS[preprocessing]
    return layers.Rescaling(scale, offset)(photos)
