"""The SQLite file: one claim a time, whoever asks; and files that cannot be used."""

import itertools
import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest

from components.common.errors import InputError
from pipelines.schedules.local.store import Store
from tests.pipelines.schedules.local.conftest import NOON, make_settings, put

CLAIMER = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pipelines.schedules.local.store import Store
store = Store()
held = store.find("nightly")
print("ready", flush=True)
sys.stdin.readline()
first = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
times = [first + timedelta(minutes=minute) for minute in range(1, 101)]
print(*[time.isoformat() for time in times if store.claim(held, time, time)])
"""


def test_of_processes_that_claim_the_same_times_each_time_goes_to_one(store):
    put(store, make_settings())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all at once
        process.stdin.write("go\n")
        process.stdin.flush()

    claimed = [process.communicate(timeout=60)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(itertools.chain(*claimed)) == [
        (NOON + timedelta(minutes=minute)).isoformat() for minute in range(1, 101)
    ]
    assert len(store.firings("nightly")) == 100


def test_processes_that_open_a_new_file_at_once_make_one(home):
    program = "from pipelines.schedules.local.store import Store; print(Store().schedules())"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]

    assert [process.communicate(timeout=60)[0] for process in processes] == ["[]\n"] * 6


def test_a_schedule_that_was_changed_meanwhile_is_not_claimed(store):
    before = put(store, make_settings())
    put(store, make_settings(cron="0 3 * * *"))

    assert not store.claim(before, NOON, NOON)
    assert store.firings("nightly") == []


def test_a_run_that_people_ask_for_takes_no_time_of_the_cron_away(store):
    held = put(store, make_settings())

    asked = store.ask("nightly", NOON)

    assert asked.due == NOON + timedelta(milliseconds=1)
    assert store.claim(held, NOON, NOON)
    assert store.ask("nightly", NOON).due == NOON  # the oldest that is open; no third one


def test_settings_come_back_as_they_were(store):
    settings = make_settings(
        time_zone="Europe/Berlin",
        on_new_data="gs://acme/photos",
        catch_up=True,
        place={"on": "kubeflow", "host": "http://127.0.0.1:1", "cpus": 1.5},
        parameters={"epochs": 3, "learning_rate": 1e-05, "mirror_averaging": False, "x": "a'b\"ü"},
    )

    assert put(store, settings).settings == settings


def test_a_file_that_is_damaged_is_told_of(home):
    home.mkdir()
    (home / "scheduler.sqlite").write_bytes(b"no database at all, however long it may be" * 100)

    with pytest.raises(InputError, match=r"is damaged: file is not a database\. Move it away"):
        Store()


def test_a_file_that_was_cut_short_is_told_of(store, home):
    for number in range(50):
        put(store, make_settings(f"schedule-{number}"))
    store.close()
    content = (home / "scheduler.sqlite").read_bytes()
    (home / "scheduler.sqlite").write_bytes(content[: len(content) // 2])

    with pytest.raises(InputError, match="is damaged: database disk image is malformed"):
        Store().schedules()


def test_a_file_of_a_later_pawpetal_is_refused_and_left_as_it_is(store, home):
    store.close()
    with sqlite3.connect(home / "scheduler.sqlite") as connection:
        connection.execute("PRAGMA user_version = 2")

    with pytest.raises(InputError, match=r"written by a later pawpetal \(version 2 of its tables"):
        Store()


def test_a_home_that_cannot_be_written_is_told_of(tmp_path):
    (tmp_path / "home" / "scheduler.sqlite").mkdir(parents=True)

    with pytest.raises(InputError, match="cannot be used: unable to open database file"):
        Store()
