"""The table of architectures. Each module builds one kind of backbone: photos in, features out.

Light: the table is read by the command line and by checks before a run; only building needs Keras.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.errors import InputError
from components.train.architectures.applications import APPLICATIONS, Application

if TYPE_CHECKING:
    import keras

MAX_IMAGE_SIZE = 1024  # pixels; beyond it a batch of activations no longer fits a usual device
TRANSFER = "transfer:"
IMAGENET, NONE = "imagenet", "none"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One network and the settings that usually suit it."""

    name: str  # as people give it, e.g. "residual" or "transfer:MobileNetV2"
    module: str  # of this package; builds it
    summary: str  # when to use it
    paper: str
    num_parameters: int  # of the backbone, at its usual size, RGB
    num_features: int  # that the backbone gives, or channels of its maps
    image_size: int  # usual height and width, pixels
    min_image_size: int
    weights: str = NONE  # where its weights usually start: NONE or IMAGENET
    epochs: int = 20  # usual number, from these weights
    learning_rate: float = 3e-3  # usual peak
    fine_tune_epochs: int = 0  # of the top blocks, after the frozen ones
    fine_tune_blocks: int = 1
    fine_tune_learning_rate: float = 1e-4  # usual peak
    has_place: bool = False  # whether it says where the object is, too

    @property
    def application(self) -> Application | None:
        """The network of keras.applications that it is made of, where it is."""
        return APPLICATIONS.get(self.name.removeprefix(TRANSFER))

    def build_backbone(self, image_size: int, channels: int = 3) -> keras.Model:
        """Build the network up to its features, its preprocessing included, weights random.

        Args:
            image_size: Height and width, pixels.
            channels: Of the photos: 3 (RGB) or 1 (gray).

        Returns:
            A model from photos `(n, image_size, image_size, channels)` in [0, 255] to features
            `(n, num_features)`.
        """
        module = importlib.import_module(f"{__name__}.{self.module}")
        if self.application is not None:
            return module.build_backbone(self.application, image_size, channels)
        return module.build_backbone(image_size, channels)


_OWN = (
    Architecture(
        name="dense",
        module="dense",
        summary="the baseline that any other network must beat",
        paper="Rosenblatt, 1958, Psychological Review 65",
        num_parameters=3_178_880,
        num_features=128,
        image_size=64,
        min_image_size=8,
        learning_rate=1e-3,
    ),
    Architecture(
        name="inception",
        module="inception",
        summary="simple photos, or very many; looks at four sizes at once",
        paper="Szegedy et al., 2014, arXiv 1409.4842",
        num_parameters=274_736,
        num_features=256,
        image_size=64,
        min_image_size=32,
    ),
    Architecture(
        name="inception_reference",
        module="inception_reference",
        summary="one literal inception module; to compare with, not to use",
        paper="Szegedy et al., 2014, arXiv 1409.4842",
        num_parameters=737_728_128,
        num_features=256,
        image_size=150,
        min_image_size=8,
        learning_rate=1e-3,
    ),
    Architecture(
        name="residual",
        module="residual",
        summary="simple photos, or very many: try it first",
        paper="He et al., 2015, arXiv 1512.03385",
        num_parameters=308_976,
        num_features=128,
        image_size=64,
        min_image_size=32,
    ),
    Architecture(
        name="residual_reference",
        module="residual_reference",
        summary="one literal residual block; to compare with, not to use",
        paper="He et al., 2015, arXiv 1512.03385",
        num_parameters=184_619_520,
        num_features=256,
        image_size=150,
        min_image_size=8,
        learning_rate=1e-3,
    ),
    Architecture(
        name="two_output",
        module="two_output",
        summary="class and place in the photo; needs boxes or masks",
        paper="Kendall et al., 2018, arXiv 1705.07115",
        num_parameters=308_976,
        num_features=192,
        image_size=64,
        min_image_size=32,
        has_place=True,
    ),
)


def _transfer(application: Application) -> Architecture:
    return Architecture(
        name=TRANSFER + application.name,
        module="transfer",
        summary=application.summary,
        paper=application.paper,
        num_parameters=application.num_parameters,
        num_features=application.num_features,
        image_size=application.image_size,
        min_image_size=application.min_image_size,
        weights=IMAGENET,
        epochs=20,
        learning_rate=1e-2,
        fine_tune_epochs=3,
        fine_tune_blocks=application.fine_tune_blocks,
        fine_tune_learning_rate=application.fine_tune_learning_rate,
    )


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (*_OWN, *map(_transfer, APPLICATIONS.values()))
}


def find_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise InputError(
            "`architecture` must be one that `pawpetal architectures` lists."
            f" Received: '{name}'.{_nearest(name)}"
        )
    return ARCHITECTURES[name]


def _nearest(name: str) -> str:
    """A hint at the architecture that may be meant, whatever the case, dashes and prefix."""

    def bare(text: str) -> str:
        return "".join(filter(str.isalnum, text.lower().removeprefix(TRANSFER)))

    by_bare = {bare(known): known for known in ARCHITECTURES}
    near = difflib.get_close_matches(bare(name), by_bare, n=1)
    return f" Did you mean '{by_bare[near[0]]}'?" if near else ""


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
