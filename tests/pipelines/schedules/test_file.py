"""What people write in schedules.yaml, and what is refused before anybody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.errors import InputError
from pipelines.schedules.cron import Cron
from pipelines.schedules.file import read_schedules
from pipelines.schedules.schedule import Schedule

NIGHTLY = {"name": "nightly", "pipeline": "retrain", "cron": "0 3 * * *"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    return tmp_path


def read(folder: Path, *entries: dict[str, Any], **targets: Any) -> tuple[Schedule, ...]:
    file = folder / "schedules.yaml"
    file.write_text(yaml.safe_dump({"targets": targets, "schedules": list(entries)}))
    return read_schedules(file).schedules


def refusal(folder: Path, *entries: dict[str, Any], **targets: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, *entries, **targets)
    return str(caught.value)


def test_what_is_not_said_is_as_usual(folder):
    assert read(folder, NIGHTLY) == (
        Schedule(name="nightly", pipeline="retrain", cron=Cron("0 3 * * *", "UTC")),
    )


def test_everything_that_is_said_is_read(folder):
    told = {
        "time-zone": "Europe/Berlin",
        "max_concurrency": 2,
        "catch_up": True,
        "paused": True,
        "target": "kubeflow",
        "parameters": {"dataset": "gs://acme/photos", "epochs": 3, "min-accuracy": 1},
    }

    schedule = read(folder, {**NIGHTLY, **told}, kubeflow={"host": "http://kf", "cpus": 2})[0]

    assert schedule.cron == Cron("0 3 * * *", "Europe/Berlin")
    assert (schedule.max_concurrency, schedule.catch_up, schedule.paused) == (2, True, True)
    assert (schedule.on, schedule.scheduler) == ("kubeflow", "kubeflow")
    assert schedule.place == {"host": "http://kf", "cpus": 2}
    assert schedule.parameters == {
        "dataset": "gs://acme/photos",
        "epochs": 3,
        "min_accuracy": 1.0,
    }


def test_paths_are_relative_to_the_file(folder, monkeypatch):
    monkeypatch.chdir("/")
    entry = {**NIGHTLY, "on_new_data": True, "parameters": {"dataset": "folder:photos"}}

    schedule = read(folder, entry)[0]

    assert schedule.parameters["dataset"] == f"folder:{folder}/photos"
    assert schedule.on_new_data == f"folder:{folder}/photos"
    assert Path.cwd() == Path("/")


def test_new_data_may_be_another_place_than_what_is_trained_on(folder):
    entry = {"name": "fresh", "pipeline": "retrain", "on_new_data": "gs://acme/inbox"}

    schedule = read(folder, entry)[0]

    assert (schedule.on_new_data, schedule.cron) == ("gs://acme/inbox", None)


def test_new_data_is_looked_at_by_our_own_scheduler_wherever_the_run_runs(folder):
    entry = {**NIGHTLY, "on_new_data": "gs://acme/inbox", "target": "vertex"}

    schedule = read(folder, entry)[0]

    assert (schedule.on, schedule.scheduler) == ("vertex", "local")


def test_our_own_scheduler_may_fire_for_a_cluster_too(folder):
    entry = {**NIGHTLY, "target": "kubeflow", "fired_by": "scheduler"}

    assert read(folder, entry)[0].scheduler == "local"


def test_files_with_secrets_are_relative_to_the_file_too(folder, monkeypatch):
    monkeypatch.chdir("/")
    targets = {"host": "http://kf", "token_file": "secret/token"}

    schedule = read(folder, {**NIGHTLY, "target": "kubeflow"}, kubeflow=targets)[0]

    assert schedule.place["token_file"] == f"{folder}/secret/token"


def test_a_refusal_names_file_and_schedule_once(folder):
    said = refusal(folder, {**NIGHTLY, "parameters": {"epoch": 3}})

    assert said.count("schedules.yaml") == said.count("schedule 'nightly'") == 1


def test_the_command_line_wins_over_the_file(folder):
    file = folder / "schedules.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "targets": {"kubeflow": {"host": "http://old", "experiment": "e"}},
                "schedules": [{**NIGHTLY, "target": "kubeflow"}],
            }
        )
    )

    schedule = read_schedules(file, {"kubeflow": {"host": "http://new"}}).schedules[0]

    assert schedule.place == {"host": "http://new", "experiment": "e"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "Nightly"}, "`name` must start with a letter, and hold only small letters"),
        ({"pipeline": "retrian"}, "Did you mean 'retrain'?"),
        ({"cron": "0 3 * *"}, "which has 4"),
        ({"time_zone": "Berlin"}, "`time_zone` must be a name of the IANA database"),
        ({"time_zone": "europe/berln"}, "Did you mean 'Europe/Berlin'?"),
        ({"time_zone": "localtime"}, "`time_zone` must be a name of the IANA database"),
        ({"cron": "@daily"}, "must be five fields: '0 0 * * *'. Received: '@daily'"),
        ({"cron": "0 3 * * sat-sun"}, "ranges must go up (sat,sun instead of sat-sun)"),
        ({"on_new_data": "gs://a/b", "catch_up": True}, "`catch_up` must be false with"),
        ({"target": "vertx"}, "Did you mean 'vertex'?"),
        ({"crn": "x"}, "Did you mean 'cron'?"),
        ({"max_concurrency": 0}, "`max_concurrency` must be from 1 to 10. Received: 0"),
        ({"max_concurrency": True}, "`max_concurrency` must be of type int. Received: True"),
        ({"paused": "yes please"}, "`paused` must be of type bool"),
        ({"parameters": {"epoch": 3}}, "Did you mean 'epochs'?"),
        ({"parameters": {"epochs": "3"}}, "`epochs` must be of type int. Received: '3'"),
        ({"parameters": {"dataset": "photos"}}, "pass folder:photos"),
        ({"on_new_data": "sample:pets"}, "a place where photos can be added"),
        (
            {"on_new_data": "gs://a/b", "target": "kubeflow", "fired_by": "target"},
            "kubeflow itself cannot look at photos",
        ),
        ({"fired_by": "cron"}, "`fired_by` must be one of scheduler, target"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_schedule(folder, entry, message):
    said = refusal(folder, {**NIGHTLY, **entry})

    assert message in said
    assert said.startswith(f"{folder}/schedules.yaml: schedule '")


def test_a_schedule_without_any_trigger_is_refused(folder):
    assert "`cron` or one of on_new_data must say when" in refusal(
        folder, {"name": "never", "pipeline": "retrain"}
    )


def test_a_time_zone_without_a_cron_is_refused(folder):
    entry = {"name": "x", "pipeline": "retrain", "on_new_data": "gs://a/b", "time_zone": "UTC"}

    assert "`time_zone` goes with `cron`" in refusal(folder, entry)


def test_two_schedules_of_one_name_are_refused(folder):
    assert "`name` must be unique. Received: 'nightly' 2 times" in refusal(folder, NIGHTLY, NIGHTLY)


def test_several_datasets_cannot_be_meant_by_true(folder):
    entry = {"name": "x", "pipeline": "curriculum", "on_new_data": True}
    entry["parameters"] = {"curriculum": "gs://a/easy,gs://a/hard"}

    assert "must be the URI of one dataset" in refusal(folder, entry)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"kubernetes": {}}, "target` must be one of kubeflow, vertex"),
        ({"kubeflow": {"hots": "x"}}, "Did you mean 'host'?"),
        ({"kubeflow": {"project": "x"}}, "setting of kubeflow"),
        ({"kubeflow": {"host": 8080}}, "`host` of kubeflow must be of type str. Received: 8080"),
        ({"vertex": {"dry_run": True}}, "setting of vertex"),
        ({"kubeflow": "http://kf"}, "`kubeflow` must be a mapping. Received: 'http://kf'"),
        ({"local": {}}, "must be one of kubeflow, vertex. Received: 'local'"),
    ],
)
def test_settings_that_a_target_does_not_have_are_refused(folder, targets, message):
    assert message in refusal(folder, NIGHTLY, **targets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedule: []", "Did you mean 'schedules'?"),
        ("schedules: {}x", "must be YAML"),
        ("schedules: nightly", "`schedules` must be a list"),
        ("schedules: [nightly]", "a schedule must be a mapping"),
        ("schedules:\n- cron: * * * * *", "must be YAML"),
        ("", "must hold `name: value` lines"),
        ("schedules: []\nschedules: []", "'schedules' stands twice"),
    ],
)
def test_a_file_of_another_form_is_refused(folder, text, message):
    file = folder / "schedules.yaml"
    file.write_text(text)

    with pytest.raises(InputError) as caught:
        read_schedules(file)

    assert message in str(caught.value)


def test_the_example_in_the_docs_can_be_read(folder):
    text = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
    (folder / "schedules.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])

    schedules = read_schedules(folder / "schedules.yaml").schedules

    fired_by = {each.name: each.scheduler for each in schedules}
    assert fired_by == {"nightly": "vertex", "fresh-photos": "local", "weekly-search": "local"}
