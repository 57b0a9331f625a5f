"""Every expected value is worked out by hand."""

import cv2
import numpy as np
import pytest

from components.common.photos import as_input
from components.train.warm_start import arrays


def kernel(*weights: float, shape: tuple[int, ...]) -> np.ndarray:
    return np.array(weights, np.float32).reshape(shape)


def test_gray_kernel_is_shared_out_over_rgb_by_luma():
    shared = arrays.gray_to_rgb(kernel(2.0, shape=(1, 1, 1, 1)))

    np.testing.assert_allclose(shared.ravel(), [0.598, 1.174, 0.228], rtol=1e-6)


def test_colour_photo_and_its_gray_version_give_the_same_response(real_data):
    file = next((real_data / "flowers" / "rose").glob("*.jpg"))
    photo = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)[None]
    gray_kernel = kernel(0.5, -1.0, shape=(1, 1, 1, 2))

    of_gray = as_input(photo, 1) @ gray_kernel[0, 0]
    of_colour = as_input(photo, 3) @ arrays.gray_to_rgb(gray_kernel)[0, 0]

    # Gray photos are rounded to whole numbers.
    np.testing.assert_allclose(of_colour, of_gray, atol=0.51)


def test_rgb_kernel_is_summed_for_gray():
    summed = arrays.rgb_to_gray(kernel(1, 10, 2, 20, 3, 30, shape=(1, 1, 3, 2)))

    np.testing.assert_array_equal(summed, kernel(6, 60, shape=(1, 1, 1, 2)))


def test_larger_window_is_zero_around_the_old_one():
    fitted = arrays.fit_window(kernel(7, shape=(1, 1, 1, 1)), 3, 3)

    assert fitted[..., 0, 0].tolist() == [[0, 0, 0], [0, 7, 0], [0, 0, 0]]


def test_smaller_window_is_the_middle_of_the_old_one():
    fitted = arrays.fit_window(kernel(*range(9), shape=(3, 3, 1, 1)), 1, 3)

    assert fitted[..., 0, 0].tolist() == [[3, 4, 5]]


def test_line_is_resized_to_half_with_antialiasing():
    # New pixels lie at 0.5 and 2.5 of the old ones, and reach two pixels to either side.
    matrix = arrays.resize_matrix(4, 2)

    first = np.array([0.75, 0.75, 0.25, 0]) / 1.75
    np.testing.assert_allclose(matrix, [first, first[::-1]], rtol=1e-6)


def test_line_is_resized_to_twice_the_pixels_between_its_pixels():
    matrix = arrays.resize_matrix(2, 4)

    np.testing.assert_allclose(matrix, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_positions_answer_as_if_the_photo_were_resized_to_the_size_they_know():
    # The rows of the matrix above, once and three times: what each pixel of four is worth.
    resized = arrays.resize_positions(kernel(1, 3, shape=(2, 1, 1, 1)), 4, 1)

    expected = np.array([0.75, 0.75 + 3 * 0.25, 0.25 + 3 * 0.75, 3 * 0.75]) / 1.75
    np.testing.assert_allclose(resized.ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [2, 5, 9])
def test_resized_positions_keep_their_sum(size):
    weights = np.random.default_rng(0).normal(size=(4, 6, 3, 2)).astype(np.float32)

    resized = arrays.resize_positions(weights, size, size)

    assert resized.shape == (size, size, 3, 2)
    np.testing.assert_allclose(resized.sum(axis=(0, 1)), weights.sum(axis=(0, 1)), rtol=1e-4)


def test_repeated_outputs_share_the_weight_of_the_one_they_repeat():
    outputs = arrays.fit_outputs(kernel(1, 2, shape=(1, 1, 1, 2)), 3)
    inputs = arrays.fit_inputs(kernel(10, 20, shape=(1, 1, 2, 1)), 3)

    assert outputs.ravel().tolist() == [1, 2, 1]
    assert inputs.ravel().tolist() == [5, 20, 5]
    assert outputs.ravel() @ inputs.ravel() == 1 * 10 + 2 * 20


def test_fewer_outputs_are_the_first_ones():
    assert arrays.fit_outputs(kernel(1, 2, 3, shape=(3,)), 2).tolist() == [1, 2]


def test_only_repeated_outputs_get_noise():
    apart = arrays.tell_apart(kernel(1, 2, 1, 2, shape=(1, 1, 1, 4)), 2).ravel()

    assert apart[:2].tolist() == [1, 2]
    assert 0 < abs(apart[2] - 1) < 0.5
    assert 0 < abs(apart[3] - 2) < 0.5


def test_inputs_are_picked_from_where_they_were_and_zero_where_they_were_not():
    weights = kernel(1, 2, 3, shape=(1, 1, 3, 1))

    picked = arrays.pick_inputs(weights, [(None, 2), (slice(1, 3), 2), (slice(0, 1), 1)])

    assert picked.ravel().tolist() == [0, 0, 2, 3, 1]


def test_classes_move_by_name_and_new_ones_start_at_the_mean_of_the_earlier_ones():
    weights = kernel(1, 2, 6, shape=(1, 3))

    moved = arrays.move_classes(weights, ("ant", "bee", "cat"), ("cat", "dog", "ant"))

    assert moved.tolist() == [[6, 3, 1]]
