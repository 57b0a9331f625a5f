"""Replacing a recurring run of Kubeflow, since one cannot be edited, while others may interfere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.common.errors import ConflictError
from pipelines.schedules.cron import Cron
from pipelines.schedules.deployed import conflict
from pipelines.schedules.handover import Handover
from pipelines.schedules.recurring_runs import Body, Chain, Generation, chains
from pipelines.targets.kubeflow_client import GoneError, Server


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """Of the newest generation of a schedule."""

    server: Server
    chain: Chain
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def wait(self) -> None:
        """Wait while it is just firing.

        Raises:
            ClusterError: If it cannot be replaced now.
        """
        if self.chain.newest.is_enabled:
            self._handover.wait()

    def make(self, body: Body) -> None:
        """Let it fire no more, and make the next one.

        Raises:
            ConflictError: If somebody else changes the schedule meanwhile.
        """
        wanted, number = body.settings, self.chain.newest.number + 1
        with self._noted(body.make(number, is_note=True)) as check_note:
            for each in self.chain.generations:
                disable(self.server, each)
            since = self._handover.left_off(Cron(wanted.cron, wanted.time_zone))
            check_note()
            if not make_generation(self.server, body, number, since):
                raise conflict(wanted.name, "changed")

    @property
    def _handover(self) -> Handover:
        return Handover(
            server=self.server, old=self.chain.newest, clock=self.clock, sleep=self.sleep
        )

    @contextlib.contextmanager
    def _noted(self, wanted: Any) -> Iterator[Callable[[], object]]:
        """Write a note for as long as one that fires is replaced.

        It is also how others are noticed: who pauses, resumes or deletes a schedule deletes notes.

        Yields:
            What raises a ConflictError where the note is gone.
        """
        if not self.chain.newest.is_enabled:
            yield lambda: None
            return
        note = self.server.create_recurring_run(wanted).recurring_run_id
        try:
            if self._check(note).without(note).state != self.chain.without(note).state:
                raise conflict(self.chain.newest.mark.name, "changed")
            yield lambda: self._check(note)
        except ConflictError:
            self.server.delete_recurring_run(note)
            raise
        self.server.delete_recurring_run(note)

    def _check(self, note: str) -> Chain:
        """What is there now, with the note."""
        name = self.chain.newest.mark.name
        now = chains(self.server.recurring_runs()).get(name)
        if now is None or note not in {each.id for each in now.notes}:
            raise conflict(name, "changed")
        return now


def make_generation(server: Server, body: Body, number: int, since: datetime | None = None) -> bool:
    """Make a generation; of two that are made in the same moment, the older one stays.

    Args:
        server: Where.
        body: What it holds.
        number: Which it is.
        since: Moment that its times are after; None for its creation.

    Returns:
        Whether this one stays.
    """
    made = server.create_recurring_run(body.make(number, since=since))
    chain = chains(server.recurring_runs()).get(body.settings.name)
    twins = [each for each in chain.generations if each.number == number] if chain else []
    for twin in twins[1:]:
        server.delete_recurring_run(twin.id)
    return bool(twins) and twins[0].id == made.recurring_run_id


def disable(server: Server, generation: Generation) -> None:
    """See to it that it fires no more; deleted by somebody, it does not."""
    if generation.is_enabled:
        with contextlib.suppress(GoneError):
            server.switch_recurring_run(generation.id, is_enabled=False)
