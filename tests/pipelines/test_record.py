import pytest

from components.common.scores import SCORES
from pipelines.runs import RunFolder
from pipelines.targets.record import (
    add_best,
    add_findings,
    add_model,
    add_scores,
    begin,
    last_error,
    next_step,
    skip_waiting_steps,
)

SCORED = dict.fromkeys(SCORES, 0.5) | {"accuracy": 0.9, "num_photos": 40, "per_class": []}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path))
    arguments = {"min_accuracy": 0.8, "dataset": "sample:pets", "code_version": "1+abc"}
    return begin(RunFolder.create("train_and_push"), "train_and_push", "docker", arguments)


def test_a_run_begins_with_all_its_steps_waiting_and_what_people_set(run, tmp_path):
    assert [step.status for step in run.steps] == ["waiting"] * 6
    assert run.parameters == {"min_accuracy": 0.8, "dataset": "sample:pets"}
    assert (tmp_path / "runs" / run.run_id / "run.json").is_file()


@pytest.mark.parametrize(("accuracy", "passed"), [(0.8, True), (0.79, False)])
def test_the_gate_passes_at_its_threshold_and_not_below(run, accuracy, passed):
    add_scores(run, SCORED | {"accuracy": accuracy})

    assert run.gate == {"min_accuracy": 0.8, "accuracy": accuracy, "passed": passed}
    assert set(run.metrics) == {*SCORES, "num_photos"}


@pytest.mark.parametrize(
    ("accuracy", "gain", "passed"),
    [(0.9, 0.0, False), (0.9, 0.01, True), (0.79, 0.5, False), (0.8, 1.0, True)],
)
def test_where_the_champion_must_be_beaten_both_gates_must_open(run, accuracy, gain, passed):
    run.parameters["min_gain"] = 0.01

    add_scores(run, SCORED | {"accuracy": accuracy, "gain": gain})

    assert run.gate["passed"] is passed
    assert (run.gate["gain"], run.gate["min_gain"]) == (gain, 0.01)


def test_the_steps_of_a_loop_are_numbered_from_the_second_turn_on(run):
    for name in ("ingest", "split", "augment", "train", "augment", "train", "evaluate"):
        next_step(run, name).status = "succeeded"

    assert [step.name for step in run.steps] == [
        "ingest",
        "split",
        "augment",
        "train",
        "augment-2",
        "train-2",
        "evaluate",
        "push",
    ]


def test_a_sweep_records_the_first_of_its_ranking(run):
    add_best(run, {"name": "residual", "accuracy": 0.9}, 2)

    assert run.best == {"name": "residual", "validation_accuracy": 0.9, "num_candidates": 2}


def test_the_version_is_recorded_under_the_name_that_summaries_use(run):
    add_model(run, {"model_name": "pets", "version": "3", "is_champion": True, "verdict": "first"})

    assert run.model == {"name": "pets", "version": "3", "is_champion": True, "verdict": "first"}


def test_findings_in_the_photos_are_counted_by_severity(run):
    severities = ("warning", "note", "warning")

    add_findings(run, [{"findings": [{"severity": severity}]} for severity in severities])

    assert run.findings == {"error": 0, "warning": 2, "note": 1}


def test_only_steps_that_were_never_reached_are_skipped(run):
    run.steps[0].status = "succeeded"

    skip_waiting_steps(run)

    assert [step.status for step in run.steps] == ["succeeded", *["skipped"] * 5]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["components.common.errors.DataError: no photos"], "no photos"),
        (["ValueError: bad", "some line after it"], "ValueError: bad"),
        (["ValueError: first", "KeyError: 'second'"], "KeyError: 'second'"),
        (["all is well", "error: not an exception"], None),
    ],
)
def test_the_last_exception_of_a_log_is_its_message_and_ours_stand_alone(lines, message):
    assert last_error(lines) == message
