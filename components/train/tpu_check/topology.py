"""TPU slices that a train step runs on, and what their chips can do. Light."""

from __future__ import annotations

import math
from dataclasses import dataclass

from components.common.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One chip, with one core, as its maker says.

    References:
        https://cloud.google.com/tpu/docs/v5e and https://cloud.google.com/tpu/docs/v6e; the memory
        is what libtpu 0.0.42 lets a program have, of 16 and 32 GB.
    """

    peak_flops: float  # a second, in bfloat16
    hbm_bytes_per_s: float
    hbm_gib: float  # that a program may use


CHIPS = {
    "v5e": Chip(peak_flops=197e12, hbm_bytes_per_s=819e9, hbm_gib=15.75),
    "v6e": Chip(peak_flops=918e12, hbm_bytes_per_s=1640e9, hbm_gib=31.25),
}
SHAPES = ("1x1", "2x2", "2x4")  # that one host holds, since a train step is one process


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A slice: chips of one generation, laid out in a rectangle."""

    generation: str  # of CHIPS
    shape: str  # of SHAPES

    @property
    def name(self) -> str:
        """As people, and libtpu, write it."""
        return f"{self.generation}:{self.shape}"

    @property
    def sides(self) -> tuple[int, int]:
        """Chips a side."""
        rows, columns = self.shape.split("x")
        return int(rows), int(columns)

    @property
    def num_chips(self) -> int:
        """Chips in all."""
        return math.prod(self.sides)

    @property
    def chip(self) -> Chip:
        """What each can do."""
        return CHIPS[self.generation]


def parse_topology(name: str) -> Topology:
    """Read a slice, GENERATION:SHAPE.

    Raises:
        InputError: If it is none that a train step runs on.
    """
    generation, _, shape = name.partition(":")
    if generation not in CHIPS or shape not in SHAPES:
        raise InputError(
            f"`topology` must be GENERATION:SHAPE, of {', '.join(CHIPS)} and {', '.join(SHAPES)}"
            f" (e.g. v5e:2x2). Received: '{name}'"
        )
    return Topology(generation=generation, shape=shape)
