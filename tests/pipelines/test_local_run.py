"""The compiled pipeline through the real runner: killed in every step, cached, gated, failing."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from components.common.registry import CHAMPION, open_registry
from pipelines.runs import find_run, list_runs
from tests.pipelines.command import (
    ROOT,
    TINY,
    finish,
    has_ended,
    is_running,
    kill,
    pawpetal,
    processes_of,
    records,
    wait_for,
)


def test_a_run_killed_in_each_step_completes_when_run_again(killed_everywhere):
    summary = killed_everywhere["summary"]

    assert summary["status"] == "succeeded"
    assert [step["status"] for step in summary["steps"]] == ["succeeded"] * 6
    assert [step["cached"] for step in summary["steps"]] == [True] * 5 + [False]


def test_killed_runs_leave_no_half_version(killed_everywhere, monkeypatch, tmp_path):
    monkeypatch.setenv("PAWPETAL_HOME", str(killed_everywhere["home"]))
    registry = open_registry("")

    versions = registry.versions("pets")

    assert [version.version for version in versions] == ["1"]
    assert versions[0].aliases == (CHAMPION,)
    files = registry.download(versions[0], tmp_path)
    names = {path.name for path in files.iterdir()}
    assert names >= {"model.keras", "saved_model", "settings.json", "history.json"}


def test_killed_runs_are_listed_as_killed(killed_everywhere, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(killed_everywhere["home"]))
    runs = list(list_runs())

    assert runs[0].status == "succeeded"
    assert {run.status for run in runs[1:]} == {"killed"}
    assert find_run("latest").run_id == runs[0].run_id


def test_the_summary_says_all_that_people_ask(killed_everywhere):
    summary = killed_everywhere["summary"]

    assert 0 <= summary["metrics"]["accuracy"] <= 1
    assert summary["gate"] == {
        "min_accuracy": 0.0,
        "accuracy": summary["metrics"]["accuracy"],
        "passed": True,
    }
    assert summary["model"]["name"] == "pets"
    assert summary["model"]["version"] == "1"
    assert summary["model"]["is_champion"] is True
    for page in ("report", "preview"):
        assert Path(summary[page]).read_text().lstrip().lower().startswith("<!doctype html>")


def test_progress_goes_to_stderr_when_stdout_is_json(killed_everywhere):
    assert "[6/6] push" in killed_everywhere["progress"]
    assert "Registered" in killed_everywhere["progress"]


def test_an_unchanged_run_takes_all_but_push_from_the_cache_and_registers_nothing(
    killed_everywhere,
):
    code, out, err = finish(pawpetal(killed_everywhere["home"], "run", *TINY, "--json"))

    assert code == 0, err
    summary = json.loads(out)
    assert [step["cached"] for step in summary["steps"]] == [True] * 5 + [False]
    assert summary["model"]["version"] == "1"
    assert summary["model"]["verdict"] == "champion already"


def test_the_gate_holds_a_model_back_and_the_run_is_still_done(killed_everywhere, tmp_path):
    arguments = (*TINY[:-1], "1", "--json")

    code, out, err = finish(pawpetal(killed_everywhere["home"], "run", *arguments))

    summary = json.loads(out)
    if summary["metrics"]["accuracy"] == 1:
        pytest.fail("one epoch must not be enough for this test to mean anything")
    assert code == 0, err
    assert summary["status"] == "succeeded"
    assert summary["gate"]["passed"] is False
    assert summary["model"] is None
    assert summary["steps"][-1]["status"] == "skipped"
    assert "held back" in err


def test_changed_step_code_runs_again(killed_everywhere, tmp_path):
    changed = tmp_path / "source"
    for package in ("components", "pipelines"):
        shutil.copytree(
            ROOT / package, changed / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    module = changed / "components" / "ingest" / "ingest.py"
    module.write_text(module.read_text() + "\n# changed\n")

    assert is_first_step_cached(killed_everywhere["home"], *TINY)
    assert not is_first_step_cached(killed_everywhere["home"], *TINY, source=changed)


def test_changed_photos_run_again(photo_folder, tmp_path):
    folder = photo_folder({"cat": 40, "dog": 40})
    arguments = ("--dataset", f"folder:{folder}", "--epochs", "1")
    home = tmp_path / "home"

    assert not is_first_step_cached(home, *arguments)
    assert is_first_step_cached(home, *arguments)
    shutil.copy(folder / "cat" / "000.jpg", folder / "dog" / "new.jpg")
    assert not is_first_step_cached(home, *arguments)


def is_first_step_cached(home: Path, *arguments: str, source: Path = ROOT) -> bool:
    """Start a run, wait for the end of its first step, and kill it."""
    known = {record["run_id"] for record in records(home)}
    process = pawpetal(home, "run", *arguments, source=source)
    step = wait_for(lambda: has_ended(home, "ingest", known), "the end of the first step")
    kill(process, home)
    return step["cached"]


def test_a_failing_step_is_named_with_its_reason_and_its_log(photo_folder, tmp_path):
    folder = photo_folder({"cat": 40, "dog": 2})

    code, out, err = finish(
        pawpetal(tmp_path / "home", "run", "--dataset", f"folder:{folder}", "--json")
    )

    assert code == 1
    summary = json.loads(out)
    assert summary["status"] == "failed"
    assert summary["error"]["step"] == "split"
    assert summary["error"]["message"].startswith("Class 'dog' has 2 photos, and none of them")
    assert "DataError" in Path(summary["error"]["log"]).read_text()
    assert "Class 'dog' has 2 photos" in err
    assert [step["status"] for step in summary["steps"][:3]] == ["succeeded", "failed", "waiting"]


def test_a_step_that_is_killed_fails_the_run_and_says_so(tmp_path):
    home = tmp_path / "home"
    process = pawpetal(home, "run", "--dataset", "sample:pets?photos=400", "--json")
    wait_for(lambda: is_running(home, "ingest", set()), "the first step")
    step = wait_for(lambda: processes_of_step(home), "the step's process")
    os.kill(step, signal.SIGKILL)

    code, out, _ = finish(process)

    summary = json.loads(out)
    assert code == 1
    assert summary["error"]["step"] == "ingest"
    assert "killed, perhaps for want of memory" in summary["error"]["message"]


def processes_of_step(home: Path) -> int | None:
    for pid in processes_of(home):
        if b"kfp.dsl.executor_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


def test_ctrl_c_ends_the_run_and_its_steps(tmp_path):
    home = tmp_path / "home"
    process = pawpetal(home, "run", *TINY)
    wait_for(lambda: is_running(home, "ingest", set()), "the first step")

    process.send_signal(signal.SIGINT)
    code, _, _ = finish(process)

    assert code == 130
    assert [record["status"] for record in records(home)] == ["cancelled"]
    assert processes_of(home) == []


def test_a_bad_argument_is_exit_status_2_and_starts_nothing(tmp_path):
    code, out, err = finish(
        pawpetal(tmp_path / "home", "run", "--architecture", "resnet", "--json")
    )

    assert code == 2
    assert out == ""
    assert err.startswith("pawpetal: `architecture` must be one that `pawpetal architectures`")
    assert not (tmp_path / "home" / "runs").exists()


def test_a_run_without_the_cache_replaces_what_the_cache_had(photo_folder, tmp_path):
    folder = photo_folder({"cat": 40, "dog": 40})
    home = tmp_path / "home"
    arguments = ("--dataset", f"folder:{folder}", "--epochs", "1")
    assert not is_first_step_cached(home, *arguments)
    known = records(home)[0]["run_id"]
    (before,) = (json.loads(path.read_text()) for path in home.glob("cache/*.json"))

    process = pawpetal(home, "run", *arguments, "--no-cache")
    wait_for(lambda: has_ended(home, "ingest", {known}), "the end of the first step")
    process.send_signal(signal.SIGINT)  # what was made by then is kept
    finish(process)

    outputs = [json.loads(path.read_text()) for path in home.glob("cache/*.json")]
    photos = [entry["photos"]["uri"] for entry in outputs if "photos" in entry]
    assert len(photos) == 1
    assert photos != [before["photos"]["uri"]]
