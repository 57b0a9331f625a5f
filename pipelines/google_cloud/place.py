"""Where in Google Cloud a run is to run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from components.common.errors import InputError
from pipelines.accelerators import NONE, Accelerator
from pipelines.images import names_for, reference

PROJECT = re.compile(r"[a-z][a-z0-9.:-]*[a-z0-9]")
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]+[a-z0-9]")
ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")


@dataclass(frozen=True, kw_only=True)
class VertexPlace:
    """A region of a project, with what a run takes there."""

    project: str  # id, not number
    region: str
    bucket: str  # name, without gs://
    service_account: str  # e-mail of whom steps run as
    network: str = ""  # that steps are peered with: projects/NUMBER/global/networks/NAME
    accelerator: Accelerator = NONE
    spot: bool = False  # machines that may be taken away, of which there is another quota
    image_registry: str
    images: tuple[str, ...]  # full references of all that the run starts; see `images_of`

    def __post_init__(self) -> None:
        """Refuse names that no such thing can have.

        Raises:
            InputError: If there is one.
        """
        if not PROJECT.fullmatch(self.project):
            raise InputError(
                f"`project` must be a project's id, e.g. acme-photos. Received: '{self.project}'"
            )
        if not BUCKET.fullmatch(self.bucket):
            raise InputError(
                f"`bucket` must be a bucket's name, without gs://. Received: '{self.bucket}'"
            )
        if not ACCOUNT.fullmatch(self.service_account):
            raise InputError(
                "`service_account` must be an e-mail address, e.g."
                f" pawpetal-runner@{self.project}.iam.gserviceaccount.com. Received:"
                f" '{self.service_account}'"
            )


def images_of(accelerator: Accelerator, image_registry: str) -> tuple[str, ...]:
    """Full references of the images that a run starts, sorted.

    Args:
        accelerator: What training asks for.
        image_registry: Where they are pulled from.

    Raises:
        InputError: If `image_registry` is no host and path.
    """
    return tuple(reference(name, image_registry) for name in names_for(accelerator.image))
