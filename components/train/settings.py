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

AUTO = "auto"
LOSS_WEIGHTINGS = ("fixed", "scheduled", "trained", "uncertainty")
PLACES = ("box", "mask")
MOST_COPIES = 100  # of a photo; each takes as long as the photo itself


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What a training run is told; 0 and "auto" stand for the architecture's usual value."""

    architecture: str = "residual"
    weights: str = AUTO  # where the backbone starts: imagenet, none, a path or a gs:// URI
    warm_start: str = ""  # the model to go on from: champion, a version, a path; empty: none
    image_size: int = 0  # height and width, pixels
    channels: int = 3  # what the network sees: 3 (RGB) or 1 (gray)
    epochs: int = 0
    batch_size: int = 32  # photos a step
    learning_rate: float = 0.0  # peak
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
        _check_range("batch_size", self.batch_size, 1, 4096)
        _check_range("learning_rate", self.learning_rate, 0, 10)
        _check_range("fine_tune_epochs", self.fine_tune_epochs, -1, 10_000)
        _check_range("fine_tune_blocks", self.fine_tune_blocks, 0, 1000)
        _check_range("fine_tune_learning_rate", self.fine_tune_learning_rate, 0, 10)
        _check_range("alpha", self.alpha, 0, 1)
        _check_range("max_memory_gib", self.max_memory_gib, 0, 1e6)
        _check_range("seed", self.seed, 0, 2**32 - 1)
        _check_one_of("loss_weighting", self.loss_weighting, LOSS_WEIGHTINGS)
        _check_one_of("place", self.place, PLACES)

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
        silent = {"max_memory_gib", "feature_cache"}  # these change no result
        if not self.find_architecture().has_place:
            silent |= {"loss_weighting", "alpha", "place"}
        if not self.is_frozen:
            silent |= {"fine_tune_epochs", "fine_tune_blocks", "fine_tune_learning_rate"}
        else:
            silent |= {"batch_size"}  # frozen parts have sizes of their own
        if not self.warm_start:
            silent |= {"warm_start"}
        return {name: value for name, value in values.items() if name not in silent}

    def resolved(self) -> TrainSettings:
        """The same, with the architecture's usual values where nothing else was said."""
        usual = self.find_architecture()
        return replace(
            self,
            weights=usual.weights if self.weights == AUTO else self.weights,
            image_size=self.image_size or usual.image_size,
            epochs=self.epochs or usual.epochs,
            learning_rate=self.learning_rate or usual.learning_rate,
            fine_tune_epochs=(
                usual.fine_tune_epochs if self.fine_tune_epochs < 0 else self.fine_tune_epochs
            ),
            fine_tune_blocks=self.fine_tune_blocks or usual.fine_tune_blocks,
            fine_tune_learning_rate=(self.fine_tune_learning_rate or usual.fine_tune_learning_rate),
        )


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
