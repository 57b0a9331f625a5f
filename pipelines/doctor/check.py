"""What came of one look at one thing, and looking at several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Literal

Status = Literal["ok", "fail", "skip"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str  # what it is about, e.g. "bucket"
    status: Status  # "skip": nothing can be said, e.g. since something before it failed
    said: str  # what was found, or what is wrong
    mend: str = ""  # the command that mends it, or the option to pass


Group = Callable[[], Iterable[Check]]  # checks that are made one after another


def ok(name: str, said: str) -> Check:
    """It is as it should be."""
    return Check(name=name, status="ok", said=said)


def fail(name: str, said: str, mend: str) -> Check:
    """It would fail later."""
    return Check(name=name, status="fail", said=said, mend=mend)


def skip(name: str, said: str, mend: str = "") -> Check:
    """Nothing can be said of it."""
    return Check(name=name, status="skip", said=said, mend=mend)


def in_parallel(groups: Sequence[Group]) -> Iterator[Check]:
    """Make all groups of checks at once.

    Yields:
        Their checks in the order of the groups, each as soon as it is known and all before it are.
    """
    told: list[SimpleQueue[Check | Exception | None]] = [SimpleQueue() for _ in groups]
    for group, queue in zip(groups, told, strict=True):
        # Daemons, so that Ctrl-C need not wait for an answer that may take minutes.
        threading.Thread(target=_make, args=(group, queue), daemon=True).start()
    for queue in told:
        while (each := queue.get()) is not None:
            if isinstance(each, Exception):
                raise each
            yield each


def _make(group: Group, to: SimpleQueue[Check | Exception | None]) -> None:
    try:
        for check in group():
            to.put(check)
    except Exception as error:
        to.put(error)
    finally:
        to.put(None)
