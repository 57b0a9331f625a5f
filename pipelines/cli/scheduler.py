"""`pawpetal scheduler`: the service that fires this machine's schedules."""

from __future__ import annotations

import signal
from types import FrameType

import click


@click.command(short_help="Fire schedules, until it is stopped.")
@click.option(
    "--max-runs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs on this machine at once; those on Kubeflow and Vertex AI do not count.",
)
def scheduler(max_runs: int) -> None:
    """Fire the schedules that `pawpetal schedule apply` made in this home.

    One does for all of them. It may be killed and started again: no time fires twice, and a run
    that was killed with it is started again, and goes on from its checkpoint.

    Exit status: 0 stopped by SIGTERM, 130 by Ctrl-C, 2 another one runs, or its home was removed.
    """
    from pipelines.schedules.local.service import Service

    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, note)
        elif number == signal.SIGINT:
            # In the background of a script it is ignored, and runs would inherit that: nobody could
            # end one by it. What is handled is not inherited.
            signal.signal(number, lambda *_: None)
    Service(max_runs=max_runs).run(lambda: bool(received))
    if received[0] == signal.SIGINT:
        raise KeyboardInterrupt
