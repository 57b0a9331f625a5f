import json
import re

import pytest
from click.testing import CliRunner

from components.common.errors import InputError
from pipelines.cli import cli
from pipelines.runs import Run, RunFolder, Step, find_run
from pipelines.specs import parameters, pipeline_names


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def invoke(*arguments):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def finished_run(**changed):
    """A record as a run leaves it."""
    folder = RunFolder.create("train_and_push")
    fields = {
        "run_id": folder.path.name,
        "pipeline": "train_and_push",
        "target": "local",
        "status": "succeeded",
        "parameters": {"dataset": "folder:/photos", "architecture": "residual"},
        "steps": [Step(name="ingest", status="succeeded", seconds=2.5)],
        "metrics": {
            "accuracy": 0.9,
            "accuracy_low": 0.8,
            "accuracy_high": 0.95,
            "num_photos": 100,
        },
        "gate": {"min_accuracy": 0.8, "accuracy": 0.9, "passed": True},
        "model": {"name": "photos", "version": "3", "verdict": "champion, the first one"},
        "report": "/home/report.html",
        "preview": "/home/preview.html",
    }
    run = Run(**(fields | changed))
    folder.save(run)
    return run


@pytest.mark.parametrize("pipeline", pipeline_names())
def test_run_has_an_option_for_every_input_of_the_pipeline(pipeline):
    shown = invoke("run", "--pipeline", pipeline, "--help").output

    for parameter in parameters(pipeline):
        assert f"--{parameter.name.replace('_', '-')}" in shown
        assert " ".join(parameter.help.split()[:3]) in " ".join(shown.split())


def test_the_usual_pipeline_needs_no_name_and_dashes_are_as_good_as_underscores():
    usual = invoke("run", "--help").output

    assert usual == invoke("run", "--pipeline=train-and-push", "--help").output
    assert "--curriculum" not in usual
    assert "--curriculum" in invoke("run", "--pipeline=curriculum", "--help").output


def test_an_unknown_pipeline_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match=r"`pipeline` must be one of .* Did you mean 'retrain'"):
        invoke("run", "--pipeline", "retrian")


def test_the_command_line_wins_over_the_config_file(tmp_path, home):
    file = tmp_path / "run.yaml"
    file.write_text("architecture: transfer:MobileNetV2\nimage_size: 8\n")

    # The image size is refused for the architecture that won, before anything starts.
    with pytest.raises(InputError, match="for architecture 'residual'"):
        invoke("run", "--config", str(file), "--architecture", "residual")


def test_no_runs_yet_says_how_to_start_one(home):
    assert "Start one: pawpetal run" in invoke("runs", "list").output


def test_runs_are_listed_newest_first(home):
    first, second = finished_run(), finished_run(metrics={}, gate=None, model=None, status="failed")

    lines = invoke("runs", "list").output.splitlines()

    assert lines[0].split() == [
        "run",
        "on",
        "status",
        "dataset",
        "architecture",
        "accuracy",
        "registered",
    ]
    assert {line.split()[0] for line in lines[1:]} == {first.run_id, second.run_id}
    assert any("photos v3" in line and "0.9000" in line for line in lines)


def test_runs_list_as_json_holds_the_whole_records(home):
    run = finished_run()

    assert json.loads(invoke("runs", "list", "--json").output) == [json.loads(run.to_json())]


def test_a_run_is_shown_with_steps_settings_and_summary(home):
    run = finished_run()

    shown = invoke("runs", "show", run.run_id).output

    assert "ingest" in shown
    assert "2.5" in shown
    assert "dataset: 'folder:/photos'" in shown
    assert "90.0% of 100 test photos" in shown
    assert "photos version 3" in shown


def test_an_unknown_run_says_where_to_look(home):
    with pytest.raises(InputError, match="See: pawpetal runs list"):
        invoke("runs", "show", "nothing")


def test_a_run_without_a_process_was_killed(home):
    folder = RunFolder.create("train_and_push")
    run = Run(run_id=folder.path.name, pipeline="train_and_push", target="local")
    folder.save(run)

    assert find_run(run.run_id).status == "running"  # this process holds its lock
    folder.release()
    assert find_run(run.run_id).status == "killed"


def test_an_unknown_model_says_which_there_are(home):
    with pytest.raises(InputError, match="There is no model 'cats' in the registry"):
        invoke("models", "show", "cats")


def test_no_models_yet_says_how_to_train_one(home):
    assert "Train one: pawpetal run" in invoke("models", "list").output


def test_compile_check_passes_on_the_committed_specs():
    assert invoke("compile", "--check").output.startswith("All committed specs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "http://x"), "--host goes with --on kubeflow. Received: --on local"),
        (("--memory", "4Gi"), "--memory goes with --on docker or kubeflow. Received: --on local"),
        (
            ("--on", "docker", "--no-wait"),
            "--wait goes with --on kubeflow or vertex. Received: --on docker",
        ),
        (("--on", "kubeflow"), "--on kubeflow needs --host, e.g. --host http://127.0.0.1:8080"),
        (("--on", "docker", "--accelerator", "gpu"), "`accelerator` must be none, gpu:TYPE:COUNT"),
    ],
)
def test_an_option_of_another_target_is_refused(home, arguments, message):
    with pytest.raises(InputError, match=re.escape(message)):
        invoke("run", *arguments)

    assert not home.exists()


def test_a_run_in_a_cluster_is_shown_with_its_page(home):
    run = finished_run(target="kubeflow", url="http://host/#/runs/details/1", report=None)

    shown = invoke("runs", "show", run.run_id).output

    assert "succeeded on kubeflow" in shown
    assert "http://host/#/runs/details/1" in shown
    assert "Report" not in shown


def test_a_submitted_run_that_nobody_follows_is_not_called_killed(home):
    run = finished_run(
        target="kubeflow", status="submitted", metrics={}, gate=None, url="http://h/1"
    )

    shown = invoke("runs", "show", run.run_id).output

    assert "it goes on there" in shown
    assert "submitted" in invoke("runs", "list").output


def test_scores_that_could_not_be_fetched_are_said_to_be_elsewhere(home):
    run = finished_run(target="kubeflow", metrics={}, gate=None, model=None, url="http://h/1")

    assert "not known here" in invoke("runs", "show", run.run_id).output
