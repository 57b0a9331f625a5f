"""The real service with real runs, killed in the middle: nothing fires twice, nothing is lost."""

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.errors import InputError
from components.ingest.samples.render import render
from pipelines.runs import find_run, list_runs
from pipelines.schedules.cron import Cron
from pipelines.schedules.local.scheduler import LocalScheduler
from pipelines.schedules.local.service import hold, holder
from pipelines.schedules.schedule import Schedule
from tests.pipelines import command
from tests.pipelines.command import ROOT, finish, has_ended, pawpetal, processes_of, wait_for
from tests.pipelines.schedules.local.conftest import make_settings, put
from tests.pipelines.schedules.local.quick_clock import quick_clock

SPEED = 30.0  # a minute takes 2 s
PATIENCE_S = 300.0  # where a machine has much else to do
SMALL = {"architecture": "dense", "image_size": 16, "epochs": 1, "min_accuracy": 0.0}
PROGRAM = Path(__file__).with_name("quick_clock.py")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(command, "START_LIMIT_S", PATIENCE_S)


@pytest.fixture
def photos(tmp_path):
    """A folder of 24 photos, and four more that are not in it yet."""
    for photo in render("pets", photos_per_class=14, seed=0, start=0, stop=None):
        number = int(Path(photo.filename).stem)
        path = tmp_path / ("photos" if number < 12 else "later") / photo.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo.encoded)
    return tmp_path / "photos"


def add_photo(photos: Path) -> None:
    new = next(iter(sorted((photos.parent / "later").rglob("*.jpg"))))
    shutil.move(new, photos / new.parent.name / new.name)


@pytest.fixture
def start_service(tmp_path):
    """Starts the command; its output goes to one file for all of them."""
    services, started_at = [], time.time()

    def start():
        with (tmp_path / "said").open("ab") as out:
            words = [PROGRAM, started_at, SPEED, "scheduler"]
            process = subprocess.Popen(
                [sys.executable, *map(str, words)],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        services.append(process)
        return process

    start.clock = functools.partial(quick_clock, started_at, SPEED)
    start.said = lambda: (tmp_path / "said").read_text()
    yield start
    for process in services:
        process.kill()
        process.wait()
    for pid in processes_of(tmp_path / "home"):  # of a test that failed
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def follower_of(run_id: str) -> int | None:
    """The process `pawpetal run` of a run."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"--run-id" in words and run_id.encode() in words:
                return int(path.parent.name)
    return None


def list_run_ids() -> list[str]:
    return [run.run_id for run in list_runs()]


def has_begun_to_train(run_id: str) -> bool:
    return {step.name: step.status for step in find_run(run_id).steps}["train"] != "waiting"


def test_a_schedule_of_each_minute_retrains_when_a_photo_came_and_is_killed_in_between(
    home, photos, store, start_service
):
    scheduler = LocalScheduler(start_service.clock)
    schedule = Schedule(
        name="nightly",
        pipeline="retrain",
        cron=Cron("* * * * *"),
        on_new_data=f"folder:{photos}",
        parameters={"dataset": f"folder:{photos}", **SMALL},
    )
    scheduler.create(scheduler.prepare(schedule))

    def wait_for_looks(number: int) -> None:
        """Let it look at the photos that often, and find nothing new."""
        for _ in range(number):
            before = store.find("nightly").looked_at
            wait_for(lambda before=before: store.find("nightly").looked_at != before, "a look")
            assert "nothing new" in store.find("nightly").looked

    service = start_service()
    wait_for_looks(2)  # no photo was added: no run
    assert store.firings("nightly") == []
    assert list(list_runs()) == []

    add_photo(photos)  # one was: one run
    (first,) = wait_for(list_run_ids, "the run")
    service.kill()  # the service alone, whose run lives on
    service.wait()
    service = start_service()
    wait_for(lambda: f"run {first} goes on" in start_service.said(), "the next service")
    wait_for(lambda: has_begun_to_train(first), "the step train")
    assert [each.starts for each in store.open_firings()] == [1]
    service.kill()  # with its run, as by a power cut
    os.kill(follower_of(first), signal.SIGKILL)
    service.wait()
    wait_for(lambda: find_run(first).status == "killed", "the end of the run")
    service = start_service()
    for step in ("train", "evaluate", "push"):  # each in its own time
        wait_for(lambda step=step: has_ended(home, step, {first}), f"the end of {step}")
    wait_for(lambda: not store.open_firings(), "the end of the second start")
    wait_for_looks(2)  # and nothing follows
    service.send_signal(signal.SIGTERM)

    assert service.wait(timeout=20) == 0
    (firing,) = store.firings("nightly")
    again = find_run(f"{first}-2")
    assert (firing.status, firing.starts, firing.run_id) == ("succeeded", 2, again.run_id)
    assert list_run_ids() == [again.run_id, first]
    assert (again.status, again.model["version"]) == ("succeeded", "1")
    # What was done before the kill was not done again.
    assert [step.cached for step in again.steps[:3]] == [True] * 3
    said = [line.partition("nightly: ")[2] for line in start_service.said().splitlines()]
    assert sum(line.startswith("nothing new in folder:") for line in said) >= 2
    assert sum(line.startswith("succeeded in") for line in said) == 1
    events = ("photos of", "started", "run ")
    told = [" ".join(line.split()[:4]) for line in said if line.startswith(events)]
    assert [line.rstrip(",;") for line in told] == [
        f"photos of folder:{photos} changed",
        f"started, run {first}",
        f"run {first} goes on",
        f"run {first} was killed",
        f"started again, run {first}-2",
    ]


def test_a_second_service_is_refused_with_the_process_of_the_first(home):
    with hold():
        code, out, err = finish(pawpetal(home, "scheduler"))

    assert code == 2
    assert err.startswith(f"pawpetal: A scheduler runs for '{home}' already: process {os.getpid()}")
    assert out == ""


def test_who_holds_the_home_is_known_and_a_kill_lets_go_of_it(home):
    assert holder() == ""
    process = pawpetal(home, "scheduler")
    wait_for(lambda: holder() == str(process.pid), "the service")

    process.kill()
    finish(process)

    assert holder() == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_what_it_will_do_and_ends_when_told(home, store, number, status):
    put(store, make_settings(cron="0 3 * * mon", time_zone="Europe/Berlin"))
    put(store, make_settings("weekly", paused=True))
    process = pawpetal(home, "scheduler")
    wait_for(lambda: holder() == str(process.pid), "the service")
    lines = [process.stdout.readline() for _ in range(3)]

    process.send_signal(number)
    code, out, _ = finish(process)

    assert code == status
    assert lines[0].endswith(f"  pawpetal scheduler, process {process.pid}, in {home}\n")
    assert "  nightly: retrain on local, at 0 3 * * mon Europe/Berlin, next Mon " in lines[1]
    assert lines[2].endswith("  weekly: retrain on local, paused\n")
    assert out.endswith("  stopping\n")


def test_in_the_background_of_a_script_its_runs_heed_ctrl_c_all_the_same(home, store, tmp_path):
    words = [sys.executable, PROGRAM, time.time() - 60.0, SPEED, "scheduler"]
    put(store, make_settings(cron="", on_new_data="folder:/no/such"))
    script = f"trap '' INT; exec {shlex.join(map(str, words))}"  # as `&` does there
    process = subprocess.Popen(
        ["sh", "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        wait_for(lambda: holder() == str(process.pid), "the service")
        mask = int(proc_status(process.pid)["SigIgn"], 16)
    finally:
        process.kill()
        process.wait()

    assert not mask & (1 << (signal.SIGINT - 1))


def proc_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_one_home_is_held_once_and_let_go_of(home):
    with hold(), pytest.raises(InputError, match="A scheduler runs for"), hold():
        pass
    with hold():
        pass
