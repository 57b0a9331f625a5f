import numpy as np
import pytest

from components.augment.erasing import ASPECTS, SHARES, area, draw_rectangle, erase


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 200)])
def test_rectangles_lie_inside_with_areas_and_aspects_in_range(height, width):
    rng = np.random.default_rng(0)

    for _ in range(500):
        rows, columns = draw_rectangle(height, width, rng)
        assert 0 <= rows.start < rows.stop <= height
        assert 0 <= columns.start < columns.stop <= width
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        # Sides are rounded to whole pixels, half a pixel at most.
        assert (tall + 0.5) * (wide + 0.5) >= SHARES[0] * height * width
        assert (tall - 0.5) * (wide - 0.5) <= SHARES[1] * height * width
        assert (tall + 0.5) / (wide - 0.5) >= ASPECTS[0]
        assert (tall - 0.5) / (wide + 0.5) <= ASPECTS[1]


def test_rectangles_are_everywhere():
    rng = np.random.default_rng(0)
    hit = np.zeros((32, 32), int)

    for _ in range(2000):
        hit[draw_rectangle(32, 32, rng)] += 1

    assert hit.min() > 0
    # Left and right, top and bottom are hit alike.
    assert hit[:, :16].sum() == pytest.approx(hit[:, 16:].sum(), rel=0.05)
    assert hit[:16].sum() == pytest.approx(hit[16:].sum(), rel=0.05)


def test_areas_are_spread_over_the_range():
    rng = np.random.default_rng(0)

    shares = [area(draw_rectangle(256, 256, rng)) / 256**2 for _ in range(2000)]

    # Uniform in [0.02, 0.4] but for the few large and narrow ones that do not fit.
    assert np.mean(shares) == pytest.approx(0.2, abs=0.02)
    assert min(shares) < 0.03
    assert max(shares) > 0.38


def test_the_area_is_counted_in_pixels():
    assert area((slice(2, 5), slice(10, 14))) == 12


def test_erasing_puts_noise_into_the_rectangle_and_nowhere_else():
    photo = np.full((40, 50, 3), 7, np.uint8)

    erased = erase(photo.copy(), (slice(10, 30), slice(5, 45)), np.random.default_rng(0))

    noise = erased[10:30, 5:45]
    assert noise.min() == 0
    assert noise.max() == 255
    assert noise.mean() == pytest.approx(127.5, abs=5)
    erased[10:30, 5:45] = 7
    np.testing.assert_array_equal(erased, photo)
