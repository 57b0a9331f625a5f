"""Records of runs on this machine: one folder a run, one JSON file in it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from components.common.errors import InputError
from components.common.home import home
from components.common.storage import write_atomically

RECORD = "run.json"
LOCK = ".lock"
RUN_ID = re.compile(r"[a-z][a-z0-9-]{0,99}")  # what folders, labels and Vertex AI take
RUNNING, SUCCEEDED, FAILED, KILLED, CANCELLED = (
    "running",
    "succeeded",
    "failed",
    "killed",
    "cancelled",
)
SUBMITTED = "submitted"  # it goes on in a cluster, and nobody here follows it
# What people open, in the order of the steps that make it; names of a run's fields, too.
PAGES = ("data_report", "preview", "comparison", "report")


@dataclass(kw_only=True)
class Step:
    """One step of a run."""

    name: str
    status: str = "waiting"  # waiting, running, succeeded, failed, skipped
    seconds: float = 0.0
    cached: bool = False
    log: str = ""  # path; empty for a step that did not run


@dataclass(kw_only=True)
class Run:
    """What is known of one run, and the JSON that `pawpetal run --json` prints."""

    run_id: str
    pipeline: str
    target: str
    status: str = RUNNING
    started_at: str = ""  # ISO 8601, UTC
    seconds: float = 0.0
    parameters: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)  # on test photos
    gate: dict[str, Any] | None = None  # min_accuracy, accuracy, passed
    model: dict[str, Any] | None = None  # name, version, is_champion, verdict
    best: dict[str, Any] | None = None  # of a sweep: name, accuracy on validation, num_candidates
    findings: dict[str, int] | None = None  # in the photos, by severity
    data_report: str | None = None  # paths
    preview: str | None = None
    comparison: str | None = None
    report: str | None = None
    url: str | None = None  # of the run's page in a UI
    remote_id: str | None = None  # of the run where it runs, if that is elsewhere
    warning: str | None = None  # of what went wrong beside the run
    error: dict[str, str] | None = None  # step, message, log

    def to_json(self) -> str:
        """Write it as one JSON object."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Run:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["steps"] = [Step(**_known(step, Step)) for step in fields["steps"]]
        return cls(**_known(fields, cls))


def _known(fields: dict[str, Any], record: type[Run] | type[Step]) -> dict[str, Any]:
    """Fields that this version has; another version's record must not end every listing."""
    known = {field.name for field in dataclasses.fields(record)}
    return {key: value for key, value in fields.items() if key in known}


class RunFolder:
    """The folder of one run; held by a lock as long as the run lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK)

    @classmethod
    def create(cls, pipeline: str, run_id: str = "") -> RunFolder:
        """Make the folder of a new run, and hold it until this process ends.

        Args:
            pipeline: Name of the pipeline, e.g. "train_and_push".
            run_id: Its name; empty for one of the pipeline and the time.

        Raises:
            InputError: If there is a run of that name, or no folder can have it.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        usual = f"{pipeline.replace('_', '-')}-{stamp}-{secrets.token_hex(2)}"
        if run_id and not RUN_ID.fullmatch(run_id):
            raise InputError(
                "`run_id` must start with a letter, and hold only small letters, digits and dashes,"
                f" 100 at most. Received: '{run_id}'"
            )
        folder = cls(run_folder(run_id or usual))
        try:
            folder.path.mkdir(parents=True)  # of two that want it, one has it
        except FileExistsError:
            raise InputError(
                f"`run_id` must be new. Received: '{run_id}'. See: pawpetal runs show {run_id}"
            ) from None
        folder._lock.acquire()
        return folder

    def release(self) -> None:
        """Let go of it; the system does that too when the process ends, however it ends."""
        self._lock.release()

    def save(self, run: Run) -> None:
        """Write the record; a reader, or a kill, never finds half of it."""
        write_atomically(self.path / RECORD, run.to_json().encode())

    def load(self) -> Run:
        """Read the record; a run that says it is running, and holds no lock, was killed.

        One that a cluster runs was not: only nobody follows it any more.
        """
        run = self._read()
        if run.status == RUNNING and not self.is_alive():
            run = self._read()  # it may have ended between the two
            if run.status == RUNNING:
                run.status = SUBMITTED if run.remote_id else KILLED
        if run.status == KILLED:
            for step in run.steps:
                step.status = KILLED if step.status == RUNNING else step.status
        return run

    def _read(self) -> Run:
        return Run.from_json((self.path / RECORD).read_text())

    def is_alive(self) -> bool:
        """Whether a process holds it."""
        try:
            with FileLock(self.path / LOCK, timeout=0):
                return False
        except Timeout:
            return True


def list_runs() -> Iterator[Run]:
    """Every run on this machine, newest first."""
    root = _runs_folder()
    found = [RunFolder(path.parent).load() for path in root.glob(f"*/{RECORD}")]
    yield from sorted(found, key=lambda run: run.started_at, reverse=True)


def find_run(run_id: str) -> Run:
    """The run of that id, or the newest for "latest".

    Raises:
        InputError: If there is none.
    """
    if run_id == "latest":
        newest = next(list_runs(), None)
        if newest is None:
            raise InputError(f"There is no run in '{_runs_folder()}' yet. Start one: pawpetal run")
        return newest
    folder = _runs_folder() / Path(run_id).name
    if not (folder / RECORD).is_file():
        raise InputError(
            f"There is no run '{run_id}' in '{_runs_folder()}'. See: pawpetal runs list"
        )
    return RunFolder(folder).load()


def now() -> str:
    """The time as records hold it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run_folder(run_id: str) -> Path:
    """Where the run of that id is, or would be."""
    return _runs_folder() / run_id


def _runs_folder() -> Path:
    return home() / "runs"


def is_writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that exists, can be written to."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)
