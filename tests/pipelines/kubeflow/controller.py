"""Kubeflow's controller of recurring runs, as far as times go: part of the double.

Written after kubeflow/pipelines, backend/src/crd/controller/scheduledworkflow, at 2.17
(`util/cron_schedule.go`, `util/scheduled_workflow.go`, `controller.go`), and after what reads its
crons, github.com/robfig/cron v1.2 (`parser.go`, `spec.go`); independently of `pipelines.schedules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# By field: lowest and highest number, and names from the lowest on.
BOUNDS: list[tuple[int, int, list[str]]] = [
    (0, 59, []),
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, MONTHS),
    (0, 6, DAYS),
]
MOST_YEARS = 5  # that robfig/cron looks ahead


class CronError(ValueError):
    """What robfig/cron would not read."""


@dataclass(frozen=True)
class Field:
    """The numbers of one field, and whether a star stood in it."""

    numbers: frozenset[int]
    has_star: bool


class RobfigCron:
    """Six fields, seconds first."""

    def __init__(self, text: str) -> None:
        parts = text.split()
        if len(parts) != len(BOUNDS):
            raise CronError(f"Expected exactly 6 fields, found {len(parts)}: {text}")
        fields = [_field(part, *bounds) for part, bounds in zip(parts, BOUNDS, strict=True)]
        self.second, self.minute, self.hour, self.day, self.month, self.weekday = fields

    def after(self, moment: datetime) -> datetime | None:
        """The next time; None where there is none within five years."""
        for date in self._dates(moment):
            first = (moment.hour, moment.minute) if date.date() == moment.date() else (0, 0)
            for hour in sorted(each for each in self.hour.numbers if each >= first[0]):
                for minute in sorted(self.minute.numbers):
                    if (hour, minute) < first:
                        continue
                    for second in sorted(self.second.numbers):
                        found = date.replace(hour=hour, minute=minute, second=second)
                        if found > moment:
                            return found
        return None

    def _dates(self, moment: datetime) -> Iterator[datetime]:
        date = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        while date.year <= moment.year + MOST_YEARS:
            if date.month in self.month.numbers and self._is_day(date):
                yield date
            date += timedelta(days=1)

    def _is_day(self, date: datetime) -> bool:
        of_month = date.day in self.day.numbers
        of_week = date.isoweekday() % 7 in self.weekday.numbers
        if self.day.has_star or self.weekday.has_star:
            return of_month and of_week
        return of_month or of_week


def _field(text: str, lowest: int, highest: int, names: list[str]) -> Field:
    numbers: set[int] = set()
    has_star = False
    for part in text.split(","):
        span, *steps = part.split("/")
        ends = span.split("-")
        if len(steps) > 1 or len(ends) > 2:
            raise CronError(f"Too many slashes or hyphens: {part}")
        if ends[0] in ("*", "?"):
            first, last, has_star = lowest, highest, True
        else:
            first = _number(ends[0], lowest, names)
            last = _number(ends[-1], lowest, names)
        step = _number(steps[0], 0, []) if steps else 1
        if steps and len(ends) == 1:  # N/step means from N on
            last = highest
        if not lowest <= first <= last <= highest or step < 1:
            raise CronError(f"Out of range: {part}")
        numbers |= set(range(first, last + 1, step))
    return Field(frozenset(numbers), has_star)


def _number(text: str, lowest: int, names: list[str]) -> int:
    if text.lower() in names:
        return lowest + names.index(text.lower())
    if not (text.isascii() and text.isdigit()):
        raise CronError(f"Failed to parse int from {text}")
    return int(text)


@dataclass
class Trigger:
    """What a ScheduledWorkflow remembers: `status.trigger`."""

    last: datetime | None = None  # time that it fired last, not when it did


def next_time(
    recurring: Any, trigger: Trigger, now: datetime, time_zone: str = "UTC"
) -> datetime | None:
    """The time that it would fire next, `GetNextScheduledTime[NoCatchup]`; None for never."""
    schedule = recurring.trigger["cron_schedule"]
    start = _time(schedule.get("start_time"))
    after = trigger.last or start or recurring.created_at.replace(microsecond=0)
    if start:
        after = max(after, start)
    cron = RobfigCron(schedule["cron"])
    found = cron.after(after.astimezone(ZoneInfo(time_zone)))
    end = _time(schedule.get("end_time"))
    if found is None or (end and end < found):
        return None
    while recurring.no_catchup:
        later = cron.after(found)
        if later is None or later > now or (end and later > end):
            break
        found = later
    return found.astimezone(UTC)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
