"""Releases that are compiled once, places to deploy them to, and a home of its own."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.home import VARIABLE
from pipelines.deploy import documents
from pipelines.deploy.checkout import Checkout
from pipelines.deploy.deployments import Place, Release
from pipelines.deploy.kubeflow import KubeflowDeployments
from pipelines.deploy.release import make_release
from pipelines.deploy.smoke import PIPELINE
from pipelines.deploy.vertex import VertexDeployments
from pipelines.schedules import Scheduler, Settings
from pipelines.schedules.kubeflow import KubeflowScheduler
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.vertex import VertexTarget
from tests.google_cloud.project import RUNNER
from tests.pipelines.kubeflow.conftest import make_target, server
from tests.pipelines.kubeflow.server import FakeServer
from tests.pipelines.vertex.conftest import BUCKET, vertex

__all__ = ["server", "vertex"]

COMMIT = "3f9c2a1b7d20" + 28 * "0"
REGISTRY = "mlflow:http://mlflow.mlflow:5000"
CHECKOUT = Checkout(commit=COMMIT, tag="v1")
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    for name in ("KF_PIPELINES_SA_TOKEN_PATH", "PAWPETAL_KFP_COOKIE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def compiled_for_kubeflow() -> Release:
    """All pipelines, compiled for a cluster, as tag v1."""
    return make_release(KubeflowTarget(host="http://kubeflow.example"), CHECKOUT)


@pytest.fixture(scope="session")
def for_kubeflow(compiled_for_kubeflow: Release) -> Release:
    """The same, but each with its first step alone: reading the rest takes time."""
    specs = {name: _first_step(spec) for name, spec in compiled_for_kubeflow.specs.items()}
    return dataclasses.replace(compiled_for_kubeflow, specs=specs)


@pytest.fixture(scope="session")
def for_smoke(compiled_for_kubeflow: Release, for_kubeflow: Release) -> Release:
    """The same with all steps of what a smoke run runs."""
    specs = {**for_kubeflow.specs, PIPELINE: compiled_for_kubeflow.specs[PIPELINE]}
    return dataclasses.replace(for_kubeflow, specs=specs)


def _first_step(spec: bytes) -> bytes:
    """A spec with its first step alone; all inputs stay."""
    plain, kubernetes = documents.read(spec)
    tasks, components = plain["root"]["dag"]["tasks"], plain["components"]
    name, component = next(
        (name, task["componentRef"]["name"])
        for name, task in tasks.items()
        if "dependentTasks" not in task and "dag" not in components[task["componentRef"]["name"]]
    )
    executor = components[component]["executorLabel"]
    plain["root"]["dag"] = {"tasks": {name: tasks[name]}}
    plain["root"].pop("outputDefinitions", None)
    plain["components"] = {component: components[component]}
    of_kubernetes = kubernetes["platforms"]["kubernetes"]["deploymentSpec"]
    for deployment in (plain["deploymentSpec"], of_kubernetes):
        deployment["executors"] = {executor: deployment["executors"][executor]}
    return documents.write([plain, kubernetes])


@pytest.fixture(scope="session")
def for_vertex() -> Release:
    """All pipelines, compiled for Vertex AI, as tag v1."""
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET)
    return make_release(target, CHECKOUT)


def changed(release: Release, tag: str) -> Release:
    """A release with another tag, and another text in each of its specs."""
    specs = {name: _marked(spec, tag) for name, spec in release.specs.items()}
    return dataclasses.replace(release, tag=tag, specs=specs)


def mark(spec: dict) -> str:
    """What `changed` left in a spec; empty in the first one."""
    return spec["pipelineInfo"]["description"].partition("release ")[2]


@functools.cache  # reading and writing takes longer than deploying
def _marked(spec: bytes, tag: str) -> bytes:
    documents = list(yaml.load_all(spec, Loader))
    documents[0]["pipelineInfo"]["description"] = f"release {tag}"
    return yaml.dump_all(documents, Dumper=Dumper, encoding="utf-8")


@pytest.fixture
def kubeflow(server: FakeServer) -> KubeflowDeployments:
    """What is deployed to the server: nothing yet."""
    return KubeflowDeployments(make_target(server).connect())


@pytest.fixture
def scheduler(server: FakeServer) -> KubeflowScheduler:
    """Of the same server; it waits for nobody."""
    return KubeflowScheduler(make_target(server), sleep=lambda _: None)


def add_schedule(
    scheduler: Scheduler,
    place: Place,
    name: str = "nightly",
    pipeline: str = "retrain",
    **settings: Any,
) -> None:
    """Make a schedule that runs what is deployed."""
    where = {"on": "kubeflow", "experiment": "pawpetal"}
    if scheduler.kind == "vertex":
        where = {"on": "vertex", "bucket": BUCKET, "service_account": RUNNER}
    wanted = Settings(
        name=name,
        pipeline=pipeline,
        version=place.current().spec(pipeline).version,
        cron="0 3 * * *",
        place=where,
        parameters={"dataset": "sample:flowers", "registry": REGISTRY, "epochs": 2},
        **settings,
    )
    scheduler.create(wanted)


@pytest.fixture
def google_place(vertex: VertexTarget) -> VertexDeployments:
    """What is deployed to the project: nothing yet."""
    place = vertex.place
    return VertexDeployments(place.project, place.region, place.bucket)
