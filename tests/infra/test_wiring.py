"""The scripts up, demo and down, with stand-ins for docker, kind and kubectl that note each call.

This checks the wiring only: which commands are given, in which order, and what a second run leaves
out. No cluster is made, and nothing here shows that the real programs take these commands.
"""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.kind.settings import SPEC, versions
from tests.infra.conftest import KIND, ROOT

PASSWORD = "hunter-2"  # noqa: S105  # nobody's
MAKING = ("docker run", "kind create", "docker network connect")
# Keeps what exists as files in $STATE, and every call as a line in $STATE/calls.
STAND_IN = r"""#!/bin/bash
name=$(basename "$0")
echo "$name $*" >>"$STATE/calls"
case "$name $*" in
  "docker info"*) echo '{"ServerVersion": "1", "NCPU": 8, "MemTotal": 99999999999}' ;;
  "docker images"*) echo "$PAWPETAL_IMAGES" | tr ' ' '\n' ;;
  "docker container inspect"*) [ -e "$STATE/registry" ] ;;
  "docker run"*) touch "$STATE/registry" ;;
  "docker rm"*) rm "$STATE/registry" ;;
  "docker inspect"*) if [ -e "$STATE/connected" ]; then echo '{}'; else echo null; fi ;;
  "docker network connect"*) touch "$STATE/connected" ;;
  "kind version") echo "kind ${KIND_SAYS:-$KIND_VERSION} go1 linux/amd64" ;;
  "kind get clusters") if [ -e "$STATE/cluster" ]; then echo pawpetal; fi ;;
  "kind get nodes"*) echo pawpetal-control-plane ;;
  "kind create"*) touch "$STATE/cluster" ;;
  "kind delete"*) rm -f "$STATE/cluster" ;;
  "kubectl version"*) printf '{"clientVersion": {\n"gitVersion": "v1.34.0"}}\n' ;;
  "kubectl "*" get nodes"*) echo '{"items": [{"metadata": {"name": "n"}, "status":
      {"conditions": [{"type": "Ready", "status": "True"}]}}]}' ;;
  "kubectl "*" get deployments"*) echo '{"items": [{"kind": "Deployment", "metadata": {"name": "d"},
      "spec": {}, "status": {"updatedReplicas": 1, "readyReplicas": 1}}]}' ;;
  "kubectl "*" -f -") cat >"$STATE/applied.json" ;;
  "kubectl "*kubeflow) [ -z "${KUBECTL_FAILS:-}" ] ;;
esac
"""


class Project:
    """A copy of what the scripts need, in a folder with a space in its name."""

    done: subprocess.CompletedProcess[str]

    def __init__(self, folder: Path, port: int) -> None:
        self.root = folder / "a project"
        self.state = folder / "state"
        self.state.mkdir()
        (folder / "elsewhere").mkdir()
        shutil.copytree(KIND, self.root / "infra" / "kind")
        (self.root / "pipelines" / "specs").mkdir(parents=True)
        shutil.copy(SPEC, self.root / "pipelines" / "specs")
        self._answer_on(port)
        for name in ("docker", "kind", "kubectl"):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(STAND_IN)
            program.chmod(0o755)
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")},
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "STATE": str(self.state),
            "KIND_VERSION": versions()["KIND_VERSION"],
            "PAWPETAL_IMAGES": "pawpetal-cpu:1 pawpetal-light:1",
        }

    def run(
        self, script: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Start a script from another folder; the check leaves out what this machine may lack."""
        (self.state / "calls").write_text("")
        return subprocess.run(
            [self.root / "infra" / "kind" / script, *arguments],
            capture_output=True,
            text=True,
            cwd=self.root.parent / "elsewhere",
            env={**self.environment, **variables},
            timeout=60,
        )

    def up(self, **variables: str) -> subprocess.CompletedProcess[str]:
        skipped = ("disk", "git", "network", "ports")
        return self.run("up", *(word for name in skipped for word in ("--skip", name)), **variables)

    def pretend(self, *things: str) -> None:
        """As if an earlier run had made these."""
        for thing in things:
            (self.state / thing).touch()

    def calls(self) -> list[str]:
        return (self.state / "calls").read_text().splitlines()

    def first(self, *words: str) -> int:
        """Which call was the first with all these words."""
        return next(i for i, call in enumerate(self.calls()) if all(word in call for word in words))

    def _answer_on(self, port: int) -> None:
        path = self.root / "infra" / "kind" / "versions.env"
        text = path.read_text()
        for name in ("UI_PORT", "MLFLOW_PORT"):
            text = text.replace(f"{name}={versions()[name]}", f"{name}={port}")
        path.write_text(text)


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A port that answers as Kubeflow Pipelines and MLflow do when they are well."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path, port: int) -> Project:
    return Project(tmp_path, port)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, port: int) -> Project:
    """Where `up` ran once, with nothing there before and a password set."""
    project = Project(tmp_path_factory.mktemp("made"), port)
    project.done = project.up(MLFLOW_TRACKING_PASSWORD=PASSWORD)
    return project


def test_up_gives_its_commands_in_an_order_that_can_work(made):
    assert made.done.returncode == 0, made.done.stdout + made.done.stderr
    order = [
        made.first("kubectl version"),
        made.first("docker run", "127.0.0.1:5001:5000"),
        made.first("kind create cluster", "--config infra/kind/cluster.yaml"),
        made.first("get nodes", "--output=json"),
        made.first("docker exec -i pawpetal-control-plane cp", "localhost:5001/hosts.toml"),
        made.first("docker network connect kind pawpetal-registry"),
        made.first("kind load docker-image pawpetal-cpu:1"),
        made.first("kind load docker-image pawpetal-light:1"),
        made.first("apply", "kustomize/kubeflow-crds"),
        made.first("wait crd", "--for=condition=established"),
        made.first("apply", "-f -"),
        made.first("apply -k infra/kind/kustomize/kubeflow"),
        made.first("apply -k infra/kind/kustomize/addons"),
        made.first("get deployments,pods"),
    ]
    assert order == sorted(order)
    assert "Next: make kind-demo" in made.done.stdout


def test_up_never_touches_another_cluster(made):
    asked = [call for call in made.calls() if call.startswith("kubectl ")]
    of_clusters = [call for call in asked if not call.startswith("kubectl version --client")]

    assert of_clusters
    assert all("--context" in call and "kind-pawpetal" in call for call in of_clusters)


def test_credentials_reach_the_secret_and_are_never_shown(made):
    encoded = base64.b64encode(PASSWORD.encode()).decode()

    assert encoded in (made.state / "applied.json").read_text()
    for shown in (made.done.stdout, made.done.stderr, "\n".join(made.calls())):
        assert PASSWORD not in shown
        assert encoded not in shown


def test_a_second_up_makes_nothing_twice(project):
    project.pretend("registry", "cluster", "connected")

    done = project.up()

    assert done.returncode == 0, done.stderr
    assert not [call for call in project.calls() if call.startswith(MAKING)]
    assert project.first("docker start pawpetal-registry") < project.first("kubectl", "apply")


def test_up_that_failed_half_way_goes_on_from_there(project):
    failed = project.up(KUBECTL_FAILS="1")
    assert failed.returncode != 0
    assert "Next: make kind-demo" not in failed.stdout

    again = project.up()

    assert again.returncode == 0
    assert not [call for call in project.calls() if call.startswith(MAKING)]


def test_up_makes_nothing_where_something_is_missing(project):
    done = project.up(KIND_SAYS="v0.1.0")

    assert done.returncode == 1
    assert "found v0.1.0" in done.stderr
    reading = ("docker info", "docker ps", "docker images", "kind version", "kubectl version")
    assert project.calls()
    assert not [call for call in project.calls() if not call.startswith(reading)]


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_asking_for_help_makes_nothing(project, asked):
    done = project.run("up", "--skip", "git", asked)

    assert done.returncode == 0
    assert "--skip" in done.stdout
    assert project.calls() == []


def test_down_deletes_the_cluster_and_the_registry_and_says_what_is_kept(project):
    project.pretend("registry", "cluster")

    done = project.run("down")

    assert done.returncode == 0, done.stderr
    assert [path.name for path in project.state.iterdir()] == ["calls"]
    assert "Kept: " in done.stdout


def test_down_where_nothing_is_does_no_harm(project):
    done = project.run("down")

    assert done.returncode == 0, done.stderr
    assert not [call for call in project.calls() if call.startswith("docker rm")]


def test_demo_runs_the_pipeline_in_the_cluster(project):
    program = project.root / ".venv" / "bin" / "pawpetal"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)

    done = project.run("demo", "--seed", "3")

    assert done.returncode == 0, done.stderr
    assert "run --on kubeflow --host http://127.0.0.1:" in done.stdout
    assert "--registry mlflow:http://mlflow.kubeflow.svc.cluster.local:5000 --seed 3" in done.stdout


def test_demo_says_what_to_do_where_pawpetal_is_not_set_up(project):
    done = project.run("demo")

    assert done.returncode == 1
    assert "make setup" in done.stderr


def test_up_of_this_very_machine_stops_at_what_is_missing(checked):
    """The real script and the real programs, where something is missing."""
    if checked.returncode == 0:
        pytest.skip("nothing is missing here: up would make a cluster")

    done = subprocess.run([KIND / "up"], capture_output=True, text=True, cwd=ROOT / "docs")

    assert done.returncode == 1
    assert "Nothing was made or changed." in done.stderr
    assert done.stdout == ""
