"""`pawpetal schedule` as people type it: the Kubeflow of the tests, and our own scheduler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from pipelines.cli import cli
from pipelines.deploy.deployments import Release
from pipelines.deploy.kubeflow import KubeflowDeployments
from tests.conftest import PhotoFolder
from tests.pipelines.deploy.conftest import (
    _own_home,
    changed,
    compiled_for_kubeflow,
    for_kubeflow,
    kubeflow,
    server,
)
from tests.pipelines.kubeflow.server import FakeServer

__all__ = ["_own_home", "compiled_for_kubeflow", "for_kubeflow", "kubeflow", "server"]

ROOT = Path(__file__).parents[3]
NIGHTLY = {
    "name": "nightly",
    "pipeline": "retrain",
    "cron": "0 3 * * mon",
    "target": "kubeflow",
    "parameters": {"dataset": "sample:pets", "registry": "mlflow:http://mlflow.mlflow:5000"},
}
HOURLY = {"name": "hourly", "pipeline": "train_and_push", "cron": "7 * * * *"}


@pytest.fixture
def file(tmp_path: Path, server: FakeServer) -> Path:
    return tmp_path / "schedules.yaml"


def write(file: Path, server: FakeServer, *entries: dict[str, Any]) -> None:
    targets = {"kubeflow": {"host": server.url}}
    file.write_text(yaml.safe_dump({"targets": targets, "schedules": list(entries)}))


def pawpetal(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["schedule", *map(str, arguments)])


def recurring(server: FakeServer, status: str = "ENABLED") -> list[Any]:
    return [each for each in server.store.recurring if each.status == status]


@pytest.fixture
def deployed(kubeflow: KubeflowDeployments, for_kubeflow: Release) -> Release:
    kubeflow.deploy(for_kubeflow)
    return for_kubeflow


def test_apply_makes_what_diff_shows_and_then_nothing_is_left(file, server, deployed):
    write(file, server, NIGHTLY, HOURLY)

    before = pawpetal("diff", "--file", file)
    applied = pawpetal("apply", "--file", file, "--yes")
    after = pawpetal("diff", "--file", file)

    assert before.exit_code == 1
    assert "+ nightly  to create" in before.stdout
    assert "2 to create." in before.stdout
    assert applied.exit_code == 0
    assert "created nightly" in applied.stdout
    assert after.exit_code == 0
    assert "Nothing to change: 2 as in the file." in after.stdout
    assert [each.display_name for each in recurring(server)] == ["nightly"]
    assert recurring(server)[0].trigger["cron_schedule"]["cron"] == "0 0 3 * * 1"


def test_an_edit_is_shown_field_by_field_and_applied_once(file, server, deployed):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")
    parameters = {**NIGHTLY["parameters"], "epochs": 3}
    write(file, server, {**NIGHTLY, "cron": "0 4 * * *", "parameters": parameters})

    shown = pawpetal("diff", "--file", file).stdout
    applied = pawpetal("apply", "--file", file, "--yes")

    assert "cron: '0 3 * * mon' -> '0 4 * * *'" in shown
    assert "parameters.epochs: none -> 3" in shown
    assert "1 to update." in shown
    assert applied.exit_code == 0
    assert [each.trigger["cron_schedule"]["cron"] for each in recurring(server)] == ["0 0 4 * * *"]
    assert len(recurring(server, "DISABLED")) == 1  # the one before, with its history
    assert pawpetal("diff", "--file", file).exit_code == 0


def test_what_is_not_in_the_file_stays_until_it_is_pruned(file, server, deployed):
    write(file, server, NIGHTLY, HOURLY)
    pawpetal("apply", "--file", file, "--yes")
    write(file, server)

    diff = pawpetal("diff", "--file", file)
    applied = pawpetal("apply", "--file", file, "--yes")
    assert len(recurring(server)) == 1

    pruned = pawpetal("prune", "--file", file, "--yes")

    assert diff.exit_code == 1
    assert "2 to prune." in diff.stdout
    assert applied.exit_code == 0
    assert "deleted nightly" in pruned.stdout
    assert "deleted hourly" in pruned.stdout
    assert recurring(server) == []
    assert (
        "Every schedule that is there is in the file." in pawpetal("prune", "--file", file).stdout
    )


def test_a_paused_schedule_shows_in_the_diff_and_is_resumed(file, server, deployed):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")

    assert "paused nightly" in pawpetal("pause", "nightly", "--file", file).stdout
    assert "paused: True -> False" in pawpetal("diff", "--file", file).stdout
    assert recurring(server) == []

    assert "resumed nightly" in pawpetal("resume", "nightly", "--file", file).stdout
    assert pawpetal("diff", "--file", file).exit_code == 0
    assert len(recurring(server)) == 1


def test_run_now_starts_one_run_of_the_deployed_version(file, server, deployed):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")

    started = pawpetal("run-now", "nightly", "--file", file)

    assert f"{server.url}/#/runs/details/" in started.stdout
    (run,) = [each.run for each in server.store.runs.values()]
    assert run.runtime_config.parameters["dataset"] == "sample:pets"


def test_a_release_points_a_schedule_to_its_version_without_a_new_file(
    file, server, deployed, kubeflow
):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")
    kubeflow.deploy(changed(deployed, "v2"))  # as a deploy that was killed before it re-points

    shown = pawpetal("diff", "--file", file).stdout
    pawpetal("apply", "--file", file, "--yes")

    assert "version: 'v1-" in shown
    assert "-> 'v2-" in shown
    assert pawpetal("diff", "--file", file).exit_code == 0


def test_list_tells_who_fires_what_when(file, server, deployed):
    write(file, server, NIGHTLY, HOURLY)
    pawpetal("apply", "--file", file, "--yes")

    shown = pawpetal("list", "--file", file).stdout
    told = json.loads(pawpetal("list", "--file", file, "--json").stdout)

    assert "nightly" in shown
    assert f"Kubeflow at {server.url}" in shown
    assert "pawpetal scheduler in" in shown
    assert [each["name"] for each in told] == ["hourly", "nightly"]
    assert all(len(each["next"]) == 5 for each in told)


def test_on_asks_only_one_scheduler(file, server, deployed):
    write(file, server, NIGHTLY, HOURLY)

    applied = pawpetal("apply", "--file", file, "--on", "local", "--yes")

    assert "created hourly" in applied.stdout
    assert recurring(server) == []


def test_nothing_is_done_where_nobody_can_be_asked(file, server, deployed):
    write(file, server, NIGHTLY)

    refused = pawpetal("apply", "--file", file)

    assert "Nobody can be asked here: pass --yes." in str(refused.exception)
    assert recurring(server) == []


def test_one_schedule_that_cannot_work_keeps_all_from_being_applied(file, server, deployed):
    broken = {**NIGHTLY, "name": "broken", "parameters": {"dataset": "folder:/photos"}}
    write(file, server, NIGHTLY, HOURLY, broken)

    refused = pawpetal("apply", "--file", file, "--yes")

    assert "`dataset` must be where the steps can read it" in str(refused.exception)
    assert recurring(server) == []
    assert json.loads(pawpetal("list", "--on", "local", "--json").stdout) == []


def test_without_a_deployment_it_says_how_to_deploy(file, server):
    write(file, server, NIGHTLY)

    refused = pawpetal("apply", "--file", file, "--yes")

    assert "run `pawpetal deploy --on kubeflow ...`" in str(refused.exception)


def test_a_dry_run_prints_the_requests_and_sends_none(file, server, deployed):
    write(file, server, NIGHTLY)
    posts = server.count("POST", "")

    told = json.loads(pawpetal("apply", "--file", file, "--dry-run").stdout)

    assert told[0]["method"] == "POST"
    assert told[0]["body"]["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert server.count("POST", "") == posts


def test_new_photos_are_looked_for_by_our_own_scheduler(file, server, photo_folder: PhotoFolder):
    photos = photo_folder({"cat": 3, "dog": 3})
    entry = {
        "name": "fresh",
        "pipeline": "train_and_push",
        "on_new_data": True,
        "parameters": {"dataset": f"folder:{photos}"},
    }
    write(file, server, entry)

    applied = pawpetal("apply", "--file", file, "--on", "local", "--yes")

    assert f"when photos of folder:{photos} changed" in applied.stdout
    assert "fire while it runs: pawpetal scheduler" in applied.stdout


def test_a_schedule_that_another_scheduler_shall_fire_never_fires_in_both_places(
    file, server, deployed
):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")
    write(file, server, {**NIGHTLY, "fired_by": "scheduler"})

    shown = pawpetal("diff", "--file", file).stdout
    applied = pawpetal("apply", "--file", file, "--yes").stdout
    again = pawpetal("apply", "--file", file, "--yes").stdout

    assert "> nightly  to pause here, since another scheduler shall fire it" in shown
    assert applied.index("paused nightly") < applied.index("created nightly")
    assert recurring(server) == []
    assert "1 unchanged, 1 to prune." in again
    assert "deleted nightly" in pawpetal("prune", "--file", file, "--yes").stdout


def test_a_place_that_does_not_answer_keeps_nobody_from_the_others(file, server, deployed):
    write(file, server, NIGHTLY, HOURLY)
    pawpetal("apply", "--file", file, "--yes")
    server.close()

    listed = pawpetal("list", "--file", file)
    paused = pawpetal("pause", "hourly", "--file", file)

    assert "hourly" in listed.stdout
    assert "cannot be reached" in listed.stderr
    assert listed.exit_code == 2
    assert "paused hourly" in paused.stdout


def test_a_refusal_names_the_schedule(file, server, deployed):
    write(file, server, {**NIGHTLY, "parameters": {"dataset": "sample:cats"}})

    assert str(pawpetal("diff", "--file", file).exception).startswith("Schedule 'nightly': ")


def test_a_place_that_nobody_named_is_asked_for_with_both_ways_to_name_it(file):
    file.write_text(yaml.safe_dump({"schedules": [NIGHTLY]}))

    said = str(pawpetal("diff", "--file", file).exception)

    assert "--on kubeflow needs --host" in said
    assert "`targets: {kubeflow: ...}`" in said


def test_list_says_when_nobody_fires_what_is_ours(file, server):
    write(file, server, HOURLY)
    pawpetal("apply", "--file", file, "--yes")

    assert "its schedules wait for `pawpetal scheduler`" in pawpetal("list", "--file", file).stdout


def test_an_unknown_name_is_refused_with_the_nearest(file, server, deployed):
    write(file, server, NIGHTLY)
    pawpetal("apply", "--file", file, "--yes")

    refused = pawpetal("pause", "nightyl", "--file", file)

    assert "Did you mean 'nightly'?" in str(refused.exception)


def test_the_command_as_a_person_types_it(file, server, deployed):
    """Whatever libraries print, stdout holds the answer alone, and errors are one line."""
    write(file, server, NIGHTLY)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipelines", "schedule", *arguments, "--file", str(file)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )

    refused, applied, after = run("apply"), run("apply", "--yes"), run("diff", "--json")

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert json.loads(after.stdout)[1]["changes"][0]["kind"] == "same"
