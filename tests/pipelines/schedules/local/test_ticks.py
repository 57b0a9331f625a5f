"""What the service fires: times that were missed, clocks that are wrong, pauses, new photos."""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.runs import list_runs
from pipelines.schedules.local.database import GoneError
from pipelines.schedules.local.new_data import NewData, fingerprint
from pipelines.schedules.local.scheduler import LocalScheduler
from tests.pipelines.schedules.local.conftest import (
    NOON,
    finish,
    make_settings,
    put,
    short_run,
    tick_until,
)


def minutes(firings):
    """How many minutes after noon they were due."""
    return [(firing.due - NOON) / timedelta(minutes=1) for firing in firings]


def live(scheduler):
    return scheduler.live()[0]


def test_a_time_fires_once_when_it_has_come(make_service, store, clock, capsys):
    put(store, make_settings())
    service = make_service()
    service.tick()
    clock.pass_time(seconds=59)
    service.tick()
    assert store.firings("nightly") == []

    clock.pass_time(seconds=1)
    (firing,) = finish(service, store)
    clock.pass_time(seconds=30)
    service.tick()

    assert [firing] == store.firings("nightly")
    assert (firing.due, firing.status) == (NOON + timedelta(minutes=1), "succeeded")
    assert firing.run_id == "nightly-20261123-120100"
    told = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "nightly: retrain on local, at * * * * * UTC, next Mon 2026-11-23 12:01 UTC",
        "nightly: started, run nightly-20261123-120100",
        "nightly: succeeded in 3 min 00 s: accuracy 0.9700, champion, pets v4",
    ]


def test_missed_times_give_one_run_of_the_newest(make_service, store, clock):
    put(store, make_settings())
    clock.pass_time(minutes=10, seconds=5)

    assert minutes(finish(make_service(), store)) == [10]


def test_missed_times_are_caught_up_one_after_the_other_oldest_first(make_service, store, clock):
    put(store, make_settings(catch_up=True))
    clock.pass_time(minutes=3)
    service = make_service(max_runs=4)
    service.tick()
    assert minutes(store.open_firings()) == [1]  # never twice at once

    tick_until(service, lambda: len(store.firings("nightly")) == 3, "all three")

    firings = finish(service, store)
    assert minutes(firings) == [1, 2, 3]
    assert {firing.status for firing in firings} == {"succeeded"}


def test_times_that_come_while_a_run_goes_on_give_one_run_after_it(
    make_service, store, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    service = make_service()
    for _ in range(5):
        clock.pass_time(minutes=1)
        service.tick()
    assert minutes(store.firings("nightly")) == [1]

    go_on.touch()
    tick_until(service, lambda: len(store.firings("nightly")) == 2, "the next run")

    assert minutes(finish(service, store)) == [1, 5]


def test_a_clock_that_is_set_back_fires_nothing_again_and_then_goes_on(make_service, store, clock):
    put(store, make_settings())
    service = make_service()
    for _ in range(3):
        clock.pass_time(minutes=1)
        finish(service, store)
    clock.pass_time(minutes=-2)
    for _ in range(4):
        finish(service, store)
        clock.pass_time(minutes=1)

    assert minutes(finish(service, store)) == [1, 2, 3, 4, 5]


def test_a_clock_that_was_far_ahead_for_a_while_does_not_stop_what_comes(
    make_service, store, clock
):
    put(store, make_settings(cron="0 * * * *"))
    service = make_service()
    clock.pass_time(days=1000)
    finish(service, store)
    clock.pass_time(days=-1000)
    finish(service, store)
    clock.pass_time(hours=1)

    first, _ahead = finish(service, store)
    assert first.due == NOON + timedelta(hours=1)
    assert live(LocalScheduler(clock)).last == first.due  # not what the clock showed once


def test_runs_of_this_machine_wait_for_one_another_and_those_elsewhere_do_not(
    make_service, store, clock, tmp_path
):
    go_on = tmp_path / "go-on"
    waits = {"how": f"wait {go_on}"}
    for name in ("first", "second"):
        put(store, make_settings(name, parameters=waits))
    place = {"on": "kubeflow", "host": "http://127.0.0.1:1"}
    put(store, make_settings("third", place=place, parameters=waits))
    service = make_service()
    clock.pass_time(minutes=1)

    service.tick()
    statuses = {firing.schedule: firing.status for firing in store.open_firings()}
    go_on.touch()
    finish(service, store)

    assert statuses == {"first": "running", "second": "waiting", "third": "running"}
    assert store.firings("second")[0].status == "succeeded"


def test_a_schedule_that_always_has_something_to_catch_up_leaves_room_for_others(
    make_service, store, clock
):
    put(store, make_settings("always", catch_up=True))
    put(store, make_settings("hourly", cron="0 * * * *"))
    service = make_service()
    clock.pass_time(hours=1)  # 60 runs of `always`, all of them due before

    tick_until(service, lambda: store.firings("hourly"), "the claim")
    tick_until(service, lambda: store.firings("hourly")[0].status == "succeeded", "its turn")

    assert len(store.firings("always")) <= 3


@pytest.mark.parametrize(
    ("written", "message"),
    [('{"place": {}}', "cannot be read: apply it again"), ("x", "cannot be read: apply it again")],
)
def test_a_schedule_that_cannot_be_read_is_said_and_does_not_end_the_others(
    make_service, store, clock, home, written, message, capsys
):
    put(store, make_settings("broken"))
    put(store, make_settings())
    with sqlite3.connect(home / "scheduler.sqlite") as file:
        file.execute("UPDATE schedules SET settings = ? WHERE name = 'broken'", (written,))
    clock.pass_time(minutes=1)

    (firing,) = finish(make_service(), store)

    assert firing.status == "succeeded"
    assert capsys.readouterr().out.count(f"broken: what is kept of it {message}") == 1


def test_what_nobody_expected_of_one_schedule_does_not_end_the_others(
    make_service, store, clock, capsys
):
    def command(settings, run_id):
        if settings.name == "broken":
            raise KeyError("on")
        return short_run(settings, run_id)

    put(store, make_settings("broken", cron="1 12 * * *"))
    put(store, make_settings())
    service = make_service(command=command)
    clock.pass_time(minutes=1)

    tick_until(service, lambda: store.firings("nightly"), "the claim")
    tick_until(service, lambda: store.firings("nightly")[0].status == "succeeded", "its run")

    assert capsys.readouterr().out.count("broken: KeyError: 'on'") == 1


@pytest.mark.parametrize("gone", ["scheduler.sqlite", "scheduler.lock", "."])
def test_where_its_home_or_its_file_is_removed_it_stops(
    make_service, store, clock, home, gone, tmp_path, monkeypatch
):
    monkeypatch.setattr("pipelines.schedules.local.service.TICK_S", 0.02)
    put(store, make_settings(parameters={"how": f"wait {tmp_path / 'never'}"}))
    service = make_service()
    children = []

    def should_stop():
        clock.pass_time(minutes=1)
        if list(list_runs()) and not children:
            children.extend(service._runner._children.values())
            (shutil.rmtree if gone == "." else Path.unlink)(home / gone)
        return False

    with pytest.raises(GoneError, match=r"scheduler\.\w+' was removed or replaced"):
        service.run(should_stop)

    assert [child.poll() is None for child in children] == [False]


def test_a_paused_schedule_does_not_fire_and_makes_up_for_nothing_when_resumed(
    make_service, store, clock
):
    put(store, make_settings(catch_up=True))
    scheduler, service = LocalScheduler(clock), make_service()
    scheduler.pause(live(scheduler))
    clock.pass_time(minutes=5)
    service.tick()
    assert store.firings("nightly") == []

    scheduler.resume(live(scheduler))
    service.tick()
    assert store.firings("nightly") == []
    clock.pass_time(minutes=1)

    assert minutes(finish(service, store)) == [6]


def test_photos_that_came_during_a_pause_are_found_after_it(
    make_service, store, clock, photo_folder
):
    folder, _ = watched(store, photo_folder)
    scheduler, service = LocalScheduler(clock), make_service()
    scheduler.pause(live(scheduler))
    shutil.copy(folder / "dog" / "000.jpg", folder / "cat" / "new.jpg")
    clock.pass_time(minutes=5)
    service.tick()
    scheduler.resume(live(scheduler))
    clock.pass_time(minutes=1)

    tick_until(service, lambda: store.firings("nightly"), "the run")

    assert minutes(finish(service, store)) == [6]


def test_a_schedule_that_is_deleted_while_it_runs_is_followed_to_its_end(
    make_service, store, clock, tmp_path, capsys
):
    go_on = tmp_path / "go-on"
    put(store, make_settings(parameters={"how": f"wait {go_on}"}))
    scheduler, service = LocalScheduler(clock), make_service()
    clock.pass_time(minutes=1)
    service.tick()
    scheduler.delete(live(scheduler))
    clock.pass_time(minutes=5)
    service.tick()
    go_on.touch()

    (firing,) = finish(service, store)

    assert firing.status == "succeeded"
    assert "nightly: deleted" in capsys.readouterr().out


def test_a_firing_that_waits_goes_with_its_schedule(make_service, store, clock, tmp_path):
    go_on = tmp_path / "go-on"
    put(store, make_settings("first", parameters={"how": f"wait {go_on}"}))
    put(store, make_settings())
    scheduler, service = LocalScheduler(clock), make_service()
    clock.pass_time(minutes=1)
    service.tick()
    scheduler.delete(scheduler.live()[1])
    go_on.touch()

    (firing,) = finish(service, store)

    assert (firing.status, firing.said) == ("cancelled", "its schedule was deleted")


def test_what_was_deleted_and_made_again_does_not_fire_the_same_time_again(
    make_service, store, clock
):
    put(store, make_settings())
    scheduler, service = LocalScheduler(clock), make_service()
    clock.pass_time(minutes=1)
    finish(service, store)
    scheduler.delete(live(scheduler))
    put(store, make_settings(), seen=NOON)

    assert minutes(finish(service, store)) == [1]


def watched(store, photo_folder, **changed):
    """A folder, and the fingerprint of its photos, that a schedule looks at each minute."""
    folder = photo_folder({"cat": 3, "dog": 3})
    known = fingerprint(f"folder:{folder}")
    settings = make_settings(cron="", on_new_data=f"folder:{folder}", **changed)
    put(store, settings, fingerprint=known)
    return folder, known


def looked(store):
    return store.find("nightly").looked


def test_where_no_photo_came_no_run_starts_and_that_is_said_once(
    make_service, store, clock, photo_folder, capsys
):
    folder, _ = watched(store, photo_folder)
    service = make_service()
    for _ in range(3):
        clock.pass_time(minutes=1)
        at = clock.now.isoformat(timespec="milliseconds")
        tick_until(service, lambda at=at: store.find("nightly").looked_at == at, "the look")

    assert store.firings("nightly") == []
    since = f"{NOON.astimezone():%Y-%m-%d %H:%M}"
    assert looked(store) == f"nothing new in folder:{folder} since {since}, no run"
    assert capsys.readouterr().out.count("nothing new in") == 1


def test_a_run_that_fails_has_seen_its_photos_and_is_not_repeated(
    make_service, store, clock, photo_folder, capsys
):
    folder, _ = watched(store, photo_folder, parameters={"how": "fail"})
    shutil.copy(folder / "dog" / "000.jpg", folder / "cat" / "new.jpg")
    service = make_service()
    clock.pass_time(minutes=1)
    tick_until(service, lambda: store.firings("nightly"), "the run")
    (firing,) = finish(service, store)
    clock.pass_time(minutes=1)
    tick_until(service, lambda: "nothing new" in looked(store), "the next look")

    assert [firing] == store.firings("nightly")
    assert (firing.status, firing.said) == ("failed", "step train: Training diverged")
    assert "nightly: failed: step train: Training diverged" in capsys.readouterr().out
    store.ask("nightly", clock.now)  # as `run-now` does
    assert [each.is_manual for each in finish(service, store)] == [False, True]


def test_a_place_that_cannot_be_read_is_said_and_looked_at_again(
    make_service, store, clock, photo_folder, capsys
):
    folder, _ = watched(store, photo_folder)
    folder.rename(folder.with_name("unplugged"))
    service = make_service()
    clock.pass_time(minutes=1)
    tick_until(service, lambda: looked(store), "the look")
    assert "cannot be read, no run: No such folder" in LocalScheduler(clock).live()[0].last_status

    folder.with_name("unplugged").rename(folder)
    clock.pass_time(minutes=1)
    tick_until(service, lambda: "nothing new" in looked(store), "the next look")

    assert store.firings("nightly") == []
    assert capsys.readouterr().out.count("cannot be read, no run") == 1


def test_a_slow_place_does_not_keep_other_schedules_waiting(
    make_service, store, clock, monkeypatch
):
    class NeverDone(NewData):
        def look(self, *_):
            return None

    put(store, make_settings("watching", cron="", on_new_data="gs://down/photos"))
    put(store, make_settings())
    clock.pass_time(minutes=1)

    (firing,) = finish(make_service(new_data=NeverDone()), store)

    assert firing.status == "succeeded"


@pytest.mark.parametrize("cron", ["0 3 31 2 *", "never"])
def test_a_schedule_that_cannot_fire_is_said_and_does_not_end_the_others(
    make_service, store, clock, cron, capsys
):
    put(store, make_settings("broken", cron=cron))
    put(store, make_settings())
    clock.pass_time(minutes=1)

    (firing,) = finish(make_service(), store)

    assert firing.status == "succeeded"
    assert capsys.readouterr().out.count("broken: `cron` must be five fields") == 1


def test_a_full_disk_is_said_and_what_is_due_fires_when_there_is_space(
    make_service, store, clock, monkeypatch, capsys
):
    monkeypatch.setattr("pipelines.schedules.local.service.TICK_S", 0.02)
    put(store, make_settings(parameters={"how": "succeed", "long": "x" * 100_000}))
    service = make_service()
    # SQLite's own limit, which gives the error that a full disk gives.
    limited = service._store._database._connection
    limited.execute("PRAGMA max_page_count = 1")  # no more than there are
    clock.pass_time(minutes=1)
    said = []

    def should_stop():
        said.append(capsys.readouterr().out)
        if "disk is full" in "".join(said):
            limited.execute("PRAGMA max_page_count = 1000000")
        return [each.status for each in store.firings("nightly")] == ["succeeded"]

    service.run(should_stop)

    assert "".join(said).count("cannot be used: database or disk is full.") == 1
