"""What a step may use at most, said the same way for containers and pods."""

from __future__ import annotations

import math
import re

from components.common.errors import InputError

_MEMORY = re.compile(r"[1-9]\d*(?:Mi|Gi)")


def check_limits(cpus: float, memory: str) -> None:
    """Refuse limits that mean nothing.

    Args:
        cpus: CPUs, as Docker and Kubernetes count them; 0 for no limit of one's own.
        memory: Number with its unit, e.g. "4Gi"; empty for no limit of one's own.

    Raises:
        InputError: If one of them has another form.
    """
    if not math.isfinite(cpus) or cpus < 0:
        raise InputError(f"`cpus` must be above 0. Received: {cpus:g}")
    if memory and not _MEMORY.fullmatch(memory):
        raise InputError(f"`memory` must be a number with Mi or Gi, e.g. 4Gi. Received: '{memory}'")
