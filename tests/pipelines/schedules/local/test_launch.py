"""Runs as a person would start them, and names that no run has."""

import subprocess
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from components.common.errors import InputError
from pipelines.cli import cli
from pipelines.cli.run import run as run_command
from pipelines.runs import CANCELLED, FAILED, SUCCEEDED, Run, RunFolder, run_folder
from pipelines.schedules.local.launch import (
    ABSENT,
    command,
    describe,
    last_line,
    look_up,
    next_run_id,
)
from pipelines.schedules.local.living import RunLock, is_held, process_of, remove
from pipelines.schedules.local.records import Firing
from tests.pipelines.schedules.local.conftest import make_settings


def parsed(settings):
    """What `pawpetal run` makes of the command line."""
    line = command(settings, "nightly-20261123-120100")
    options = line[line.index("run") + 1 :]
    given = run_command.make_context("run", options).params
    return {name: value for name, value in given.items() if value is not None}


def test_the_command_line_says_all_that_the_schedule_holds(home):
    settings = make_settings(
        place={
            "on": "vertex",
            "project": "acme",
            "region": "us-central1",
            "bucket": "photos",
            "spot": True,
            "num_workers": 4,
        },
        parameters={
            "dataset": "folder:/my photos/a'b\"c",
            "learning_rate": 1e-05,
            "epochs": 3,
            "mirror_averaging": False,
            "model_name": "-x --y=z",
            "registry": "",
        },
    )

    line = command(settings, "nightly-20261123-120100")

    assert line[1:6] == ["-m", "pipelines", "--home", str(home), "run"]
    assert parsed(settings) == {
        **settings.place,
        **settings.parameters,
        "run_id": "nightly-20261123-120100",
        "pipeline": "retrain",
        "cache": True,
        "as_json": False,
    }


def test_a_flag_that_is_off_is_left_out_or_said():
    settings = make_settings(place={"on": "vertex", "spot": False, "ask_first": False})

    line = command(settings, "x")

    assert "--no-ask" in line
    assert not [word for word in line if "spot" in word]


def test_a_run_is_named_by_its_schedule_and_its_time_in_utc():
    due = datetime.fromisoformat("2026-11-23T03:00:00+01:00")
    firing = Firing(schedule="nightly", due=due, is_manual=False, status="waiting")

    assert next_run_id(firing) == "nightly-20261123-020000"
    run_folder("nightly-20261123-020000").mkdir(parents=True)
    run_folder("nightly-20261123-020000-2").mkdir()
    assert next_run_id(firing) == "nightly-20261123-020000-3"


def test_a_run_that_people_asked_for_says_so():
    due = datetime(2026, 11, 23, 2, 0, 0, 1000, tzinfo=UTC)
    firing = Firing(schedule="nightly", due=due, is_manual=True, status="waiting")

    assert next_run_id(firing) == "nightly-20261123-020000-now"


def test_a_run_whose_lock_is_held_goes_on_with_a_folder_or_without():
    assert look_up("nightly-1").status == ABSENT
    lock = RunLock.take("nightly-1")

    assert RunLock.take("nightly-1") is None
    assert look_up("nightly-1").status == "running"
    run_folder("nightly-1").mkdir(parents=True)
    assert look_up("nightly-1").status == "running"
    lock.close()
    assert look_up("nightly-1").status == "killed"


def test_a_lock_that_was_taken_away_is_not_taken_for_the_one_that_is_there():
    lock = RunLock.take("nightly-1")
    remove("nightly-1")

    again = RunLock.take("nightly-1")

    assert again is not None
    lock.close()
    assert is_held("nightly-1")
    again.close()


def test_a_process_holds_the_lock_that_it_inherits_and_only_it_is_named():
    lock = RunLock.take("nightly-1")
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.descriptor,), start_new_session=True)
    lock.note(child.pid)
    lock.close()

    assert is_held("nightly-1")
    assert process_of("nightly-1") == child.pid
    child.kill()
    child.wait()
    assert not is_held("nightly-1")
    assert process_of("nightly-1") is None


def test_a_folder_that_is_held_is_a_run_that_begins():
    folder = RunFolder.create("retrain", "nightly-1")

    assert look_up("nightly-1").status == "running"
    folder.release()
    assert look_up("nightly-1").status == "killed"


def make_run(**fields):
    return Run(run_id="nightly-1", pipeline="retrain", target="local", **fields)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            make_run(
                status=SUCCEEDED,
                seconds=61.0,
                metrics={"accuracy": 0.97},
                model={"name": "pets", "version": "4", "is_champion": False},
            ),
            "in 1 min 01 s: accuracy 0.9700, registered, pets v4",
        ),
        (
            make_run(
                status=SUCCEEDED, seconds=8.0, metrics={"accuracy": 0.5}, gate={"passed": False}
            ),
            "in 8 s: accuracy 0.5000, held back, nothing registered",
        ),
        (make_run(status=SUCCEEDED, seconds=8.0), "in 8 s"),
        (
            make_run(status=FAILED, error={"step": "ingest", "message": "No photos", "log": ""}),
            "step ingest: No photos",
        ),
        (make_run(status=CANCELLED), ""),
    ],
)
def test_how_a_run_went_is_one_line(run, words):
    assert describe(run) == words


def test_what_a_run_without_a_record_said_last_is_found(tmp_path):
    log = tmp_path / "x.log"
    assert last_line(log) == ""

    log.write_text("Warning: x\npawpetal: `epochs` must be at least 1.\n\n")

    assert last_line(log) == "`epochs` must be at least 1."


def test_a_run_id_that_is_taken_is_refused_and_its_run_left_alone():
    RunFolder.create("retrain", "nightly-1")

    done = CliRunner().invoke(cli, ["run", "--run-id", "nightly-1", "--dataset", "sample:pets"])

    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("`run_id` must be new. Received: 'nightly-1'")
    assert not (run_folder("nightly-1") / "run.json").exists()


@pytest.mark.parametrize("run_id", ["../elsewhere", "Nightly", "1", "x" * 101, "a b"])
def test_a_run_id_that_no_folder_or_label_takes_is_refused(run_id):
    with pytest.raises(InputError, match="`run_id` must start with a letter"):
        RunFolder.create("retrain", run_id)
