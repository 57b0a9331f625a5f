"""The requests that a run on Vertex AI sends, built here and checked before anything is sent."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.common import images
from components.common.errors import InputError
from components.common.google_cloud import location
from components.train.custom_job.template import EXECUTOR_INPUT, JobTemplate
from pipelines.google_cloud.machines import Machine
from pipelines.google_cloud.place import VertexPlace
from pipelines.images import reference

EXECUTOR = "exec-train"  # and exec-train-2 and so on, where a graph trains in several places
FILLED_IN = "{{$}}"  # Vertex AI puts there what it tells a step
LONGEST_TRAINING = "604800s"  # a week, as long as Vertex AI lets a job run
LABELS = {"made-by": "pawpetal"}


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One run, as Vertex AI is asked for it."""

    place: VertexPlace
    run_id: str
    job: dict[str, Any] = field(repr=False)  # PipelineJob

    @property
    def parent(self) -> str:
        """What the run is created under."""
        return location(self.place.project, self.place.region)

    @property
    def name(self) -> str:
        """The run, for the API."""
        return f"{self.parent}/pipelineJobs/{self.run_id}"

    @property
    def page(self) -> str:
        """The run, for people."""
        return (
            "https://console.cloud.google.com/vertex-ai/pipelines/locations/"
            f"{self.place.region}/runs/{self.run_id}?project={self.place.project}"
        )

    def training_jobs(self) -> Iterator[dict[str, Any]]:
        """The custom jobs that its launchers will ask for, but for what they are told then."""
        yield from training_jobs(self.job["pipelineSpec"])

    def check(self) -> None:
        """Check each request against the types of the service.

        Raises:
            InputError: If a field is none of theirs, or a value has another type.
        """
        from google.protobuf.json_format import ParseDict, ParseError

        types = service_types()

        requests = [(types.PipelineJob, self.job)]
        requests += [(types.CustomJob, job) for job in self.training_jobs()]
        for kind, body in requests:
            try:
                ParseDict(body, kind.pb(kind()))
            except ParseError as error:
                raise InputError(f"The request is no {kind.__name__}: {error}") from error


def service_types() -> Any:
    """The types that the service itself reads requests by.

    Raises:
        InputError: If they are not installed.
    """
    try:
        from google.cloud.aiplatform_v1 import types
    except ModuleNotFoundError as error:
        raise InputError(
            f"--on vertex needs '{error.name}' on this machine: pip install 'pawpetal[vertex]'"
        ) from error
    return types


def build_submission(
    spec: Mapping[str, Any],
    arguments: Mapping[str, Any],
    place: VertexPlace,
    machine: Machine,
    *,
    run_id: str,
    root: str,
    use_cache: bool = True,
) -> Submission:
    """Build the requests of a run.

    Args:
        spec: The compiled plain spec, whose images are those that are pulled.
        arguments: Value of each input of the pipeline.
        place: Where it runs.
        machine: That trains.
        run_id: Names the run; a second run of that name is refused.
        root: gs:// URI of the folder that the steps write to.
        use_cache: Take a step's outputs from an earlier run with the same inputs and code.
    """
    built = build_spec(spec, place, machine)
    if not use_cache:
        for task in _tasks(built):
            task["cachingOptions"] = {}  # enableCache is absent where it is false
    job = build_job(built, arguments, place, name=run_id, root=root)
    return Submission(place=place, run_id=run_id, job=job)


def build_spec(
    spec: Mapping[str, Any],
    place: VertexPlace,
    machine: Machine,
    digests: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Build the spec as Vertex AI runs it, whose train steps create custom jobs.

    Args:
        spec: The compiled plain spec, whose images are those that are pulled.
        place: Where it runs.
        machine: That trains.
        digests: Of images, by name; those without one are taken by their tag.
    """
    built = copy.deepcopy(dict(spec))
    launcher = reference(images.LIGHT, place.image_registry, digests)
    for name, container in _training_containers(built):
        training = _training_job(name, container, place, machine)
        container |= _launcher(training, launcher)
    return built


def build_job(
    spec: Mapping[str, Any],
    arguments: Mapping[str, Any],
    place: VertexPlace,
    *,
    name: str,
    root: str,
    template_uri: str = "",
) -> dict[str, Any]:
    """Build the PipelineJob of a run, or of a schedule's runs.

    Args:
        spec: As `build_spec` gives it.
        arguments: Value of each input of the pipeline; those left out have their defaults.
        place: Where it runs.
        name: That people see.
        root: gs:// URI of the folder that the steps write to.
        template_uri: Where the spec is deployed; empty for one that is not.
    """
    return {
        "displayName": name,
        "labels": {**LABELS, "pipeline": spec["pipelineInfo"]["name"]},
        "pipelineSpec": dict(spec),
        **({"templateUri": template_uri} if template_uri else {}),
        "runtimeConfig": {"gcsOutputDirectory": root, "parameterValues": dict(arguments)},
        **_identity(place),
    }


def training_jobs(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The custom jobs that a spec of `build_spec` asks for, but for what they are told then."""
    for _, container in _training_containers(spec):
        yield JobTemplate.from_json(container["args"][1]).job


def _training_containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, executor in spec["deploymentSpec"]["executors"].items():
        if name.startswith(EXECUTOR):
            yield name.removeprefix("exec-"), executor["container"]


def _launcher(job: JobTemplate, image: str) -> dict[str, Any]:
    """What stands in for the train step: it creates the custom job, and follows it."""
    return {
        "image": image,
        "command": ["python", "-m", "components.train.custom_job"],
        "args": ["--job", job.to_json(), "--executor-input", FILLED_IN],
    }


def _training_job(
    name: str,
    container: Mapping[str, Any],
    place: VertexPlace,
    machine: Machine,
) -> JobTemplate:
    arguments = [EXECUTOR_INPUT if each == FILLED_IN else each for each in container["args"]]
    if FILLED_IN in json.dumps([*container["command"], *arguments]):
        raise InputError(f"Step {name} must take {FILLED_IN} as an argument of its own.")
    environment = {each["name"]: each["value"] for each in container.get("env", [])}
    if machine.tpu_topology:
        # Left to itself, JAX trains on the CPU where it finds no TPU.
        environment["JAX_PLATFORMS"] = "tpu,cpu"
    pool = {
        "machineSpec": _machine_spec(machine),
        "replicaCount": "1",
        "containerSpec": {
            "imageUri": container["image"],
            "command": container["command"],
            "args": arguments,
            "env": [{"name": key, "value": value} for key, value in environment.items()],
        },
    }
    # Nothing of the one run: Vertex AI finds what it has in its cache by the arguments of a step.
    job = {
        "displayName": name,
        "labels": LABELS,
        "jobSpec": {
            "workerPoolSpecs": [pool],
            "scheduling": {
                "timeout": LONGEST_TRAINING,
                # Started again, training goes on from its newest checkpoint.
                "restartJobOnWorkerRestart": True,
                **({"strategy": "SPOT"} if place.spot else {}),
            },
            **_identity(place),
        },
    }
    return JobTemplate(project=place.project, region=place.region, job=job)


def _machine_spec(machine: Machine) -> dict[str, Any]:
    spec: dict[str, Any] = {"machineType": machine.machine_type}
    if machine.accelerator_type:
        spec["acceleratorType"] = machine.accelerator_type
        spec["acceleratorCount"] = machine.accelerator_count
    if machine.tpu_topology:
        spec["tpuTopology"] = machine.tpu_topology
    return spec


def _identity(place: VertexPlace) -> dict[str, str]:
    """Who the steps are, and in which network; the usual account may do far too much."""
    network = {"network": place.network} if place.network else {}
    return {"serviceAccount": place.service_account, **network}


def _tasks(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part in (spec["root"], *spec["components"].values()):
        yield from part.get("dag", {}).get("tasks", {}).values()
