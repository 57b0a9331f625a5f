"""What is deployed at a place: each deployment, and the specs that it brought. No kfp."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from components.common.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DeployedSpec:
    """A compiled pipeline at its place, which never changes there."""

    pipeline: str  # e.g. "retrain"
    version: str  # for people: Kubeflow's name of the version; "sha256:..." on Vertex AI
    # Kubeflow: "PIPELINE_ID/VERSION_ID"; Vertex AI:
    # "https://REGION-kfp.pkg.dev/PROJECT/pawpetal-specs/PACKAGE/sha256:..."
    reference: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The specs of one version of the code, put at a place together."""

    tag: str  # as given, or of git, or the code's version, e.g. "v1.2.0"
    code_version: str  # parameter of its runs, e.g. "0.1.0+3f9c2a1b7d20"
    commit: str  # of git; empty where there was none
    at: str  # ISO 8601, UTC
    is_rollback: bool
    specs: tuple[DeployedSpec, ...]
    by: str = ""  # who deployed it; empty where it is not known
    number: int = 0  # of its place: the highest is the current one
    content: str = ""  # digest of all its specs: "sha256:..."
    rolled_back_to: int = 0  # number of the deployment whose specs it brought back; 0 for none

    @property
    def versions(self) -> dict[str, str]:
        """The versions that it brought, by pipeline."""
        return {spec.pipeline: spec.version for spec in self.specs}

    def spec(self, pipeline: str) -> DeployedSpec:
        """Its spec of a pipeline.

        Raises:
            InputError: If it brought none.
        """
        for spec in self.specs:
            if spec.pipeline == pipeline:
                return spec
        raise InputError(
            f"`pipeline` must be one that is deployed: "
            f"{', '.join(spec.pipeline for spec in self.specs)}. Received: '{pipeline}'"
        )


@dataclass(frozen=True, kw_only=True)
class Release:
    """Specs that are to be deployed, and where they come from."""

    tag: str
    code_version: str
    commit: str
    by: str
    specs: Mapping[str, bytes] = field(repr=False)  # compiled, by pipeline

    @cached_property
    def content(self) -> str:
        """Digest of all specs: the same content is deployed once."""
        digest = hashlib.sha256()
        for pipeline, spec in sorted(self.specs.items()):
            digest.update(f"{pipeline} {hashlib.sha256(spec).hexdigest()}\n".encode())
        return f"sha256:{digest.hexdigest()}"


class Deployments(Protocol):
    """What was deployed at one place."""

    def history(self) -> list[Deployment]:
        """All complete deployments, newest first; the first is the current one."""
        ...

    def current(self) -> Deployment:
        """The newest.

        Raises:
            InputError: If nothing is deployed there.
        """
        ...

    def read_spec(self, spec: DeployedSpec) -> dict[str, Any]:
        """The compiled pipeline itself: the plain part, without settings of Kubernetes."""
        ...


class Place(Deployments, Protocol):
    """Where specs are deployed."""

    title: str  # for people, e.g. "Kubeflow at http://127.0.0.1:8080"

    def find_current(self) -> Deployment | None:
        """The newest; None where nothing is deployed."""
        ...

    def deploy(self, release: Release) -> Deployment:
        """Put specs there, or what a killed try left undone; by then they are the current ones."""
        ...

    def roll_back(self, to: Deployment, by: str) -> Deployment:
        """Make an earlier deployment's specs the current ones again.

        Args:
            to: One that is no rollback itself.
            by: Who asks for it.
        """
        ...

    def settle(self) -> None:
        """Bring up to date what else names the current deployment; done again, it does nothing."""
        ...

    def is_settled(self, current: Deployment) -> bool:
        """Whether all that names the current deployment names this one."""
        ...

    def requests(self, release: Release, number: int) -> Iterator[Mapping[str, Any]]:
        """What `deploy` would send to change something: method, url, and more.

        Args:
            release: What would be deployed.
            number: That the deployment would get; 0 where it is not known.
        """
        ...

    def versions_of_rollback(self, to: Deployment) -> Mapping[str, str]:
        """The versions that a rollback would make current, by pipeline; nothing is sent."""
        ...


def known(current: Deployment | None, place: str, on: str) -> Deployment:
    """The current deployment.

    Args:
        current: None where there is none.
        place: For the error, e.g. "http://kubeflow.example".
        on: "kubeflow" or "vertex".

    Raises:
        InputError: If there is none.
    """
    if current is None:
        raise InputError(f"Nothing is deployed at {place}: run `pawpetal deploy --on {on} ...`.")
    return current


def previous(history: Sequence[Deployment]) -> Deployment | None:
    """The deployment that a rollback goes back to; None where nothing was before.

    A rollback takes back the newest deployment that stands. So two of them go back two, and what is
    deployed after them comes after what they went back to.

    Args:
        history: Newest first.
    """
    standing: list[Deployment] = []
    for each in reversed(history):
        if not each.is_rollback:
            standing.append(each)
            continue
        while standing and not _is_of(standing[-1], each):
            standing.pop()
        standing = standing or [each]  # what it went back to is known no more
    return standing[-2] if len(standing) > 1 else None


def _is_of(deployment: Deployment, rollback: Deployment) -> bool:
    wanted = (rollback.rolled_back_to, rollback.content)
    return (deployment.number, deployment.content) == wanted
