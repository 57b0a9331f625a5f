import math
from dataclasses import astuple

import numpy as np
import pytest

from components.augment.policies import Policy, find_policy
from components.augment.warp import Augmenter, Warp, apply_warp, draw_warp, matrix

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
    np.testing.assert_allclose(matrix(Warp(), 20, 31), [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    assert rows(apply_warp(photo(GRID), Warp())) == GRID


def test_a_shift_to_the_right_in_the_original_moves_the_photo_left_and_repeats_its_edge():
    # The matrix leads from the warped photo to the original: its pixel (0, 0) shows (1, 0).
    assert matrix(Warp(shift_x=1), 3, 3).tolist() == [[1, 0, 1], [0, 1, 0]]
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
    sheared = matrix(Warp(shear_degrees=30), 3, 3)

    np.testing.assert_allclose(sheared[:, :2], [[1, -0.5], [0, math.sqrt(0.75)]], atol=1e-12)
    np.testing.assert_allclose(sheared @ [1, 1, 1], [1, 1], atol=1e-12)  # the centre stays


def test_the_centre_stays_whatever_turns_zooms_and_flips():
    warp = Warp(rotation_degrees=33, shear_degrees=9, zoom_x=0.8, zoom_y=1.3, flip=True)

    np.testing.assert_allclose(matrix(warp, 20, 31) @ [15, 9.5, 1], [15, 9.5], atol=1e-12)


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
            astuple(draw_warp(policy, height, width, np.random.default_rng((7, epoch, index))))
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
        draw_warp(Policy(name="x", zoom=0.5), 10, 10, np.random.default_rng(seed))
        for seed in range(50)
    ]

    for warp in warps:
        assert (warp.rotation_degrees, warp.shift_x, warp.shift_y, warp.shear_degrees) == (0,) * 4
        assert not warp.flip
    assert len({warp.zoom_x for warp in warps}) == 50


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
