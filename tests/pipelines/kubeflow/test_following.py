"""Runs are followed to their end, through failures, lost connections and Ctrl-C."""

import json
from pathlib import Path

import pytest

from pipelines.runs import find_run
from pipelines.targets import StepEnded, StepProgress, StepStarted, kubeflow_client, remote
from tests.pipelines.kubeflow.conftest import PIPELINE, SCORES, make_arguments, make_target
from tests.pipelines.kubeflow.server import Fault
from tests.pipelines.kubeflow.workflow import Outcome

STEPS = ["ingest", "split", "augment", "train", "evaluate", "push"]
CACHED = {name: Outcome(cached=True) for name in STEPS[:4]}  # a quick run, but for its judgement
FIRST_FAILS = {"ingest": Outcome(fails=True, log="Traceback\nValueError: no photos\n")}


def steps(execution):
    return {step.name: step for step in execution.run.steps}


def lines(events):
    return [event.line for event in events if isinstance(event, StepProgress)]


def test_a_run_gives_the_summary_that_other_targets_give(server, follow, capsys):
    execution, events = follow()

    run = execution.run
    assert run.status == "succeeded"
    assert run.metrics == SCORES
    assert run.gate == {"min_accuracy": 0.8, "accuracy": 0.9, "passed": True}
    assert run.model == {
        "name": "flowers",
        "version": "3",
        "is_champion": True,
        "verdict": "champion: 0.9000 against 0.8800",
    }
    assert run.url == f"{server.url}/#/runs/details/{run.remote_id}"
    assert run.error is None
    changes = [(type(e), e.step.name) for e in events if not isinstance(e, StepProgress)]
    assert changes == [(kind, name) for name in STEPS for kind in (StepStarted, StepEnded)]
    assert find_run(run.run_id) == run
    assert {step.status for step in run.steps} == {"succeeded"}
    assert {step.seconds for step in run.steps} == {20.0}
    assert capsys.readouterr().out == ""  # where --json puts the summary, and nothing else


def test_the_cluster_gets_the_arguments_and_the_names(server, follow):
    on = make_target(server, wait=False, experiment="nightly", service_account="trainer")
    execution, _ = follow(on)

    remote = server.store.runs[execution.run.remote_id].run
    assert remote.display_name == execution.run.run_id
    assert remote.runtime_config.parameters == make_arguments()
    assert remote.service_account == "trainer"
    assert server.store.experiments[0].display_name == "nightly"


def test_logs_of_steps_are_kept_here(server, follow):
    server.outcomes["split"] = Outcome(driver_fails=True)

    execution, _ = follow()

    log = Path(steps(execution)["ingest"].log)
    assert log.read_text() == "[progress] checked 600/600 photos\n"


def test_progress_is_told_while_a_step_runs(server, follow):
    log = "[progress] epoch 1/2\nnoise\n[progress] epoch 2/2\nnoise\n"
    server.outcomes = {"ingest": Outcome(log=log, polls=4), "split": Outcome(fails=True)}

    _, events = follow()

    assert lines(events)[1:4] == ["waits for its pod to start", "epoch 1/2", "epoch 2/2"]


def test_steps_from_the_cache_say_so(server, follow):
    server.outcomes |= {"split": Outcome(cached=True), "train": Outcome(cached=True)}

    execution, _ = follow()

    assert [step.name for step in execution.run.steps if step.cached] == ["split", "train"]
    assert steps(execution)["train"].log == ""
    assert execution.run.metrics == SCORES


def test_a_model_that_is_held_back_is_told_so(server, follow):
    server.takes_branch = False
    server.outcomes |= CACHED
    server.outcomes["evaluate"] = Outcome(log=f"[result] {json.dumps({**SCORES, 'accuracy': 0.5})}")

    execution, _ = follow()

    assert execution.run.status == "succeeded"
    assert execution.run.gate == {"min_accuracy": 0.8, "accuracy": 0.5, "passed": False}
    assert execution.run.model is None
    assert steps(execution)["push"].status == "skipped"


def test_a_failed_step_is_named_with_its_error_and_log(server, follow):
    error = "components.common.errors.DataError: 3 photos are too few"
    server.outcomes = {
        "split": Outcome(fails=True, log=f"Traceback (most recent call):\n{error}\n")
    }

    execution, events = follow()

    assert execution.run.status == "failed"
    log = steps(execution)["split"].log
    assert execution.run.error == {"step": "split", "message": "3 photos are too few", "log": log}
    assert error in Path(log).read_text()
    assert [step.status for step in execution.run.steps] == [
        "succeeded",
        "failed",
        *["skipped"] * 4,
    ]
    assert isinstance(events[-1], StepEnded)


def test_a_step_whose_driver_fails_has_failed(server, follow):
    server.outcomes = {"split": Outcome(driver_fails=True)}

    execution, _ = follow()

    assert execution.run.error == {
        "step": "split",
        "message": "it failed before its own code began; see the run's page",
        "log": execution.run.url,
    }


@pytest.mark.parametrize("is_ui", [True, False])
def test_logs_come_by_the_ui_or_by_the_api(server, follow, is_ui):
    server.is_ui = is_ui
    server.outcomes |= CACHED

    execution, _ = follow()

    assert execution.run.metrics == SCORES


@pytest.mark.parametrize("is_ui", [True, False])
def test_where_logs_are_shut_there_are_no_scores_but_a_hint(server, follow, is_ui):
    server.is_ui, server.keeps_logs = is_ui, False
    server.outcomes |= CACHED

    execution, _ = follow()

    assert execution.run.status == "succeeded"
    assert execution.run.metrics == {}
    assert execution.run.gate is None
    hint = steps(execution)["evaluate"].log
    assert hint.startswith("kubectl logs -n kubeflow train-and-push-")
    assert "-system-container-impl-" in hint
    assert hint.endswith(" -c main")


def test_a_failure_without_a_log_says_where_it_is(server, follow):
    server.outcomes, server.keeps_logs = FIRST_FAILS, False

    execution, _ = follow()

    assert execution.run.error["message"] == "its log gives no reason, or cannot be read here"
    assert execution.run.error["log"].startswith("kubectl logs")


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_lost_connection_is_told_once_and_found_again(server, follow, status):
    server.outcomes = FIRST_FAILS
    server.faults = [Fault(path="GET .*/runs/", times=3, status=status)]

    execution, events = follow()

    told = [line for line in lines(events) if "Trying again" in line]
    assert len(told) == 1
    assert told[0].endswith(". It goes on. Trying again for 10 min 00 s")
    assert "connected again" in lines(events)
    assert execution.run.error["message"] == "ValueError: no photos"


def test_a_lost_connection_is_tried_less_and_less_often(server, follow, monkeypatch):
    pauses = []
    monkeypatch.setattr(remote.time, "sleep", pauses.append)
    server.outcomes = FIRST_FAILS
    server.faults = [Fault(path="GET .*/runs/", times=6, status=503)]

    follow(make_target(server, poll_s=4.0))

    assert pauses[:7] == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 4.0]


def test_a_connection_that_stays_lost_leaves_the_run_to_the_cluster(server, follow):
    server.faults = [Fault(path="GET .*/runs/", times=10**6, status=503)]

    execution, _ = follow(make_target(server, give_up_s=0.05))

    run = execution.run
    assert run.status == find_run(run.run_id).status == "submitted"
    assert run.error["message"] == (
        f"{server.url}, asked for the run, said 503: Service Unavailable."
        f" The run goes on in the cluster: follow it at {run.url}"
    )
    assert server.store.runs[run.remote_id].run.state == "PENDING"


def test_ctrl_c_ends_the_run_in_the_cluster(server, target):
    execution = target.start(PIPELINE, make_arguments())
    events = execution.follow()
    for event in events:
        if isinstance(event, StepStarted):
            break

    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())

    run = find_run(execution.run.run_id)
    assert run.status == "cancelled"
    assert run.steps[0].status == "cancelled"
    assert server.store.runs[run.remote_id].run.state == "CANCELING"


def test_ctrl_c_in_the_moment_of_starting_ends_the_run_too(server, target, monkeypatch):
    def make_then_interrupt(make, find):
        make()
        raise KeyboardInterrupt

    monkeypatch.setattr(kubeflow_client, "_find_or_make", lambda find, make: find() or make())
    monkeypatch.setattr(kubeflow_client, "_make_or_find", make_then_interrupt)
    execution = target.start(PIPELINE, make_arguments())

    with pytest.raises(KeyboardInterrupt):
        list(execution.follow())

    (stored,) = server.store.runs.values()
    assert stored.run.state == "CANCELING"
    assert find_run(execution.run.run_id).status == "cancelled"


def test_closing_the_events_ends_the_run_in_the_cluster(server, target):
    execution = target.start(PIPELINE, make_arguments())
    events = execution.follow()
    next(events)
    events.close()

    assert find_run(execution.run.run_id).status == "cancelled"


def test_a_run_that_could_not_be_ended_is_not_called_cancelled(server, target):
    server.faults = [Fault(path="POST .*:terminate", times=9, status=503)]
    execution = target.start(PIPELINE, make_arguments())
    events = execution.follow()
    next(events)
    events.close()

    run = find_run(execution.run.run_id)
    assert run.status == "submitted"
    assert "The run goes on in the cluster" in run.error["message"]


def test_a_run_that_others_end_is_cancelled(server, target):
    execution = target.start(PIPELINE, make_arguments())
    events = execution.follow()
    next(events)
    server.store.runs[execution.run.remote_id].run.state = "CANCELING"
    list(events)

    assert execution.run.status == "cancelled"
    assert execution.run.error["message"] == "the run was ended in the cluster"


def test_without_waiting_the_run_is_left_to_the_cluster(server, follow):
    execution, events = follow(make_target(server, wait=False))

    run = find_run(execution.run.run_id)
    assert run.status == "submitted"
    assert run.error is None
    assert [event.line for event in events] == [f"started in the cluster, see {run.url}"]
    assert server.count("GET", "/runs/") == 0


def test_nothing_is_uploaded_before_a_run_is_followed(server, target):
    target.start(PIPELINE, make_arguments())

    assert server.seen == []
