"""Photos that look the same: found among millions of pairs, and grouped so that groups stay put."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from components.common.index import PhotoIndex
from components.common.looks import FEATURELESS

NUM_BANDS = 16  # of 16 bits each
# Bits in which two photos may differ and still be one. On contact sheets of the 2,600 real photos,
# pairs up to 8 apart were one photo, shrunk or saved again; the next, 68 apart, two shots of one
# dandelion; all others, from 84 on, had nothing in common. Drawn photos are 78 apart or more. Of
# 100,000 crops of the real ones, no pair within 31 came from two photos. Copies of another size and
# quality are 28 apart at most, 99 times of 100. Two hashes up to 31 apart have a band that differs
# in one bit or none, which makes the search quick: 2 s for 100,000 photos.
MAX_DISTANCE = 2 * NUM_BANDS - 1
_FLIPS = (0, *(1 << bit for bit in range(16)))
_BLOCK = 1 << 13  # pairs compared at once: small arrays stay in the cache and in the heap

Rows = NDArray[np.intp]


def near_duplicate_pairs(
    hashes: NDArray[np.uint64], decoded: NDArray[np.bool_], *, max_distance: int = MAX_DISTANCE
) -> Rows:
    """Find all pairs of photos that look the same.

    Args:
        hashes: Perceptual hashes, shape `(n, 4)`.
        decoded: Photos that have one, shape `(n,)`. Those without features are left out, too.
        max_distance: Bits in which the two may differ, `MAX_DISTANCE` at most.

    Returns:
        Row numbers, shape `(k, 2)`, the smaller first, sorted; none missing.

    Raises:
        ValueError: If `max_distance` is out of range.

    Reference:
        Norouzi, Punjani and Fleet, 2012, "Fast Search in Hamming Space with Multi-Index Hashing".
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"`max_distance` must be 0 to {MAX_DISTANCE}. Received: {max_distance}")
    rows = np.flatnonzero(decoded & (hashes != FEATURELESS).any(axis=1))
    hashes, num_photos = hashes[rows], len(hashes)
    found = np.zeros(0, np.int64)  # each pair as one number
    for band in range(NUM_BANDS):
        new = [
            rows[one[rising]] * num_photos + rows[other[rising]]
            for one, other in _near(hashes, hashes, band, max_distance)
            if (rising := one < other).any()
        ]
        found = np.sort(np.concatenate([found, *new]))  # np.unique takes 30 times longer
        found = found[np.diff(found, prepend=-1) > 0]
    return np.stack(np.divmod(found, max(num_photos, 1)), axis=1)


def group_near_duplicates(index: PhotoIndex) -> NDArray[np.int32]:
    """Put photos that look the same into groups that later photos never change.

    The photos that came with one version of the dataset are taken together: those linked by
    pairs that look the same are kept together. They join the oldest group of an earlier version
    that one of them looks like, or else make a group of their own, led by the one with the
    smallest SHA-256. Groups of earlier versions are never merged, even where a new photo looks
    like both: their photos have their place already.

    Args:
        index: Of all photos, in any order. Copies, with the same bytes, count as one photo.

    Returns:
        The row of the leader of each photo's group, shape `(n,)`.
    """
    rows, copies = _distinct(index)
    generations = np.full(len(rows), np.iinfo(np.int32).max)
    np.minimum.at(generations, copies, index.generations)
    taken = np.argsort(generations, kind="stable")  # the oldest first, then by SHA-256
    rows, generations = rows[taken], generations[taken]
    leaders = rows[_lead(index.hashes[rows], index.decoded[rows], generations)]
    groups = np.empty(len(rows), np.int32)
    groups[taken] = leaders
    return groups[copies]


def _lead(
    hashes: NDArray[np.uint64], decoded: NDArray[np.bool_], generations: NDArray[np.integer]
) -> Rows:
    """The leader of each photo's group, by number; photos are distinct, in the order taken."""
    comparable = decoded & (hashes != FEATURELESS).any(axis=1)
    same = _previous_equal(hashes, comparable)
    # Of photos of one version with one hash, which are linked, only the first is searched for.
    first = comparable & ((same < 0) | (generations[same] != generations))
    leaders = np.arange(len(hashes))
    starts = np.flatnonzero(np.diff(generations, prepend=-1))
    for start, stop in itertools.pairwise([*starts.tolist(), len(hashes)]):
        group = _Grouping(leaders[:stop], start)
        linked = start + np.flatnonzero(same[start:stop] >= 0)
        group.link(linked, same[linked])
        known = np.flatnonzero(first[:stop])
        new = known[known >= start]
        looks, all_looks = hashes[new], hashes[known]
        for band in range(NUM_BANDS):
            for one, other in _near(looks, all_looks, band, MAX_DISTANCE):
                group.link(new[one], known[other])
        group.settle()
    return leaders


class _Grouping:
    """Groups of the photos from `start` on, beside settled ones before it. Numbers as taken."""

    def __init__(self, leaders: Rows, start: int) -> None:
        self._leaders = leaders  # changed in place; of new photos, the first they are linked with
        self._start = start
        self._joined = np.arange(len(leaders))  # leader of the settled group that each may join

    def link(self, new: Rows, other: Rows) -> None:
        """Keep together photos that look the same; `other` is new as well, or settled."""
        settled = other < self._start
        np.minimum.at(self._joined, new[settled], self._leaders[other[settled]])
        self._unite(new[~settled], other[~settled])

    def _unite(self, one: Rows, other: Rows) -> None:
        leaders = self._leaders
        while (apart := leaders[one] != leaders[other]).any():
            pair = leaders[one[apart]], leaders[other[apart]]
            np.minimum.at(leaders, np.maximum(*pair), np.minimum(*pair))
            while (leaders[leaders] != leaders).any():
                leaders[:] = leaders[leaders]

    def settle(self) -> None:
        """Let every group of new photos join the oldest settled one, if it may join any."""
        new = slice(self._start, None)
        np.minimum.at(self._joined, self._leaders[new], self._joined[new])
        self._leaders[new] = self._joined[self._leaders[new]]


def _distinct(index: PhotoIndex) -> tuple[Rows, Rows]:
    """A row of each photo that differs in its bytes, by SHA-256, and the number of each row's."""
    words = np.ascontiguousarray(index.sha256).view(">u8")
    order = np.lexsort((~index.decoded, *words.T[::-1]))  # of copies, one that was decoded
    differs = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    numbers = np.empty(len(order), np.intp)
    numbers[order] = np.cumsum(np.append(0, differs))[: len(order)]
    return order[np.append(True, differs)[: len(order)]], numbers


def _previous_equal(hashes: NDArray[np.uint64], comparable: NDArray[np.bool_]) -> Rows:
    """For each photo, the last comparable one before it with the same hash; -1 for none."""
    previous = np.full(len(hashes), -1)
    rows = np.flatnonzero(comparable)
    order = rows[np.lexsort(hashes[rows].T)]
    equal = (hashes[order[1:]] == hashes[order[:-1]]).all(axis=1)
    previous[order[1:][equal]] = order[:-1][equal]
    return previous


def _near(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], band: int, most: int
) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows of both that differ in `most` bits, and in one or none of the band, in blocks."""
    keys = np.ascontiguousarray(hashes).view(np.uint16)[:, band]
    other_keys = np.ascontiguousarray(others).view(np.uint16)[:, band]
    order = np.argsort(other_keys, kind="stable")
    starts = np.zeros((1 << 16) + 1, np.intp)
    np.cumsum(np.bincount(other_keys, minlength=1 << 16), out=starts[1:])
    for begin, flip in itertools.product(range(0, len(keys), _BLOCK), _FLIPS):
        wanted = (keys[begin : begin + _BLOCK] ^ np.uint16(flip)).astype(np.intp)
        for row, place in _ranges(starts[wanted], starts[wanted + 1]):
            row, other = begin + row, order[place]
            near = _distances(hashes.take(row, axis=0), others.take(other, axis=0)) <= most
            if near.any():
                yield row[near], other[near]


def _distances(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Bits in which hashes differ, shape `(k,)`."""
    bits = np.bitwise_count(one ^ other)
    # `sum(axis=1)` takes 15 times longer. Two words fit into 8 bits, four may not.
    return np.asarray(np.add(bits[:, 0] + bits[:, 1], bits[:, 2] + bits[:, 3], dtype=np.uint16))


def _ranges(starts: Rows, stops: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield (i, starts[i]), ..., (i, stops[i] - 1) for all i, in blocks of about `_BLOCK`."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    block = 0
    while block < len(lengths):
        begin = ends[block] - lengths[block]
        after = max(int(np.searchsorted(ends, begin + _BLOCK, side="right")), block + 1)
        part = slice(block, after)
        rows = np.repeat(np.arange(block, after), lengths[part])
        if len(rows):
            shift = starts[part] + lengths[part] - ends[part] + begin
            yield rows, np.arange(len(rows)) + np.repeat(shift, lengths[part])
        block = after
