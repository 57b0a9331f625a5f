"""The run of a firing: how it is called, how it is started, and what its record says of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from components.common.home import home
from components.common.progress import format_seconds
from pipelines.runs import FAILED, KILLED, RUNNING, SUCCEEDED, Run, RunFolder, run_folder
from pipelines.schedules import Settings
from pipelines.schedules.local.living import is_held
from pipelines.schedules.local.records import Firing
from pipelines.specs import Value
from pipelines.targets.options import DOCKER, LOCAL, OPTIONS

ABSENT = "absent"  # no run of that id has begun


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a run is."""

    status: str  # as of its record, or ABSENT
    run: Run | None = None  # its record, once it has one


def is_local(settings: Settings) -> bool:
    """Whether its runs share this machine."""
    return settings.place["on"] in (LOCAL, DOCKER)


def next_run_id(firing: Firing) -> str:
    """A name for the run of a firing that no run has: "-2" where the first was killed."""
    base = f"{firing.schedule}-{firing.due.astimezone(UTC):%Y%m%d-%H%M%S}"
    base += "-now" if firing.is_manual else ""
    number = 1
    while run_folder(run_id := base if number == 1 else f"{base}-{number}").exists():
        number += 1
    return run_id


def command(settings: Settings, run_id: str) -> list[str]:
    """What a person would type to start it."""
    place = {name: value for name, value in settings.place.items() if name != "on"}
    return [
        *(sys.executable, "-m", "pipelines", "--home", str(home()), "run"),
        *("--run-id", run_id, "--pipeline", settings.pipeline, "--on", str(settings.place["on"])),
        *(flag for name, value in place.items() for flag in _place_flags(name, value)),
        *(_flag(name, value) for name, value in settings.parameters.items()),
    ]


def _place_flags(name: str, value: Value) -> Iterator[str]:
    flags: Any = OPTIONS[name][1].get("flag") if name in OPTIONS else None
    if flags is None:
        yield _flag(name, value)
        return
    on, _, off = flags.partition("/")
    if chosen := on if value else off:
        yield chosen


def _flag(name: str, value: Value) -> str:
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{dashed}" if value else f"--no-{dashed}"
    return f"--{dashed}={value}"


def look_up(run_id: str) -> State:
    """What the records of this machine say of a run."""
    # Asked first: a process writes down how its run ended before it ends.
    if is_held(run_id):
        return State(status=RUNNING)
    return read_record(run_id)


def read_record(run_id: str) -> State:
    """What the folder of a run says of it; for who knows of its process."""
    folder = RunFolder(run_folder(run_id))
    try:
        run = folder.load()
    except FileNotFoundError:
        if not folder.path.is_dir():
            return State(status=ABSENT)
        return State(status=RUNNING if folder.is_alive() else KILLED)
    return State(status=run.status, run=run)


def describe(run: Run) -> str:
    """How an ended run went, in one line."""
    if run.status == FAILED and run.error:
        return f"step {run.error['step']}: {run.error['message']}"
    said = []
    if "accuracy" in run.metrics:
        said.append(f"accuracy {run.metrics['accuracy']:.4f}")
    if run.model:
        rank = "champion" if run.model.get("is_champion") else "registered"
        said.append(f"{rank}, {run.model['name']} v{run.model['version']}")
    elif run.gate and not run.gate["passed"]:
        said.append("held back, nothing registered")
    took = f"in {format_seconds(run.seconds)}" if run.status == SUCCEEDED else ""
    return ": ".join(filter(None, (took, ", ".join(said))))


def log_path(run_id: str) -> Path:
    """What a run prints while it goes on; with its record as soon as it ended."""
    return home() / "scheduler" / f"{run_id}.log"


def kept_log(run_id: str) -> Path:
    """Where that is when the run has ended: in its folder, if it made one."""
    folder = run_folder(run_id)
    return folder / "scheduler.log" if folder.is_dir() else log_path(run_id)


def last_line(log: Path) -> str:
    """The last thing that a run said, for one that has no record; empty if nothing."""
    lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said.removeprefix("pawpetal: ")
