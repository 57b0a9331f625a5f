"""Transfer learning with a frozen backbone: its features are computed once, not every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import NO_POLICY, Augmenter
from components.augment.policies import Policy
from components.common.errors import InputError
from components.common.photos import PhotoSet
from components.common.progress import Meter
from components.train.batches import Batches
from components.train.fitting import Fit, fit

BACKBONE_BATCH = 8  # photos at once: their activations stay in cache, 1.6 times faster than 64
HEAD_BATCH = 256  # rows of features a step: they are small
AUGMENTED_COPIES = 1  # beside the originals; a second one costs as much and adds little
# The head's prior, as `C` of a logistic regression; on flowers 0.01 was better than 0.03 and 0.1.
# As an L2 penalty on the mean loss over n rows that is 1 / (2 C n).
PRIOR = 0.01

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (images, rows) -> images
View = tuple[PhotoSet, Change]
Features = NDArray[np.float32]


def fit_head(
    backbone: keras.Model,
    train: PhotoSet,
    validation: PhotoSet,
    policy: Policy,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    copies: PhotoSet | None = None,
) -> tuple[keras.Model, Fit]:
    """Train a logistic head on the features of a backbone that stays as it is.

    Args:
        backbone: From photos to features `(n, num_features)`.
        train: Photos to learn from: as they are and, but for the policy "none", augmented.
        validation: Photos to choose the epoch by, as they are.
        policy: What may be done to training photos.
        epochs: Passes over the features.
        learning_rate: Peak.
        seed: Of the warps and the order.
        copies: The augmented photos, any number of each; None makes one of each on the way.

    Returns:
        The head, from features to class probabilities, and how its training went.

    Raises:
        InputError: If `copies` has other classes than `train`.
    """
    if copies is not None and copies.classes != train.classes:
        raise InputError(
            f"`copies` must have the classes of `train`, {train.classes}."
            f" Received: {copies.classes}"
        )
    views = _views(train, policy, seed, copies)
    meter = Meter("computed features of", sum(len(p) for p, _ in views) + len(validation))
    features = _features(backbone, views, meter, done=0)
    held_out = _features(backbone, [(validation, _as_is)], meter, done=len(features))
    head = keras.Sequential(
        [
            keras.Input((features.shape[1],)),
            keras.layers.Dense(
                len(train.classes),
                activation="softmax",
                kernel_regularizer=keras.regularizers.L2(1 / (2 * PRIOR * len(features))),
            ),
        ],
        name="head",
    )
    labels = np.concatenate([photos.labels for photos, _ in views])
    fitted = fit(
        head,
        Batches(labels, lambda rows, _: features[rows], batch_size=HEAD_BATCH, seed=seed),
        Batches(validation.labels, lambda rows, _: held_out[rows], batch_size=1024, seed=None),
        epochs=epochs,
        learning_rate=learning_rate,
    )
    return head, fitted


def _views(train: PhotoSet, policy: Policy, seed: int, copies: PhotoSet | None) -> list[View]:
    """All that the head learns from."""
    views: list[View] = [(train, _as_is)]
    if copies is not None:
        return [*views, (copies, _as_is)]
    if policy.name != NO_POLICY:
        augmenter = Augmenter(policy=policy, seed=seed)
        views += [(train, partial(augmenter, epoch=epoch)) for epoch in range(AUGMENTED_COPIES)]
    return views


def _as_is(images: np.ndarray, rows: np.ndarray) -> np.ndarray:  # noqa: ARG001  # as any `Change`
    return images


def _features(backbone: keras.Model, views: Sequence[View], meter: Meter, *, done: int) -> Features:
    parts = []
    for photos, change in views:
        for start in range(0, len(photos), BACKBONE_BATCH):
            rows = np.arange(start, min(start + BACKBONE_BATCH, len(photos)))
            images = change(photos.images[rows], rows).astype(np.float32)
            parts.append(keras.ops.convert_to_numpy(backbone.predict_on_batch(images)))
            done += len(rows)
            meter.show(done)
    return np.concatenate(parts)
