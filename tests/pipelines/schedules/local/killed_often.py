"""`pawpetal scheduler` with short runs and minutes of a second: to be killed again and again.

`killed_often.py START`: at START (seconds since 1970) its clock is right.
"""

import functools
import sys

from pipelines.cli import main
from pipelines.schedules.local import service
from tests.pipelines.schedules.local.conftest import short_run
from tests.pipelines.schedules.local.quick_clock import quick_clock

SPEED = 60.0

if __name__ == "__main__":
    start = float(sys.argv.pop(1))
    clock = functools.partial(quick_clock, start, SPEED)
    service.Service = functools.partial(service.Service, clock=clock, command=short_run)
    service.TICK_S = 0.02
    sys.argv.append("scheduler")
    main()
