from dataclasses import fields

import numpy as np
import pytest

from components.augment.policies import POLICIES, Policy, find_policy
from components.augment.strips import AS_IS, draw_strips, mixture_label

PHOTO = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
PARTNER = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)


def strips_of(policy: Policy):
    return draw_strips(policy, PHOTO, PARTNER, ("cat", "dog"))


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_shows_the_parts_that_it_has(name):
    policy = find_policy(name)
    on = {one.name for one in fields(policy) if getattr(policy, one.name)}

    assert set(strips_of(policy)) == on - {"name", "random_magnitude"}


@pytest.mark.parametrize("name", POLICIES)
def test_all_steps_are_photos_of_one_size_and_have_captions(name):
    for steps in strips_of(find_policy(name)).values():
        assert len(steps) >= 2
        for caption, photo in steps:
            assert caption
            assert photo.shape == PHOTO.shape
            assert photo.dtype == np.uint8


def test_a_range_goes_from_one_end_over_the_photo_to_the_other():
    steps = strips_of(Policy(name="x", rotation_degrees=40))["rotation_degrees"]

    captions = [caption for caption, _ in steps]
    assert captions == ["40° left", "20° left", AS_IS, "20° right", "40° right"]
    np.testing.assert_array_equal(steps[2][1], PHOTO)
    assert len({photo.tobytes() for _, photo in steps}) == 5


def test_moves_go_where_their_captions_say():
    strips = strips_of(Policy(name="x", width_shift=0.25, height_shift=0.25))

    # 25 % of 32 pixels are 8.
    caption, photo = strips["width_shift"][0]
    assert caption == "25\N{NO-BREAK SPACE}% left"
    np.testing.assert_array_equal(photo[:, :24], PHOTO[:, 8:])
    caption, photo = strips["height_shift"][-1]
    assert caption == "25\N{NO-BREAK SPACE}% down"
    np.testing.assert_array_equal(photo[8:], PHOTO[:24])


def test_turning_to_the_right_is_with_the_clock():
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[:8, 12:20] = 255  # a mark at the top

    steps = draw_strips(Policy(name="x", rotation_degrees=90), photo, photo, ("", ""))

    _, right = steps["rotation_degrees"][-1]
    assert right[12:20, 24:].mean() > 200  # the mark is at the right


def test_smaller_shows_the_edges_repeated_and_larger_the_middle():
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[8:24, 8:24] = 255

    steps = draw_strips(Policy(name="x", zoom=0.5), photo, photo, ("", ""))["zoom"]

    bright = [float(step.mean()) for _, step in steps]
    assert steps[0][0] == "50\N{NO-BREAK SPACE}% smaller"
    assert bright == sorted(bright)


def test_brightness_goes_from_dark_to_bright():
    steps = strips_of(Policy(name="x", brightness=0.4))["brightness"]

    bright = [float(step.mean()) for _, step in steps]
    assert bright == sorted(bright)
    assert bright[0] == pytest.approx(0.6 * PHOTO.mean(), rel=0.01)


def test_erased_parts_grow():
    steps = strips_of(Policy(name="x", erasing=0.5))["erasing"]

    changed = [(photo != PHOTO).any(axis=2).mean() for _, photo in steps]
    assert changed[0] == 0
    assert changed == sorted(changed)
    assert steps[1][0].endswith("% erased")


def test_mixtures_say_both_labels_with_their_shares():
    steps = strips_of(Policy(name="x", mixup_alpha=0.2))["mixup_alpha"]

    assert [caption.replace("\N{NO-BREAK SPACE}", " ") for caption, _ in steps] == [
        "cat",
        "90 % cat, 10 % dog",
        "70 % cat, 30 % dog",
        "50 % cat, 50 % dog",
    ]
    np.testing.assert_array_equal(steps[0][1], PHOTO)


@pytest.mark.parametrize(
    ("share", "label"),
    [
        (0.7, "70 % cat, 30 % dog"),
        (0.998, "cat"),
        (0.002, "dog"),
        (0.005, "1 % cat, 99 % dog"),
    ],
)
def test_a_share_is_told_in_whole_percent(share, label):
    assert mixture_label(share, "cat", "dog").replace("\N{NO-BREAK SPACE}", " ") == label


def test_two_photos_of_one_class_are_that_class():
    assert mixture_label(0.6, "cat", "cat") == "cat"
