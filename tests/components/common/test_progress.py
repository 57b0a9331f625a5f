import threading

import pytest

from components.common import progress
from components.common.progress import Meter, format_seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (8.4, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (4200, "1 h 10 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_seconds_read_as_a_person_says_them(seconds, words):
    assert format_seconds(seconds) == words


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until the test moves it."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_meter_tells_rate_and_time_left(clock, capsys):
    meter = Meter("checked", 100)
    meter.show(10)  # the rate counts from here
    clock.now += 2
    meter.show(30)

    # 20 photos in 2 s are 10 a second; the 70 that are left take 7 s.
    assert lines(capsys) == ["[progress] checked 30/100 photos, 10 images/s, 7 s left"]


def test_meter_keeps_still_for_half_a_second(clock, capsys):
    meter = Meter("checked", 100)
    for done in range(1, 40):
        clock.now += 0.05
        meter.show(done)

    # First called at 0.05 s; reports at 0.55, 1.05 and 1.55 s, up to rounding of the sums.
    assert len(lines(capsys)) == 3


def test_meter_always_reports_the_last_photo(clock, capsys):
    meter = Meter("decoded", 2)
    meter.show(1)
    clock.now += 0.1
    meter.show(2)

    assert [line.split(",")[0] for line in lines(capsys)] == ["[progress] decoded 2/2 photos"]


def test_meter_of_a_single_photo_tells_no_rate(clock, capsys):
    Meter("decoded", 1).show(1)

    assert lines(capsys) == ["[progress] decoded 1/1 photos"]


def test_meter_without_a_total_counts(clock, capsys):
    meter = Meter("checked")
    meter.show(1)
    clock.now += 4
    meter.show(9)

    assert lines(capsys) == ["[progress] checked 9 photos, 2 images/s"]


def test_progress_can_be_shown_instead_of_printed(clock, capsys):
    shown = []
    with progress.shown_by(shown.append):
        Meter("checked", 1).show(1)
        progress.report("half done")
    progress.report("printed again")

    assert shown == ["checked 1/1 photos", "half done"]
    assert lines(capsys) == ["[progress] printed again"]


def test_progress_is_printed_again_after_an_error(capsys):
    def fail():
        with progress.shown_by(lambda line: None):
            raise ValueError("any")

    with pytest.raises(ValueError, match="any"):
        fail()
    progress.report("printed")

    assert lines(capsys) == ["[progress] printed"]


def test_progress_of_threads_is_shown_too():
    shown = []
    with progress.shown_by(shown.append):
        thread = threading.Thread(target=progress.report, args=("from a thread",))
        thread.start()
        thread.join()

    assert shown == ["from a thread"]
