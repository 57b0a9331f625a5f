"""How a model is fitted: optimizer, schedule of the learning rate, loss; the loop does the rest."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.common.errors import InputError
from components.train.batches import Batches
from components.train.loop.loop import Fit, Hooks, Loop
from components.train.loop.phases import Phase
from components.train.settings import BALANCED, FitSettings

WARMUP = 0.1  # fraction of all steps in which the learning rate climbs to its peak
MOMENTUM = 0.9  # of SGD, after Nesterov
OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


def fit(
    model: keras.Model,
    train: Batches,
    validation: Batches,
    settings: FitSettings,
    *,
    phase: Phase | None = None,
) -> Fit:
    """Train a classifier, and keep its best epoch.

    Args:
        model: From inputs to class probabilities; changed in place.
        train: Batches to learn from.
        validation: Batches to choose the epoch by; their labels are soft where those of `train`
            are.
        settings: How to train.
        phase: Where the state is kept, and taken up from; None keeps none.

    Raises:
        InputError: If only one of the two has soft labels.
        TrainingError: If the loss stops being a number, memory ends, or the disk is full.
    """
    if train.is_soft != validation.is_soft:
        raise InputError(
            "`train` and `validation` must both have soft labels, or neither. Received: "
            f"train.is_soft={train.is_soft}, validation.is_soft={validation.is_soft}"
        )
    num_classes = model.output_shape[-1]
    if settings.class_weights == BALANCED:
        train.weigh(balanced_weights(train.labels, num_classes))
    if settings.label_smoothing and not train.is_soft:
        train.soften(num_classes)
        validation.soften(num_classes)
    loss = (
        keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
        if train.is_soft
        else keras.losses.SparseCategoricalCrossentropy()
    )
    return run(
        model,
        train,
        validation,
        settings,
        phase=phase,
        loss=loss,
        metrics=["accuracy"],
    )


def run(
    model: keras.Model,
    train: Batches,
    validation: Batches,
    settings: FitSettings,
    *,
    optimizer: type[keras.optimizers.Optimizer] | None = None,
    phase: Phase | None = None,
    hooks: Hooks | None = None,
    **compiled: Any,
) -> Fit:
    """Train any model as `fit` trains a classifier.

    Args:
        model: Its metrics have an accuracy; changed in place.
        train: Batches to learn from.
        validation: Batches to choose the epoch by.
        settings: How to train; labels are neither smoothed nor weighed here.
        optimizer: Another one than the settings name, made as AdamW is.
        phase: Where the state is kept, and taken up from; None keeps none.
        hooks: What is done beside the steps.
        **compiled: Loss and metrics, as `compile` takes them.

    Raises:
        TrainingError: If the loss stops being a number, memory ends, or the disk is full.
    """
    model.compile(
        build_optimizer(settings, num_steps=train.num_batches * settings.epochs, made_by=optimizer),
        **compiled,
    )
    return Loop(
        model,
        train,
        validation,
        settings,
        phase=phase,
        hooks=hooks,
    ).run()


def build_optimizer(
    settings: FitSettings,
    *,
    num_steps: int,
    made_by: type[keras.optimizers.Optimizer] | None = None,
) -> keras.optimizers.Optimizer:
    """Build the optimizer with its schedule: a warm-up, then a cosine to zero, or no change.

    Args:
        settings: How to train.
        num_steps: Of the whole training.
        made_by: Another class than the settings name.

    Reference:
        Loshchilov and Hutter, 2019, "Decoupled Weight Decay Regularization".
    """
    warmup_steps = max(1, round(WARMUP * num_steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, num_steps - warmup_steps),
        alpha=1.0 if settings.schedule == "constant" else 0.0,
        warmup_target=settings.learning_rate,
        warmup_steps=warmup_steps,
    )
    special = {"momentum": MOMENTUM, "nesterov": True} if settings.optimizer == "sgd" else {}
    return (made_by or OPTIMIZERS[settings.optimizer])(
        schedule,
        weight_decay=settings.weight_decay,
        clipnorm=1.0,
        use_ema=bool(settings.ema),
        ema_momentum=settings.ema or 0.99,
        **special,
    )


def balanced_weights(labels: NDArray[np.int32], num_classes: int) -> NDArray[np.float32]:
    """Weights by which all classes count the same, the mean over all photos being 1.

    Args:
        labels: Of the training photos, shape `(n,)`.
        num_classes: That the model tells apart; one without photos weighs 0.
    """
    counts = np.bincount(labels, minlength=num_classes)
    num_seen = np.count_nonzero(counts)
    weights = len(labels) / (num_seen * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)
