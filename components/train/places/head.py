"""The head that says class and place, from features that keep where things are."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

BOX, MASK = "box", "mask"
DROPOUT = 0.2
PLACE_FILTERS = 64


def build_place_head(
    features: tuple[int | None, ...], num_classes: int, *, place: str, seed: int
) -> keras.Model:
    """Build it. None of its weights depends on the size of the photos.

    Args:
        features: Shape of the feature maps, `(None, height, width, filters)`.
        num_classes: Of the dataset.
        place: What is said of the place, "box" or "mask".
        seed: Of dropout.

    Returns:
        A model from feature maps to "class", probabilities `(n, num_classes)`, and "place": a box
        `(n, 4)`, (xmin, ymin, xmax, ymax) in [0, 1], or a mask of probabilities, twice the size
        of the feature maps, `(n, 2 height, 2 width, 1)`.
    """
    inputs = keras.Input(features[1:])
    pooled = layers.Dropout(DROPOUT, seed=seed)(layers.GlobalAveragePooling2D()(inputs))
    place_features = layers.Conv2D(PLACE_FILTERS, 3, padding="same", use_bias=False)(inputs)
    place_features = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(place_features))
    build_place = _box if place == BOX else _mask
    outputs = {
        "class": layers.Dense(num_classes, activation="softmax", name="class")(pooled),
        "place": build_place(place_features),
    }
    return keras.Model(inputs, outputs, name="head")


def mirror_place(place: keras.KerasTensor) -> keras.KerasTensor:
    """Where the place is in the mirror image; the same function takes it back.

    Args:
        place: Boxes `(n, 4)` or masks `(n, height, width, 1)`.
    """
    if len(place.shape) == 2:
        xmin, ymin, xmax, ymax = (place[:, side] for side in range(4))
        return ops.stack([1 - xmax, ymin, 1 - xmin, ymax], axis=1)
    return ops.flip(place, axis=2)


def _box(features: keras.KerasTensor) -> keras.KerasTensor:
    """Say each side of a box as the mean place under a heat map of its own.

    Unlike a dense layer it has few weights, and none for each place.

    Reference:
        Nibali et al., 2018, "Numerical Coordinate Regression with Convolutional Neural Networks".
    """
    height, width = features.shape[1:3]
    heat = layers.Reshape((height * width, 4))(layers.Conv2D(4, 1, name="sides")(features))
    shares = layers.Softmax(axis=1)(heat)
    # The outer cells stand for the edges, or no side could ever lie there.
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].reshape(2, -1, 1)
    x = ops.sum(shares[:, :, 0::2] * across.astype(np.float32), axis=1)
    y = ops.sum(shares[:, :, 1::2] * down.astype(np.float32), axis=1)
    sides = [ops.min(x, axis=1), ops.min(y, axis=1), ops.max(x, axis=1), ops.max(y, axis=1)]
    return ops.stack(sides, axis=1)


def _mask(features: keras.KerasTensor) -> keras.KerasTensor:
    larger = layers.UpSampling2D(2)(features)
    return layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")(larger)
