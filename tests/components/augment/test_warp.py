import math
from dataclasses import astuple

import numpy as np
import pytest

from components.augment.draws import numbers
from components.augment.policies import Policy, find_policy
from components.augment.warp import Warp, apply_warp, draw_warp, to_affine, warp_box, warp_mask
from components.common.affine import IDENTITY

# Rows of a small photo; each number stands for a pixel with three equal channels.
GRID = [
    [10, 20, 30],
    [40, 50, 60],
    [70, 80, 90],
]


def photo(rows) -> np.ndarray:
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


def rows(warped: np.ndarray) -> list:
    assert (warped == warped[..., :1]).all()  # channels stay equal
    return warped[..., 0].tolist()


def smooth_photo(side: int) -> np.ndarray:
    """A photo without edges, on which interpolations agree."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(5 * x + 1) * np.cos(3 * y), np.cos(4 * y + x), np.sin(3 * (x + 2 * y))]
    return np.round(127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def test_no_warp_is_the_identity():
    assert to_affine(Warp(), 20, 31) == pytest.approx(IDENTITY)
    assert rows(apply_warp(photo(GRID), Warp())) == GRID


def test_a_shift_to_the_right_in_the_original_moves_the_photo_left_and_repeats_its_edge():
    # The map leads from the warped photo to the original: its pixel (0, 0) shows (1, 0).
    assert to_affine(Warp(shift_x=1), 3, 3)(0, 0) == (1, 0)
    assert rows(apply_warp(photo(GRID), Warp(shift_x=1))) == [
        [20, 30, 30],
        [50, 60, 60],
        [80, 90, 90],
    ]


def test_a_shift_down_in_the_original_moves_the_photo_up_and_repeats_its_edge():
    assert rows(apply_warp(photo(GRID), Warp(shift_y=-1))) == [
        [10, 20, 30],
        [10, 20, 30],
        [40, 50, 60],
    ]


def test_half_a_pixel_is_halfway_between_two():
    assert rows(apply_warp(photo(GRID), Warp(shift_x=0.5))) == [
        [15, 25, 30],
        [45, 55, 60],
        [75, 85, 90],
    ]


def test_a_flip_mirrors_left_and_right():
    assert rows(apply_warp(photo(GRID), Warp(flip=True))) == [
        [30, 20, 10],
        [60, 50, 40],
        [90, 80, 70],
    ]


def test_a_flip_of_an_even_width_loses_no_column():
    assert rows(apply_warp(photo([[1, 2, 3, 4], [5, 6, 7, 8]]), Warp(flip=True))) == [
        [4, 3, 2, 1],
        [8, 7, 6, 5],
    ]


def test_a_quarter_turn_is_about_the_centre_and_against_the_clock():
    # (x, y) shows (-y, x), y down, both from the centre: the top right corner, (1, -1), shows
    # (1, 1), the bottom right; the top left, (-1, -1), shows (1, -1), the top right.
    assert rows(apply_warp(photo(GRID), Warp(rotation_degrees=90))) == [
        [30, 60, 90],
        [20, 50, 80],
        [10, 40, 70],
    ]


def test_a_half_turn_of_a_photo_that_is_not_square_keeps_its_frame():
    assert rows(apply_warp(photo([[1, 2, 3], [4, 5, 6]]), Warp(rotation_degrees=180))) == [
        [6, 5, 4],
        [3, 2, 1],
    ]


def test_a_zoom_above_1_shows_more_than_the_photo():
    # Columns at -2, 0, 2 from the centre: those outside repeat the edge.
    assert (
        rows(apply_warp(photo([[10, 20, 30, 40, 50]] * 5), Warp(zoom_x=2)))
        == [[10, 10, 30, 50, 50]] * 5
    )


def test_a_zoom_below_1_enlarges_each_axis_on_its_own():
    # Rows at -1, -0.5, 0, 0.5, 1 from the centre.
    columns = np.repeat([[0], [20], [40], [60], [80]], 5, axis=1)

    assert rows(apply_warp(photo(columns), Warp(zoom_y=0.5)))[0] == [20] * 5
    assert rows(apply_warp(photo(columns), Warp(zoom_y=0.5)))[1] == [30] * 5
    assert rows(apply_warp(photo(columns), Warp(zoom_x=0.5))) == columns.tolist()


def test_a_shear_slants_about_the_centre():
    # [[1, -sin 30], [0, cos 30]]: one row below the centre shows half a pixel to the left.
    sheared = to_affine(Warp(shear_degrees=30), 3, 3)

    assert sheared(1, 1) == pytest.approx((1, 1))  # the centre stays
    assert sheared(2, 1) == pytest.approx((2, 1))
    assert sheared(1, 2) == pytest.approx((0.5, 1 + math.sqrt(0.75)))


def test_the_centre_stays_whatever_turns_zooms_and_flips():
    warp = Warp(rotation_degrees=33, shear_degrees=9, zoom_x=0.8, zoom_y=1.3, flip=True)

    assert to_affine(warp, 20, 31)(15, 9.5) == pytest.approx((15, 9.5))


def test_parts_are_composed_in_the_order_of_keras():
    warp = Warp(
        rotation_degrees=33,
        shift_x=3,
        shift_y=-2,
        shear_degrees=9,
        zoom_x=0.8,
        zoom_y=1.3,
        flip=True,
    )
    theta, shear = math.radians(33), math.radians(9)
    cos, sin = math.cos(theta), math.sin(theta)
    product = np.linalg.multi_dot(
        [
            np.array([[1, 0, 15], [0, 1, 9.5], [0, 0, 1]]),
            np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]),
            np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1]]),
            np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]]),
            np.diag([0.8, 1.3, 1]),
            np.diag([-1, 1, 1]),
            np.array([[1, 0, -15], [0, 1, -9.5], [0, 0, 1]]),
        ]
    )

    np.testing.assert_allclose(to_affine(warp, 20, 31).to_array(), product[:2], atol=1e-12)


@pytest.mark.parametrize(
    ("warp", "parameters"),
    [
        (Warp(rotation_degrees=30), {"theta": 30}),
        # Keras' `tx` runs along columns in the end, though it is drawn from the height's range.
        (Warp(shift_x=7), {"tx": 7}),
        (Warp(shift_y=7), {"ty": 7}),
        (Warp(shear_degrees=15), {"shear": 15}),
        (Warp(zoom_x=1.2), {"zx": 1.2}),
        (Warp(zoom_y=0.8), {"zy": 0.8}),
        (Warp(flip=True), {"flip_horizontal": True}),
        (
            Warp(
                rotation_degrees=-25,
                shift_x=5,
                shift_y=-3,
                shear_degrees=9,
                zoom_x=0.9,
                zoom_y=1.15,
                flip=True,
            ),
            {
                "theta": -25,
                "tx": 5,
                "ty": -3,
                "shear": 9,
                "zx": 0.9,
                "zy": 1.15,
                "flip_horizontal": True,
            },
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*scipy.ndimage.interpolation:DeprecationWarning")
def test_a_warp_is_that_of_keras(warp, parameters):
    pytest.importorskip("scipy", reason="Keras' ImageDataGenerator warps with SciPy")
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    square = smooth_photo(60)  # Keras takes height for width about the centre of any other

    theirs = ImageDataGenerator().apply_transform(square.astype(float), parameters)

    # Ours is rounded to whole numbers, and OpenCV places to 1/32 of a pixel.
    assert np.abs(apply_warp(square, warp) - theirs).max() <= 1


HEAVY_IN_KERAS = {  # the ranges of the policy `heavy`, in the names of ImageDataGenerator
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": math.degrees(math.atan(0.2)),
    "zoom_range": 0.2,
    "horizontal_flip": True,
}


@pytest.mark.filterwarnings("ignore:.*scipy.ndimage.interpolation:DeprecationWarning")
def test_warps_drawn_by_a_policy_are_those_of_keras_pixel_for_pixel():
    pytest.importorskip("scipy", reason="Keras' ImageDataGenerator warps with SciPy")
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    square = smooth_photo(60)
    for index in range(20):
        warp = draw_warp(find_policy("heavy"), 60, 60, numbers(0, 0, index))
        theirs = ImageDataGenerator().apply_transform(
            square.astype(float),
            {
                "theta": warp.rotation_degrees,
                "tx": warp.shift_x,
                "ty": warp.shift_y,
                "shear": warp.shear_degrees,
                "zx": warp.zoom_x,
                "zy": warp.zoom_y,
                "flip_horizontal": warp.flip,
            },
        )

        assert np.abs(apply_warp(square, warp) - theirs).max() <= 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("rotation_degrees", "theta"),
        ("shift_x", "tx"),
        ("shift_y", "ty"),
        ("shear_degrees", "shear"),
        ("zoom_x", "zx"),
        ("zoom_y", "zy"),
        ("flip", "flip_horizontal"),
    ],
)
def test_a_policy_draws_as_keras_draws(ours, theirs):
    stats = pytest.importorskip("scipy.stats", reason="the test of Kolmogorov and Smirnov")
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(**HEAVY_IN_KERAS)
    drawn_by_keras = [
        generator.get_random_transform((100, 100, 3), seed=seed)[theirs] for seed in range(1500)
    ]
    drawn = [
        getattr(draw_warp(find_policy("heavy"), 100, 100, numbers(5, epoch, index)), ours)
        for epoch in range(3)
        for index in range(500)
    ]

    assert stats.ks_2samp(drawn, drawn_by_keras).pvalue > 0.001


def test_no_two_photos_and_no_two_epochs_draw_the_same_numbers():
    # The classic defect: numbers frozen when a graph is traced, the same for every batch.
    policy = find_policy("heavy")

    drawn = {
        draw_warp(policy, 100, 100, numbers(seed, epoch, index))
        for seed in range(3)
        for epoch in range(20)
        for index in range(50)
    }

    assert len(drawn) == 3 * 20 * 50


def test_drawn_parameters_are_spread_evenly_over_their_ranges():
    policy = Policy(
        name="wide",
        rotation_degrees=40,
        width_shift=0.1,
        height_shift=0.2,
        shear_degrees=10,
        zoom=0.3,
        horizontal_flip=True,
    )
    num_photos, height, width = 4000, 50, 200

    drawn = np.array(
        [
            astuple(draw_warp(policy, height, width, numbers(7, epoch, index)))
            for epoch in range(4)
            for index in range(num_photos // 4)
        ],
        float,
    )

    # Half ranges: degrees; 0.1 x 200 and 0.2 x 50 pixels; degrees; zooms about 1.
    places = (drawn[:, :6] - [0, 0, 0, 0, 1, 1]) / [40, 20, 10, 10, 0.3, 0.3]
    assert np.abs(places).max() <= 1
    for place in places.T:
        # A tenth of 4,000 each; 5 times sqrt(4,000 x 0.1 x 0.9) = 19.
        tenths, _ = np.histogram(place, bins=10, range=(-1, 1))
        assert np.abs(tenths - 400).max() <= 95
    # No parameter follows another: correlations of 4,000 are within 5 / sqrt(4,000) = 0.079.
    correlations = np.corrcoef(drawn.T) - np.eye(7)
    assert np.abs(correlations).max() <= 0.079
    assert abs(drawn[:, 6].sum() - 2000) <= 158  # flips: 5 times sqrt(4,000 / 4)


def test_parts_that_a_policy_leaves_out_are_never_drawn():
    warps = [
        draw_warp(Policy(name="x", zoom=0.5), 10, 10, numbers(0, 0, index)) for index in range(50)
    ]

    for warp in warps:
        assert (warp.rotation_degrees, warp.shift_x, warp.shift_y, warp.shear_degrees) == (0,) * 4
        assert not warp.flip
    assert len({warp.zoom_x for warp in warps}) == 50


def test_a_box_stays_where_nothing_moves():
    assert warp_box((0.1, 0.2, 0.3, 0.4), IDENTITY, 50, 80) == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_a_box_moves_with_the_photo_and_is_cut_off_at_its_edge():
    # The photo moves 5 of its 10 pixels to the left.
    moved = to_affine(Warp(shift_x=5), 10, 10)

    assert warp_box((0.6, 0.2, 0.9, 0.4), moved, 10, 10) == pytest.approx((0.1, 0.2, 0.4, 0.4))
    assert warp_box((0.3, 0.2, 0.9, 0.4), moved, 10, 10) == pytest.approx((0.0, 0.2, 0.4, 0.4))


def test_a_box_that_leaves_the_photo_is_none():
    moved = to_affine(Warp(shift_x=5), 10, 10)

    assert warp_box((0.1, 0.2, 0.4, 0.4), moved, 10, 10) is None
    assert warp_box((0.1, 0.2, 0.5, 0.4), moved, 10, 10) is None  # only its edge is left


def test_a_box_is_mirrored():
    moved = to_affine(Warp(flip=True), 20, 30)

    assert warp_box((0.1, 0.2, 0.4, 0.6), moved, 20, 30) == pytest.approx((0.6, 0.2, 0.9, 0.6))


def test_a_quarter_turn_against_the_clock_takes_the_right_of_a_box_to_its_top():
    # (x, y) goes to (y, 1 - x).
    moved = to_affine(Warp(rotation_degrees=90), 40, 40)

    assert warp_box((0.1, 0.2, 0.3, 0.6), moved, 40, 40) == pytest.approx((0.2, 0.7, 0.6, 0.9))


def test_a_box_around_a_turned_box_holds_its_corners():
    # A square of half the side about the centre, turned by 45 degrees: its corners are
    # 0.25 x sqrt(2) from the centre, straight up, down, left and right.
    moved = to_affine(Warp(rotation_degrees=45), 100, 100)
    low, high = 0.5 - 0.25 * math.sqrt(2), 0.5 + 0.25 * math.sqrt(2)

    there = warp_box((0.25, 0.25, 0.75, 0.75), moved, 100, 100)

    assert there == pytest.approx((low, low, high, high))


def test_a_box_grows_where_the_photo_is_enlarged():
    moved = to_affine(Warp(zoom_x=0.5, zoom_y=0.5), 100, 100)

    assert warp_box((0.4, 0.4, 0.6, 0.6), moved, 100, 100) == pytest.approx((0.3, 0.3, 0.7, 0.7))


def test_a_mask_moves_with_the_photo_and_nothing_comes_in_from_outside():
    mask = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 1]], np.uint8)

    moved = warp_mask(mask, to_affine(Warp(shift_x=1), 3, 3), 3, 3)

    assert moved.tolist() == [[0, 1, 0], [1, 1, 0], [0, 1, 0]]  # a photo would repeat its edge


def test_a_mask_is_stretched_to_the_photo_and_keeps_its_values():
    mask = np.array([[0, 2], [1, 0]], np.uint8)

    assert warp_mask(mask, IDENTITY, 4, 4).tolist() == [
        [0, 0, 2, 2],
        [0, 0, 2, 2],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]
