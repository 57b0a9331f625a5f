"""Which times have come: summer time, times that were missed, long absences."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.schedules.cron import Cron
from pipelines.schedules.local.due import newest_due, next_time

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(cron: Cron, start: datetime, end: datetime) -> list[str]:
    """What fires as time passes, asked each 20 s, as the service does."""
    seen, now, times = start, start, []
    while now <= end:
        if next_time(cron, seen) <= now:
            seen = newest_due(cron, seen, now)
            times.append(f"{seen:%d %H:%M}")
        now += timedelta(seconds=20)
    return times


def test_a_time_that_spring_leaves_out_fires_once_when_clocks_are_put_forward():
    # On 28 March 2027 at 02:00 CET (01:00 UTC) it is 03:00 CEST.
    times = fired(Cron("30 2 * * *", BERLIN), utc("2027-03-27 00:00"), utc("2027-03-29 12:00"))

    assert times == ["27 01:30", "28 01:00", "29 00:30"]


def test_a_time_that_comes_twice_in_autumn_fires_once():
    # On 31 October 2027 at 03:00 CEST (01:00 UTC) it is 02:00 CET.
    times = fired(Cron("30 2 * * *", BERLIN), utc("2027-10-30 00:00"), utc("2027-11-01 12:00"))

    assert times == ["30 00:30", "31 00:30", "01 01:30"]


def test_what_fires_all_day_goes_on_through_both_changes():
    spring = fired(Cron("*/30 * * * *", BERLIN), utc("2027-03-28 00:15"), utc("2027-03-28 02:00"))
    autumn = fired(Cron("*/30 * * * *", BERLIN), utc("2027-10-31 00:15"), utc("2027-10-31 02:00"))

    assert spring == ["28 00:30", "28 01:00", "28 01:30", "28 02:00"]
    assert autumn == ["31 00:30", "31 01:00", "31 01:30", "31 02:00"]


@pytest.mark.parametrize("minute", range(0, 60, 10))
def test_what_starts_within_the_hour_that_comes_twice_does_not_fire_the_first_of_it(minute):
    seen = utc(f"2027-10-31 01:{minute:02d}")  # 02:xx for the second time

    assert next_time(Cron("30 2 * * *", BERLIN), seen) == utc("2027-11-01 01:30")
    assert newest_due(Cron("30 2 * * *", BERLIN), seen, utc("2027-11-01 00:00")) is None


def test_the_newest_of_many_missed_times_is_found():
    hourly, yearly = Cron("5 * * * *"), Cron("0 0 29 2 *")

    assert newest_due(hourly, utc("2020-01-01 00:00"), utc("2026-11-23 12:04")) == utc(
        "2026-11-23 11:05"
    )
    assert newest_due(yearly, utc("2020-01-01 00:00"), utc("2026-11-23 12:04")) == utc(
        "2024-02-29 00:00"
    )


def test_nothing_is_due_before_its_time_and_at_it_all_is():
    cron = Cron("0 3 * * mon", BERLIN)

    assert newest_due(cron, utc("2026-11-23 00:00"), utc("2026-11-23 01:59:59")) is None
    assert newest_due(cron, utc("2026-11-23 00:00"), utc("2026-11-23 02:00")) == utc(
        "2026-11-23 02:00"
    )
    assert newest_due(cron, utc("2026-11-23 02:00"), utc("2026-11-23 02:00")) is None
