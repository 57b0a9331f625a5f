from dataclasses import replace

import numpy as np
import pytest

from components.common.duplicates import (
    MAX_DISTANCE,
    NUM_BANDS,
    group_near_duplicates,
    near_duplicate_pairs,
)
from tests.components.ingest.findings.indexes import make_index


def flip(looks: np.ndarray, *bits: int) -> np.ndarray:
    """The hash with some bits changed; bit 16 b + i is bit i of band b."""
    flipped = looks.copy()
    for bit in bits:
        flipped[bit // 64] ^= np.uint64(1 << bit % 64)
    return flipped


def related_looks(rng: np.random.Generator, n: int, most_flips: int = 30) -> np.ndarray:
    """Hashes scattered about a few: some near, some only by way of others."""
    centres = rng.integers(0, 2**64, (max(n // 12, 1), 4), np.uint64)
    hashes = centres[rng.integers(len(centres), size=n)]
    flips = rng.integers(0, most_flips, n)
    return np.array(
        [flip(one, *rng.integers(0, 256, k)) for one, k in zip(hashes, flips, strict=True)]
    )


def distances(hashes: np.ndarray) -> np.ndarray:
    return np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2, dtype=int)


def pairs_one_by_one(hashes: np.ndarray, most: int) -> list[list[int]]:
    first, second = np.nonzero(np.triu(distances(hashes) <= most, k=1))
    return [list(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)]


def alike(index) -> np.ndarray:
    """Which two photos look the same or have the same bytes, shape (n, n)."""
    comparable = index.decoded & index.hashes.any(axis=1)
    near = (distances(index.hashes) <= MAX_DISTANCE) & comparable & comparable[:, None]
    return near | (index.sha256[:, None] == index.sha256[None]).all(axis=2)


def groups_one_by_one(index) -> dict[bytes, bytes]:
    """SHA-256 of each photo's leader by the photo's own, worked out step by step."""
    near, keys = alike(index), [one.tobytes() for one in index.sha256]
    oldest: dict[bytes, int] = {}  # version of each photo: that of its oldest copy
    for key, generation in zip(keys, index.generations.tolist(), strict=True):
        oldest[key] = min(generation, oldest.get(key, generation))
    order = sorted(range(len(index)), key=lambda row: (oldest[keys[row]], keys[row]))
    place, leaders = {row: number for number, row in enumerate(order)}, {}
    for generation in range(4):
        new = {row for row in order if oldest[keys[row]] == generation}
        while new:
            group = {min(new, key=place.get)}
            while more := {row for row in new - group if near[row, list(group)].any()}:
                group |= more
            new -= group
            old = [leaders[row] for row in list(leaders) if near[row, list(group)].any()]
            group_leader = min(old, key=place.get) if old else min(group, key=place.get)
            leaders |= dict.fromkeys(group, group_leader)
    return {keys[row]: keys[leader] for row, leader in leaders.items()}


def leaders_of(index) -> dict[bytes, bytes]:
    """SHA-256 of the leader that each photo was given, by the photo's own."""
    groups = group_near_duplicates(index)
    assert groups.dtype == np.int32
    return {
        one.tobytes(): index.sha256[leader].tobytes()
        for one, leader in zip(index.sha256, groups, strict=True)
    }


def random_index(seed: int, n: int = 150):
    """Related photos of several versions; some are copies, some were not decoded."""
    rng = np.random.default_rng(seed)
    index = make_index({"cat": n}, seed=seed)
    hashes, sha256 = related_looks(rng, n), index.sha256.copy()
    hashes[rng.integers(0, n, 4)] = 0
    copied = rng.integers(0, n, (2, n // 10))
    hashes[copied[0]], sha256[copied[0]] = hashes[copied[1]], sha256[copied[1]]
    return replace(
        index,
        hashes=hashes,
        sha256=sha256,
        decoded=rng.random(n) < 0.95,
        generations=rng.integers(0, 4, n).astype(np.int32),
    )


@pytest.mark.parametrize("most", [0, 1, 15, MAX_DISTANCE])
@pytest.mark.parametrize("seed", range(3))
def test_no_pair_is_missing_and_none_too_many(seed, most):
    hashes = related_looks(np.random.default_rng(seed), 300)

    found = near_duplicate_pairs(hashes, np.ones(300, bool), max_distance=most)

    assert found.tolist() == pairs_one_by_one(hashes, most)


def test_the_hardest_pair_differs_in_two_bits_of_all_bands_but_one():
    looks = make_index({"cat": 1}).hashes[0]
    spread = [16 * band + bit for band in range(NUM_BANDS) for bit in (3, 9)]
    near, far = flip(looks, *spread[:-1]), flip(looks, *spread)

    found = near_duplicate_pairs(np.array([looks, near, far]), np.ones(3, bool))

    assert found.tolist() == [[0, 1], [1, 2]]  # 31 bits and 1 bit apart; 0 and 2 are 32 apart


def test_photos_that_were_not_decoded_or_have_no_features_make_no_pairs():
    looks = make_index({"cat": 1}).hashes[0]
    hashes = np.array([looks, looks, looks, [0] * 4, [0] * 4], np.uint64)

    found = near_duplicate_pairs(hashes, np.array([True, False, True, True, True]))

    assert found.tolist() == [[0, 2]]


def test_more_pairs_than_are_compared_at_once_are_all_found():
    hashes = np.repeat(make_index({"cat": 1}).hashes, 400, axis=0)

    found = near_duplicate_pairs(hashes, np.ones(400, bool))

    assert len(found) == 400 * 399 / 2
    assert len(np.unique(found, axis=0)) == len(found)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_photos_for_a_pair_make_none(n):
    found = near_duplicate_pairs(np.ones((n, 4), np.uint64), np.ones(n, bool))

    assert found.shape == (0, 2)


@pytest.mark.parametrize("most", [-1, 32])
def test_distances_that_cannot_be_searched_are_refused(most):
    message = f"`max_distance` must be 0 to 31. Received: {most}"
    with pytest.raises(ValueError, match=message):
        near_duplicate_pairs(np.zeros((2, 4), np.uint64), np.ones(2, bool), max_distance=most)


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_those_worked_out_one_by_one(seed):
    index = random_index(seed)

    assert leaders_of(index) == groups_one_by_one(index)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_photos_makes_no_difference(seed):
    index = random_index(seed)
    shuffled = index.take(np.random.default_rng(seed).permutation(len(index)))

    assert leaders_of(shuffled) == leaders_of(index)


@pytest.mark.parametrize("seed", range(4))
def test_photos_of_later_versions_change_no_group_of_earlier_ones(seed):
    index = random_index(seed)

    whole = leaders_of(index)

    for newest in range(3):
        earlier = leaders_of(index.take(index.generations <= newest))
        assert earlier == {sha256: whole[sha256] for sha256 in earlier}


@pytest.mark.parametrize("seed", range(4))
def test_photos_that_came_together_and_look_the_same_are_in_one_group(seed):
    index = replace(random_index(seed), generations=np.zeros(150, np.int32))

    groups = group_near_duplicates(index)

    assert all(len(set(groups[photos].tolist())) == 1 for photos in alike(index))
    assert len(set(groups.tolist())) > 3
    assert (groups[groups] == groups).all()  # a leader leads itself


def chain(*generations: int):
    """Photos each of which looks like its neighbours only; SHA-256 1, 2, 3, ... in a row."""
    looks = make_index({"cat": 1}).hashes[0]
    n = len(generations)
    sha256 = np.zeros((n, 32), np.uint8)
    sha256[:, 0] = np.arange(1, n + 1)
    hashes = np.array([flip(looks, *range(20 * number)) for number in range(n)])
    return make_index({"cat": n}, hashes=hashes, sha256=sha256, generations=list(generations))


def test_a_chain_that_came_at_once_is_one_group_led_by_the_smallest_sha256():
    index = chain(0, 0, 0, 0).take([2, 3, 0, 1])

    assert group_near_duplicates(index).tolist() == [2, 2, 2, 2]


def test_a_new_photo_between_two_groups_joins_the_older_and_moves_neither():
    index = chain(0, 1, 0)  # the middle one comes later

    assert group_near_duplicates(index).tolist() == [0, 0, 2]


def test_the_older_of_two_groups_is_that_of_the_older_version():
    index = chain(1, 2, 0)

    assert group_near_duplicates(index).tolist() == [0, 2, 2]


def test_new_photos_that_belong_together_join_a_group_together():
    index = chain(0, 1, 1, 1)

    assert group_near_duplicates(index).tolist() == [0, 0, 0, 0]


def test_a_later_photo_leads_no_group_it_joins_even_with_a_smaller_sha256():
    index = chain(1, 0)

    assert group_near_duplicates(index).tolist() == [1, 1]


def test_copies_are_one_group_even_where_no_photo_was_decoded():
    index = make_index({"cat": 5}, decoded=False)
    sha256 = index.sha256.copy()
    sha256[4] = sha256[1]

    groups = group_near_duplicates(replace(index, sha256=sha256))

    assert groups[4] == groups[1]
    assert len(set(groups.tolist())) == 4


def test_photos_of_one_colour_stay_apart():
    index = make_index({"cat": 6}, hashes=0)

    assert group_near_duplicates(index).tolist() == [0, 1, 2, 3, 4, 5]


def test_many_photos_with_one_hash_are_one_group():
    looks = make_index({"cat": 1}).hashes[0]
    index = make_index({"cat": 30_000}, hashes=looks, generations=np.arange(30_000) % 3)

    assert len(set(group_near_duplicates(index).tolist())) == 1


def test_no_photos_make_no_groups():
    assert group_near_duplicates(make_index({"cat": 0})).tolist() == []
