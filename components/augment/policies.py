"""The table of augmentation policies: what training may do to a photo."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from components.common.errors import unknown_name
from components.common.storage import write_atomically

FILE_NAME = "policy.json"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Ranges that each photo's warp is drawn from, uniformly; 0 leaves that part out."""

    name: str
    rotation_degrees: float = 0.0  # in [-r, r]
    width_shift: float = 0.0  # fraction of the width, in [-s, s]
    height_shift: float = 0.0  # fraction of the height
    shear_degrees: float = 0.0  # in [-s, s]
    zoom: float = 0.0  # factor in [1 - z, 1 + z], width and height apart
    horizontal_flip: bool = False  # half of the photos

    def save(self, folder: Path) -> None:
        """Write it as JSON into `folder`."""
        write_atomically(folder / FILE_NAME, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def load(cls, folder: Path) -> Policy:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / FILE_NAME).read_text()))


POLICIES = {
    policy.name: policy
    for policy in (
        Policy(name="none"),
        Policy(
            name="light",
            rotation_degrees=10,
            width_shift=0.1,
            height_shift=0.1,
            zoom=0.1,
            horizontal_flip=True,
        ),
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
