"""Handing a schedule on from one recurring run of Kubeflow to the next, time by time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from components.common.errors import ClusterError
from pipelines.schedules.cron import Cron
from pipelines.schedules.deployed import LATE, SOON, wait_while
from pipelines.schedules.recurring_runs import (
    Generation,
    fired_at,
    has_more_times,
    newest_time,
    tells_time,
)
from pipelines.targets.kubeflow_client import Server

NOT_ENDED = ("PENDING", "RUNNING", "CANCELING", "PAUSED")  # states of runs


@dataclass(frozen=True, kw_only=True)
class Handover:
    """From one generation, which is to fire no more."""

    server: Server
    old: Generation
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def wait(self) -> None:
        """Wait while a time is just coming, or has just come and its run is not there yet.

        Raises:
            ClusterError: If it has times to catch up on, and nobody can tell which.
        """
        wait_while(self._is_firing, self.old.mark.name, self.clock, self.sleep)
        if not self.old.run.no_catchup and self._is_full() and self._is_behind():
            run = self.server.newest_run_of(self.old.id)
            if not tells_time(run):
                raise ClusterError(
                    f"Schedule '{self.old.mark.name}' catches up on times that it missed while a"
                    " run of it still runs, and Kubeflow does not tell which. Nothing was changed:"
                    f" try again when it has ended: {self.server.run_url(run.run_id)}"
                )

    def left_off(self, wanted: Cron) -> datetime:
        """The moment after which times are the new one's.

        Args:
            wanted: Times of the new one; where they are others, they begin now.
        """
        if self._cron.for_kubeflow() != wanted.for_kubeflow():
            return self.clock().replace(microsecond=0)
        since, run = self.old.since(), self.server.newest_run_of(self.old.id)
        if run is None and self.old.run.no_catchup:
            return since
        # Without a run perhaps all were deleted, and a whole year would be caught up on.
        until = fired_at(run) if run else self.clock()
        return newest_time(self._cron, since, until) or since

    @property
    def _cron(self) -> Cron:
        return self.old.cron()

    def _is_firing(self) -> bool:
        now = self.clock()
        if next(self._cron.after(now)) - now <= SOON:
            return True
        if not self.old.run.no_catchup:
            return not self._is_full() and self._is_behind()
        came = newest_time(self._cron, self.old.since(), now)
        if came is None or now - came >= LATE:
            return False
        run = self.server.newest_run_of(self.old.id)
        return not (run and run.created_at >= came) and not self._is_full()

    def _is_full(self) -> bool:
        """Whether it must wait for a run to end before it fires again."""
        running = self.server.count_runs_of(self.old.id, states=NOT_ENDED)
        return running >= int(self.old.run.max_concurrency)

    def _is_behind(self) -> bool:
        """Whether some of its times were not fired yet, or some of its runs were deleted."""
        since, now = self.old.since(), self.clock()
        run = self.server.newest_run_of(self.old.id)
        if tells_time(run):
            return bool((newest_time(self._cron, since, now) or since) > run.scheduled_at)
        fired = self.server.count_runs_of(self.old.id)
        return has_more_times(self._cron, since, now, fired)
