"""The command `pawpetal` as a person starts it, and ways to watch and end it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipelines.specs import step_names

ROOT = Path(__file__).parents[2]
STEPS = step_names("train_and_push")
TINY = ("--dataset", "sample:pets?photos=40", "--epochs", "1", "--min-accuracy", "0")
SLOW_STEPS = ("train", "evaluate", "push")
START_LIMIT_S = 120


def pawpetal(home: Path, *arguments: str, source: Path = ROOT) -> subprocess.Popen:
    """Start the command as a person would, on a home of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=source,
        env={**os.environ, "PAWPETAL_HOME": str(home)},
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def records(home: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(home.glob("runs/*/run.json"))]


def wait_for(condition, what: str):
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {START_LIMIT_S} s")


def find_step(home: Path, step: str, status: str, known: set[str]) -> dict | None:
    """The step, where it has that status in a run that is not among the known ones."""
    fresh = [record for record in records(home) if record["run_id"] not in known]
    steps = [one for record in fresh for one in record["steps"]]
    return next((one for one in steps if (one["name"], one["status"]) == (step, status)), None)


def is_running(home: Path, step: str, known: set[str]) -> bool:
    return find_step(home, step, "running", known) is not None


def has_ended(home: Path, step: str, known: set[str]) -> dict | None:
    return find_step(home, step, "succeeded", known)


def kill(process: subprocess.Popen, home: Path) -> None:
    """Kill the command alone, as `kill -9` does; its runner and its step must follow."""
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    wait_for(lambda: not processes_of(home), "the end of the killed run's processes")


def processes_of(home: Path) -> list[int]:
    """Processes whose command line names the home: the runner and the step."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(home).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it ended while we looked
    return found
