"""Finding the largest batch that fits by few compilations: each takes up to minutes. Light."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

RESOLUTION = 32  # it ends where one part in so many is all that could be gained


def find_largest_batch(
    measure: Callable[[int], float],
    known: Mapping[int, float],
    *,
    available: float,
    step: int,
    most: int,
) -> tuple[int, int | None]:
    """Find it.

    Memory grows nearly in a line with the batch: so each try stands just below where the line
    through two batches that are known crosses what is available, until the line promises little
    more.

    Args:
        measure: Memory that a batch needs, as far as known where it does not fit.
        known: Memory that some batches need; of 0, what any batch needs.
        available: Memory there is.
        step: Batches are multiples of it.
        most: No larger one is looked for.

    Returns:
        The largest batch that was found to fit, 0 for none, and the smallest that was found not
        to, None where none was.
    """
    needed = dict(known)
    while True:
        fitting = sorted(batch for batch in needed if needed[batch] <= available)
        others = sorted(batch for batch in needed if needed[batch] > available)
        low, high = (fitting[-1] if fitting else 0), (others[0] if others else None)
        if not fitting or low >= most or (high is not None and high - low <= step):
            return low, high
        gain = (
            _gain_upwards(needed, fitting, available)
            if high is None
            else _gain_between(needed, low, high, available)
        )
        gain = min(gain, most - low)
        if gain <= low / RESOLUTION:
            return low, high
        last = most if high is None else high - step
        guess = low + gain if low + gain == most else low + 0.98 * gain
        batch = min(max(int(guess) // step * step, low + step), last)
        needed[batch] = measure(batch)


def _gain_upwards(needed: Mapping[int, float], fitting: list[int], available: float) -> float:
    """How far above the largest batch that fits the line meets what is available."""
    if len(fitting) < 2:
        return math.inf
    before, low = fitting[-2:]
    a_photo = (needed[low] - needed[before]) / (low - before)
    return (available - needed[low]) / a_photo if a_photo > 0 else math.inf


def _gain_between(needed: Mapping[int, float], low: int, high: int, available: float) -> float:
    """The same where a batch is known that does not fit; never near an end, to get on."""
    part = (available - needed[low]) / (needed[high] - needed[low])
    if not math.isfinite(needed[high]):
        part = 0.5
    return min(max(part, 0.05), 0.95) * (high - low)
