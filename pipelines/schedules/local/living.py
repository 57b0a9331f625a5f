"""Whether the process of a run lives: it holds a lock that it inherits from whoever starts it.

A process needs seconds before it makes the folder of its run. The lock is there before the process
is, and goes with the last one that holds it, however that ends. Whoever started the run holds it,
too, until the end is noted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from components.common.home import home

LOCK_S = 0.5  # somebody may just be asking whether it is held
RETRY_S = 0.02


def lock_path(run_id: str) -> Path:
    """The lock of a run; its text is the process that is to be ended with the service."""
    return home() / "scheduler" / f"{run_id}.lock"


class RunLock:
    """The lock of a run, held."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor  # for the process of the run to inherit

    @classmethod
    def take(cls, run_id: str) -> RunLock | None:
        """Take it; None where a process has it that lives."""
        path = lock_path(run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + LOCK_S
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if _lock(descriptor, fcntl.LOCK_EX) and _is_at(descriptor, path):
                os.ftruncate(descriptor, 0)
                return cls(descriptor)
            os.close(descriptor)
            if time.monotonic() >= end:
                return None
            time.sleep(RETRY_S)

    def note(self, process: int) -> None:
        """Say which process is to be ended with the service, also with the next one."""
        with contextlib.suppress(OSError):  # a full disk must not look as if nothing had started
            os.write(self.descriptor, str(process).encode())

    def close(self) -> None:
        """Let go of it; the process of the run holds it on."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
        self.descriptor = -1


def is_held(run_id: str) -> bool:
    """Whether the process of a run lives, or is about to be started."""
    try:
        descriptor = os.open(lock_path(run_id), os.O_RDONLY)
    except OSError:  # there is none
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def process_of(run_id: str) -> int | None:
    """The process of a run that lives, leader of its own group; None where nobody knows it."""
    try:
        process = int(lock_path(run_id).read_text())
        is_leader = os.getpgid(process) == process
    except (OSError, ValueError):
        return None
    return process if is_leader and is_held(run_id) else None


def remove(run_id: str) -> None:
    """Take away the lock of a run that has ended, whose id nobody will use again."""
    with contextlib.suppress(OSError):
        lock_path(run_id).unlink()


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the file is still there: it may have been taken away before it was locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
