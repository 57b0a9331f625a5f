"""What `pawpetal schedule` asks of pawpetal's own scheduler."""

import dataclasses
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from components.common.errors import ConflictError, InputError
from pipelines.runs import CANCELLED, SUCCEEDED, list_runs
from pipelines.schedules.cron import Cron
from pipelines.schedules.local import runner, scheduler
from pipelines.schedules.local.new_data import fingerprint
from pipelines.schedules.local.scheduler import LocalScheduler
from pipelines.schedules.local.service import hold
from pipelines.schedules.schedule import Schedule
from tests.pipelines.schedules.local.conftest import (
    LIMIT_S,
    NOON,
    abandon,
    finish,
    make_settings,
    put,
    short_run,
    tick_until,
)


@pytest.fixture
def local(clock):
    return LocalScheduler(clock)


@pytest.fixture
def folder(photo_folder):
    return photo_folder({"cat": 12, "dog": 12})


def make_schedule(**changed):
    usual = {"name": "nightly", "pipeline": "retrain", "cron": Cron("0 3 * * mon", "Europe/Berlin")}
    return Schedule(**{**usual, **changed})


def find(local, name="nightly"):
    return next(each for each in local.live() if each.settings.name == name)


def test_a_schedule_is_held_with_what_differs_from_the_defaults(local, folder):
    given = {"dataset": f"folder:{folder}", "architecture": "dense", "warm_start": "champion"}

    settings = local.prepare(make_schedule(parameters=given, catch_up=True))

    assert dataclasses.asdict(settings) == {
        "name": "nightly",
        "pipeline": "retrain",
        "version": "",
        "cron": "0 3 * * mon",
        "time_zone": "Europe/Berlin",
        "on_new_data": "",
        "max_concurrency": 1,
        "catch_up": True,
        "paused": False,
        "place": {"on": "local"},
        "parameters": {"architecture": "dense", "dataset": f"folder:{folder}"},
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_concurrency": 2}, "`max_concurrency` must be 1 .* Received: 2"),
        ({"cron": None}, "`cron` or `on_new_data` must say when it fires"),
        ({"pipeline": "retrian"}, "Did you mean 'retrain'"),
        ({"parameters": {"epoch": 1}}, "Did you mean 'epochs'"),
        ({"parameters": {"image_size": 1}}, "`image_size` must be"),
        ({"parameters": {"dataset": "folder:/no/such"}}, "No such folder: '/no/such'"),
        ({"on_new_data": "folder:/no/such"}, "No such folder: '/no/such'"),
        ({"on": "kubeflow"}, "--on kubeflow needs --host"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_made(local, changed, message):
    with pytest.raises(InputError, match=message):
        local.prepare(make_schedule(**changed))

    assert local.live() == []


def test_what_is_made_is_there_as_it_was_wanted(local, folder):
    wanted = local.prepare(
        make_schedule(cron=None, on_new_data=f"folder:{folder}", parameters={"epochs": 1})
    )

    local.create(wanted)
    local.create(wanted)  # by a try whose answer was lost

    (live,) = local.live()
    assert live.settings == wanted
    assert (live.id, live.last, live.last_status) == ("nightly", None, "")


def test_photos_that_come_between_apply_and_the_first_look_are_new(
    local, folder, store, make_service, clock
):
    uri = f"folder:{folder}"
    local.create(make_settings(cron="", on_new_data=uri))
    (folder / "cat" / "new.jpg").write_bytes((folder / "dog" / "000.jpg").read_bytes())
    clock.pass_time(minutes=1)

    service = make_service()
    tick_until(service, lambda: store.firings("nightly"), "the run")

    assert [firing.status for firing in finish(service, store)] == [SUCCEEDED]
    assert store.find("nightly").fingerprint == fingerprint(uri)


def test_photos_that_cannot_be_read_are_told_of_when_a_schedule_is_made(local):
    with pytest.raises(InputError, match="No such folder"):
        local.create(make_settings(on_new_data="folder:/no/such"))

    assert local.live() == []


def test_an_update_keeps_what_was_seen_and_the_history(local, folder, store, clock):
    uri = f"folder:{folder}"
    local.create(make_settings(on_new_data=uri))
    before = store.find("nightly")
    store.claim(before, NOON, NOON, before.fingerprint)
    (folder / "cat" / "new.jpg").write_bytes((folder / "dog" / "000.jpg").read_bytes())
    clock.pass_time(minutes=5)

    local.update(find(local), make_settings(on_new_data=uri, parameters={"how": "fail"}))

    after = store.find("nightly")
    assert after.settings.parameters == {"how": "fail"}
    assert after.fingerprint == before.fingerprint != fingerprint(uri)
    assert after.seen == NOON  # times that have not fired yet still will
    assert find(local).last == NOON


def test_an_update_to_other_photos_takes_those_for_seen(local, folder, store, photo_folder):
    other = photo_folder({"cat": 2, "dog": 2}, name="other")
    local.create(make_settings(on_new_data=f"folder:{folder}"))

    local.update(find(local), make_settings(on_new_data=f"folder:{other}"))

    assert store.find("nightly").fingerprint == fingerprint(f"folder:{other}")


def test_an_update_to_other_times_makes_up_for_none_of_them(local, store, clock):
    local.create(make_settings(cron="0 0 1 1 *"))
    clock.pass_time(hours=5)

    local.update(find(local), make_settings(cron="* * * * *"))

    assert store.find("nightly").seen == NOON + timedelta(hours=5)


def test_what_somebody_changed_meanwhile_is_not_changed_back(local, store):
    local.create(make_settings(cron="0 0 1 1 *"))
    known, wanted = find(local), make_settings()
    local.pause(known)

    with pytest.raises(ConflictError, match="'nightly' has been changed by somebody else"):
        local.update(known, wanted)

    assert find(local).settings == make_settings(cron="0 0 1 1 *", paused=True)
    local.update(find(local), wanted)
    local.update(known, wanted)  # as it is already
    local.delete(known)
    with pytest.raises(ConflictError, match="'nightly' has been deleted by somebody else"):
        local.update(known, wanted)


def test_a_schedule_that_cannot_be_read_is_made_anew_when_it_is_applied(local, store, home):
    local.create(make_settings())
    with sqlite3.connect(home / "scheduler.sqlite") as file:
        file.execute("UPDATE schedules SET settings = '{}'")
    assert local.live() == []

    local.create(make_settings())

    assert find(local).settings == make_settings()


def test_a_home_that_cannot_be_written_to_says_so(local, store, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    # A real one needs a mount, and nothing is denied to root.
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)

    with pytest.raises(InputError, match=r"must be a folder that can be written to.*Read-only"):
        local.live()


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_somebody_deleted_cannot_be_paused_or_resumed(local, verb):
    local.create(make_settings())
    live = find(local)
    local.delete(live)

    with pytest.raises(InputError, match="There is no schedule 'nightly' any more"):
        getattr(local, verb)(live)


def test_pausing_is_seen_by_whoever_compares(local):
    local.create(make_settings())
    local.pause(find(local))
    assert find(local).settings.paused

    local.resume(find(local))
    assert find(local).settings == make_settings()


def test_the_last_firing_and_how_it_went_are_told(local, make_service, store, clock):
    put(store, make_settings(parameters={"how": "fail"}))
    clock.pass_time(minutes=1)
    finish(make_service(), store)

    live = find(local)

    assert (live.last, live.last_status) == (NOON + timedelta(minutes=1), "failed")


def test_looking_at_schedules_makes_nothing(local, home):
    assert local.live() == []
    assert not home.exists()


def test_what_would_be_written_is_told_and_not_written(local, home):
    (request,) = local.requests(None, make_settings())

    assert request["method"] == "INSERT"
    assert request["url"] == f"file://{home}/scheduler.sqlite"
    assert request["body"]["name"] == "nightly"
    assert local.live() == []


@pytest.fixture
def short_runs(monkeypatch):
    """Runs in the foreground are short ones."""

    class ShortRunner(runner.Runner):
        def __init__(self, *args, **settings):
            super().__init__(*args, command=short_run, **settings)

    monkeypatch.setattr(scheduler, "Runner", ShortRunner)


def test_without_a_service_a_run_that_people_ask_for_runs_here(local, short_runs, store, capfd):
    put(store, make_settings())

    told = local.run_now(find(local))

    assert told == (
        "nightly-20261123-120000-now, succeeded in 3 min 00 s: accuracy 0.9700, champion, pets v4"
    )
    assert find(local).last_status == SUCCEEDED
    assert "nightly: started, run nightly-20261123-120000-now" in capfd.readouterr().err


def test_a_run_here_that_fails_says_why_and_ends_with_status_1(local, short_runs, store, capfd):
    put(store, make_settings(parameters={"how": "fail"}))

    with pytest.raises(SystemExit, match="1"):
        local.run_now(find(local))

    assert "nightly: failed: step train: Training diverged" in capfd.readouterr().err
    live = find(local)
    assert live.last_run == "nightly-20261123-120000-now"
    assert (live.last_status, live.said) == ("failed", "step train: Training diverged")


def test_a_run_here_that_cannot_begin_has_said_why(local, short_runs, store, capfd):
    put(store, make_settings(parameters={"how": "refuse"}))

    with pytest.raises(SystemExit, match="1"):
        local.run_now(find(local))

    said = capfd.readouterr().err
    assert said.index("`epochs` must be at least 1") < said.index("nightly: failed: see above")


def test_a_paused_schedule_runs_when_people_ask(local, short_runs, store):
    put(store, make_settings(paused=True))

    assert "succeeded" in local.run_now(find(local))


def test_what_waited_when_its_schedule_was_paused_runs_when_people_ask(
    local, store, make_service, clock
):
    held = put(store, make_settings())
    store.claim(held, NOON, NOON)
    local.pause(find(local))
    service = make_service()
    service.tick()
    assert [firing.status for firing in store.open_firings()] == ["waiting"]
    with hold():
        local.run_now(find(local))

    assert [firing.status for firing in finish(service, store)] == [SUCCEEDED]


def test_a_run_that_ended_while_nobody_looked_is_not_the_one_that_people_ask_for(
    local, short_runs, store, make_service, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    clock.pass_time(minutes=1)
    service = make_service()
    service.tick()
    ((first, child),) = service._runner._children.items()
    go_on.touch()
    child.wait()
    abandon(service)
    assert find(local).last_status == SUCCEEDED  # though nobody noted it

    told = local.run_now(find(local))

    assert [firing.run_id for firing in store.firings("nightly")] == [first, f"{first}-now"]
    assert told.startswith(f"{first}-now, succeeded")


def test_of_two_that_ask_at_once_one_starts_a_run_and_the_other_is_told(
    local, store, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    people = [
        subprocess.Popen([sys.executable, "-c", IN_FRONT], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    while sum(person.poll() is None for person in people) > 1:
        time.sleep(0.02)
    go_on.touch()
    said = [person.communicate(timeout=LIMIT_S)[1] for person in people]

    assert sorted(person.returncode for person in people) == [0, 2, 2]
    assert "".join(said).count("A run of 'nightly' goes on") == 2
    (firing,) = store.firings("nightly")
    assert (firing.status, firing.starts) == (SUCCEEDED, 1)


def test_with_a_service_it_is_left_to_the_service(local, store, make_service, clock):
    put(store, make_settings(paused=True))
    with hold():  # as the service does
        told = local.run_now(find(local))

    assert "pawpetal scheduler" in told
    assert list(list_runs()) == []
    (firing,) = finish(make_service(), store)
    assert (firing.status, firing.is_manual) == (SUCCEEDED, True)


def test_while_a_run_goes_on_another_one_is_refused(local, store, make_service, clock, tmp_path):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    clock.pass_time(minutes=1)
    service = make_service()
    tick_until(service, lambda: list(list_runs()), "the run")

    with pytest.raises(InputError, match="A run of 'nightly' goes on: pawpetal runs show"):
        local.run_now(find(local))

    go_on.touch()
    assert len(finish(service, store)) == 1


def test_what_waits_is_what_runs_when_people_ask(local, store, short_runs):
    held = put(store, make_settings())
    store.claim(held, NOON, NOON)

    local.run_now(find(local))

    assert [firing.status for firing in store.firings("nightly")] == [SUCCEEDED]


def test_what_was_killed_with_its_service_is_what_runs_when_people_ask(
    local, store, short_runs, make_service, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    clock.pass_time(minutes=1)
    service = make_service()
    tick_until(service, lambda: list(list_runs()), "the run")
    service._runner.stop()
    go_on.touch()

    told = local.run_now(find(local))

    assert told.startswith("nightly-20261123-120100-now, succeeded")
    assert [firing.starts for firing in store.firings("nightly")] == [1]


def test_a_service_that_starts_meanwhile_does_not_run_it_again(
    local, short_runs, store, make_service, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    told = []
    person = threading.Thread(target=lambda: told.append(local.run_now(find(local))))
    person.start()
    while not list(list_runs()):
        time.sleep(0.02)
    service = make_service()
    for _ in range(20):
        service.tick()
        time.sleep(0.02)
    go_on.touch()
    person.join(timeout=20)

    (firing,) = finish(service, store)

    assert len(told) == len(list(list_runs())) == 1
    assert firing.status == SUCCEEDED


IN_FRONT = """
import sys
from components.common.errors import InputError
from pipelines.schedules.local import runner, scheduler
from tests.pipelines.schedules.local.conftest import short_run
class ShortRunner(runner.Runner):
    def __init__(self, *args, **settings):
        super().__init__(*args, command=short_run, **settings)
scheduler.Runner = ShortRunner
local = scheduler.LocalScheduler()
try:
    local.run_now(local.live()[0])
except KeyboardInterrupt:
    sys.exit(130)
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


def test_ctrl_c_cancels_a_run_here(local, store, short_runs, tmp_path):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    process = subprocess.Popen([sys.executable, "-c", IN_FRONT], start_new_session=True)
    while not list(list_runs()):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does

    assert process.wait(timeout=20) == 130
    assert [firing.status for firing in store.firings("nightly")] == [CANCELLED]
    go_on.touch()
    local.run_now(find(local))
    assert [firing.status for firing in store.firings("nightly")] == [CANCELLED, SUCCEEDED]
