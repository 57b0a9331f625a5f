"""Which split a photo belongs to. Light: the checks before a run ask it, too."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

from components.common.errors import InputError

SPLITS = ("train", "validation", "test")
CERTAINTY = 0.99  # of finding a photo in each split, for the number that the error names


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Refuse fractions that do not make three splits.

    Args:
        fractions: Share of each of `SPLITS`.

    Raises:
        InputError: If one is not above 0, or they do not sum to 1.
    """
    received = ", ".join(f"{split}_fraction={fractions[split]:g}" for split in SPLITS)
    if any(not 0 < fractions[split] < 1 for split in SPLITS):
        raise InputError(f"Each fraction must be above 0 and below 1. Received: {received}")
    total = math.fsum(fractions[split] for split in SPLITS)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise InputError(f"The fractions must sum to 1. Received: {received}, sum {total:g}")


def split_of(sha256: str, fractions: Mapping[str, float], *, seed: int = 0) -> str:
    """The split of a photo, from its content alone.

    The content's hash, read as a number in [0, 1), falls below the first threshold (test), below
    the second (validation) or above (train). So the same photo lands in the same split in every
    dataset, copies of it stay together, and new photos move none of the old ones. Test comes
    first, so that other shares of train and validation leave the test photos as they are.

    Args:
        sha256: Of the photo's bytes, hexadecimal.
        fractions: Share of each of `SPLITS`.
        seed: Another seed gives another, independent split.

    Returns:
        One of `SPLITS`.
    """
    key = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()
    position = int.from_bytes(key[:8]) / 2**64
    if position < fractions["test"]:
        return "test"
    return "validation" if position < fractions["test"] + fractions["validation"] else "train"


def photos_needed(fraction: float, num_classes: int = 1) -> int:
    """Photos that each class takes so that a split of this fraction holds one, 99 times of 100.

    Args:
        fraction: Share of the split, in (0, 1).
        num_classes: Classes that must all have one.
    """
    return math.ceil(math.log((1 - CERTAINTY) / num_classes) / math.log(1 - fraction))
