"""Which times of a schedule have come. Pure: clocks are the caller's.

All is compared in UTC: two times of one zone are compared by their clock faces, which show the hour
before clocks are set back twice.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipelines.schedules import Settings
from pipelines.schedules.cron import Cron

EVERY_MINUTE = "* * * * *"  # where a schedule only looks at photos
FIRST_SPAN = timedelta(minutes=2)  # that is searched for the newest time, then 10 times as much


def cron_of(settings: Settings) -> Cron:
    """When a schedule fires, or looks at its photos."""
    return Cron(settings.cron or EVERY_MINUTE, settings.time_zone)


@functools.lru_cache(maxsize=1024)  # asked each second, and the same most of the time
def next_time(cron: Cron, seen: datetime) -> datetime | None:
    """The first time after `seen`, in UTC; None where there is none for decades."""
    return next(_times(cron, seen), None)


def newest_due(cron: Cron, seen: datetime, now: datetime) -> datetime | None:
    """The last time after `seen` that has come; None without one.

    Found from the end: a minute's schedule that was off for a year has half a million.
    """
    span = FIRST_SPAN
    while True:
        start = max(seen, now - span)
        if times := list(itertools.takewhile(lambda each: each <= now, _times(cron, start))):
            return times[-1]
        if start == seen:
            return None
        span *= 10


def _times(cron: Cron, start: datetime) -> Iterator[datetime]:
    return (time.astimezone(UTC) for time in cron.after(start))
