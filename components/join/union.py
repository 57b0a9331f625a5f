"""Which photos of several datasets are joined: worked out from their indexes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from components.common.duplicates import near_duplicate_pairs
from components.common.errors import DataError
from components.common.index import PhotoIndex, concatenate
from components.split.rule import SPLITS

Numbers = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Union:
    """All photos of all datasets, by split, round and place in their dataset."""

    index: PhotoIndex  # n photos, with labels among the united classes
    splits: Numbers  # (n,), indices into `SPLITS`
    rounds: Numbers  # (n,), which dataset, from 0
    kept: NDArray[np.bool_]  # (n,), those that are joined

    def chosen(self, split: str) -> list[bool]:
        """Which photos of one split are joined, among those of the split."""
        return [bool(one) for one in self.kept[self.splits == SPLITS.index(split)]]

    def of_split(self, split: str) -> PhotoIndex:
        """The photos of one split that are joined."""
        return self.index.take(self._joined(split))

    def counts(self, split: str) -> list[int]:
        """Photos of one split that are joined, up to the end of each round."""
        rounds = self.rounds[self._joined(split)]
        num_rounds = int(self.rounds.max()) + 1
        return [int(number) for number in np.bincount(rounds, minlength=num_rounds).cumsum()]

    def _joined(self, split: str) -> NDArray[np.bool_]:
        joined: NDArray[np.bool_] = self.kept & (self.splits == SPLITS.index(split))
        return joined


def unite(parts: Mapping[str, Sequence[PhotoIndex]]) -> Union:
    """Unite classes by name, and leave out photos that would count twice or give away the answer.

    A photo that looks like one of another split stays only where nobody learns from it: test comes
    before validation, and that before train. Datasets know nothing of one another when they are
    split, and hard photos are often easy ones made worse. Then the same bytes are kept once, in
    the earliest round. Copies within a dataset stay as ingest has left them.

    Args:
        parts: By split, the index of each dataset, from easy to hard.

    Raises:
        DataError: If datasets disagree on the class of a photo.
    """
    given = {
        (place, number): one
        for place, split in enumerate(SPLITS)
        for number, one in enumerate(parts[split])
    }
    classes = tuple(sorted({name for one in given.values() for name in one.classes}))
    index = concatenate([_renamed(one, classes) for one in given.values()])
    splits, rounds = np.repeat(list(given), [len(one) for one in given.values()], axis=0).T
    contents = np.unique(index.sha256, axis=0, return_inverse=True)[1].ravel()
    _check_labels(index, contents, rounds)
    kept = splits == _guarding_split(index, contents, splits)
    earliest = np.full(len(index), len(parts[SPLITS[0]]))
    np.minimum.at(earliest, contents[kept], rounds[kept])
    kept &= rounds == earliest[contents]
    return Union(index=index, splits=splits, rounds=rounds, kept=kept)


def _renamed(index: PhotoIndex, classes: tuple[str, ...]) -> PhotoIndex:
    """The same photos with their labels among the united classes."""
    numbers = np.array([classes.index(name) for name in index.classes], np.int32)
    return replace(index, classes=classes, labels=numbers[index.labels])


def _guarding_split(index: PhotoIndex, contents: Numbers, splits: Numbers) -> Numbers:
    """The most guarded split in which a photo, or one that looks like it, is."""
    guarding = np.zeros(len(index), np.intp)
    np.maximum.at(guarding, contents, splits)
    guarding = guarding[contents]
    one, other = near_duplicate_pairs(index.hashes, index.decoded).T
    np.maximum.at(guarding, one, splits[other])
    np.maximum.at(guarding, other, splits[one])
    return guarding


def _check_labels(index: PhotoIndex, contents: Numbers, rounds: Numbers) -> None:
    order = np.lexsort((rounds, contents))
    first = order[np.searchsorted(contents[order], contents)]  # row of the earliest copy of each
    differs = (index.labels != index.labels[first]) & (rounds != rounds[first])
    if not differs.any():
        return
    row = int(np.flatnonzero(differs)[0])
    ours, theirs = (
        f"'{index.filenames[place]}' of round {rounds[place] + 1} is"
        f" '{index.classes[index.labels[place]]}'"
        for place in (int(first[row]), row)
    )
    raise DataError(
        f"Datasets of the curriculum disagree on {int(differs.sum())} of their photos: {ours}, and"
        f" {theirs}, with the same bytes. Correct one of them."
    )
