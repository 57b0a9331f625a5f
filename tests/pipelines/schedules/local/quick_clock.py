"""`pawpetal scheduler` on a clock that runs fast, so that a test need not wait for real minutes.

`quick_clock.py START SPEED COMMAND...`: at START (seconds since 1970) the clock is right; from then
on it runs SPEED times as fast. All else is the real command.
"""

import functools
import sys
import time
from datetime import UTC, datetime

from pipelines.schedules.local import service
from pipelines.schedules.local.new_data import NewData

QUIET_S = 0.5


def quick_clock(start: float, speed: float) -> datetime:
    return datetime.fromtimestamp(start + (time.time() - start) * speed, UTC)


if __name__ == "__main__":
    from pipelines.cli import main

    start, speed, *arguments = sys.argv[1:]
    service.Service = functools.partial(
        service.Service,
        clock=functools.partial(quick_clock, float(start), float(speed)),
        new_data=NewData(quiet_s=QUIET_S),
    )
    sys.argv[1:] = arguments
    main()
