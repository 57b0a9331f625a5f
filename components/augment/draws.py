"""Random numbers that depend on nothing but what they are for."""

from __future__ import annotations

import numpy as np

PHOTOS, MIXTURES, PARTNERS = range(3)  # streams that have nothing in common


def numbers(seed: int, epoch: int, index: int, stream: int = PHOTOS) -> np.random.Generator:
    """The source of all numbers drawn for one photo in one epoch.

    A counter-based generator, whose numbers are a function of key and counter: no state has to be
    kept or spread, and starting one takes half the time of seeding another kind.

    Args:
        seed: Of the run, from 0.
        epoch: Counts from 0.
        index: Of the photo in its dataset.
        stream: What they are for.

    Reference:
        Salmon et al., 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
    """
    key = np.array((seed, epoch), np.uint64)
    # The first word counts as numbers are drawn.
    return np.random.Generator(np.random.Philox(key=key, counter=[0, index, stream, 0]))
