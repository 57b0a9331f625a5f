from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.policies import POLICIES, Policy, find_policy
from components.augment.warp import warp_mask
from components.common.photos import decode, decode_mask
from tests.components.resampling import exact_square, psnr

PHOTOS = np.random.default_rng(0).integers(0, 256, (8, 24, 32, 3)).astype(np.uint8)
INDICES = np.arange(100, 108)


@pytest.fixture
def heavy():
    return Augmenter(policy=find_policy("heavy"), seed=3)


def test_the_policy_none_changes_nothing():
    augmented = Augmenter(policy=find_policy("none"), seed=3)(PHOTOS, INDICES, 0)

    np.testing.assert_array_equal(augmented, PHOTOS)


def test_shape_and_type_stay_and_the_originals_are_not_touched(heavy):
    originals = PHOTOS.copy()

    augmented = heavy(PHOTOS, INDICES, 0)

    assert augmented.shape == PHOTOS.shape
    assert augmented.dtype == np.uint8
    np.testing.assert_array_equal(PHOTOS, originals)


def test_every_photo_is_different_in_every_epoch(heavy):
    epochs = [heavy(PHOTOS, INDICES, epoch) for epoch in range(6)]

    for row in range(len(PHOTOS)):
        assert len({epoch[row].tobytes() for epoch in epochs} | {PHOTOS[row].tobytes()}) == 7


def test_the_same_photo_at_different_places_is_warped_differently(heavy):
    same = np.repeat(PHOTOS[:1], 8, axis=0)

    assert len({one.tobytes() for one in heavy(same, INDICES, 0)}) == 8


def test_another_seed_warps_differently(heavy):
    other = Augmenter(policy=find_policy("heavy"), seed=4)

    for ours, theirs in zip(heavy(PHOTOS, INDICES, 0), other(PHOTOS, INDICES, 0), strict=True):
        assert (ours != theirs).any()


def test_a_photo_is_warped_the_same_whatever_the_batch(heavy):
    whole = heavy(PHOTOS, INDICES, 2)
    shuffled = [5, 0, 7, 2, 1, 6, 3, 4]
    heavy(PHOTOS, INDICES, 1)  # what was drawn before does not matter

    again = Augmenter(policy=find_policy("heavy"), seed=3)

    np.testing.assert_array_equal(again(PHOTOS[shuffled], INDICES[shuffled], 2), whole[shuffled])
    np.testing.assert_array_equal(again(PHOTOS[5:6], INDICES[5:6], 2), whole[5:6])


def test_shifts_are_fractions_of_the_photos_own_sides():
    # Only sideways: every row of a photo whose columns count up shows the same shift.
    augmenter = Augmenter(policy=Policy(name="shift", width_shift=0.25), seed=0)
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, None, :, None], 3, axis=3)
    ramps = np.repeat(np.repeat(ramp, 4, axis=1), 40, axis=0)

    shifts = augmenter(ramps, np.arange(40), 0)[:, 0, 100, 0].astype(int) - 100

    # 0.25 x 200 = 50 pixels either way; 40 draws all stay below 25 once in 100,000, 0.75^40.
    assert shifts.max() in range(25, 51)
    assert shifts.min() in range(-50, -24)


ON_THEIR_OWN = [name for name, policy in POLICIES.items() if name != "none" and not policy.mixes]


@pytest.mark.parametrize("name", ON_THEIR_OWN)
def test_whatever_the_policy_a_photo_is_different_in_every_epoch_and_the_same_in_every_run(name):
    augmenter = Augmenter(policy=find_policy(name), seed=3)
    epochs = [augmenter(PHOTOS, INDICES, epoch) for epoch in range(4)]

    again = Augmenter(policy=find_policy(name), seed=3)
    np.testing.assert_array_equal(again(PHOTOS[5:6], INDICES[5:6], 2), epochs[2][5:6])
    for row in range(len(PHOTOS)):
        assert len({epoch[row].tobytes() for epoch in epochs}) >= 3  # identity may be drawn


@pytest.mark.parametrize("name", ON_THEIR_OWN)
def test_threads_change_nothing(name):
    augmenter = Augmenter(policy=find_policy(name), seed=1)
    photos, indices = np.repeat(PHOTOS, 8, axis=0), np.arange(64)
    whole = augmenter(photos, indices, 0)

    with ThreadPoolExecutor(4) as pool:
        one_by_one = pool.map(
            lambda row: augmenter(photos[row : row + 1], indices[row : row + 1], 0)[0], range(64)
        )

    np.testing.assert_array_equal(list(one_by_one), whole)


def test_colours_and_erasing_come_on_top_of_the_same_warp():
    light = Augmenter(policy=find_policy("light"), seed=3)
    erasing = Augmenter(policy=find_policy("erasing"), seed=3)

    warped, erased = light(PHOTOS, INDICES, 0), erasing(PHOTOS, INDICES, 0)

    changed = [(one != other).any(axis=2) for one, other in zip(warped, erased, strict=True)]
    assert any(not mask.any() for mask in changed)  # half of the photos stay
    for mask in changed:
        if mask.any():  # noise in a rectangle, which hits the old value once in 256^3
            rows, columns = np.nonzero(mask)
            area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert mask.sum() == area


@pytest.mark.parametrize("name", ["light", "heavy", "randaugment"])
def test_a_photo_in_one_go_is_the_decoded_square_augmented(name, pets):
    augmenter = Augmenter(policy=find_policy(name), seed=2)

    for index, record in enumerate(pets):
        square = decode(record, 96)
        at_once = augmenter.from_record(record, index, 1, 96)

        in_two_steps = augmenter(square[None], np.array([index]), 1)[0]
        assert at_once.shape == (96, 96, 3)
        assert psnr(at_once, in_two_steps) > 24  # sharper, and in the same place
        other = augmenter(square[None], np.array([index + 1]), 1)[0]
        assert psnr(at_once, in_two_steps) > psnr(at_once, other) + 5


def test_without_a_policy_a_photo_is_only_decoded(pets):
    augmenter = Augmenter(policy=find_policy("none"), seed=2)

    np.testing.assert_array_equal(augmenter.from_record(pets[0], 0, 0, 64), decode(pets[0], 64))


@pytest.mark.parametrize("size", [96, 192])
def test_real_photos_lose_less_in_one_go_than_in_two_steps(real_cats, size):
    augmenter = Augmenter(policy=find_policy("heavy"), seed=0)
    at_once, in_two_steps = [], []
    for index, record in enumerate(real_cats):
        photo = cv2.imdecode(np.frombuffer(record.encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
        exact = exact_square(photo, size, augmenter.moved(index, 0, size, size))
        at_once.append(psnr(augmenter.from_record(record, index, 0, size), exact))
        # As it was done before: an exact average to a square, which is then warped.
        square = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
        warped = augmenter(square[None], np.array([index]), 0)[0]
        in_two_steps.append(psnr(warped, exact))

    assert np.mean(at_once) >= 37  # dB; what is accepted
    assert np.mean(at_once) >= np.mean(in_two_steps) + 1


@pytest.mark.parametrize("name", ["light", "heavy", "randaugment"])
def test_boxes_and_masks_of_drawn_pets_move_with_the_photo(name, pets):
    size = 128
    augmenter = Augmenter(policy=find_policy(name), seed=4)
    boxes = np.array([record.box for record in pets], np.float32)
    indices = np.arange(len(pets))

    for epoch in range(5):
        there = augmenter.boxes(boxes, indices, epoch, size)
        for index, record in enumerate(pets):
            moved = augmenter.moved(index, epoch, size, size)
            mask = warp_mask(decode_mask(record), moved, size, size)
            rows, columns = np.nonzero(mask)
            sides = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / size
            xmin, ymin, xmax, ymax = there[index]
            # All of the object is in its box, but for the pixels that the edges cut.
            assert sides[0] >= xmin - 1 / size
            assert sides[1] >= ymin - 1 / size
            assert sides[2] <= xmax + 1 / size
            assert sides[3] <= ymax + 1 / size


def test_a_moved_mask_covers_the_moved_object(pets):
    # The object is painted white on black, so that the photo itself shows where it went.
    record = pets[0]
    mask = decode_mask(record)
    painted = np.repeat(255 * mask[..., None], 3, axis=2)
    encoded = cv2.imencode(".png", painted)[1].tobytes()
    augmenter = Augmenter(policy=Policy(name="turn", rotation_degrees=40, zoom=0.2), seed=0)

    photo = augmenter.from_record(replace(record, encoded=encoded, format="png"), 0, 0, 160)

    moved = warp_mask(mask, augmenter.moved(0, 0, 160, 160), 160, 160)
    inside = slice(20, 140)  # nearer to the edges the photo repeats them
    differ = (photo[inside, inside, 0] > 127) != (moved[inside, inside] == 1)
    assert differ.mean() < 0.01


def test_photos_without_a_box_get_none_and_boxes_that_leave_are_nan():
    augmenter = Augmenter(policy=Policy(name="away", width_shift=1.0), seed=0)
    boxes = np.array([[np.nan] * 4] + [[0.0, 0.0, 0.01, 1.0]] * 20, np.float32)

    there = augmenter.boxes(boxes, np.arange(21), 0, 100)

    assert np.isnan(there[0]).all()
    left = np.isnan(there[1:]).all(axis=1)
    assert 0 < left.sum() < 20  # out at the left, and somewhere at the right
    assert (there[1:][~left] >= 0).all()
    assert (there[1:][~left] <= 1).all()
