"""A server, a home of its own, and runs on the server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.common.home import VARIABLE
from pipelines.compiling import USUAL, SpecSettings, compile_spec
from pipelines.specs import FILLED_IN, KUBEFLOW, parameters
from pipelines.targets import kubeflow
from pipelines.targets.kubeflow import KubeflowRun, KubeflowTarget
from tests.pipelines.kubeflow.server import FakeServer
from tests.pipelines.kubeflow.workflow import Outcome

PIPELINE = "train_and_push"
SCORES = {
    "accuracy": 0.9,
    "accuracy_low": 0.85,
    "accuracy_high": 0.94,
    "macro_f1": 0.89,
    "loss": 0.3,
    "num_photos": 90,
}
PUSHED = {
    "model_name": "flowers",
    "version": "3",
    "is_champion": True,
    "verdict": "champion: 0.9000 against 0.8800",
}


@pytest.fixture(scope="session")
def usual_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec as this code compiles it, with the usual settings."""
    path = tmp_path_factory.mktemp("spec") / "pipeline.yaml"
    compile_spec(PIPELINE, KUBEFLOW, path)
    return path


@pytest.fixture(autouse=True)
def _compiled_once(usual_spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes a third of a run here, and gives the same bytes each time."""

    def compile_or_copy(pipeline: str, target: str, path: Path, settings: SpecSettings) -> None:
        if settings == USUAL:
            shutil.copyfile(usual_spec, path)
        else:
            compile_spec(pipeline, target, path, settings)

    monkeypatch.setattr(kubeflow, "compile_spec", compile_or_copy)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    for name in ("KF_PIPELINES_SA_TOKEN_PATH", "PAWPETAL_KFP_COOKIE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server whose steps all succeed, and tell what real ones tell."""
    fake = FakeServer()
    fake.outcomes = {
        "ingest": Outcome(log="[progress] checked 600/600 photos\n"),
        "evaluate": Outcome(log=f"I0101 launcher\n[result] {json.dumps(SCORES)}\n"),
        "push": Outcome(log=f"[result] {json.dumps(PUSHED)}\n"),
    }
    yield fake
    fake.close()


@pytest.fixture
def target(server: FakeServer) -> KubeflowTarget:
    return make_target(server)


def make_target(server: FakeServer, **settings: Any) -> KubeflowTarget:
    return KubeflowTarget(**{"host": server.url, "poll_s": 0.001, **settings})


def make_arguments(**changed: Any) -> dict[str, Any]:
    """Arguments that a cluster can work with, as preflight prepares them."""
    arguments: dict[str, Any] = {each.name: each.default for each in parameters(PIPELINE)}
    arguments["registry"] = "mlflow:http://mlflow.mlflow:5000"
    return {**arguments, **dict.fromkeys(FILLED_IN, "0.1.0+abc"), **changed}


Follow = Callable[..., tuple[KubeflowRun, list[Any]]]


@pytest.fixture
def follow(target: KubeflowTarget) -> Follow:
    """Runs a pipeline to its end: `follow(target=..., **start)` gives the run and its events."""

    def run(on: KubeflowTarget = target, **settings: Any) -> tuple[KubeflowRun, list[Any]]:
        execution = on.start(PIPELINE, make_arguments(), **settings)
        return execution, list(execution.follow())

    return run
