"""Schedules as code: runs that start at a time, or when photos were added.

`file` reads what people want, `plan` compares it with what is there, and a scheduler makes it so:
Kubeflow's and Vertex AI's own, or the one of pawpetal (`local`). Light: no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pipelines.schedules.schedule import Schedule
from pipelines.specs import Value

__all__ = ["Live", "Scheduler", "Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A schedule as a scheduler holds it: all that `plan` compares."""

    name: str
    pipeline: str  # e.g. "retrain"
    version: str = ""  # of the deployed spec; empty where the installed code runs
    cron: str = ""  # five fields, as people wrote them; empty: whenever photos were added
    time_zone: str = "UTC"
    on_new_data: str = ""  # dataset URI that is looked at first; empty for none
    max_concurrency: int = 1
    catch_up: bool = False
    paused: bool = False
    place: Mapping[str, Value]  # where its runs run, e.g. {"on": "kubeflow", "experiment": "x"}
    parameters: Mapping[str, Value]  # inputs of the pipeline that differ from their defaults


@dataclass(frozen=True, kw_only=True)
class Live:
    """A schedule that is there."""

    settings: Settings
    id: str  # as its scheduler names it
    last: datetime | None = None  # when it fired last; aware
    last_status: str = ""  # how that went, e.g. "succeeded"; empty where nobody says
    last_run: str = ""  # id of the run that it became; empty where nobody says
    said: str = ""  # why it failed, or how it ended
    url: str = ""  # of its page


class Scheduler(Protocol):
    """What fires schedules. Each holds them in its own way; all are asked the same."""

    kind: ClassVar[str]  # "local", "kubeflow" or "vertex"

    @property
    def title(self) -> str:
        """What people call it, e.g. "Kubeflow at http://127.0.0.1:8080"."""

    def prepare(self, schedule: Schedule) -> Settings:
        """Check a schedule, and work out how it would be held; changes nothing.

        Raises:
            InputError: If it cannot work there.
        """

    def live(self) -> list[Live]:
        """The schedules of pawpetal's that are there, by name; those of others are left alone.

        Raises:
            PawpetalError: If the place cannot be asked.
        """

    def create(self, wanted: Settings) -> None:
        """Make it; made already by somebody else, or by a try whose answer was lost, it is one."""

    def update(self, live: Live, wanted: Settings) -> None:
        """Make the one that is there so: its history stays, and no time fires twice.

        So that nobody's change is taken back unseen, it is looked at once more right before it is
        changed, after any waiting. What is as wanted by then stays as it is.

        Raises:
            ConflictError: If it is no longer as `live` says, or gone. Read it, and decide, again.
        """

    def delete(self, live: Live) -> None:
        """Take it away; runs that it started stay."""

    def pause(self, live: Live) -> None:
        """Let it fire no more until it is resumed."""

    def resume(self, live: Live) -> None:
        """Let it fire again."""

    def run_now(self, live: Live) -> str:
        """Start one run of it now, beside its times.

        Returns:
            What people look at next: the run's page, or its id.
        """

    def requests(self, live: Live | None, wanted: Settings) -> Iterator[Mapping[str, Any]]:
        """What would be sent to create or update it: method, url and body; nothing is sent."""
