"""Deployments on Kubeflow: versions of pipelines, told apart by their descriptions.

A version never changes, and its name is unique. So each carries the whole record of its deployment,
and one counts once all its specs are there. Kubeflow has no lock: of two deployments that take the
same number in the same moment, one is the newer by its content, for everybody who looks.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.common.errors import ClusterError
from pipelines.compiling import GRAPHS
from pipelines.deploy import documents
from pipelines.deploy.deployments import DeployedSpec, Deployment, Release, known
from pipelines.targets.kubeflow_client import Server

MADE_BY = "pawpetal deploy"
RECORDED = ("number", "content", "num_specs", "tag", "code_version", "commit", "at", "by")


@dataclass(kw_only=True)
class _Group:
    """The versions of one deployment that are there."""

    record: Mapping[str, Any]
    specs: dict[str, DeployedSpec] = field(default_factory=dict)  # by pipeline

    @property
    def key(self) -> tuple[int, str]:
        return (self.record["number"], self.record["content"])

    @property
    def is_complete(self) -> bool:
        return len(self.specs) >= int(self.record["num_specs"])

    def deployment(self) -> Deployment:
        told = {name: self.record[name] for name in RECORDED if name != "num_specs"}
        rolled_back_to = self.record.get("rolled_back_to", 0)
        return Deployment(
            **told,
            rolled_back_to=rolled_back_to,
            is_rollback=bool(rolled_back_to),
            specs=tuple(self.specs[name] for name in sorted(self.specs)),
        )


class KubeflowDeployments:
    """What was deployed to one Kubeflow, for one user where it has many."""

    def __init__(self, server: Server) -> None:
        """Prepare to ask; nothing is asked yet."""
        self._server = server
        self.title = f"Kubeflow at {server.host}"

    def history(self) -> list[Deployment]:
        """All complete deployments, newest first."""
        return [group.deployment() for group in self._groups() if group.is_complete]

    def current(self) -> Deployment:
        """The newest.

        Raises:
            InputError: If nothing is deployed there.
        """
        return known(self.find_current(), self._server.host, "kubeflow")

    def find_current(self) -> Deployment | None:
        """The newest; older ones than that are not asked for."""
        groups: dict[tuple[int, str], _Group] = {}
        newest: _Group | None = None
        for version, record in self._ours():
            if newest and record["number"] < newest.key[0]:
                break
            group = _add(groups, version, record)
            if group.is_complete and (newest is None or group.key > newest.key):
                newest = group
        return newest.deployment() if newest else None

    def read_spec(self, spec: DeployedSpec) -> dict[str, Any]:
        """The plain part of a spec."""
        return dict(self._documents(spec)[0])

    def deploy(self, release: Release) -> Deployment:
        """Upload all specs, or those that a killed try left out."""
        return self._put(_record_of(release), release.specs)

    def roll_back(self, to: Deployment, by: str) -> Deployment:
        """Upload an earlier deployment's specs again, since UIs take the newest version."""
        record = {**_record_of(to), "by": by, "rolled_back_to": to.number}
        specs = {spec.pipeline: documents.write(self._documents(spec)) for spec in to.specs}
        return self._put(record, specs)

    def settle(self) -> None:
        """Nothing else names a deployment."""

    def is_settled(self, current: Deployment) -> bool:  # noqa: ARG002  # of the protocol
        """Nothing else names a deployment."""
        return True

    def requests(
        self,
        release: Release,
        number: int,  # noqa: ARG002  # of the protocol; a try that broke off may have one already
    ) -> Iterator[Mapping[str, Any]]:
        """The uploads."""
        group, name = self._begin(_record_of(release), len(release.specs))
        for pipeline, spec in release.specs.items():
            if pipeline in group.specs:
                continue
            yield {
                "method": "POST",
                "url": f"{self._server.host}/apis/v2beta1/pipelines/upload_version?name={name}",
                "pipeline": GRAPHS[pipeline].NAME,
                "size_bytes": len(spec),
            }

    def versions_of_rollback(self, to: Deployment) -> dict[str, str]:
        """One name, of versions that are to be made."""
        record = {**_record_of(to), "rolled_back_to": to.number}
        _, name = self._begin(record, len(to.specs))
        return dict.fromkeys(to.versions, name)

    def _put(self, record: Mapping[str, Any], specs: Mapping[str, bytes]) -> Deployment:
        group, name = self._begin(record, len(specs))
        for pipeline, spec in specs.items():
            if pipeline not in group.specs:
                group.specs[pipeline] = self._upload(pipeline, name, spec, group)
        return group.deployment()

    def _begin(self, record: Mapping[str, Any], num_specs: int) -> tuple[_Group, str]:
        """What a killed try left behind, or an empty group; and the name of its versions."""
        groups = self._groups()
        begun = groups[0] if groups and _is_begun(groups[0], record) else None
        number = groups[0].key[0] + 1 if groups else 1
        group = begun or _Group(
            record={
                "made_by": MADE_BY,
                **record,
                "number": number,
                "num_specs": num_specs,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        others = [each for each in groups if each is not begun]
        taken = {spec.version for each in others for spec in each.specs.values()}
        to = group.record.get("rolled_back_to", 0)
        name = _name(group.record["tag"], group.key[1], group.key[0], taken, is_rollback=bool(to))
        return group, name

    def _upload(self, pipeline: str, name: str, spec: bytes, group: _Group) -> DeployedSpec:
        description = json.dumps({**group.record, "pipeline": pipeline})
        with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
            path = Path(scratch, "pipeline.yaml")
            path.write_bytes(spec)
            found = self._server.put_version(GRAPHS[pipeline].NAME, name, path, description)
        theirs = _record(found.description)
        if theirs is None or (theirs["number"], theirs["content"]) != group.key:
            raise ClusterError(
                f"Version '{name}' of '{pipeline}' was uploaded by somebody else in this moment."
                " Deploy again."
            )
        return _spec(pipeline, found)

    def _groups(self) -> list[_Group]:
        """All deployments that were begun, newest first."""
        groups: dict[tuple[int, str], _Group] = {}
        for version, record in self._ours():
            _add(groups, version, record)
        return [groups[key] for key in sorted(groups, reverse=True)]

    def _ours(self) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        """Versions that were deployed, by number; asked for as they are taken.

        Newest first is highest number first, but where several deployed at once. So whoever stops
        below a number has seen all that have it: the next one of each pipeline is below, too.
        """
        found = (self._deployed(graph.NAME) for graph in GRAPHS.values())
        return heapq.merge(*found, key=lambda each: int(each[1]["number"]), reverse=True)

    def _deployed(self, name: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        for version in self._server.versions(name):
            if record := _record(version.description):
                yield version, record

    def _documents(self, spec: DeployedSpec) -> list[dict[str, Any]]:
        told = self._server.version(*spec.reference.split("/")).pipeline_spec
        if "pipeline_spec" not in told:
            return [told]
        platform = told.get("platform_spec")
        return [told["pipeline_spec"], *([platform] if platform else [])]


def _add(groups: dict[tuple[int, str], _Group], version: Any, record: Mapping[str, Any]) -> _Group:
    """Put a version into its group."""
    group = _Group(record=record)
    group = groups.setdefault(group.key, group)
    # The oldest of a name counts, if two tries named one spec differently.
    group.specs[record["pipeline"]] = _spec(record["pipeline"], version)
    return group


def _record_of(named: Release | Deployment) -> dict[str, Any]:
    """What a description says of it."""
    told = ("tag", "code_version", "commit", "by", "content")
    return {name: getattr(named, name) for name in told}


def _is_begun(group: _Group, record: Mapping[str, Any]) -> bool:
    """Whether a group is what a killed try of the same left behind."""
    same = ("content", "rolled_back_to")
    return not group.is_complete and all(group.record.get(key) == record.get(key) for key in same)


def _name(
    tag: str, content: str, number: int, taken: Iterable[str], *, is_rollback: bool = False
) -> str:
    """What people see of a version, e.g. "v1.2.0-3f9c2a1b"."""
    name = f"{tag}-{content.removeprefix('sha256:')[:8]}"
    if is_rollback:
        return f"{name}-rollback-{number}"
    return f"{name}-{number}" if name in taken else name


def _spec(pipeline: str, version: Any) -> DeployedSpec:
    return DeployedSpec(
        pipeline=pipeline,
        version=version.display_name,
        reference=f"{version.pipeline_id}/{version.pipeline_version_id}",
    )


def _record(description: str | None) -> Mapping[str, Any] | None:
    """The record in a version's description; None where `deploy` did not write it."""
    try:
        told = json.loads(description or "")
    except ValueError:
        return None
    is_ours = isinstance(told, dict) and told.get("made_by") == MADE_BY
    return told if is_ours and {*RECORDED, "pipeline"} <= set(told) else None
