import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.draws import numbers
from components.augment.erasing import area
from components.augment.mixing import Mixer, Mixture, draw_patch, mix
from components.augment.policies import find_policy

SIZE = 16
PHOTOS = np.random.default_rng(0).integers(0, 256, (30, SIZE, SIZE, 3)).astype(np.uint8)
LABELS = np.arange(30) % 3
ROWS = np.arange(30)


def make(name: str, *, seed: int = 3) -> Mixer:
    return Mixer(augmenter=Augmenter(policy=find_policy(name), seed=seed), num_photos=30, size=SIZE)


@pytest.fixture(params=["mixup", "cutmix"])
def mixer(request) -> Mixer:
    return make(request.param)


def test_every_photo_is_the_partner_of_exactly_one_in_an_epoch(mixer):
    epochs = [mixer.partners(epoch).tolist() for epoch in range(4)]

    assert all(sorted(partners) == list(range(30)) for partners in epochs)
    assert len({tuple(partners) for partners in epochs}) == 4


def test_a_photo_is_mixed_the_same_whatever_the_batch(mixer):
    whole = mixer.photos(PHOTOS, ROWS, 2)
    rows = np.array([17, 0, 5])

    np.testing.assert_array_equal(mixer.photos(PHOTOS, rows, 2), whole[rows])
    np.testing.assert_array_equal(
        mixer.labels(LABELS, 3, rows, 2), mixer.labels(LABELS, 3, ROWS, 2)[rows]
    )


def test_a_photo_is_mixed_differently_in_every_epoch_and_seed(mixer):
    runs = [mixer.photos(PHOTOS, ROWS, epoch) for epoch in range(3)]
    runs.append(make(mixer.augmenter.policy.name, seed=4).photos(PHOTOS, ROWS, 0))

    for row in ROWS:
        assert len({run[row].tobytes() for run in runs}) == 4


def test_mixed_photos_are_those_augmented_photos_mixed(mixer):
    augmenter = mixer.augmenter
    rows = np.array([4, 9])
    partners = mixer.partners(1)[rows]

    own, others = augmenter(PHOTOS[rows], rows, 1), augmenter(PHOTOS[partners], partners, 1)

    expected = [
        mix(own[place], others[place], mixer.mixture(row, 1)) for place, row in enumerate([4, 9])
    ]
    np.testing.assert_array_equal(mixer.photos(PHOTOS, rows, 1), expected)


def test_labels_are_the_shares_of_both_photos(mixer):
    soft = mixer.labels(LABELS, 3, ROWS, 1)

    assert soft.shape == (30, 3)
    assert soft.dtype == np.float32
    for row in ROWS.tolist():
        expected = np.zeros(3)
        expected[LABELS[row]] += mixer.mixture(row, 1).share
        expected[LABELS[mixer.partners(1)[row]]] += 1 - mixer.mixture(row, 1).share
        assert soft[row].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_originals_and_augmented_photos_of_others_stay(mixer):
    before = PHOTOS.copy()

    mixer.photos(PHOTOS, ROWS, 0)

    np.testing.assert_array_equal(PHOTOS, before)


def test_mixup_adds_by_share():
    one, other = np.full((2, 2, 3), 100, np.uint8), np.full((2, 2, 3), 20, np.uint8)

    # 0.75 x 100 + 0.25 x 20
    assert (
        mix(one, other, Mixture(share=0.75, patch=None)).tolist() == np.full((2, 2, 3), 80).tolist()
    )


def test_cutmix_puts_a_patch_of_the_partner_into_the_photo():
    one, other = np.zeros((3, 4, 3), np.uint8), np.full((3, 4, 3), 9, np.uint8)

    mixed = mix(one, other, Mixture(share=5 / 6, patch=(slice(1, 2), slice(2, 4))))

    assert mixed[..., 0].tolist() == [[0, 0, 0, 0], [0, 0, 9, 9], [0, 0, 0, 0]]
    assert one.max() == 0


def test_the_share_of_a_patch_is_what_it_covers_to_the_pixel():
    mixer = make("cutmix")

    for row in range(200):
        mixture = mixer.mixture(row, 0)
        assert mixture.share == 1 - area(mixture.patch) / SIZE**2


def test_patches_have_the_area_wanted_but_for_what_the_edges_cut():
    areas = []
    for index in range(500):
        rows, columns = draw_patch(0.25, 100, numbers(0, 0, index))
        assert 0 <= rows.start <= rows.stop <= 100
        assert 0 <= columns.start <= columns.stop <= 100
        areas.append(area((rows, columns)))

    assert max(areas) == pytest.approx(2500, abs=51)
    # A centre nearer than 25 of 100 pixels to an edge, as half of them are, loses 12.5 of 50 pixels
    # on average: 43.75 x 43.75 are left.
    assert np.mean(areas) == pytest.approx(1914, rel=0.05)


def test_shares_of_mixup_follow_beta_with_the_photo_as_the_larger_part():
    mixer = make("mixup")

    shares = np.array(
        [mixer.mixture(row, epoch).share for row in range(1000) for epoch in range(3)]
    )

    assert shares.min() >= 0.5
    # Of max(x, 1 - x), x from Beta(0.2, 0.2): mean 0.5 + E|x - 0.5|, computed by simulation.
    drawn = np.random.default_rng(0).beta(0.2, 0.2, 200_000)
    assert shares.mean() == pytest.approx(np.maximum(drawn, 1 - drawn).mean(), abs=0.01)


def test_areas_of_cutmix_are_drawn_evenly():
    mixer = Mixer(
        augmenter=Augmenter(policy=find_policy("cutmix"), seed=0), num_photos=2000, size=200
    )

    shares = np.array([mixer.mixture(row, 0).share for row in range(2000)])

    # The patch wants a share evenly from 0 to 1; what the edges cut off stays the photo's.
    assert shares.min() < 0.15
    assert shares.max() > 0.999
    assert 0.5 < shares.mean() < 0.8
