"""Settings of one training run, checked where they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from components.augment.policies import Policy
from components.common.errors import InputError
from components.train.architectures import Architecture, check_image_size, find_architecture
from components.train.weights import NONE

AUTO = "auto"
MOST_COPIES = 100  # of a photo; each takes as long as the photo itself


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What a training run is told; 0 and "auto" stand for the architecture's usual value."""

    architecture: str = "residual"
    weights: str = AUTO  # where the backbone starts: imagenet, none, a path or a gs:// URI
    image_size: int = 0  # height and width, pixels
    epochs: int = 0
    batch_size: int = 32  # photos a step
    learning_rate: float = 0.0  # peak
    mirror_averaging: bool = True  # predict the mean over the photo and its mirror image
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no training could use."""
        architecture = self.find_architecture()
        if self.image_size:
            check_image_size(architecture, self.image_size)
        _check_range("epochs", self.epochs, 0, 10_000)
        _check_range("batch_size", self.batch_size, 1, 4096)
        _check_range("learning_rate", self.learning_rate, 0, 10)
        _check_range("seed", self.seed, 0, 2**32 - 1)

    def find_architecture(self) -> Architecture:
        """The architecture that is named."""
        return find_architecture(self.architecture)

    def resolved(self) -> TrainSettings:
        """The same, with the architecture's usual values where nothing else was said."""
        usual = self.find_architecture()
        return replace(
            self,
            weights=usual.weights if self.weights == AUTO else self.weights,
            image_size=self.image_size or usual.image_size,
            epochs=self.epochs or usual.epochs,
            learning_rate=self.learning_rate or usual.learning_rate,
        )


def check_augmentation(policy: Policy, weights: str, copies: int = 0) -> None:
    """Refuse augmentation that training from these weights would not use.

    Args:
        policy: What may be done to training photos.
        weights: Where the backbone starts, resolved.
        copies: Augmented copies a photo that are written beforehand.

    Raises:
        InputError: If a frozen backbone would see mixed photos, or copies would be written for
            nothing.
    """
    _check_range("augmented_copies", copies, 0, MOST_COPIES)
    if policy.mixes and weights != NONE:
        raise InputError(
            f"`augmentation` '{policy.name}' mixes photos and labels anew in every epoch, but a"
            " network that starts from weights is frozen and sees few copies. Pass `weights` none,"
            " or an augmentation that mixes nothing."
        )
    if copies and weights == NONE:
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
