"""A network in training: a backbone and a head, which are joined for prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from components.train.places.head import mirror_place

DROPOUT = 0.2  # before the head of a network that is trained whole


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is trained: photos -> `backbone` -> features -> `head` -> class probabilities.

    A head may say "class" and "place" instead.
    """

    backbone: keras.Model
    head: keras.Model

    @property
    def channels(self) -> int:
        """Of the photos that it sees."""
        return int(self.backbone.input_shape[-1])

    def assemble(self, *, mirror_averaging: bool) -> keras.Model:
        """Join backbone and head into one model; its layers stay shared with them.

        Args:
            mirror_averaging: Predict the mean over the photo and its mirror image.

        Returns:
            A model from photos `(n, size, size, channels)` in [0, 255] to class probabilities
            `(n, classes)`, or to "class" and "place" as the head says them.
        """
        photos = keras.Input(self.backbone.input_shape[1:], name="photos")
        if not mirror_averaging:
            return keras.Model(photos, self.head(self.backbone(photos)), name="classifier")
        # One pass over both views: a second call of the backbone would double the graph, and the
        # time to save and load it.
        views = keras.ops.concatenate([photos, keras.ops.flip(photos, axis=2)])
        outputs = self.head(self.backbone(views))
        if not isinstance(outputs, dict):
            return keras.Model(photos, _mean_of_views(outputs), name="classifier")
        averaged = {
            "class": _mean_of_views(outputs["class"]),
            "place": _mean_of_views(outputs["place"], mirror_place),
        }
        return keras.Model(photos, averaged, name="classifier")


def _mean_of_views(
    output: keras.KerasTensor,
    put_back: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda mirrored: mirrored,
) -> keras.KerasTensor:
    """The mean of what is said of the photos and, put back, of their mirror images after them."""
    by_view = keras.ops.reshape(output, (2, -1, *output.shape[1:]))
    return (by_view[0] + put_back(by_view[1])) / 2


def build_head(num_features: int, num_classes: int, *, seed: int) -> keras.Model:
    """Build the head of a network that is trained whole.

    Args:
        num_features: Of the backbone.
        num_classes: Of the dataset.
        seed: Of dropout.

    Returns:
        A model from features `(n, num_features)` to class probabilities `(n, num_classes)`.
    """
    return keras.Sequential(
        [
            keras.Input((num_features,)),
            keras.layers.Dropout(DROPOUT, seed=seed),
            keras.layers.Dense(num_classes, activation="softmax"),
        ],
        name="head",
    )
