"""How many threads are worth having, and a way to use them that keeps the order."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_cores() -> int:
    """Processor cores that this process may use, which a container or a scheduler may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # where a process cannot be held to some cores


def map_in_order(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """Like `pool.map`, which would run ahead of its reader without bound.

    Args:
        pool: Where `function` runs.
        function: Called once an item.
        items: Read as far as `ahead` beyond the result that is awaited.
        ahead: Results that may wait, at most.
    """
    remaining = iter(items)
    waiting: deque[Future[Result]] = deque(
        pool.submit(function, item) for item in itertools.islice(remaining, ahead)
    )
    while waiting:
        result = waiting.popleft().result()
        for item in itertools.islice(remaining, 1):
            waiting.append(pool.submit(function, item))
        yield result
