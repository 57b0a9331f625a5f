import math

import numpy as np
import pytest

from components.common.affine import IDENTITY, Affine, about_centre, scaling, shifting

QUARTER = Affine(xx=0, xy=-1, yx=1, yy=0)  # (x, y) goes to (-y, x)


def test_a_place_goes_where_the_rows_say():
    assert Affine(2, 3, 5, 7, 11, 13)(10, 100) == (2 * 10 + 3 * 100 + 5, 7 * 10 + 11 * 100 + 13)


def test_maps_are_done_one_after_the_other():
    there = shifting(1, 0).then(QUARTER)

    assert there(2, 5) == (-5, 3)  # (3, 5), turned
    assert QUARTER.then(shifting(1, 0))(2, 5) == (-4, 2)  # (-5, 2), shifted


def test_the_inverse_leads_back():
    there = Affine(0.8, -0.6, 4, 0.5, 1.1, -3)

    assert there.then(there.inverse()) == pytest.approx(IDENTITY)
    assert there.inverse().then(there) == pytest.approx(IDENTITY)


def test_scaling_leads_from_edge_to_edge():
    # Four pixels to eight: the first reaches from -0.5 to 0.5, so its centre goes between 0 and 1.
    double = scaling(2, 1)

    assert double(0, 7) == (0.5, 7)
    assert double(-0.5, 0) == (-0.5, 0)
    assert double(3.5, 0) == (7.5, 0)


def test_about_the_centre_the_centre_stays():
    turned = about_centre(QUARTER, height=3, width=5)

    assert turned(2, 1) == (2, 1)
    assert turned(3, 1) == (2, 2)  # one to the right of it goes one below


@pytest.mark.parametrize("degrees", [0, 20, 100, 190, 280])
def test_bounds_hold_all_corners_and_touch_them(degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = Affine(cos, -sin, 2, sin, cos, -1)

    corners = np.array([turned(x, y) for x in (0, 6) for y in (0, 3)])

    assert turned.bounds(height=4, width=7) == pytest.approx((*corners.min(0), *corners.max(0)))


def test_opencv_gets_two_rows():
    array = Affine(1, 2, 3, 4, 5, 6).to_array()

    assert array.dtype == np.float64
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
