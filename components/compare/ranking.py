"""Which of several classifiers did best on the same photos, and whether by more than chance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.errors import InputError
from components.compare.candidates import Candidate

LIKELY_CHANCE = 0.05  # a difference that chance alone makes more often than this, says little


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Two classifiers on the same photos; those that both got right, or wrong, say nothing."""

    only_first: int  # photos that the first alone got right
    only_second: int
    p_value: float  # of such a difference, or a larger one, by chance alone

    @property
    def is_likely_chance(self) -> bool:
        """Whether equally good classifiers differ that much on other photos, too."""
        return self.p_value > LIKELY_CHANCE


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Order models from best to worst.

    Args:
        candidates: Judged on the same photos.

    Returns:
        The highest accuracy first; of equally accurate ones the smaller network, and of equally
        large ones the one with the lower loss.
    """

    def key(candidate: Candidate) -> tuple[int, int, float]:
        num_correct = int(candidate.correct.sum())
        return -num_correct, candidate.num_parameters, candidate.evaluation.loss

    return sorted(candidates, key=key)


def duel(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Duel:
    """Compare two classifiers photo by photo, by the exact form of McNemar's test.

    Were both equally good, a photo that one alone gets right would be the first's as often as the
    second's, as a coin falls. Far sharper than comparing their intervals, since most photos are
    easy, or hard, for both.

    Args:
        first: Which photos the first got right, shape `(num_photos,)`.
        second: The same of the second.

    Returns:
        How they differ. The chance is that of the photos: training again with another seed moves
        the accuracy, too.

    Raises:
        InputError: If the shapes differ.

    Reference:
        McNemar, 1947, "Note on the Sampling Error of the Difference Between Correlated Proportions
        or Percentages"; Dietterich, 1998, "Approximate Statistical Tests for Comparing Supervised
        Classification Learning Algorithms".
    """
    if first.shape != second.shape:
        raise InputError(
            "`first` and `second` must be of the same photos."
            f" Received: shapes {first.shape} and {second.shape}"
        )
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(second & ~first))
    return Duel(
        only_first=only_first,
        only_second=only_second,
        p_value=_two_tails(min(only_first, only_second), only_first + only_second),
    )


def _two_tails(fewer: int, num_coins: int) -> float:
    """How often that many coins fall so unevenly: `fewer` or less on either side."""
    ways = tail = 1  # of 2^n equally likely ones; whole numbers, since floats would run out
    for count in range(fewer):
        ways = ways * (num_coins - count) // (count + 1)
        tail += ways
    return float(min(2 * tail / 2**num_coins, 1.0))
