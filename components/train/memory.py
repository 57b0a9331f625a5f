"""How much memory a network's weights need in training, known before it is built. Light."""

from __future__ import annotations

from components.common.errors import InputError
from components.train.architectures import Architecture
from components.train.architectures.parameters import (
    count_dense,
    count_inception_reference,
    count_residual_reference,
)
from components.train.settings import TrainSettings

# float32, 4 bytes each: the value, its gradient, two moments of Adam, and the best epoch's copy.
BYTES_A_PARAMETER = 20
COUNTS = {  # of those whose parameters depend on the image size
    "dense": count_dense,
    "inception_reference": count_inception_reference,
    "residual_reference": count_residual_reference,
}


def count_parameters(
    architecture: Architecture, image_size: int, channels: int, num_classes: int
) -> int:
    """Count the parameters of a classifier without building it.

    Args:
        architecture: Its backbone. One that takes any size by the same weights counts as for RGB
            photos; for gray ones it has up to 1,000 fewer.
        image_size: Height and width, pixels.
        channels: Of the photos.
        num_classes: That its head tells apart.
    """
    count = COUNTS.get(architecture.name)
    backbone = count(image_size, channels) if count else architecture.num_parameters
    return backbone + (architecture.num_features + 1) * num_classes


def training_gib(
    architecture: Architecture, image_size: int, channels: int, num_classes: int
) -> float:
    """Memory that the weights take in training, GiB; photos and activations come on top.

    Args:
        architecture: Of the backbone.
        image_size: Height and width, pixels.
        channels: Of the photos.
        num_classes: That its head tells apart.
    """
    number = count_parameters(architecture, image_size, channels, num_classes)
    return number * BYTES_A_PARAMETER / 2**30


def describe_memory(
    architecture: Architecture, settings: TrainSettings, *, num_classes: int
) -> str:
    """Say in a line how large a network is, before it is built.

    Args:
        architecture: Of the backbone.
        settings: Resolved.
        num_classes: That its head tells apart.
    """
    size, channels = settings.image_size, settings.channels
    number = count_parameters(architecture, size, channels, num_classes)
    gib = training_gib(architecture, size, channels, num_classes)
    memory = f"{gib:.1f} GiB" if gib >= 1 else f"{1024 * gib:.0f} MiB"
    return f"{architecture.name} at {size} px: {number:,} parameters, {memory} to train them"


def check_memory(architecture: Architecture, settings: TrainSettings, *, num_classes: int) -> None:
    """Refuse a network whose weights alone would fill the memory.

    Args:
        architecture: Of the backbone.
        settings: Resolved; `max_memory_gib` is the bound.
        num_classes: That its head tells apart.

    Raises:
        InputError: If training its weights takes more than the bound.
    """
    gib = training_gib(architecture, settings.image_size, settings.channels, num_classes)
    if not settings.max_memory_gib or gib <= settings.max_memory_gib:
        return
    line = describe_memory(architecture, settings, num_classes=num_classes)
    raise InputError(
        f"The network must fit into {settings.max_memory_gib:g} GiB. Received: {line}."
        " Pass a smaller `image_size`, `architecture` residual, or a larger `max_memory_gib`"
        " (0: no bound)."
    )
