"""The table of architectures. Each module builds one backbone: photos in, features out."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.errors import InputError, unknown_name

if TYPE_CHECKING:
    import keras

MAX_IMAGE_SIZE = 1024  # pixels; beyond it a batch of activations no longer fits a usual device


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One network and the settings that usually suit it."""

    name: str  # also the name of its module
    summary: str
    image_size: int  # usual height and width, pixels
    min_image_size: int
    weights: str  # where its weights start: "none" or "imagenet"
    epochs: int  # usual number, from these weights
    learning_rate: float  # usual peak

    def build_backbone(self, image_size: int) -> keras.Model:
        """Build the network up to its features, its preprocessing included.

        Args:
            image_size: Height and width, pixels.

        Returns:
            A model from RGB photos `(n, image_size, image_size, 3)` in [0, 255] to features
            `(n, num_features)`.
        """
        module = importlib.import_module(f"{__name__}.{self.name}")
        return module.build_backbone(image_size)


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="residual",
            summary="small residual net, trained from scratch; simple photos, or very many",
            image_size=64,
            min_image_size=32,
            weights="none",
            epochs=20,
            learning_rate=3e-3,
        ),
        Architecture(
            name="mobilenet_v2",
            summary="frozen MobileNetV2 with a new head; real photos, even a few hundred",
            image_size=192,
            min_image_size=32,
            weights="imagenet",
            epochs=20,
            learning_rate=1e-2,
        ),
    )
}


def find_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise unknown_name("architecture", name, ARCHITECTURES)
    return ARCHITECTURES[name]


def check_image_size(architecture: Architecture, image_size: int) -> None:
    """Refuse an image size that the architecture cannot take.

    Raises:
        InputError: If it is out of range.
    """
    if not architecture.min_image_size <= image_size <= MAX_IMAGE_SIZE:
        raise InputError(
            f"`image_size` must be from {architecture.min_image_size} to {MAX_IMAGE_SIZE} for"
            f" architecture '{architecture.name}' (0 takes the usual {architecture.image_size})."
            f" Received: {image_size}"
        )
