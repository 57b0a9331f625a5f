"""Settings of one training run, checked where they are made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from components.augment.policies import Policy
from components.common.errors import InputError, unknown_name
from components.train.architectures import (
    NONE,
    Architecture,
    check_image_size,
    find_architecture,
)
from components.train.devices import check_device

AUTO = "auto"
BATCH = 32  # photos a step on one device, as usual
LOSS_WEIGHTINGS = ("fixed", "scheduled", "trained", "uncertainty")
PLACES = ("box", "mask")
OPTIMIZERS = ("adamw", "sgd", "rmsprop")
SCHEDULES = ("cosine", "constant")
CLASS_WEIGHTS = ("none", "balanced")
BALANCED = CLASS_WEIGHTS[1]
RARE = ("patience", "ema", "label_smoothing", "class_weights", "num_replicas")  # told if set
PRECISIONS = (AUTO, "float32", "mixed_bfloat16", "mixed_float16")
MOST_COPIES = 100  # of a photo; each takes as long as the photo itself


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How one model is fitted, once there is a model and batches."""

    epochs: int
    learning_rate: float  # peak
    optimizer: str = "adamw"  # one of OPTIMIZERS
    schedule: str = "cosine"  # of the learning rate after its warm-up, one of SCHEDULES
    weight_decay: float = 0.02
    patience: int = 0  # epochs without a lower validation loss after which it ends; 0: never
    ema: float = 0.0  # momentum of the moving average of the weights that is kept; 0: none is
    label_smoothing: float = 0.0  # share of each label that is spread over all classes
    class_weights: str = "none"  # one of CLASS_WEIGHTS


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What a training run is told; 0 and "auto" stand for the architecture's usual value."""

    architecture: str = "residual"
    weights: str = AUTO  # where the backbone starts: imagenet, none, a path or a gs:// URI
    warm_start: str = ""  # the model to go on from: champion, a version, a path; empty: none
    image_size: int = 0  # height and width, pixels
    channels: int = 3  # what the network sees: 3 (RGB) or 1 (gray)
    epochs: int = 0
    batch_size: int = 0  # photos a step, all replicas together
    learning_rate: float = 0.0  # peak
    optimizer: str = "adamw"
    schedule: str = "cosine"
    weight_decay: float = 0.02
    patience: int = 0
    ema: float = 0.0
    label_smoothing: float = 0.0
    class_weights: str = "none"
    precision: str = AUTO  # of the computations, one of PRECISIONS
    device: str = AUTO  # what trains, one of DEVICES
    num_replicas: int = 0  # devices that share each batch; 0: all chips of a TPU, else one
    fine_tune_epochs: int = -1  # -1: usual; 0: the backbone stays frozen
    fine_tune_blocks: int = 0  # top blocks that are tuned
    fine_tune_learning_rate: float = 0.0  # peak
    feature_cache: bool = True  # compute what frozen layers give once, where that pays
    loss_weighting: str = "uncertainty"  # of two outputs, one of LOSS_WEIGHTINGS
    alpha: float = 0.5  # share of the class loss, at first
    place: str = "box"  # what is said of the place, one of PLACES
    mirror_averaging: bool = True  # predict the mean over the photo and its mirror image
    max_memory_gib: float = 8.0  # for training the weights; 0: no bound
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no training could use."""
        architecture = self.find_architecture()
        if self.image_size:
            check_image_size(architecture, self.image_size)
        if self.channels not in (1, 3):
            raise InputError(f"`channels` must be 1 or 3. Received: {self.channels}")
        _check_range("epochs", self.epochs, 0, 10_000)
        _check_range("batch_size", self.batch_size, 0, 65_536)
        _check_range("learning_rate", self.learning_rate, 0, 10)
        _check_range("fine_tune_epochs", self.fine_tune_epochs, -1, 10_000)
        _check_range("fine_tune_blocks", self.fine_tune_blocks, 0, 1000)
        _check_range("fine_tune_learning_rate", self.fine_tune_learning_rate, 0, 10)
        _check_range("alpha", self.alpha, 0, 1)
        _check_range("weight_decay", self.weight_decay, 0, 1)
        _check_range("patience", self.patience, 0, 10_000)
        _check_range("ema", self.ema, 0, 0.99999)
        _check_range("label_smoothing", self.label_smoothing, 0, 0.9)
        _check_one_of("optimizer", self.optimizer, OPTIMIZERS)
        _check_one_of("schedule", self.schedule, SCHEDULES)
        _check_one_of("class_weights", self.class_weights, CLASS_WEIGHTS)
        _check_one_of("precision", self.precision, PRECISIONS)
        self._check_two_output()
        check_device(self.device, self.num_replicas)
        _check_range("max_memory_gib", self.max_memory_gib, 0, 1e6)
        _check_range("seed", self.seed, 0, 2**32 - 1)
        _check_one_of("loss_weighting", self.loss_weighting, LOSS_WEIGHTINGS)
        _check_one_of("place", self.place, PLACES)

    def _check_two_output(self) -> None:
        """Refuse what training with two losses has no use for."""
        if not self.find_architecture().has_place:
            return
        for name in ("optimizer", "label_smoothing", "class_weights"):
            value, usual = getattr(self, name), getattr(TrainSettings, name)
            if value != usual:
                raise InputError(
                    f"`{name}` must be {usual} for an architecture that says the place, whose"
                    f" losses are weighed against each other. Received: {value}"
                )

    def fit_settings(self, *, epochs: int, learning_rate: float) -> FitSettings:
        """How one phase of the training is fitted.

        Args:
            epochs: Of the phase.
            learning_rate: Its peak.
        """
        shared = {name: getattr(self, name) for name in FitSettings.__dataclass_fields__}
        return FitSettings(**{**shared, "epochs": epochs, "learning_rate": learning_rate})

    def find_architecture(self) -> Architecture:
        """The architecture that is named."""
        return find_architecture(self.architecture)

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone starts frozen; known once the settings are resolved."""
        return self.weights != NONE and not self.find_architecture().has_place

    @property
    def says_masks(self) -> bool:
        """Whether it says the place by a mask."""
        return self.find_architecture().has_place and self.place == "mask"

    def told(self) -> dict[str, Any]:
        """What is worth telling of a model that was trained so; resolved settings only."""
        values = asdict(self)
        silent = {"max_memory_gib", "feature_cache", "device"}  # these change no result
        silent |= {name for name in RARE if values[name] == getattr(TrainSettings, name)}
        if not self.find_architecture().has_place:
            silent |= {"loss_weighting", "alpha", "place"}
        if not self.is_frozen:
            silent |= {"fine_tune_epochs", "fine_tune_blocks", "fine_tune_learning_rate"}
        else:
            silent |= {"batch_size"}  # frozen parts have sizes of their own
        if not self.warm_start:
            silent |= {"warm_start"}
        return {name: value for name, value in values.items() if name not in silent}

    def resolved(self, *, num_replicas: int = 1, on_tpu: bool = False) -> TrainSettings:
        """The same, with the architecture's usual values where nothing else was said.

        The usual batch grows with the replicas, and the usual learning rate with it: by the square
        root under Adam and its kin, and in proportion under SGD.

        Args:
            num_replicas: Devices that share each batch.
            on_tpu: Whether a TPU trains.

        Reference:
            Goyal et al., 2017, "Accurate, Large Minibatch SGD"; Malladi et al., 2022, "On the SDEs
            and Scaling Rules for Adaptive Gradient Algorithms".
        """
        usual = self.find_architecture()
        growth = 1 if self.batch_size else num_replicas
        pace = growth if self.optimizer == "sgd" else math.sqrt(growth)
        return replace(
            self,
            weights=usual.weights if self.weights == AUTO else self.weights,
            image_size=self.image_size or usual.image_size,
            epochs=self.epochs or usual.epochs,
            batch_size=self.batch_size or BATCH * growth,
            precision=self._precision(on_tpu=on_tpu),
            learning_rate=self.learning_rate or pace * usual.learning_rate,
            fine_tune_epochs=(
                usual.fine_tune_epochs if self.fine_tune_epochs < 0 else self.fine_tune_epochs
            ),
            fine_tune_blocks=self.fine_tune_blocks or usual.fine_tune_blocks,
            fine_tune_learning_rate=(self.fine_tune_learning_rate or usual.fine_tune_learning_rate),
        )

    def _precision(self, *, on_tpu: bool) -> str:
        if self.precision == AUTO:
            return "mixed_bfloat16" if on_tpu else "float32"
        return self.precision


def check_augmentation(policy: Policy, settings: TrainSettings, copies: int = 0) -> None:
    """Refuse augmentation that training would not use.

    Args:
        policy: What may be done to training photos.
        settings: Resolved.
        copies: Augmented copies a photo that are written beforehand.

    Raises:
        InputError: If a frozen backbone would see mixed photos, or copies would be written for
            nothing.
    """
    _check_range("augmented_copies", copies, 0, MOST_COPIES)
    if policy.mixes and settings.is_frozen:
        raise InputError(
            f"`augmentation` '{policy.name}' mixes photos and labels anew in every epoch, but a"
            " network that starts from weights is frozen and sees few copies. Pass `weights` none,"
            " or an augmentation that mixes nothing."
        )
    if policy.mixes and settings.find_architecture().has_place:
        raise InputError(
            f"`augmentation` '{policy.name}' mixes photos, and a mixed photo has no one place."
            f" Pass one that mixes nothing for architecture '{settings.architecture}'."
        )
    if copies and not settings.is_frozen:
        raise InputError(
            "`augmented_copies` are for a network that starts from weights: one that is trained"
            f" whole gets new ones in every epoch. Pass 0. Received: {copies}"
        )
    if copies and policy.name == "none":
        raise InputError(
            "`augmented_copies` must be 0 with `augmentation` none, which changes nothing."
            f" Received: {copies}"
        )


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(f"`{name}` must be from {low} to {high}. Received: {value}")


def _check_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise unknown_name(name, value, known)
