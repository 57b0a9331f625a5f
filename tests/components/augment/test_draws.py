import numpy as np

from components.augment.draws import MIXTURES, PARTNERS, PHOTOS, numbers


def test_the_same_numbers_come_whenever_they_are_asked_for():
    first = numbers(7, 2, 100).random(5).tolist()
    numbers(7, 2, 101).random(1000)

    assert numbers(7, 2, 100).random(5).tolist() == first


def test_seed_epoch_photo_and_stream_each_give_other_numbers():
    others = [
        (8, 2, 100, PHOTOS),
        (7, 3, 100, PHOTOS),
        (7, 2, 101, PHOTOS),
        (7, 2, 100, MIXTURES),
        (7, 2, 100, PARTNERS),
    ]

    drawn = [set(numbers(*key).random(100).tolist()) for key in [(7, 2, 100, PHOTOS), *others]]

    assert len(set.union(*drawn)) == 600


def test_neighbours_have_nothing_in_common():
    # Correlations of 10,000 pairs are within 5 / sqrt(10,000) = 0.05.
    first = np.array([numbers(0, 0, index).random() for index in range(10_000)])

    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) <= 0.05
    assert abs(first.mean() - 0.5) <= 5 * np.sqrt(1 / 12 / 10_000)
