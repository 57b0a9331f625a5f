"""The service killed at any moment, with its run and without: each minute has one good run."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from pipelines.runs import KILLED, SUCCEEDED, list_runs, run_folder
from tests.pipelines.command import ROOT, wait_for
from tests.pipelines.schedules.local.conftest import make_settings, put
from tests.pipelines.schedules.local.killed_often import SPEED
from tests.pipelines.schedules.local.quick_clock import quick_clock

NUM_KILLS = 5
PROGRAM = Path(__file__).with_name("killed_often.py")


def short_runs_of(home: Path) -> list[int]:
    """Processes of runs in this home, which no other test starts."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_run = b"short_run.py" in (path / "cmdline").read_bytes()
            if is_run and str(home).encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def test_no_minute_is_lost_or_runs_twice_however_often_it_is_killed(home, store, tmp_path):
    start = time.time()
    settings = make_settings(catch_up=True, parameters={"how": "last"})
    put(store, settings, seen=quick_clock(start, SPEED))
    rng = random.Random(0)  # noqa: S311  # moments, not secrets
    command = [sys.executable, str(PROGRAM), str(start)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for number in range(NUM_KILLS + 1):
        with (tmp_path / "said").open("ab") as out:
            service = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env=environment)
        if number == NUM_KILLS:
            break
        is_with_run = number % 2 == 1
        if is_with_run:
            wait_for(lambda: short_runs_of(home), "a run")
        time.sleep(rng.uniform(0.0, 0.3) if is_with_run else rng.uniform(0.6, 1.6))
        service.kill()
        service.wait()
        if is_with_run:
            for run in short_runs_of(home):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(run, signal.SIGKILL)
    until = quick_clock(start, SPEED)  # so far it must get
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = [each for each in store.firings("nightly") if each.status == SUCCEEDED]
        if done and done[-1].due >= until - timedelta(minutes=1):
            break
        time.sleep(0.2)
    service.kill()
    service.wait()

    due = [each.due for each in done]
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in pairwise(due))
    assert due[-1] >= until - timedelta(minutes=1)
    good = [run.run_id for run in list_runs() if run.status == SUCCEEDED]
    assert set(good) >= {each.run_id for each in done}
    bases = [run_id[: len("nightly-20261123-120100")] for run_id in good]
    assert len(set(bases)) == len(bases)  # no minute has two
    killed = {run.run_id[: len(bases[0])] for run in list_runs() if run.status == KILLED}
    assert killed <= {each.run_id[: len(bases[0])] for each in done if each.starts > 1}
    assert not any(run_folder(run_id).with_suffix(".log").exists() for run_id in good)
