"""What checks of Google Cloud share: whom they ask, of what, and what a refusal means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from components.common.errors import CloudError
from components.common.google_cloud import GoogleCloud
from pipelines.doctor.check import Check, fail, skip
from pipelines.google_cloud.place import VertexPlace

DISABLED = "SERVICE_DISABLED"  # the reason given where an API is not enabled
PERMISSION = re.compile(r"[Pp]ermission '([\w.]+)'|have ([\w.]+) access")  # in a refusal
ARTIFACT_REGISTRY = "-docker.pkg.dev"


@dataclass(frozen=True)
class Asking:
    """A project that is there, and what is asked about it."""

    cloud: GoogleCloud
    place: VertexPlace
    number: str  # of the project

    @property
    def runner(self) -> str:
        """E-mail of whom the steps run as."""
        return self.place.service_account

    @cached_property
    def caller(self) -> str:
        """Whoever asks, as a member of policies; a person's name only gcloud knows."""
        try:
            email = self.cloud.account()
        except CloudError:  # a double asks nobody for credentials
            email = ""
        return f"serviceAccount:{email}" if email else 'user:"$(gcloud config get account)"'


@dataclass(frozen=True)
class Repository:
    """A Docker repository of Artifact Registry."""

    project: str
    location: str
    name: str

    @property
    def path(self) -> str:
        """Its name in the API."""
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.name}"


def repository_of(reference: str) -> Repository | None:
    """Where Artifact Registry keeps an image, or all below a registry; None where it does not.

    Args:
        reference: E.g. "us-central1-docker.pkg.dev/acme/pawpetal/pawpetal-cpu:1".
    """
    host, *path = reference.split("/")
    if not host.endswith(ARTIFACT_REGISTRY) or len(path) < 2:
        return None
    return Repository(path[0], host.removesuffix(ARTIFACT_REGISTRY), path[1].partition(":")[0])


def refused(name: str, error: CloudError) -> Check:
    """What a check says that was refused an answer."""
    if error.reason == DISABLED:
        return skip(name, "the API that knows is not enabled")
    if error.status == 403:
        permission = PERMISSION.search(str(error))
        lacking = f"you lack {permission[1] or permission[2]}" if permission else str(error)
        return skip(name, f"not known, since {lacking}")
    return fail(name, str(error), "try again; https://status.cloud.google.com tells of outages")
