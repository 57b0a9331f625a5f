import io

import cv2
import numpy as np
import pytest
from PIL import Image

from components.common.affine import Affine, shifting
from components.common.pixels import Picture, read, to_square, warp


def jpeg(pixels, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def read_jpeg(pixels, size: int, **options) -> Picture:
    height, width = np.shape(pixels)[:2]
    picture = read(jpeg(pixels, **options), is_jpeg=True, height=height, width=width, size=size)
    assert picture is not None
    return picture


def blobs(height: int, width: int) -> np.ndarray:
    """Soft blobs of colour, on which all ways to shrink agree."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("side", "size", "left"),
    [
        (400, 192, 200),  # half leaves enough
        (366, 192, 183),  # 183 of 192: just 95 %
        (364, 192, 364),  # 182 would be less
        (800, 192, 200),
        (2000, 192, 250),
        (190, 192, 190),
        (375, 64, 94),  # a quarter of 375, the last pixel a part of one
    ],
)
def test_a_jpeg_is_decoded_at_the_fraction_that_leaves_enough(side, size, left):
    picture = read_jpeg(blobs(side, side), size)

    assert picture.pixels.shape == (left, left, 3)
    assert picture.height == pytest.approx(side / round(side / left))


def test_the_shorter_side_decides():
    assert read_jpeg(blobs(200, 800), 192).pixels.shape[0] == 200


def test_what_an_odd_side_leaves_is_not_stretched():
    # Columns go up and down by 5 a column; 401 of them become 201, the last of one column only.
    wave = 5 * np.abs(np.arange(401) % 100 - 50)
    pixels = np.repeat(np.repeat(wave[None, :, None], 401, axis=0), 3, axis=2)

    square = to_square(read_jpeg(pixels, 200, quality=100, subsampling=0), 200)

    # Column j is at 2.005 (j + 0.5) - 0.5 in the photo. Were the part of a column taken for a whole
    # one, the last columns would be off by almost a column of the photo, and by 5.
    places = 2.005 * (np.arange(170, 199) + 0.5) - 0.5
    error = square[100, 170:199, 0] - np.interp(places, np.arange(401), wave)
    assert np.abs(error).mean() < 1.5


def test_other_formats_are_averaged_by_whole_factors():
    # Rows 0, 90, 30 and columns alike average to 40 in every 3 x 3; sampling would give 90.
    stripes = np.tile(np.repeat(np.array([[0], [90], [30]], np.uint8), 12, axis=1), (4, 1))
    encoded = cv2.imencode(".png", stripes)[1].tobytes()

    picture = read(encoded, is_jpeg=False, height=0, width=0, size=4)

    assert picture.pixels.tolist() == np.full((4, 4, 3), 40).tolist()
    assert (picture.height, picture.width) == (4, 4)


def test_a_panorama_is_averaged_along_its_length():
    # 8 columns to each of 4: one bright one of them gives an eighth.
    strip = np.zeros((4, 32), np.uint8)
    strip[:, ::8] = 80
    encoded = cv2.imencode(".png", strip)[1].tobytes()

    square = to_square(read(encoded, is_jpeg=False, height=0, width=0, size=4), 4)

    assert square.tolist() == np.full((4, 4, 3), 10).tolist()


def test_what_is_no_photo_is_none():
    assert read(b"no photo", is_jpeg=True, height=10, width=10, size=4) is None


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_photo_is_turned_at_every_fraction(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((100, 400, 3), np.uint8)
    pixels[:50, :200] = 200  # bright in one corner
    encoded = jpeg(pixels, exif=exif, quality=95)
    height, width = (100, 400) if orientation in (1, 3) else (400, 100)

    bright = {}
    for size in (20, 100):  # a quarter, and as it is
        picture = read(encoded, is_jpeg=True, height=height, width=width, size=size)
        square = to_square(picture, size)
        quarters = square.reshape(2, square.shape[0] // 2, 2, -1, 3).mean(axis=(1, 3, 4))
        bright[size] = np.unravel_index(quarters.argmax(), (2, 2))

    # Camera's top left: 3 turns it to the bottom right, 6 to the top right, 8 to the bottom left.
    expected = {1: (0, 0), 3: (1, 1), 6: (0, 1), 8: (1, 0)}[orientation]
    assert bright[20] == bright[100] == expected


def test_stretching_takes_each_axis_on_its_own():
    pixels = np.repeat(np.array([[0, 100]], np.uint8)[..., None], 3, axis=2)

    square = to_square(Picture(pixels=pixels, height=1, width=2), 4)

    assert square[..., 0].tolist() == [[0, 25, 75, 100]] * 4


def test_stretching_and_warping_are_one():
    pixels = np.repeat(np.array([[0, 100]], np.uint8)[..., None], 3, axis=2)

    moved = to_square(Picture(pixels=pixels, height=1, width=2), 4, shifting(1, 0))

    assert moved[..., 0].tolist() == [[25, 75, 100, 100]] * 4


@pytest.mark.parametrize(
    "moved",
    [
        Affine(),
        shifting(-40, 25),
        Affine(0.8, -0.6, 30, 0.6, 0.8, -12),
        Affine(-1.7, 0.4, 90, 0.2, 2.1, -30),
        Affine(0.1, 0, 20, 0, 0.1, 20),  # none outside
    ],
)
def test_places_outside_take_the_nearest_pixel(moved):
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    photo = cv2.GaussianBlur(photo, (0, 0), 2)

    plain = cv2.warpAffine(
        photo,
        moved.to_array(),
        (50, 30),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )

    warped = warp(photo, moved, height=30, width=50)
    assert warped.shape == (30, 50, 3)
    assert np.abs(warped.astype(int) - plain).max() <= 1


def test_a_photo_that_nothing_moves_stays_to_the_bit():
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)

    np.testing.assert_array_equal(warp(photo, Affine(), 40, 60), photo)
