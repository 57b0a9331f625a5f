"""Transfer learning with a frozen backbone: a logistic head on its features."""

from __future__ import annotations

import keras

from components.train.batches import Batches
from components.train.features import FrozenParts
from components.train.fitting import fit
from components.train.loop.loop import Fit
from components.train.loop.phases import Phase
from components.train.settings import FitSettings

HEAD_BATCH = 256  # rows of features a step: they are small
HEAD_BATCHES = 64  # that go into the network by one call
# The head's prior, as `C` of a logistic regression; on flowers 0.01 was better than 0.03 and 0.1.
# As an L2 penalty on the mean loss over n rows that is 1 / (2 C n).
PRIOR = 0.01


def fit_head(
    parts: FrozenParts,
    settings: FitSettings,
    *,
    seed: int,
    phase: Phase | None = None,
) -> tuple[keras.Model, Fit]:
    """Train a logistic head on the features of a backbone that stays as it is.

    Args:
        parts: What the backbone makes of the photos.
        settings: How to train.
        seed: Of the order.
        phase: Where the state is kept, and taken up from; None keeps none.

    Returns:
        The head, from features to class probabilities, and how its training went.
    """
    train, validation = parts.train, parts.validation
    head = keras.Sequential(
        [
            keras.Input((parts.num_features,)),
            keras.layers.Dense(
                len(parts.classes),
                activation="softmax",
                kernel_regularizer=keras.regularizers.L2(1 / (2 * PRIOR * len(train.labels))),
            ),
        ],
        name="head",
    )
    fitted = fit(
        head,
        Batches(
            train.labels,
            lambda rows, _: train.features[rows],
            batch_size=HEAD_BATCH,
            seed=seed,
            at_once=HEAD_BATCHES,
        ),
        Batches(
            validation.labels,
            lambda rows, _: validation.features[rows],
            batch_size=1024,
            seed=None,
        ),
        settings,
        phase=phase,
    )
    return head, fitted
