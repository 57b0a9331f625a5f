"""The command itself, from the command line to the summary, against the double."""

import functools
import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import cli
from pipelines.runs import find_run
from pipelines.targets import kubeflow
from pipelines.targets.kubeflow import KubeflowTarget
from tests.pipelines.command import finish, pawpetal, records, wait_for
from tests.pipelines.kubeflow.conftest import SCORES
from tests.pipelines.kubeflow.server import FakeServer

REGISTRY = ("--registry", "mlflow:http://mlflow.kubeflow.svc.cluster.local:5000")


def test_the_command_gives_the_summary_that_other_targets_give(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    hurried = functools.partial(KubeflowTarget, poll_s=0.001)  # the clock alone
    monkeypatch.setattr(kubeflow, "KubeflowTarget", hurried)
    command = ("run", "--on", "kubeflow", "--host", server.url, *REGISTRY, "--json")

    # The registry's name means nothing to this machine, which must not ask for it.
    done = CliRunner().invoke(cli, command)

    assert done.exit_code == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["target"], summary["status"]) == ("kubeflow", "succeeded")
    assert summary["metrics"] == SCORES
    assert summary["model"]["name"] == "flowers"
    assert summary["url"].startswith(f"{server.url}/#/runs/details/")
    assert "[6/6] push" in done.stderr


def test_weights_that_no_machine_could_use_are_refused_before_anything_is_sent(
    server: FakeServer, tmp_path: Path
):
    weights = ("--architecture", "residual", "--weights", "imagenet")
    command = ("run", "--on", "kubeflow", "--host", server.url, *REGISTRY, *weights)

    code, _, err = finish(pawpetal(tmp_path, *command))

    assert code == 2
    assert "There are no ImageNet weights for architecture 'residual'" in err
    assert not (tmp_path / "runs").exists()


def test_a_run_whose_follower_was_killed_is_said_to_go_on(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    process = pawpetal(tmp_path, "run", "--on", "kubeflow", "--host", server.url, *REGISTRY)
    wait_for(lambda: [run for run in records(tmp_path) if run["remote_id"]], "the start of the run")
    process.kill()
    finish(process)
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path))

    assert find_run("latest").status == "submitted"


def test_the_light_image_can_submit(server: FakeServer, docker_images: dict[str, str]):
    submit = ("pawpetal", "run", "--on", "kubeflow", "--host", server.url, *REGISTRY, "--no-wait")

    done = subprocess.run(
        ["docker", "run", "--rm", "--network=host", docker_images["light"], *submit],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "it goes on there" in done.stdout
