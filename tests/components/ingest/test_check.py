import io
import threading
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from components.ingest.check import PhotoShape, check_photo

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def save(file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, file_format, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_usable_formats_give_their_size(file_format):
    expected = PhotoShape(format=file_format.lower(), height=20, width=30)

    assert check_photo(save(file_format)) == expected


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg():
    second = Image.fromarray(PIXELS[:10, :10])
    encoded = save("MPO", save_all=True, append_images=[second])

    assert check_photo(encoded) == PhotoShape(format="jpeg", height=20, width=30)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_upright_and_mirrored_photos_keep_their_sides(orientation):
    shape = check_photo(save("JPEG", exif=turned(orientation)))

    assert shape == PhotoShape(format="jpeg", height=20, width=30)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_photos_on_their_side_swap_height_and_width(orientation):
    shape = check_photo(save("JPEG", exif=turned(orientation)))

    assert shape == PhotoShape(format="jpeg", height=30, width=20)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0"])
def test_broken_camera_data_does_not_cost_the_photo(exif):
    assert check_photo(save("JPEG", exif=exif)) == PhotoShape(format="jpeg", height=20, width=30)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_photos_of_other_colour_modes_are_usable(mode):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert("L").convert(mode).save(buffer, "PNG")

    assert check_photo(buffer.getvalue()) == PhotoShape(format="png", height=20, width=30)


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
def test_a_truncated_jpeg_is_not_usable(part):
    encoded = save("JPEG")

    reason = check_photo(encoded[: int(part * len(encoded))])

    assert isinstance(reason, str)
    assert reason.startswith("does not decode: ")
    assert "truncated" in reason.lower()  # in the header Pillow words it otherwise


def test_a_truncated_png_is_not_usable():
    encoded = save("PNG")

    assert check_photo(encoded[: len(encoded) // 2]) == "does not decode: image file is truncated"


def test_damage_in_the_middle_of_a_png_is_found():
    encoded = bytearray(save("PNG"))
    encoded[len(encoded) // 2] ^= 0x55

    assert str(check_photo(bytes(encoded))).startswith("does not decode: broken data stream")


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "empty or unreadable file"),
        (b"Dear reader,\nthis is no photo.\n", "not an image"),
        (b"\xff\xd8\xff", "not an image"),  # a JPEG of three bytes
        (save("GIF"), "format GIF (usable: jpeg, png, bmp, webp)"),
        (save("TIFF"), "format TIFF (usable: jpeg, png, bmp, webp)"),
    ],
)
def test_other_files_give_the_reason(encoded, reason):
    assert check_photo(encoded) == reason


@pytest.mark.parametrize("limit", [599, 400, 299, 1])  # of 600 pixels; Pillow fails above 2 limits
def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)

    assert check_photo(save("PNG")) == f"more than {limit} pixels"


def test_as_many_pixels_as_the_limit_are_usable(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)

    assert isinstance(check_photo(save("PNG")), PhotoShape)


def test_threads_agree_on_too_many_pixels(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    encoded, outcomes = save("BMP"), []

    def check():
        outcomes.extend(str(check_photo(encoded)) for _ in range(300))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as a program has it that nobody tests
        before = list(warnings.filters)
        threads = [threading.Thread(target=check) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = list(warnings.filters)

    assert outcomes == ["more than 400 pixels"] * 1200
    assert after == before


def test_a_png_that_only_pillow_takes_is_rejected():
    encoded = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    start = encoded.index(b"IDAT")
    length = int.from_bytes(encoded[start - 4 : start])
    encoded[start + 4 + length] ^= 1  # the first byte of the checksum

    assert check_photo(bytes(encoded)) == "does not decode: damaged, or too wide"
