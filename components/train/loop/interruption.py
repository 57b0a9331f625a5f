"""SIGTERM, by which clusters announce that a machine is taken away: finish the step, then save."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def noticing_sigterm() -> Iterator[threading.Event]:
    """Within the block SIGTERM sets an event, and does nothing else.

    Elsewhere than in the main thread Python takes no handlers: there it stays as it was.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())  # noqa: ARG005
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
