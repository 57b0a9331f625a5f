"""Tune the top blocks of a backbone, and the head that learned on it while it was frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from components.common.errors import InputError
from components.train.batches import Batches, Rows
from components.train.features import Floats, FrozenParts, Part
from components.train.fitting import fit
from components.train.loop.loop import Fit
from components.train.loop.phases import Phase
from components.train.settings import FitSettings

BATCH = 32  # rows of activations a step


def fine_tune(
    parts: FrozenParts,
    head: keras.Model,
    fitted: Fit,
    settings: FitSettings,
    *,
    seed: int,
    phase: Phase | None = None,
) -> Fit:
    """Train the top blocks and the head together, from the activations below these blocks.

    Batch normalisations stay as they are, their statistics and their scales: those of a few
    thousand photos would be worse than those of ImageNet. Where no epoch comes below the validation
    loss that the head had on the frozen backbone, all weights are put back.

    Args:
        parts: What the frozen layers make of the photos; with `blocks` when they were made.
        head: From features to class probabilities; changed in place, as the backbone is.
        fitted: How its training went.
        settings: How to train; with a peak of the learning rate well below that of the head, since
            the top blocks are good already.
        seed: Of the order.
        phase: Where the state is kept, and taken up from; None keeps none.

    Returns:
        How training went: the head's epochs, then these.

    Raises:
        InputError: If the parts have no top blocks.
        TrainingError: If the loss stops being a number.
    """
    top = parts.top
    if top is None:
        raise InputError("`parts` must be made with `blocks` above 0. Received: no top blocks")
    activations = keras.Input(top.input_shape[1:])
    model = keras.Model(activations, head(top(activations)), name="top")
    before = model.get_weights()
    with _frozen_normalisations(top):
        tuned = fit(
            model,
            _batches(parts.train, seed=seed),
            _batches(parts.validation, seed=None),
            settings,
            phase=phase,
        )
    joined = _joined(fitted, tuned)
    if joined.best_epoch == fitted.best_epoch:
        model.set_weights(before)
    return joined


def _batches(part: Part, *, seed: int | None) -> Batches:
    def take(rows: Rows, _: int) -> Floats:
        return part.activations[rows]

    return Batches(part.labels, take, batch_size=BATCH, seed=seed)


@contextmanager
def _frozen_normalisations(model: keras.Model) -> Iterator[None]:
    """Keep batch normalisations in inference mode, and leave them as they were found."""
    found = [(layer, layer.trainable) for layer in _normalisations(model)]
    for layer, _ in found:
        layer.trainable = False
    try:
        yield
    finally:
        for layer, was_trainable in found:
            layer.trainable = was_trainable


def _normalisations(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _normalisations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer


def _joined(head: Fit, tuned: Fit) -> Fit:
    history = {name: [*values, *tuned.history[name]] for name, values in head.history.items()}
    losses = head.history["val_loss"]
    is_better = tuned.history["val_loss"][tuned.best_epoch] < losses[head.best_epoch]
    best_epoch = len(losses) + tuned.best_epoch if is_better else head.best_epoch
    return Fit(history=history, best_epoch=best_epoch)
