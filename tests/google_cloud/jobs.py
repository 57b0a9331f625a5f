"""Vertex AI's jobs: each body is read by the types of google-cloud-aiplatform, as the API's own."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format

from tests.google_cloud.errors import ApiError
from tests.google_cloud.project import Project

PIPELINES, CUSTOM = "pipelineJobs", "customJobs"
JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
ENDED = re.compile(r"_(SUCCEEDED|FAILED|CANCELLED|EXPIRED)$")
CONDITION = re.compile(
    r'(?P<field>labels\.[\w-]+|display_name|state|schedule_name)\s*=\s*"?(?P<value>[^"]*)"?'
)
PAGE_SIZE = 100


class Jobs:
    """Jobs of one project, by name; they stay as they are until a test moves them on.

    A job goes on as `plans` says for its kind, a moment a question (GET) about it; a moment is a
    part of the job's JSON, e.g. `{"state": "JOB_STATE_RUNNING"}`.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._jobs: dict[str, dict[str, Any]] = {}  # in the order of their creation
        self._moments: dict[str, deque[Mapping[str, Any]]] = {}
        self.plans: dict[str, list[Mapping[str, Any]]] = {PIPELINES: [], CUSTOM: []}

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The jobs of a kind, oldest first, as the API tells them."""
        return [job for name, job in self._jobs.items() if f"/{kind}/" in name]

    def advance(self, name: str, **fields: Any) -> dict[str, Any]:
        """Change a job at once: `advance(name, state="PIPELINE_STATE_RUNNING", jobDetail={...})`.

        Args:
            name: Full name, or what comes after its last slash.
            fields: Of its JSON; each is read by the API's types.
        """
        full = self._full(name)
        job = self._jobs[full]
        now = _now()
        if re.search("_RUNNING$", fields.get("state", "")):
            fields.setdefault("startTime", now)
        if ENDED.search(fields.get("state", "")):
            fields.setdefault("endTime", now)
        self._jobs[full] = _read(_kind(full), {**job, **fields, "updateTime": now})
        return self._jobs[full]

    def then(self, name: str, *moments: Mapping[str, Any]) -> None:
        """Let a job go on by one moment with each question about it."""
        self._moments[self._full(name)] = deque(moments)

    def create(
        self, kind: str, parent: str, body: dict[str, Any], query: Mapping[str, str]
    ) -> dict[str, Any]:
        """As `projects.locations.pipelineJobs.create` and `customJobs.create`."""
        job = _read(kind, body)
        self._check_account(job.get("serviceAccount") or _spec(job).get("serviceAccount", ""))
        if kind == PIPELINES:
            _check_pipeline(job)
            job_id = query.get("pipelineJobId") or f"pipeline-{len(self._jobs) + 1}"
            if not JOB_ID.fullmatch(job_id):
                raise ApiError(400, f"Invalid PipelineJob ID: {job_id}")
        else:
            _check_custom(job)
            job_id = str(4_000_000_000_000_000_001 + len(self._jobs))
        name = f"{parent}/{kind}/{job_id}"
        if name in self._jobs:
            raise ApiError(409, f"{name} already exists")
        prefix = "PIPELINE" if kind == PIPELINES else "JOB"
        now = _now()
        self._jobs[name] = {
            **job,
            "name": name,
            "createTime": now,
            "updateTime": now,
            "state": f"{prefix}_STATE_PENDING",
        }
        self._moments[name] = deque(self.plans[kind])
        return self._jobs[name]

    def check(self, body: dict[str, Any]) -> None:
        """Refuse a PipelineJob, as a schedule of it would be refused."""
        job = _read(PIPELINES, body)
        self._check_account(job.get("serviceAccount", ""))
        _check_pipeline(job)

    def get(self, name: str) -> dict[str, Any]:
        """As `get`; before the answer the job goes on by a moment."""
        job = self._find(name)
        if job["state"].endswith("_CANCELLING"):
            return self.advance(name, state=job["state"].replace("CANCELLING", "CANCELLED"))
        if self._moments[name]:
            return self.advance(name, **self._moments[name].popleft())
        return job

    def cancel(self, name: str) -> dict[str, Any]:
        """As `cancel`: asked for now, done by the next question."""
        state = self._find(name)["state"]
        if ENDED.search(state):
            raise ApiError(400, f"The job is in the state {state}.", code="FAILED_PRECONDITION")
        self.advance(name, state=f"{state.partition('_STATE_')[0]}_STATE_CANCELLING")
        self._moments[name].clear()
        return {}

    def list(self, kind: str, parent: str, query: Mapping[str, str]) -> dict[str, Any]:
        """As `list`, newest first: `filter` of labels, display_name and state joined by AND."""
        found = [job for job in self.all(kind) if job["name"].startswith(f"{parent}/")]
        found = [job for job in reversed(found) if _matches(job, query.get("filter", ""))]
        start, size = int(query.get("pageToken", 0)), int(query.get("pageSize", PAGE_SIZE))
        answer: dict[str, Any] = {}
        if page := found[start : start + size]:
            answer[kind] = page
        if len(found) > start + size:
            answer["nextPageToken"] = str(start + size)
        return answer

    def _full(self, name: str) -> str:
        job_id = name.rpartition("/")[2]
        return next(known for known in self._jobs if known.endswith(f"/{job_id}"))

    def _find(self, name: str) -> dict[str, Any]:
        if name not in self._jobs:
            raise ApiError(404, f"The {_kind(name)[:-1]} '{name}' was not found.")
        return self._jobs[name]

    def _check_account(self, email: str) -> None:
        """Only who may act as an account can start something that runs as it."""
        if not email:
            return
        if not self._project.allowed(["iam.serviceAccounts.actAs"], f"accounts/{email}"):
            raise ApiError(
                403,
                f"You do not have permission to act as service_account: {email}. (or it may not"
                " exist).",
            )


def _read(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Read JSON by the API's types, and write it again as the API would."""
    from google.cloud import aiplatform_v1  # takes seconds: only where a job is asked for

    made = aiplatform_v1.PipelineJob if kind == PIPELINES else aiplatform_v1.CustomJob
    try:
        message = json_format.ParseDict(body, made.pb(made()))
    except json_format.ParseError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from error
    written: dict[str, Any] = json_format.MessageToDict(message)
    return written


def _check_pipeline(job: dict[str, Any]) -> None:
    from tests.pipelines.kubeflow import specs

    runtime = job.get("runtimeConfig", {})
    if not runtime.get("gcsOutputDirectory", "").startswith("gs://"):
        raise ApiError(400, "runtime_config.gcs_output_directory must be a gs:// path.")
    try:
        spec = specs.parse_documents(job.get("pipelineSpec", {}), {}).spec
        specs.check_parameters(spec, runtime.get("parameterValues", {}))
    except specs.SpecError as error:
        raise ApiError(400, f"Invalid pipeline_spec: {error}") from error


def _check_custom(job: dict[str, Any]) -> None:
    pools = _spec(job).get("workerPoolSpecs", [])
    if not job.get("displayName") or not pools:
        raise ApiError(400, "display_name and job_spec.worker_pool_specs are required.")
    for pool in pools:
        if not pool.get("machineSpec", {}).get("machineType"):
            raise ApiError(400, "machine_spec.machine_type is required.")
        if not pool.get("containerSpec", {}).get("imageUri"):
            raise ApiError(400, "container_spec.image_uri is required.")
        if int(pool.get("replicaCount", 0)) < 1:
            raise ApiError(400, "replica_count must be positive.")


def _spec(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job.get("jobSpec", {})
    return spec


def _matches(job: dict[str, Any], wanted: str) -> bool:
    for part in filter(None, re.split(r"\s+AND\s+", wanted)):
        condition = CONDITION.fullmatch(part.strip())
        if condition is None:
            raise ApiError(400, f"Invalid filter: {part}")
        name = condition["field"]
        if name.startswith("labels."):
            found = job.get("labels", {}).get(name.removeprefix("labels."))
        else:
            found = job.get(
                {"display_name": "displayName", "schedule_name": "scheduleName"}.get(name, name)
            )
        if found != condition["value"]:
            return False
    return True


def _kind(name: str) -> str:
    return name.split("/")[-2]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
