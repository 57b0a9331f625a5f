"""Runs that are killed, with the service or without it: gone on with, never lost, never doubled."""

import signal
import sys
import threading
import time
from datetime import timedelta

import pytest

from pipelines.runs import FAILED, SUCCEEDED, list_runs
from pipelines.schedules.local.launch import log_path
from pipelines.schedules.local.runner import Runner
from tests.pipelines.schedules.local.conftest import (
    NOON,
    abandon,
    finish,
    make_settings,
    put,
    short_run,
    tick_until,
)

RUN_ID = "nightly-20261123-120100"


@pytest.fixture
def go_on(tmp_path):
    """Runs of `waiting` end as soon as this file is there."""
    return tmp_path / "go-on"


@pytest.fixture
def fired(make_service, store, clock, go_on):
    """A service with a run that waits in its middle."""
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    clock.pass_time(minutes=1)
    service = make_service()
    tick_until(service, lambda: list(list_runs()), "the run's record")
    return service


def statuses():
    return {run.run_id: run.status for run in list_runs()}


def kill(service):
    """Kill what is left of a service's run."""
    for child in service._runner._children.values():
        child.kill()
        child.wait()


def kill_both(service):
    """Kill it with the service, which is asked nothing any more."""
    kill(service)
    abandon(service)


def test_a_run_that_outlives_its_service_is_followed_by_the_next_one(
    fired, make_service, store, go_on
):
    abandon(fired)
    after = make_service()
    for _ in range(20):
        after.tick()
        time.sleep(0.02)
    assert statuses() == {RUN_ID: "running"}
    go_on.touch()

    (firing,) = finish(after, store)

    assert (firing.status, firing.run_id, firing.starts) == (SUCCEEDED, RUN_ID, 1)
    assert list(statuses()) == [RUN_ID]


def test_a_run_that_ended_while_no_service_ran_is_noted_by_the_next_one(
    fired, make_service, store, go_on
):
    go_on.touch()
    for child in fired._runner._children.values():
        child.wait()
    abandon(fired)

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.starts) == (SUCCEEDED, 1)


def test_a_run_that_was_killed_with_its_service_is_started_again_under_a_new_id(
    fired, make_service, store, go_on, home, capsys
):
    kill_both(fired)
    go_on.touch()

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.run_id, firing.starts) == (SUCCEEDED, f"{RUN_ID}-2", 2)
    assert statuses() == {RUN_ID: "killed", f"{RUN_ID}-2": SUCCEEDED}
    assert list((home / "scheduler").iterdir()) == []  # what both printed is with their records
    assert f"started again, run {RUN_ID}-2" in capsys.readouterr().out


def test_a_run_that_is_killed_alone_is_started_again(fired, store, go_on):
    kill(fired)
    go_on.touch()

    (firing,) = finish(fired, store)

    assert (firing.status, firing.starts) == (SUCCEEDED, 2)


def test_what_is_killed_with_its_settings_changed_goes_on_with_those_that_it_had(
    fired, make_service, store, go_on
):
    kill_both(fired)
    put(store, make_settings(parameters={"how": "fail"}), seen=NOON + timedelta(minutes=1))
    go_on.touch()

    (firing,) = finish(make_service(), store)

    assert firing.status == SUCCEEDED


def test_what_was_claimed_and_not_started_is_started(make_service, store, clock):
    held = put(store, make_settings())
    store.claim(held, NOON, NOON)

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.run_id) == (SUCCEEDED, "nightly-20261123-120000")


@pytest.fixture
def gate(tmp_path):
    """Runs of `late` begin when this file is there."""
    return tmp_path / "gate"


@pytest.fixture
def late(gate):
    """Runs whose process lives for a while before they make their folder: nobody knows of it."""

    def command(settings, run_id):
        wait = f"while not __import__('os').path.exists({str(gate)!r}): pass"
        code = f"{wait}\nimport runpy, sys; sys.argv = {short_run(settings, run_id)[1:]!r}"
        return [sys.executable, "-c", f"{code}; runpy.run_path(sys.argv[0])"]

    return command


def test_a_run_that_had_not_begun_when_its_service_was_killed_runs_once(
    make_service, store, clock, late, gate
):
    put(store, make_settings())
    clock.pass_time(minutes=1)
    before = make_service(command=late)
    before.tick()
    abandon(before)
    after = make_service(command=late)
    for _ in range(3):
        after.tick()
    gate.touch()

    (firing,) = finish(after, store)

    assert (firing.status, firing.starts) == (SUCCEEDED, 1)
    assert statuses() == {RUN_ID: SUCCEEDED}


def test_of_two_that_would_start_a_run_one_does(make_service, store, clock, late, gate):
    put(store, make_settings())
    clock.pass_time(minutes=1)
    first, second = make_service(command=late), make_service(command=late)
    first._store.claim(store.find("nightly"), clock.now, clock.now)
    (firing,) = store.open_firings()

    assert [each._runner.start(firing, make_settings()) for each in (first, second)] == [
        True,
        False,
    ]

    for _ in range(3):
        second.tick()
        first.tick()
    gate.touch()
    (firing,) = finish(second, store) if second._runner._children else finish(first, store)
    assert (firing.status, firing.starts) == (SUCCEEDED, 1)


def test_a_run_that_was_killed_before_it_began_is_started_again(make_service, store, clock, gate):
    put(store, make_settings())
    clock.pass_time(minutes=1)
    before = make_service(command=lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    before.tick()
    kill_both(before)

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.run_id, firing.starts) == (SUCCEEDED, RUN_ID, 2)


def test_who_started_a_run_notes_its_end_and_nobody_else(make_service, store, clock, home):
    put(store, make_settings(parameters={"how": "refuse"}))
    clock.pass_time(minutes=1)
    first, second = make_service(), make_service()
    first.tick()
    for child in first._runner._children.values():
        child.wait()
    second.tick()  # finds neither a process nor a folder
    assert [each.status for each in store.open_firings()] == ["running"]

    (firing,) = finish(first, store)

    assert (firing.status, firing.starts) == (FAILED, 1)
    assert [path.suffix for path in (home / "scheduler").iterdir()] == [".log"]


def test_a_run_that_cannot_begin_fails_with_what_it_said(make_service, store, clock, capsys):
    put(store, make_settings(parameters={"how": "refuse"}))
    clock.pass_time(minutes=1)

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.starts) == (FAILED, 1)
    log = log_path(firing.run_id)  # there is no folder of the run to put it in
    assert firing.said == f"`epochs` must be at least 1. Received: 0 (all of it: {log})"
    assert log.is_file()


def test_a_program_that_is_not_there_fails_its_firing(make_service, store, clock):
    put(store, make_settings())
    clock.pass_time(minutes=1)

    (firing,) = finish(make_service(command=lambda *_: ["/no/such/program"]), store)

    assert firing.status == FAILED
    assert "could not be started: [Errno 2]" in firing.said


def test_what_is_killed_again_and_again_is_given_up(make_service, store, clock):
    put(store, make_settings())
    clock.pass_time(minutes=1)
    suicide = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]

    (firing,) = finish(make_service(command=lambda *_: suicide), store)

    assert (firing.status, firing.said) == (FAILED, "killed 10 times, and given up")


def test_what_was_killed_waits_where_its_schedule_is_paused(
    fired, make_service, store, clock, go_on
):
    kill_both(fired)
    put(store, make_settings(parameters={"how": f"wait {go_on}"}, paused=True))
    go_on.touch()
    service = make_service()
    for _ in range(5):
        service.tick()
    assert [firing.status for firing in store.open_firings()] == ["waiting"]

    put(store, make_settings(parameters={"how": f"wait {go_on}"}), seen=clock.now)

    assert finish(service, store)[0].status == SUCCEEDED


def test_stopping_ends_runs_and_leaves_them_to_the_next_service(fired, make_service, store, go_on):
    (child,) = fired._runner._children.values()

    fired._runner.stop()

    assert child.returncode == -signal.SIGTERM
    go_on.touch()
    (firing,) = finish(make_service(), store)
    assert (firing.status, firing.run_id) == (SUCCEEDED, f"{RUN_ID}-2")
    assert firing.starts == 1  # it was not killed


def test_however_often_the_service_is_stopped_its_run_is_not_given_up(
    fired, make_service, store, go_on, monkeypatch
):
    monkeypatch.setattr("pipelines.schedules.local.runner.MOST_STARTS", 2)
    fired._runner.stop()
    for number in (2, 3):
        service = make_service()
        run_id = f"{RUN_ID}-{number}"
        tick_until(service, lambda run_id=run_id: run_id in statuses(), "the next start")
        service._runner.stop()
    go_on.touch()

    assert finish(make_service(), store)[0].status == SUCCEEDED


def test_stopping_ends_runs_of_a_service_that_was_killed(fired, make_service, store, go_on, capsys):
    (child,) = fired._runner._children.values()
    abandon(fired)
    threading.Thread(target=child.wait).start()  # nobody waits for it then but the system
    service = make_service()
    service.tick()

    service._runner.stop()

    assert child.wait() == -signal.SIGTERM
    go_on.touch()
    assert finish(make_service(), store)[0].run_id == f"{RUN_ID}-2"


def test_stopping_leaves_the_run_of_a_person_and_says_so(make_service, store, clock, go_on, capsys):
    held = put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    person = Runner(store, print, clock=clock, command=short_run, is_foreground=True)
    person.start(store.ask("nightly", clock.now), held.settings)
    service = make_service()
    service.tick()

    service._runner.stop()

    ((run_id, child),) = person._children.items()
    assert child.poll() is None
    assert f"run {run_id} goes on" in capsys.readouterr().out
    go_on.touch()
    child.wait()
    person.follow(*store.open_firings())


def test_a_run_that_does_not_heed_the_end_is_killed(make_service, store, clock, monkeypatch):
    monkeypatch.setattr("pipelines.schedules.local.runner.STOP_S", 0.3)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)"
    put(store, make_settings())
    clock.pass_time(minutes=1)
    service = make_service(command=lambda *_: [sys.executable, "-c", f"{deaf}; time.sleep(60)"])
    service.tick()
    ((run_id, child),) = service._runner._children.items()
    tick_until(service, lambda: "deaf" in log_path(run_id).read_text(), "the run")

    service._runner.stop()

    assert child.returncode == -signal.SIGKILL


def test_what_a_run_printed_is_kept_with_its_record(make_service, store, clock, home):
    put(store, make_settings())
    clock.pass_time(minutes=1)
    finish(make_service(), store)

    assert (home / "runs" / RUN_ID / "scheduler.log").is_file()
    assert list((home / "scheduler").iterdir()) == []
