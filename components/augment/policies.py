"""The table of augmentation policies: what training may do to a photo."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from components.common.errors import unknown_name
from components.common.storage import write_atomically

FILE_NAME = "policy.json"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Ranges that are drawn from anew for each photo and epoch; 0 leaves that part out.

    Uniformly, where nothing else is said.
    """

    name: str
    rotation_degrees: float = 0.0  # in [-r, r]
    width_shift: float = 0.0  # fraction of the width, in [-s, s]
    height_shift: float = 0.0  # fraction of the height
    shear_degrees: float = 0.0  # in [-s, s]
    zoom: float = 0.0  # factor in [1 - z, 1 + z], width and height apart
    horizontal_flip: bool = False  # half of the photos
    brightness: float = 0.0  # factor in [1 - b, 1 + b]
    contrast: float = 0.0  # factor in [1 - c, 1 + c], about the photo's mean
    saturation: float = 0.0  # factor in [1 - s, 1 + s], about each pixel's gray
    hue_degrees: float = 0.0  # turn of the colour circle, in [-h, h]
    random_operations: int = 0  # of RandAugment, a photo
    random_magnitude: float = 0.0  # of them, in [0, 30]
    erasing: float = 0.0  # share of the photos that lose a rectangle
    mixup_alpha: float = 0.0  # shares of the two photos from Beta(alpha, alpha)
    cutmix_alpha: float = 0.0  # areas of the two photos from Beta(alpha, alpha)

    @property
    def mixes(self) -> bool:
        """Whether photos are mixed with others, and so their labels."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    def save(self, folder: Path) -> None:
        """Write it as JSON into `folder`."""
        write_atomically(folder / FILE_NAME, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def load(cls, folder: Path) -> Policy:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE_NAME).read_text()))


_LIGHT = Policy(
    name="light",
    rotation_degrees=10,
    width_shift=0.1,
    height_shift=0.1,
    zoom=0.1,
    horizontal_flip=True,
)

POLICIES = {
    policy.name: policy
    for policy in (
        Policy(name="none"),
        _LIGHT,
        Policy(
            name="heavy",  # the cats and dogs recipe of the Keras blog and its many heirs
            rotation_degrees=40,
            width_shift=0.2,
            height_shift=0.2,
            # A factor of 0.2, as the recipe means it. (ImageDataGenerator reads its 0.2 as
            # degrees, which nobody can see.)
            shear_degrees=math.degrees(math.atan(0.2)),
            zoom=0.2,
            horizontal_flip=True,
        ),
        # Chen et al., 2020, "A Simple Framework for Contrastive Learning of Visual
        # Representations": its colour distortion at strength 0.5.
        replace(_LIGHT, name="color", brightness=0.4, contrast=0.4, saturation=0.4, hue_degrees=36),
        # Zhong et al., 2020, "Random Erasing Data Augmentation".
        replace(_LIGHT, name="erasing", erasing=0.5),
        # Zhang et al., 2018, "mixup: Beyond Empirical Risk Minimization": 0.2 for ImageNet.
        replace(_LIGHT, name="mixup", mixup_alpha=0.2),
        # Yun et al., 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with
        # Localizable Features".
        replace(_LIGHT, name="cutmix", cutmix_alpha=1.0),
        # Cubuk et al., 2020, "RandAugment: Practical Automated Data Augmentation with a Reduced
        # Search Space": as for ResNet-50 on ImageNet.
        Policy(name="randaugment", horizontal_flip=True, random_operations=2, random_magnitude=9),
    )
}


def find_policy(name: str) -> Policy:
    """Look a policy up.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in POLICIES:
        raise unknown_name("augmentation", name, POLICIES)
    return POLICIES[name]
