"""What a step may use at most, said the same way for containers and pods."""

from __future__ import annotations

import math
import re

from components.common.errors import InputError

LEAST_CPUS = 0.01  # that Docker takes

_MEMORY = re.compile(r"(?P<number>[1-9]\d*)(?P<unit>Mi|Gi)")


def check_limits(cpus: float, memory: str) -> None:
    """Refuse limits that mean nothing.

    Args:
        cpus: CPUs, as Docker and Kubernetes count them; 0 for no limit of one's own.
        memory: Number with its unit, e.g. "4Gi"; empty for no limit of one's own.

    Raises:
        InputError: If one of them has another form.
    """
    if not (cpus == 0 or (math.isfinite(cpus) and cpus >= LEAST_CPUS)):
        raise InputError(f"`cpus` must be {LEAST_CPUS:g} or more. Received: {cpus:g}")
    if memory and not _MEMORY.fullmatch(memory):
        raise InputError(f"`memory` must be a number with Mi or Gi, e.g. 4Gi. Received: '{memory}'")


def mebibytes(memory: str) -> int:
    """Read an amount of memory that `check_limits` takes; 0 where it is empty."""
    match = _MEMORY.fullmatch(memory)
    if match is None:
        return 0
    return int(match["number"]) * (1024 if match["unit"] == "Gi" else 1)
