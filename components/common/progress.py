"""What a running step tells the person who waits for it: one readable line at a time.

The lines stand in the step's log wherever it runs; on a laptop the runner shows the newest one.
From a cluster, whose files a laptop cannot read, results come back in the log too.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MARK = "[progress] "
RESULT = "[result] "


_listener: Callable[[str], None] | None = None  # of the whole process: its threads report, too


def report(line: str) -> None:
    """Print one progress line; `flush`, since the reader is at the other end of a pipe."""
    if _listener is not None:
        _listener(line)
        return
    print(f"{MARK}{line}", flush=True)


@contextlib.contextmanager
def shown_by(show: Callable[[str], None]) -> Iterator[None]:
    """Give the progress lines of this process to `show`, instead of printing them.

    For a command that runs a step's code itself, where nobody reads its pipe.
    """
    global _listener
    before, _listener = _listener, show
    try:
        yield
    finally:
        _listener = before


def report_result(values: Mapping[str, Any]) -> None:
    """Print what the summary of a run shows of this step, as one line of JSON."""
    print(f"{RESULT}{json.dumps(values)}", flush=True)


class Meter:
    """Progress through a known number of photos, at most twice a second."""

    def __init__(self, verb: str, total: int | None = None) -> None:
        """Prepare to count.

        Args:
            verb: What is done to the photos, e.g. "checked".
            total: How many there are, where that is known.
        """
        self._verb = verb
        self._total = total
        self._first: tuple[int, float] | None = None  # photos and time of the first call
        self._last = 0.0

    def show(self, done: int) -> None:
        """Report `done` photos, unless the last report is too fresh to read."""
        now = time.monotonic()
        if self._first is None:  # the rate counts from here: what came before is start-up
            self._first, self._last = (done, now), now
        if now - self._last < 0.5 and done != self._total:
            return
        self._last = now
        rate = (done - self._first[0]) / max(now - self._first[1], 1e-9)
        speed = f", {rate:.0f} images/s" if rate else ""
        if self._total is None:
            report(f"{self._verb} {done} photos{speed}")
            return
        remaining = self._total - done
        left = f", {format_seconds(remaining / rate)} left" if rate and remaining else ""
        report(f"{self._verb} {done}/{self._total} photos{speed}{left}")


def format_seconds(seconds: float) -> str:
    """Seconds as a person says them: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
