import numpy as np
import pytest

from components.ingest.findings.association import PERMUTATIONS, associate
from components.ingest.findings.features import Feature


def feature(bins, name: str = "size") -> Feature:
    bins = np.asarray(bins, np.intp)
    return Feature(name=name, bins=bins, words=tuple(f"in bin {i}" for i in range(bins.max() + 1)))


def test_a_feature_that_is_the_label_separates_it_wholly():
    labels = np.repeat([0, 1], 100)

    (found,) = associate([feature(labels)], labels, 2)

    assert found.table.tolist() == [[100, 0], [0, 100]]
    assert found.expected.tolist() == [[50, 50], [50, 50]]
    assert found.accuracy == 1.0
    assert found.baseline == 0.5
    assert found.p_value == 1 / (PERMUTATIONS + 1)
    assert found.is_significant
    # Less what chance makes of 100 against 100: 0.06 on average, up to 0.18 at 3 deviations.
    assert found.separation == pytest.approx([0.82, 0.82], abs=0.06)


def test_a_feature_that_has_nothing_to_do_with_the_label_is_not_significant():
    labels, bins = np.tile([0, 1], 100), np.repeat([0, 1], 100)

    (found,) = associate([feature(bins)], labels, 2)

    assert found.p_value > 0.5
    assert found.separation.tolist() == [0, 0]
    assert found.accuracy <= 0.55


@pytest.mark.parametrize("seed", range(3))
def test_of_many_random_features_none_is_significant(seed):
    rng = np.random.default_rng(seed)
    features = [feature(rng.integers(0, 10, 500)) for _ in range(20)]

    found = associate(features, rng.integers(0, 5, 500), 5)

    assert len(found) == 20
    assert not any(one.is_significant for one in found)


def test_a_class_is_held_against_the_others_however_large_it_is():
    # 900 of the large class, 10 % in bin 1; 100 of the small one, 60 % in bin 1: 0.5 apart.
    labels = np.repeat([0, 1], [900, 100])
    bins = np.concatenate([np.arange(900) % 10 == 0, np.arange(100) % 10 < 6])

    (found,) = associate([feature(bins)], labels, 2)

    assert found.separation[0] == pytest.approx(found.separation[1])
    assert 0.35 < found.separation[0] < 0.5


def test_labels_with_few_photos_separate_nothing():
    labels = np.repeat([0, 1, 2], [100, 100, 9])

    (found,) = associate([feature(labels)], labels, 3)

    assert found.separation[2] == 0
    assert found.separation[0] > 0.5


@pytest.mark.parametrize("counts", [[100, 9], [100], [0, 50]])
def test_a_single_label_with_photos_enough_has_nothing_to_be_told_from(counts):
    labels = np.repeat(np.arange(len(counts)), counts)

    assert associate([feature(np.arange(len(labels)) % 2)], labels, len(counts)) == []


def test_the_striking_bin_is_where_photos_are_missing_or_too_many():
    labels = np.repeat([0, 1], [100, 100])
    bins = np.concatenate([np.repeat([0, 1, 2], [80, 20, 0]), np.repeat([0, 1, 2], [80, 8, 12])])

    (found,) = associate([feature(bins)], labels, 2)

    # Of label 1 there are 80 of 80 expected, 8 of 14 and 12 of 6: off by 0, 1.6 and 2.4 deviations.
    assert found.striking(1) == 2


def test_bins_that_one_half_lacks_are_taken_for_the_commonest_label():
    labels = np.repeat([0, 1], [30, 70])

    (found,) = associate([feature(np.arange(100))], labels, 2)

    assert found.accuracy == found.baseline == 0.7
