"""A smoke run: what is to be deployed runs once, on a few drawn photos, before it is there.

It goes with the run itself, so that nothing is uploaded that might not work.
"""

from __future__ import annotations

from typing import Any

from components.common.errors import InputError
from pipelines.deploy import documents
from pipelines.deploy.deployments import Release
from pipelines.deploy.release import DeployTarget
from pipelines.preflight import prepare
from pipelines.specs import parameters
from pipelines.targets import Execution
from pipelines.targets.kubeflow import KubeflowRun, KubeflowTarget
from pipelines.targets.vertex import VertexRun

PIPELINE = "train_and_push"
MODEL = "pawpetal-smoke"  # of its own, so that it never reigns over a real one
TINY = {
    "dataset": "sample:flowers?photos=40",
    "architecture": "dense",
    "epochs": 1,
    "image_size": 32,
    "min_accuracy": 0.0,
    "model_name": MODEL,
}


def smoke_arguments(target: DeployTarget, registry: str, storage: str) -> dict[str, Any]:
    """Arguments of a smoke run, checked against its place.

    Args:
        target: The place.
        registry: Where it registers its model; empty for the usual one of the place.
        storage: gs:// folder; empty for the usual one of the place.

    Raises:
        InputError: If it cannot run there.
    """
    if not (registry or target.usual_registry()):
        raise InputError(
            "`registry` must be given for a smoke run on Kubeflow, which has none by itself, e.g."
            " --registry mlflow:http://mlflow.mlflow:5000"
        )
    usual = {parameter.name: parameter.default for parameter in parameters(PIPELINE)}
    return prepare({**usual, **TINY, "registry": registry, "storage": storage}, target)


def start(target: DeployTarget, release: Release, arguments: dict[str, Any]) -> Execution:
    """Prepare a run of the very spec that would be deployed; nothing is sent before it is followed.

    Args:
        target: Where it runs.
        release: That would be deployed.
        arguments: As `smoke_arguments` gives them.
    """
    spec = release.specs[PIPELINE]
    if isinstance(target, KubeflowTarget):
        return KubeflowRun(target, PIPELINE, arguments, spec=spec)
    return VertexRun(target, PIPELINE, arguments, spec=documents.read(spec)[0])
