"""The training loop: a learning rate schedule, progress, and the best epoch kept."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from components.common.errors import InputError, TrainingError
from components.common.progress import format_seconds, report
from components.train.batches import Batches

WEIGHT_DECAY = 0.02
WARMUP = 0.1  # fraction of all steps in which the learning rate climbs to its peak


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a fit leaves beside the weights."""

    history: dict[str, list[float]]  # loss, accuracy, val_loss, val_accuracy; one value an epoch
    best_epoch: int  # the one whose weights were kept, counted from 0


def fit(
    model: keras.Model, train: Batches, validation: Batches, *, epochs: int, learning_rate: float
) -> Fit:
    """Train a classifier by AdamW, with warm-up and a cosine to zero, and keep its best epoch.

    Args:
        model: From inputs to class probabilities; changed in place.
        train: Batches to learn from.
        validation: Batches to choose the epoch by; their labels are soft where those of `train`
            are.
        epochs: Passes over `train`.
        learning_rate: Peak.

    Raises:
        InputError: If only one of the two has soft labels.
        TrainingError: If the loss stops being a number.

    Reference:
        Loshchilov and Hutter, 2019, "Decoupled Weight Decay Regularization".
    """
    if train.is_soft != validation.is_soft:
        raise InputError(
            "`train` and `validation` must both have soft labels, or neither. Received: "
            f"train.is_soft={train.is_soft}, validation.is_soft={validation.is_soft}"
        )
    return run(
        model,
        train,
        validation,
        epochs=epochs,
        learning_rate=learning_rate,
        loss="categorical_crossentropy" if train.is_soft else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def run(
    model: keras.Model,
    train: keras.utils.PyDataset,
    validation: keras.utils.PyDataset,
    *,
    epochs: int,
    learning_rate: float,
    optimizer: type[keras.optimizers.AdamW] = keras.optimizers.AdamW,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **compiled: Any,
) -> Fit:
    """Train any model as `fit` trains a classifier.

    Args:
        model: Its metrics have an accuracy; changed in place.
        train: Batches to learn from; with `num_batches` and `num_images`, those of an epoch.
        validation: Batches to choose the epoch by.
        epochs: Passes over `train`.
        learning_rate: Peak.
        optimizer: AdamW, or one that is made as it is.
        callbacks: Called before those of the loop itself.
        **compiled: Loss and metrics, as `compile` takes them.

    Raises:
        TrainingError: If the loss stops being a number.
    """
    steps = train.num_batches * epochs
    warmup_steps = max(1, round(WARMUP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup_steps), warmup_target=learning_rate, warmup_steps=warmup_steps
    )
    model.compile(
        optimizer(schedule, weight_decay=WEIGHT_DECAY, clipnorm=1.0),
        jit_compile="auto" if _is_xla_fast() else False,
        **compiled,
    )
    keep_best = KeepBest()
    fitted = model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        callbacks=[
            *callbacks,
            Progress(train.num_images),
            keep_best,
            keras.callbacks.TerminateOnNaN(),
        ],
        shuffle=False,  # `train` has its own order; Keras would draw one from the global `random`
        verbose=0,
    )
    history = {name: [float(value) for value in values] for name, values in fitted.history.items()}
    for losses in (history["loss"], history["val_loss"]):
        _check_finite(losses, learning_rate)
    return Fit(history=history, best_epoch=keep_best.best_epoch)


class Progress(keras.callbacks.Callback):
    """Tells how training goes, twice a second at most."""

    def __init__(self, num_images: int) -> None:
        super().__init__()
        self._num_images = num_images  # an epoch
        self._start = self._last = time.monotonic()
        self._done_before = 0.0  # part of an epoch that was done when the clock started
        self._epoch = 0
        self._validation = ""  # as of the last epoch that ended

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show where in the epoch it is."""
        if self._done_before == 0.0:  # the first step is mostly compiling: the clock starts here
            self._start = self._last = time.monotonic()
            self._done_before = (batch + 1) / self.params["steps"]
        if time.monotonic() - self._last > 0.5:
            self._show((batch + 1) / self.params["steps"], logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show how the epoch ended, unless the last line is too fresh to read."""
        logs = logs or {}
        accuracy, loss = logs["val_accuracy"], logs["val_loss"]
        self._validation = f"  validation: accuracy {accuracy:.3f}, loss {loss:.3f}"
        if time.monotonic() - self._last > 0.5 or epoch + 1 == self.params["epochs"]:
            self._show(1.0, logs)

    def _show(self, part: float, logs: Mapping[str, float]) -> None:
        self._last = time.monotonic()
        done = self._epoch + part - self._done_before
        elapsed = max(self._last - self._start, 1e-9)
        rate = done * self._num_images / elapsed
        remaining = self.params["epochs"] - self._epoch - part
        left = elapsed / done * remaining if done > 0 else 0.0
        report(
            f"epoch {self._epoch + 1}/{self.params['epochs']}"
            f"  training: accuracy {logs['accuracy']:.3f}, loss {logs['loss']:.3f}"
            f"{self._validation}  {rate:.0f} images/s, {format_seconds(left)} left"
        )


class KeepBest(keras.callbacks.Callback):
    """Ends with the weights of the epoch that had the lowest validation loss."""

    def __init__(self) -> None:
        super().__init__()
        self.best_epoch = 0
        self._best_loss = math.inf
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Copy the weights where the epoch is the best so far."""
        loss = (logs or {})["val_loss"]
        if loss < self._best_loss:
            self.best_epoch, self._best_loss = epoch, loss
            self._weights = self.model.get_weights()

    def on_train_end(self, logs: object = None) -> None:  # noqa: ARG002
        """Put the best weights back."""
        if self._weights:  # none where the loss was never a number
            self.model.set_weights(self._weights)


def _check_finite(losses: Sequence[float], learning_rate: float) -> None:
    if not all(math.isfinite(loss) for loss in losses):
        raise TrainingError(
            f"The loss must stay finite. Received: {losses[-1]} in epoch {len(losses)}."
            f" Try a `learning_rate` below {learning_rate:g}."
        )


def _is_xla_fast() -> bool:
    """Whether XLA pays: under TensorFlow on CPU these networks are up to 20 times slower by it."""
    return keras.config.backend() != "tensorflow" or bool(keras.distribution.list_devices("gpu"))
