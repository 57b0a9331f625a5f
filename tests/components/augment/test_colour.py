import colorsys

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from components.augment import colour
from components.augment.policies import Policy

RED = np.full((2, 2, 3), (200, 0, 0), np.uint8)


def gray(*values: int) -> np.ndarray:
    return np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Soft blobs of colour, none of which reaches black or white."""
    coarse = np.random.default_rng(0).integers(20, 230, (5, 5, 3)).astype(np.uint8)
    return cv2.resize(coarse, (40, 30), interpolation=cv2.INTER_LINEAR)


def test_as_it_is_nothing_changes(photo):
    np.testing.assert_array_equal(colour.jitter(photo), photo)


def test_brightness_multiplies_and_stops_at_white():
    assert colour.jitter(gray(10, 100, 200), brightness=1.5)[0, :, 0].tolist() == [15, 150, 255]


def test_contrast_spreads_about_the_mean():
    # The mean is 100: 50 is 50 below it and gets 75 below, 150 likewise.
    assert colour.jitter(gray(50, 150), contrast=1.5)[0, :, 0].tolist() == [25, 175]
    assert colour.jitter(gray(50, 150), contrast=0)[0, :, 0].tolist() == [100, 100]


def test_without_saturation_colours_become_their_luma():
    # 0.299 x 200 = 59.8
    assert colour.jitter(RED, saturation=0)[0, 0].tolist() == [60, 60, 60]


def test_half_of_the_saturation_is_halfway_to_gray():
    # (200 + 59.8) / 2 and 59.8 / 2
    assert colour.jitter(RED, saturation=0.5)[0, 0].tolist() == [130, 30, 30]


def test_a_half_turn_of_the_hue_mirrors_colours_about_their_gray():
    # 2 x luma - value; luma of (150, 100, 90) is 0.299 x 150 + 0.587 x 100 + 0.114 x 90 = 113.81.
    pixel = np.full((1, 1, 3), (150, 100, 90), np.uint8)

    assert colour.jitter(pixel, hue_degrees=180)[0, 0].tolist() == [78, 128, 138]


@pytest.mark.parametrize("degrees", [-36, 36, 90])
def test_turning_the_hue_keeps_gray_and_how_bright_colours_look(degrees):
    soft = np.full((1, 1, 3), (140, 110, 120), np.uint8)

    turned = colour.jitter(soft, hue_degrees=degrees)

    assert colour.jitter(gray(7, 130, 250), hue_degrees=degrees).tolist() == (
        gray(7, 130, 250).tolist()
    )
    assert float(turned[0, 0] @ colour.LUMA) == pytest.approx(
        float(soft[0, 0] @ colour.LUMA), abs=1
    )
    assert (turned != soft).any()


def test_a_turn_of_the_hue_is_about_that_of_the_colour_circle():
    # Orange, at 30 degrees of the circle, gets yellower or redder.
    orange = np.full((1, 1, 3), (200, 130, 60), np.uint8)

    def hue(degrees: float) -> float:
        red, green, blue = colour.jitter(orange, hue_degrees=degrees)[0, 0] / 255
        return 360 * colorsys.rgb_to_hsv(red, green, blue)[0]

    assert hue(0) == pytest.approx(30)
    assert hue(20) == pytest.approx(50, abs=10)  # circles of HSV and YIQ differ a little
    assert hue(-20) == pytest.approx(10, abs=10)


def test_all_four_at_once_are_one_after_the_other(photo):
    at_once = colour.jitter(photo, brightness=1.1, contrast=0.8, saturation=1.2, hue_degrees=20)

    step = colour.jitter(photo, brightness=1.1)
    step = colour.jitter(step, contrast=0.8)
    step = colour.jitter(step, saturation=1.2)
    step = colour.jitter(step, hue_degrees=20)
    assert np.abs(at_once.astype(int) - step).max() <= 3  # rounded once instead of four times


@pytest.mark.parametrize(
    ("ours", "pillows"),
    [
        (
            lambda x: colour.jitter(x, brightness=0.6),
            lambda x: ImageEnhance.Brightness(x).enhance(0.6),
        ),
        (
            lambda x: colour.jitter(x, contrast=1.4),
            lambda x: ImageEnhance.Contrast(x).enhance(1.4),
        ),
        (
            lambda x: colour.jitter(x, saturation=1.4),
            lambda x: ImageEnhance.Color(x).enhance(1.4),
        ),
        (lambda x: colour.sharpen(x, 1.9), lambda x: ImageEnhance.Sharpness(x).enhance(1.9)),
        (lambda x: colour.sharpen(x, 0.1), lambda x: ImageEnhance.Sharpness(x).enhance(0.1)),
        (lambda x: colour.posterize(x, 3), lambda x: ImageOps.posterize(x, 3)),
        (lambda x: colour.solarize(x, 178.5), lambda x: ImageOps.solarize(x, 178.5)),
        (colour.autocontrast, ImageOps.autocontrast),
    ],
)
def test_operations_are_those_of_pillow(photo, ours, pillows):
    theirs = np.asarray(pillows(Image.fromarray(photo)))

    # Pillow cuts off what ours rounds, and does not smooth the outermost pixels.
    difference = np.abs(ours(photo).astype(int) - theirs)[1:-1, 1:-1]
    assert difference.max() <= 1


def test_autocontrast_stretches_each_channel_and_leaves_a_flat_one():
    pixels = np.array([[[100, 50, 9], [110, 250, 9], [120, 150, 9]]], np.uint8)

    assert colour.autocontrast(pixels)[0].tolist() == [[0, 0, 9], [128, 255, 9], [255, 128, 9]]


def test_equalizing_makes_values_equally_frequent():
    dark = (np.arange(4096).reshape(64, 64) // 64).astype(np.uint8)  # 0 to 63, each 64 times

    equal = colour.equalize(np.repeat(dark[..., None], 3, axis=2))

    tenths, _ = np.histogram(equal[..., 0], bins=8, range=(0, 256))
    assert tenths.tolist() == [512] * 8


def test_a_policy_draws_from_its_ranges_evenly():
    policy = Policy(name="x", brightness=0.4, contrast=0.3, saturation=0.2, hue_degrees=36)
    rng = np.random.default_rng(0)

    drawn = np.array([list(colour.draw_jitter(policy, rng).keywords.values()) for _ in range(4000)])

    places = (drawn - [1, 1, 1, 0]) / [0.4, 0.3, 0.2, 36]
    assert np.abs(places).max() <= 1
    for place in places.T:
        # A tenth of 4,000 each; 5 times sqrt(4,000 x 0.1 x 0.9) = 95.
        tenths, _ = np.histogram(place, bins=10, range=(-1, 1))
        assert np.abs(tenths - 400).max() <= 95


def test_a_policy_without_colours_has_no_jitter():
    assert not colour.has_jitter(Policy(name="x", zoom=0.2))
    assert colour.has_jitter(Policy(name="x", hue_degrees=1))
