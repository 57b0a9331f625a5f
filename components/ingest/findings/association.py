"""Does one thing known of photos tell another? How well, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.ingest.findings.features import Feature

PERMUTATIONS = 200
SIGNIFICANT = 0.01
FEWEST = 10  # photos of a label that say something about it
SURE = 3  # standard deviations that chance is given beyond its mean

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Association:
    """How a feature goes with labels."""

    feature: Feature
    table: NDArray[np.intp]  # photos, (num_bins, num_labels)
    expected: Floats  # the same if feature and label had nothing to do with each other
    # How many photos of a label, as a share, can surely be told from all others by the feature
    # alone: the total variation distance between its bins and theirs, less what chance makes.
    separation: Floats  # (num_labels,), 0 for those with fewer than `FEWEST` photos
    p_value: float  # that chance makes any feature go with the labels so well
    accuracy: float  # of naming the label by the feature, on photos that it was not learned from
    baseline: float  # of naming the commonest label each time

    @property
    def is_significant(self) -> bool:
        """Whether it is more than chance."""
        return self.p_value <= SIGNIFICANT

    def striking(self, label: int) -> int:
        """The bin where a label's photos are most unexpectedly many, or few."""
        expected = self.expected[:, label]
        surprise = np.abs(self.table[:, label] - expected) / np.sqrt(np.maximum(expected, 1))
        return int(np.argmax(surprise))


def associate(
    features: Sequence[Feature], labels: NDArray[np.integer], num_labels: int
) -> list[Association]:
    """Hold each feature against the labels.

    Chance is what the features do with the labels shuffled. Several features have several chances
    to look striking: each is held against the best of all of them in every shuffle.

    Args:
        features: Of n photos.
        labels: Shape `(n,)`.
        num_labels: How many there may be.

    Returns:
        As many as features, in their order; none where fewer than 2 labels have photos enough.

    Reference:
        Westfall and Young, 1993, "Resampling-Based Multiple Testing" (max-T).
    """
    counts = np.bincount(labels, minlength=num_labels)
    if np.count_nonzero(counts >= FEWEST) < 2 or not features:
        return []
    tests = [_Test(feature, counts) for feature in features]
    observed = [test.measure(labels) for test in tests]
    rng = np.random.default_rng(0)
    for _ in range(PERMUTATIONS):
        shuffled = rng.permutation(labels)
        for test in tests:
            test.add_chance(shuffled)
    scores = [test.score(strength) for test, (strength, _) in zip(tests, observed, strict=True)]
    best = np.max([test.score(np.array(test.strengths)) for test in tests], axis=0)
    halves = rng.random(len(labels)) < 0.5
    return [
        test.result(
            labels,
            halves,
            separation=variation,
            p_value=(1 + np.count_nonzero(best >= score)) / (1 + PERMUTATIONS),
        )
        for test, (_, variation), score in zip(tests, observed, scores, strict=True)
    ]


class _Test:
    """One feature against labels, in earnest and shuffled."""

    def __init__(self, feature: Feature, counts: NDArray[np.intp]) -> None:
        self._feature = feature
        self._counts = counts
        in_bins = np.bincount(feature.bins, minlength=len(feature.words))
        self._expected = np.outer(in_bins, counts) / len(feature.bins)
        self._rows = feature.bins * len(counts)
        self.strengths: list[float] = []
        self._sum = np.zeros(len(counts))
        self._squares = np.zeros(len(counts))

    def measure(self, labels: NDArray[np.integer]) -> tuple[float, Floats]:
        """Chi-squared, and the total variation distance of each label from the others."""
        apart = self._table(labels) - self._expected
        strength = float((apart**2 / np.maximum(self._expected, 1e-9)).sum())
        total = self._counts.sum()
        # Of n photos k have the label: this share of theirs is 1 - k/n of the distance to others.
        scale = 2 * np.maximum(self._counts, 1) * np.maximum(1 - self._counts / total, 1 / total)
        return strength, np.abs(apart).sum(axis=0) / scale

    def add_chance(self, shuffled: NDArray[np.integer]) -> None:
        strength, variation = self.measure(shuffled)
        self.strengths.append(strength)
        self._sum += variation
        self._squares += variation**2

    def score(self, strength: Floats | float) -> Floats:
        """Standard deviations beyond chance."""
        spread = max(float(np.std(self.strengths)), 1e-9)
        return np.asarray((strength - np.mean(self.strengths)) / spread)

    def result(
        self,
        labels: NDArray[np.integer],
        halves: NDArray[np.bool_],
        *,
        separation: Floats,
        p_value: float,
    ) -> Association:
        mean = self._sum / PERMUTATIONS
        spread = np.sqrt(np.maximum(self._squares / PERMUTATIONS - mean**2, 0))
        sure = np.maximum(separation - mean - SURE * spread, 0)
        right = 0
        for learned in (halves, ~halves):
            known, asked = self._table(labels, learned), self._table(labels, ~learned)
            # A bin that was not seen, or is undecided, is taken for the commonest label.
            guess = (known + known.sum(axis=0) / len(labels)).argmax(axis=1)
            right += int(asked[np.arange(len(asked)), guess].sum())
        return Association(
            feature=self._feature,
            table=self._table(labels),
            expected=self._expected,
            separation=np.where(self._counts >= FEWEST, sure, 0.0),
            p_value=p_value,
            accuracy=right / len(labels),
            baseline=float(self._counts.max() / len(labels)),
        )

    def _table(
        self, labels: NDArray[np.integer], chosen: NDArray[np.bool_] | None = None
    ) -> NDArray[np.intp]:
        cells = self._rows + labels
        if chosen is not None:
            cells = cells[chosen]
        shape = self._expected.shape
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
