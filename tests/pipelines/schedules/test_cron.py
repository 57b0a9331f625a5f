"""Times of schedules: read the same by everybody who fires them, or refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from components.common.errors import InputError
from pipelines.schedules.cron import Cron
from tests.pipelines.kubeflow.controller import CronError, RobfigCron

# As people write it; for Kubeflow, whose fields begin with the seconds; for Vertex AI.
DIALECTS = [
    ("* * * * *", "0 * * * * *", "TZ=UTC * * * * *"),
    ("0 3 * * mon", "0 0 3 * * 1", "TZ=UTC 0 3 * * 1"),
    ("0 3 * * MON-Fri", "0 0 3 * * 1,2,3,4,5", "TZ=UTC 0 3 * * 1,2,3,4,5"),
    ("0 3 * * 7", "0 0 3 * * 0", "TZ=UTC 0 3 * * 0"),
    ("0 3 * * 0", "0 0 3 * * 0", "TZ=UTC 0 3 * * 0"),
    ("0 3 * * 5-7", "0 0 3 * * 0,5,6", "TZ=UTC 0 3 * * 0,5,6"),
    ("0 3 * * sat,sun", "0 0 3 * * 0,6", "TZ=UTC 0 3 * * 0,6"),
    ("0 3 * * 0-7", "0 0 3 * * 0,1,2,3,4,5,6", "TZ=UTC 0 3 * * 0,1,2,3,4,5,6"),
    ("0 3 * * */2", "0 0 3 * * 0,2,4,6", "TZ=UTC 0 3 * * 0,2,4,6"),
    ("0 3 * * mon-fri/2,7", "0 0 3 * * 0,1,3,5", "TZ=UTC 0 3 * * 0,1,3,5"),
    ("  5\t4  1 1 *", "0 5 4 1 1 *", "TZ=UTC 5 4 1 1 *"),
    ("0 0 1 jan,jul *", "0 0 0 1 jan,jul *", "TZ=UTC 0 0 1 jan,jul *"),
]

# Each is read by cronsim as it was written, and by robfig/cron as it is sent to Kubeflow.
SAME_EVERYWHERE = [
    *(text for text, _, _ in DIALECTS),
    "*/15 * * * *",
    "*/7 * * * *",
    "*/100 * * * *",
    "0-30/10 8-18 * * *",
    "0,20,40 */6 * * *",
    "5,10-12,*/30 * * * *",
    "59 23 31 12 *",
    "0 0 29 2 *",
    "0 0 31 * *",
    "0 12 1,15 * *",
    "0 12 1-7 * *",
    "0 12 */2 * *",
    "0 12 1-31/3 feb-apr *",
    "0 12 13 * fri",  # both days: either of them is enough
    "0 12 13 * 5-7",
    "0 12 1,15 3,9 1",
    "0 12 1-31 * 1",  # all days of the month are no star
    "30 6 * 6-8 tue,thu",
    "00 03 * * 01",
    "0 0 30 2 wed",
]


@pytest.mark.parametrize(("text", "kubeflow", "vertex"), DIALECTS)
def test_each_scheduler_gets_its_own_dialect(text, kubeflow, vertex):
    cron = Cron(text)

    assert cron.for_kubeflow() == kubeflow
    assert cron.for_vertex() == vertex


@pytest.mark.parametrize("text", SAME_EVERYWHERE)
@pytest.mark.parametrize(
    "start", ["2026-11-23T06:59:30", "2027-12-31T23:59:00", "2028-02-28T12:00:00"]
)
def test_kubeflow_fires_when_cronsim_says_so(text, start):
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    cron = Cron(text)
    robfig = RobfigCron(cron.for_kubeflow())

    times = cron.next_times(5, moment)

    assert len(times) == 5
    for time in times:
        moment = robfig.after(moment)
        assert moment == time


# Worked out by hand: 2026-11-23 is a Monday.
@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 3 * * 7", ["11-29 03:00", "12-06 03:00"]),
        ("0 3 * * 5-7", ["11-27 03:00", "11-28 03:00", "11-29 03:00", "12-04 03:00"]),
        ("0 12 13 * fri", ["11-27 12:00", "12-04 12:00", "12-11 12:00", "12-13 12:00"]),
        ("*/25 7 * * *", ["11-23 07:00", "11-23 07:25", "11-23 07:50", "11-24 07:00"]),
        ("0 0 31 * *", ["12-31 00:00"]),
    ],
)
def test_times_are_what_the_text_says(text, times):
    cron = Cron(text)
    start = datetime(2026, 11, 23, 6, 59, 30, tzinfo=UTC)

    found = cron.next_times(len(times), start)

    assert [f"{time:%m-%d %H:%M}" for time in found] == times


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be five fields.*which has 0"),
        ("0 3 * *", "which has 4"),
        ("0 0 3 * * 1", "which has 6"),
        ("@daily", "must be five fields: '0 0 "),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 * 13 *", "bad month"),
        ("0 0 * * 8", "bad day-of-week"),
        ("0 0 * mon *", "bad month"),
        ("0 0 31 2 *", "bad day-of-month"),  # never
        ("0 3 * * fri-mon", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        # What others read in another way, or not at all.
        ("5/15 * * * *", "Received: '5/15'"),
        ("0 0 * * mon/2", "Received: 'mon/2'"),
        ("1-1/2 * * * *", "Received: '1-1/2'"),
        ("0 0 * * mon-1/2", "Received: 'mon-1/2'"),
        ("0 0 L * *", "Received: 'l'"),
        ("0 0 LW * *", "Received: 'lw'"),
        ("0 0 * * 5L", "Received: '5l'"),
        ("0 0 * * 5#2", "Received: '5#2'"),
        ("0 0 ? * *", r"Received: '\?'"),
        ("0 0 ١ * *", "Received: '١'"),
        ("0 0 * * sunday", "Received: 'sunday'"),
        ("0 0 1 * 1,", "Received: ''"),
        ("0 0 */2 * mon", "must not have a star"),
        ("0 0 3,*/2 * mon", "must not have a star"),
        ("0 0 5,* * mon", "must not have a star"),
        ("0 0 13 * */2", "must not have a star"),
    ],
)
def test_what_is_not_the_same_everywhere_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        Cron(text)


@pytest.mark.parametrize("text", ["0 0 0 * * 7", "0 0 0 L * *", "0 0 3 * *", "0 61 * * * *", "x"])
def test_the_double_of_kubeflow_refuses_what_it_would(text):
    with pytest.raises(CronError):
        RobfigCron(text)


def test_the_double_reads_what_differs_as_robfig_does():
    """So that the table above compares two readings, and not one with itself."""
    start = datetime(2026, 11, 23, tzinfo=UTC)

    # N/step goes on to the end; a star with a step makes both days necessary.
    assert RobfigCron("0 5/25 * * * *").after(start) == start + timedelta(minutes=5)
    assert RobfigCron("0 50/25 0 * * *").after(start + timedelta(minutes=50)).minute == 50
    assert RobfigCron("0 0 0 */2 * 1").after(start).day == 7  # December: odd, and a Monday
    assert RobfigCron("0 0 0 30 2 *").after(start) is None


def test_kubeflow_has_one_time_zone_for_all():
    cron = Cron("0 3 * * *", "Europe/Berlin")

    with pytest.raises(InputError, match=r"`time_zone` must be UTC.*Received: 'Europe/Berlin'"):
        cron.for_kubeflow()
    assert cron.for_vertex() == "TZ=Europe/Berlin 0 3 * * *"
    assert Cron("0 3 * * *", "Etc/UTC").for_kubeflow() == "0 0 3 * * *"


@pytest.mark.parametrize("name", ["Berlin", "Europe/Nowhere", "", "../etc/passwd", "CET+1"])
def test_a_time_zone_that_there_is_not_is_refused(name):
    with pytest.raises(InputError, match="`time_zone` must be a name of the IANA database"):
        Cron("0 3 * * *", name)


# Clocks in Berlin: on 2027-03-28 2:00 becomes 3:00, on 2027-10-31 3:00 becomes 2:00.
@pytest.mark.parametrize(
    ("text", "start", "times"),
    [
        ("30 2 * * *", "2027-03-27T03:00", ["03-28 03:00+0200", "03-29 02:30+0200"]),
        ("30 2 * * *", "2027-10-30T03:00", ["10-31 02:30+0200", "11-01 02:30+0100"]),
        ("0 3 * * *", "2027-03-27T04:00", ["03-28 03:00+0200", "03-29 03:00+0200"]),
        ("0 * * * *", "2027-10-31T01:30", ["10-31 02:00+0200", "10-31 02:00+0100"]),
    ],
)
def test_a_time_of_day_fires_once_where_clocks_change(text, start, times):
    berlin = ZoneInfo("Europe/Berlin")
    moment = datetime.fromisoformat(start).replace(tzinfo=berlin)

    found = Cron(text, "Europe/Berlin").next_times(2, moment)

    assert [f"{time:%m-%d %H:%M%z}" for time in found] == times
    assert sorted(found) == found


@pytest.mark.parametrize(
    ("text", "start", "times"),
    [  # The hour after 2027-10-31 01:00 UTC shows 02:xx for the second time.
        ("30 2 * * *", "2027-10-31 01:00", ["11-01 01:30", "11-02 01:30"]),
        ("30 2 * * *", "2027-10-31 01:45", ["11-01 01:30", "11-02 01:30"]),
        ("30 2 * * *", "2027-10-31 00:15", ["10-31 00:30", "11-01 01:30"]),
        ("0,30 2-3 * * *", "2027-10-31 01:00", ["10-31 02:00", "10-31 02:30"]),
        # With a star the clock counts: twice in autumn, left out in spring.
        ("*/30 2 * * *", "2027-10-31 00:15", ["10-31 00:30", "10-31 01:00"]),
        ("*/30 2 * * *", "2027-03-27 23:00", ["03-29 00:00", "03-29 00:30"]),
    ],
)
def test_no_time_comes_before_the_moment_where_clocks_are_put_back(text, start, times):
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)

    found = Cron(text, "Europe/Berlin").next_times(2, moment)

    assert [f"{time.astimezone(UTC):%m-%d %H:%M}" for time in found] == times


def test_the_moment_itself_is_not_among_the_times_after_it():
    nine = datetime(2026, 11, 23, 9, tzinfo=UTC)

    assert Cron("0 * * * *").next_times(1, nine) == [nine + timedelta(hours=1)]
    assert Cron("0 * * * *").next_times(1, nine - timedelta(seconds=1)) == [nine]
