"""Which unit of one network was which of another: an alignment that keeps their order.

Keras numbers the layers that have no name of their own, anew in every process, and one layer more
shifts all numbers after it. So layers are matched as lines of text are in a comparison of files.

Reference:
    Needleman and Wunsch, 1970, "A general method applicable to the search for similarities".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from components.train.warm_start.units import Unit

SAME = 4.0  # worth of two units that are alike in every shape, beside units that are not
SAME_KERNEL = 3.0
SAME_NAME = 0.5
LEAST = 0.2  # overlap of two kernels; below it they are hardly the same layer
T = TypeVar("T")
Shape = tuple[int, ...]


def align(
    before: Sequence[T], after: Sequence[T], likeness: Callable[[T, T], float]
) -> list[int | None]:
    """Pair the items of two sequences so that their order is kept and likeness is greatest.

    Of pairings that are as good, the one that leaves the last of `after` alone: what was added to a
    run of equal layers comes after those there were.

    Args:
        before: Earlier items.
        after: New items.
        likeness: Of an earlier and a new item, above 0 where they may be paired.

    Returns:
        For each of `after` its place in `before`, or None.
    """
    alike = [[likeness(old, new) for new in after] for old in before]
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, row in enumerate(alike):
        for j, worth in enumerate(row):
            paired = best[i][j] + worth if worth else 0.0
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], paired)
    pairs: list[int | None] = [None] * len(after)
    i, j = len(before), len(after)
    while i and j:
        if best[i][j] == best[i][j - 1]:
            j -= 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs[j] = i
    return pairs


def likeness(before: Unit, after: Unit) -> float:
    """How alike two units are: 0 where none of the weights of one would fit the other."""
    if before.kind != after.kind:
        return 0.0
    old, new = _shapes(before), _shapes(after)
    if len(old[0]) != len(new[0]):
        return 0.0
    named = SAME_NAME if _own_name(before) and _own_name(before) == _own_name(after) else 0.0
    if old == new:
        return SAME + named
    if old[0] == new[0]:
        return SAME_KERNEL + named
    if before.flattened and after.flattened:
        old, new = [old[0][1:]], [new[0][1:]]  # the size of the photo says nothing of the layer
    if _is_point(old[0]) != _is_point(new[0]):
        return 0.0
    overlap = math.prod(
        min(one, other) / max(one, other) for one, other in zip(old[0], new[0], strict=True)
    )
    return overlap + named if overlap >= LEAST else 0.0


def _is_point(shape: Shape) -> bool:
    """Whether it is a 1x1 convolution, which mixes channels and sees nothing else."""
    return len(shape) == 4 and shape[:2] == (1, 1)


def _shapes(unit: Unit) -> list[Shape]:
    return [tuple(weight.shape) for layer in unit.layers for weight in layer.weights]


def _own_name(unit: Unit) -> str:
    """The name that somebody gave to its first layer; empty where Keras did."""
    name = str(unit.layers[0].name)
    numbered = re.sub(r"_\d+$", "", name).replace("_", "")
    return "" if numbered == unit.kind.lower() else name
