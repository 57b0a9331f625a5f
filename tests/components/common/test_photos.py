import hashlib
import io
import shutil
import tempfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from components.common.dataset import DatasetWriter
from components.common.errors import DataError
from components.common.photos import EncodedImages, decode, decode_mask, load_photos
from components.common.records import PhotoRecord
from tests.components.resampling import exact_square, psnr

MASK = cv2.imencode(".png", np.array([[0, 1], [1, 1]], np.uint8))[1].tobytes()
RED, GREEN, BLUE = (200, 10, 20), (10, 200, 20), (20, 10, 200)


def record(encoded: bytes, *, label: int = 0, filename: str = "cat/0.png") -> PhotoRecord:
    return PhotoRecord(
        encoded=encoded,
        format="png",
        height=1,
        width=1,
        label=label,
        class_name=("cat", "dog")[label],
        filename=filename,
        sha256=hashlib.sha256(encoded).hexdigest(),
    )


def save(pixels, file_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, file_format, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_channels_are_red_green_blue():
    assert decode(record(save([[RED]])), 1).tolist() == [[list(RED)]]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_format_gives_the_same_colour(file_format):
    photo = decode(record(save(np.full((32, 32, 3), RED), file_format)), 32)

    assert np.abs(photo.astype(int) - RED).max() <= 6  # what JPEG and WebP lose


def test_a_gray_photo_gets_three_equal_channels():
    assert decode(record(save([[7, 99]])), 2)[0].tolist() == [[7, 7, 7], [99, 99, 99]]


def test_a_photo_is_stretched_to_the_square():
    # Left half red, right half blue, 20 wide and 4 high; areas average to the same halves.
    pixels = np.empty((4, 20, 3))
    pixels[:, :10], pixels[:, 10:] = RED, BLUE

    photo = decode(record(save(pixels)), 2)

    assert photo.shape == (2, 2, 3)
    assert photo.dtype == np.uint8
    assert photo.tolist() == [[list(RED), list(BLUE)]] * 2


def test_shrinking_averages_over_areas():
    # One bright pixel in the corner of each block of 16: 160 / 16 = 10; sampling would miss it.
    pixels = np.zeros((8, 8))
    pixels[::4, ::4] = 160

    assert decode(record(save(pixels)), 2).tolist() == np.full((2, 2, 3), 10).tolist()


def test_enlarging_goes_evenly_from_pixel_to_pixel():
    # New centres lie at -1/4, 1/4, 3/4 and 5/4 of the way from the first pixel to the second.
    photo = decode(record(save([[0, 100], [0, 100]])), 4)

    assert photo[..., 0].tolist() == [[0, 25, 75, 100]] * 4


def test_a_photo_is_turned_as_its_camera_says():
    # Orientation 6: the first row of the file is the right side, so the file's left end is on top.
    pixels = np.empty((16, 64, 3))
    pixels[:, :32], pixels[:, 32:] = RED, GREEN
    encoded = save(pixels, "JPEG", exif=turned(6), quality=95, subsampling=0)

    photo = decode(record(encoded), 64).astype(int)

    assert np.abs(photo[8, 8] - RED).max() <= 6
    assert np.abs(photo[8, 56] - RED).max() <= 6
    assert np.abs(photo[56, 8] - GREEN).max() <= 6
    assert np.abs(photo[56, 56] - GREEN).max() <= 6


def test_a_photo_that_does_not_decode_is_named():
    with pytest.raises(DataError, match=r"'cat/0\.png' does not decode\. Ingest the photos again"):
        decode(record(b"no photo"), 8)


@pytest.mark.parametrize("size", [64, 128, 192])
def test_real_photos_lose_little_beside_exact_averaging(real_data, size):
    files = sorted((real_data / "cats_dogs").glob("*/*.jpg"))[::25]
    qualities = []
    for file in files:
        photo = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        one = replace(
            record(file.read_bytes()), format="jpeg", height=len(photo), width=photo.shape[1]
        )
        qualities.append(psnr(decode(one, size), exact_square(photo, size)))

    # What is accepted, in dB. Pillow's and OpenCV's filters differ by 40 dB from each other.
    assert np.mean(qualities) >= 38
    assert min(qualities) >= 27


def test_a_mask_is_decoded_as_it_was_written():
    mask = np.array([[0, 1], [1, 1]], np.uint8)
    encoded = cv2.imencode(".png", mask)[1].tobytes()

    np.testing.assert_array_equal(decode_mask(replace(record(b""), mask=encoded)), mask)
    assert decode_mask(record(b"")) is None


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    records = [
        replace(
            record(
                cv2.imencode(".png", rng.integers(0, 256, (9, 12, 3)).astype(np.uint8))[
                    1
                ].tobytes(),
                label=index % 2,
                filename=f"{('cat', 'dog')[index % 2]}/{index}.png",
            ),
            box=(0.25, 0.5, 0.75, 1.0) if index == 3 else None,
            mask=MASK if index == 3 else None,
        )
        for index in range(70)  # more than are decoded ahead
    ]
    writer = DatasetWriter(tmp_path / "dataset", ("cat", "dog"))
    for one in records:
        writer.add(one)
    writer.finish(name="pets", source="folder:/pets")
    return tmp_path / "dataset", records


def test_loaded_photos_are_the_decoded_ones_in_order(dataset):
    folder, records = dataset

    with load_photos(folder, 6) as photos:
        assert len(photos) == 70
        assert photos.images.shape == (70, 6, 6, 3)
        assert photos.images.dtype == np.uint8
        np.testing.assert_array_equal(photos.images, [decode(one, 6) for one in records])
        assert photos.labels.tolist() == [0, 1] * 35
        assert photos.filenames == tuple(one.filename for one in records)
        assert photos.classes == ("cat", "dog")
        assert photos.boxes.dtype == np.float32
        assert photos.boxes[3].tolist() == [0.25, 0.5, 0.75, 1.0]
        assert np.isnan(np.delete(photos.boxes, 3, axis=0)).all()


@pytest.mark.parametrize("is_encoded", [False, True])
def test_masks_come_with_their_photos(dataset, monkeypatch, is_encoded):
    if is_encoded:
        monkeypatch.setattr("components.common.photos._has_room", lambda *_: False)

    with load_photos(dataset[0], 6, masks=True) as photos:
        assert photos.mask(3).tolist() == [[0, 1], [1, 1]]
        assert photos.mask(4) is None
        assert photos.first(4).mask(3).tolist() == [[0, 1], [1, 1]]


def test_masks_that_nobody_asks_for_are_not_kept(dataset):
    with load_photos(dataset[0], 6) as photos:
        assert photos.encoded_masks == ()
        assert photos.mask(3) is None


def test_the_scratch_file_goes_with_the_block(dataset, tmp_path, monkeypatch):
    folder, _ = dataset
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    with load_photos(folder, 6) as photos:
        file = Path(photos.images.filename)
        assert file.is_relative_to(scratch)
        assert file.stat().st_size == 70 * 6 * 6 * 3

    assert list(scratch.iterdir()) == []


def test_the_scratch_file_goes_when_the_block_fails(dataset, tmp_path, monkeypatch):
    folder, _ = dataset
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    with pytest.raises(RuntimeError, match="out of memory"), load_photos(folder, 6):
        raise RuntimeError("out of memory")

    assert list(scratch.iterdir()) == []


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch):
    """Says how many bytes the disk has left."""

    def leave(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 10**12 - free, free))

    return leave


def test_what_does_not_fit_decoded_is_kept_encoded_and_looks_the_same(dataset, disk, capsys):
    folder, records = dataset
    disk(70 * 32 * 32 * 3 - 1)

    with load_photos(folder, 32) as photos:
        assert isinstance(photos.images, EncodedImages)
        expected = np.stack([decode(one, 32) for one in records])
        assert (len(photos.images), photos.images.shape) == (70, (70, 32, 32, 3))
        np.testing.assert_array_equal(photos.images[:], expected)
        np.testing.assert_array_equal(photos.images[np.array([5, 2, 5])], expected[[5, 2, 5]])
        np.testing.assert_array_equal(photos.images[60:68], expected[60:68])
        np.testing.assert_array_equal(photos.images[-1], expected[-1])
        assert photos.labels.tolist() == [0, 1] * 35
        assert photos.filenames == tuple(one.filename for one in records)
        assert photos.boxes[3].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert "do not fit into" in capsys.readouterr().out


def test_a_row_that_is_not_there_is_an_error(dataset, disk):
    disk(70 * 32 * 32 * 3 - 1)

    with load_photos(dataset[0], 32) as photos, pytest.raises(IndexError):
        photos.images[70]


def test_a_disk_too_small_for_encoded_photos_is_refused_with_a_way_out(dataset, disk):
    disk(1000)

    with (
        pytest.raises(DataError, match=r"which has 0\.0 GiB free\. Set TMPDIR to a larger disk"),
        load_photos(dataset[0], 32),
    ):
        pass


@pytest.mark.parametrize("free", [70 * 32 * 32 * 3 - 1, 10**9])
def test_the_first_photos_are_the_same_photos_encoded_or_not(dataset, disk, free):
    disk(free)

    with load_photos(dataset[0], 32) as photos:
        some = photos.first(7)

        assert type(some.images) is type(photos.images)
        assert (len(some), some.images.shape) == (7, (7, 32, 32, 3))
        np.testing.assert_array_equal(some.images[:], photos.images[:7])
        np.testing.assert_array_equal(some.images[-1], photos.images[6])
        assert some.labels.tolist() == photos.labels[:7].tolist()
        assert some.filenames == photos.filenames[:7]
        np.testing.assert_array_equal(some.boxes, photos.boxes[:7])
        assert len(photos) == 70
