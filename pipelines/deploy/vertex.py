"""Deployments on Vertex AI: specs in Artifact Registry, and a log of deployments in the bucket.

The log is one JSON object a deployment, numbered and never changed. An object is written only where
there is none, so each number is taken once, and a deployment counts from then on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from components.common import storage
from components.common.errors import DataError
from components.common.google_cloud import GoogleCloud
from pipelines.compiling import GRAPHS
from pipelines.deploy import documents
from pipelines.deploy.deployments import DeployedSpec, Deployment, Release, known
from pipelines.deploy.specs_repository import SpecsRepository

FOLDER = "pawpetal/deployments"  # of the bucket
ENTRY = re.compile(r"(\d{6})\.json")
DEPLOYED = "deployed"  # the tag that names what is current
READERS = 16  # entries that are read at once
MOST_TRIES = 20  # for a number that nobody else takes meanwhile


class VertexDeployments:
    """What was deployed to one region of a project."""

    def __init__(self, project: str, region: str, bucket: str) -> None:
        """Prepare to ask; nothing is asked yet.

        Args:
            project: Its id.
            region: Of the runs.
            bucket: Its name, without gs://.
        """
        self._repository = SpecsRepository(GoogleCloud(), project, region)
        self._log = f"gs://{bucket}/{FOLDER}/{region}"
        self.title = f"Vertex AI in {project}, {region}"
        self._where = f"{project}, {region}"

    def history(self) -> list[Deployment]:
        """All deployments, newest first."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self._read, self._numbers()))

    def current(self) -> Deployment:
        """The newest.

        Raises:
            InputError: If nothing is deployed there.
        """
        return known(self.find_current(), self._where, "vertex")

    def find_current(self) -> Deployment | None:
        """The newest."""
        return next((self._read(number) for number in self._numbers()), None)

    def read_spec(self, spec: DeployedSpec) -> dict[str, Any]:
        """A spec, as Vertex AI runs it.

        Raises:
            InputError: If it is not there any more.
        """
        return documents.read(self._repository.download(_package(spec.pipeline), spec.version))[0]

    def deploy(self, release: Release) -> Deployment:
        """Upload the specs, as far as they are not there, and log that."""
        versions = {
            pipeline: self._repository.upload(_package(pipeline), spec)
            for pipeline, spec in release.specs.items()
        }
        deployment = self._append(
            Deployment(
                tag=release.tag,
                code_version=release.code_version,
                commit=release.commit,
                by=release.by,
                content=release.content,
                at="",
                is_rollback=False,
                specs=tuple(
                    self._spec(pipeline, version) for pipeline, version in sorted(versions.items())
                ),
            )
        )
        self._put_tags(deployment, *_tags(deployment))
        return deployment

    def roll_back(self, to: Deployment, by: str) -> Deployment:
        """Log the same specs anew."""
        return self._append(replace(to, by=by, is_rollback=True, rolled_back_to=to.number))

    def settle(self) -> None:
        """Move the tag `deployed`; again where the current deployment is another one by then."""
        for _ in range(MOST_TRIES):
            current = self.current()
            self._put_tags(current, *_tags(current), DEPLOYED)
            if self.current() == current:
                return

    def is_settled(self, current: Deployment) -> bool:
        """Whether the tag `deployed` names each of its specs."""
        named = (
            self._repository.version_of(_package(spec.pipeline), DEPLOYED) for spec in current.specs
        )
        return list(named) == list(current.versions.values())

    def versions_of_rollback(self, to: Deployment) -> dict[str, str]:
        """Those that it brought itself."""
        return to.versions

    def requests(self, release: Release, number: int) -> Iterator[Mapping[str, Any]]:
        """Uploads, entry of the log, tags."""
        for pipeline, spec in release.specs.items():
            yield {
                "method": "POST",
                "url": self._repository.url(),
                "package": _package(pipeline),
                "size_bytes": len(spec),
            }
        entry = self._entry(number) if number else f"{self._log}/NUMBER.json"
        yield {"method": "PUT", "url": entry, "if_absent": True, "content": release.content}
        for pipeline in release.specs:
            for tag in (*_tags(release), DEPLOYED):
                url = self._repository.tag_url(_package(pipeline), tag)
                yield {"method": "PATCH", "url": url, "or": "POST where there is no such tag"}

    def _put_tags(self, deployment: Deployment, *tags: str) -> None:
        for spec in deployment.specs:
            for tag in tags:
                self._repository.put_tag(_package(spec.pipeline), spec.version, tag)

    def _append(self, deployment: Deployment) -> Deployment:
        """Write the next entry of the log; the same is not written twice."""
        for _ in range(MOST_TRIES):
            number = next(iter(self._numbers()), 0)
            if number and _is_same(newest_entry := self._read(number), deployment):
                return newest_entry
            at = datetime.now(UTC).isoformat(timespec="seconds")
            entry = replace(deployment, number=number + 1, at=at)
            content = json.dumps(asdict(entry), indent=2).encode()
            if storage.write_bytes(self._entry(entry.number), content, if_absent=True):
                return entry
        raise DataError(f"{self._log}: others deploy all the time. Try again.")

    def _numbers(self) -> list[int]:
        """Numbers of the log's entries, highest first."""
        files = storage.list_files(self._log, missing_ok=True)
        found = [match for file in files if (match := ENTRY.fullmatch(file.path))]
        return sorted((int(match[1]) for match in found), reverse=True)

    def _read(self, number: int) -> Deployment:
        told = json.loads(storage.read_bytes(self._entry(number)))
        known = {name: told[name] for name in Deployment.__dataclass_fields__ if name in told}
        specs = tuple(DeployedSpec(**spec) for spec in told["specs"])
        return Deployment(**{**known, "specs": specs})

    def _entry(self, number: int) -> str:
        return f"{self._log}/{number:06d}.json"

    def _spec(self, pipeline: str, version: str) -> DeployedSpec:
        reference = self._repository.url(_package(pipeline), version)
        return DeployedSpec(pipeline=pipeline, version=version, reference=reference)


def _package(pipeline: str) -> str:
    """Artifact Registry names a package as the spec itself is named."""
    return str(GRAPHS[pipeline].NAME)


def _tags(named: Deployment | Release) -> tuple[str, ...]:
    """Tags that say what it is, in letters that a tag can have."""
    names = (named.tag.lower(), named.code_version.lower())
    return tuple(dict.fromkeys(re.sub(r"[^a-z0-9._-]", "-", name) for name in names))


def _is_same(one: Deployment, other: Deployment) -> bool:
    return (one.content, one.rolled_back_to) == (other.content, other.rolled_back_to)
