import threading
import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from components.common.index import PhotoFacts
from components.ingest.check import check_photo
from tests.components.ingest import bad_photos
from tests.components.ingest.bad_photos import encode, exif, odd_photos, picture, turned

BAD = bad_photos.bad_files()
LOOKS = {"hash", "mean", "std"}
USABLE = "(usable: jpeg, png, bmp, webp)"


def facts_of(encoded: bytes, filename: str = "", *, decode: bool = True) -> PhotoFacts:
    facts = check_photo(encoded, filename, decode=decode)
    assert isinstance(facts, PhotoFacts), facts
    return facts


def bits_apart(first: PhotoFacts, second: PhotoFacts) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(first.hash, second.hash, strict=True))


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_usable_formats_give_format_and_size(file_format, decode):
    facts = facts_of(encode(file_format, picture(height=20, width=30)), decode=decode)

    assert (facts.format, facts.height, facts.width) == (file_format.lower(), 20, 30)
    assert facts.traits == ()
    assert facts.camera == ""


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_colours_and_looks_do_not_depend_on_the_format(file_format):
    pixels = picture(height=300, width=400)

    facts = facts_of(encode(file_format, pixels))

    assert facts.mean == pytest.approx(pixels.mean((0, 1)), abs=1)
    assert facts.std == pytest.approx(pixels.std((0, 1)), abs=2)
    assert bits_apart(facts, facts_of(encode("PNG", pixels))) <= 8  # strangers: 127


def test_without_decoding_the_looks_are_unknown():
    decoded, glanced_at = facts_of(encode("JPEG")), facts_of(encode("JPEG"), decode=False)

    assert None not in (decoded.hash, decoded.mean, decoded.std)
    assert (glanced_at.hash, glanced_at.mean, glanced_at.std) == (None, None, None)
    assert (glanced_at.height, glanced_at.width) == (96, 128)


@pytest.mark.parametrize(
    ("filename", "traits"),
    [
        ("grayscale.jpg", ("grayscale",)),
        ("cmyk.jpg", ("cmyk",)),
        ("ycck.jpg", ("cmyk",)),
        ("progressive.jpg", ()),
        ("phone.jpg", ()),
        ("turned.jpg", ("turned",)),
        ("spare-bytes.jpg", ()),
        ("named.png", ("wrong-suffix",)),
        ("alpha.png", ("alpha",)),
        ("palette.png", ("palette",)),
        ("16-bit.png", ("16-bit",)),
        ("animated.png", ("animated",)),
        ("alpha.webp", ("alpha",)),
        ("animated.webp", ("animated",)),
        ("palette.bmp", ("palette",)),
        ("wide.jpg", ()),
    ],
)
@pytest.mark.parametrize("decode", [True, False])
def test_odd_photos_are_usable_and_say_what_is_odd(filename, traits, decode):
    assert facts_of(odd_photos()[filename], filename, decode=decode).traits == traits


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_photos_with_one_channel_are_grayscale(mode):
    traits = facts_of(encode("PNG", mode=mode), decode=False).traits

    assert "grayscale" in traits
    assert ("alpha" in traits) == (mode == "LA")


def test_sixteen_bits_of_gray_are_both():
    traits = facts_of(bad_photos.sixteen_bit_png(gray=True), decode=False).traits

    assert traits == ("grayscale", "16-bit")


@pytest.mark.parametrize(("spread", "is_gray"), [(0, True), (2, True), (9, False)])
def test_three_channels_that_are_equal_are_grayscale(spread, is_gray):
    gray = picture()[..., :1] // 2
    pixels = np.concatenate([gray, gray + spread, gray], axis=2)

    assert ("grayscale" in facts_of(encode("PNG", pixels)).traits) == is_gray


def test_a_little_colour_in_a_corner_is_colour():
    pixels = np.repeat(picture(height=480, width=640)[..., :1], 3, axis=2)
    pixels[:40, :40, 0] = 255 - pixels[:40, :40, 0]

    assert facts_of(encode("JPEG", pixels)).traits == ()


def test_a_phones_jpeg_is_judged_by_its_first_picture():
    assert facts_of(bad_photos.phone_jpeg()) == facts_of(encode("JPEG"))


@pytest.mark.parametrize("encoded", [encode("JPEG", mode="CMYK"), bad_photos.ycck_jpeg()])
def test_inks_become_the_colours_that_pillow_makes_of_them(encoded, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded)
    with Image.open(tmp_path / "photo.jpg") as image:
        expected = np.asarray(image.convert("RGB"))

    facts = facts_of(encoded)

    assert facts.mean == pytest.approx(expected.mean((0, 1)), abs=2)
    assert bits_apart(facts, facts_of(encode("PNG", expected))) <= 8


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_as_the_camera_was_held(orientation, file_format):
    pixels = picture(height=288, width=384)
    upright = facts_of(encode("PNG", pixels))

    facts = facts_of(turned(orientation, file_format, pixels))

    assert (facts.height, facts.width) == (288, 384)
    assert bits_apart(facts, upright) <= 12
    assert facts.traits == (() if orientation in (1, 2) else ("turned",))


@pytest.mark.parametrize(
    "broken", [b"Exif\0\0garbage", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"no such thing"]
)
def test_broken_camera_data_does_not_cost_the_photo(broken):
    facts = facts_of(encode("JPEG", exif=broken))

    assert (facts.height, facts.width, facts.traits, facts.camera) == (96, 128, (), "")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_the_camera_is_named_once(file_format):
    canon = exif(maker="Canon", model="Canon EOS 5D")
    pixel = exif(maker="Google", model="Pixel 8")

    assert facts_of(encode(file_format, exif=canon)).camera == "Canon EOS 5D"
    assert facts_of(encode(file_format, exif=pixel), decode=False).camera == "Google Pixel 8"


@pytest.mark.parametrize(
    ("filename", "file_format"),
    [
        ("a.JPG", "JPEG"),
        ("a.jfif", "JPEG"),
        ("a.jpe", "JPEG"),
        ("b/a.jpeg", "JPEG"),
        ("a.dib", "BMP"),
        ("train/000001", "JPEG"),
        (".jpg/a", "PNG"),
    ],
)
def test_a_name_may_have_any_suffix_of_its_format_or_none(filename, file_format):
    assert facts_of(encode(file_format), filename).traits == ()


@pytest.mark.parametrize("filename", ["a.png", "a.gif", "a.jpg.txt"])
def test_another_suffix_contradicts_the_bytes(filename):
    assert facts_of(encode("JPEG"), filename, decode=False).traits == ("wrong-suffix",)


@pytest.mark.parametrize("filename", sorted(BAD))
def test_bad_files_are_refused_and_print_nothing(filename, capfd):
    assert isinstance(check_photo(BAD[filename], filename), str)
    printed = capfd.readouterr().err
    assert printed == "" or filename == "flipped.png"  # libpng prints a line of its own


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("empty.jpg", "empty or unreadable file"),
        ("text.jpg", "not an image"),
        ("page.jpg", "not an image"),
        ("start-only.jpg", "not an image"),
        ("moving.gif", f"format GIF {USABLE}"),
        ("scan.tiff", f"format TIFF {USABLE}"),
        ("phone.heic", f"format HEIC {USABLE}"),
        ("bomb.png", "more than 89478485 pixels"),
        ("bomb.jpg", "more than 89478485 pixels"),
    ],
)
@pytest.mark.parametrize("decode", [True, False])
def test_files_that_are_no_photo_give_the_reason(filename, reason, decode):
    assert check_photo(BAD[filename], filename, decode=decode) == reason


@pytest.mark.parametrize("part", [0.4, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "CMYK"}, {"mode": "L"}])
def test_a_truncated_jpeg_is_refused(part, options):
    reason = str(check_photo(bad_photos.truncated(encode("JPEG", **options), part)))

    assert reason.startswith("does not decode: ")
    assert "truncated" in reason.lower()  # in the header Pillow words it otherwise


@pytest.mark.parametrize("num_missing", [1, 2])
def test_a_jpeg_without_its_end_mark_is_refused(num_missing):
    reason = check_photo(encode("JPEG")[:-num_missing])

    assert reason == "does not decode: truncated or damaged (Premature end of JPEG file)"


def test_the_end_mark_of_a_thumbnail_does_not_count():
    encoded = bad_photos.with_thumbnail(encode("JPEG"))

    assert facts_of(encoded) == facts_of(encode("JPEG"))
    assert "Premature end" in str(check_photo(encoded[:-2]))


@pytest.mark.parametrize("damage", [bad_photos.cut_out, bad_photos.zeroed])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "CMYK"}, {"mode": "L"}])
def test_a_jpeg_with_a_hole_is_refused(damage, options):
    encoded = encode("JPEG", picture(height=300, width=400), **options)

    assert "truncated or damaged" in str(check_photo(damage(encoded, 256)))


def test_bytes_that_nobody_reads_cost_nothing():
    sound = encode("JPEG")

    assert facts_of(bad_photos.with_spare_bytes(sound)) == facts_of(sound)
    assert facts_of(sound + b"and more") == facts_of(sound)


def test_spare_bytes_do_not_hide_that_the_end_is_missing():
    encoded = bad_photos.with_spare_bytes(encode("JPEG"))[:-2]

    assert "truncated" in str(check_photo(encoded))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_other_formats_are_refused_when_truncated(file_format, part):
    reason = check_photo(bad_photos.truncated(encode(file_format), part))

    assert str(reason).startswith("does not decode: ")


def test_damage_in_the_middle_of_a_png_is_found():
    assert str(check_photo(bad_photos.flipped(encode("PNG")))).startswith("does not decode: ")


def test_a_png_that_only_pillow_takes_is_refused():
    encoded = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    start = encoded.index(b"IDAT")
    length = int.from_bytes(encoded[start - 4 : start])
    encoded[start + 4 + length] ^= 1  # the first byte of the checksum

    assert check_photo(bytes(encoded)) == "does not decode: damaged, or too wide"


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("limit", [599, 400, 299, 1])  # of 600 pixels; Pillow fails above 2 limits
def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch, limit, file_format):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)

    encoded = encode(file_format, picture(height=20, width=30))
    assert check_photo(encoded) == f"more than {limit} pixels"


@pytest.mark.parametrize("limit", [600, None])
def test_as_many_pixels_as_the_limit_are_usable(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)

    facts_of(encode("PNG", picture(height=20, width=30)))


def test_threads_agree_on_too_many_pixels(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    encoded, outcomes = encode("BMP", picture(height=20, width=30)), []

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


def test_real_photos_are_usable(real_data):
    for path in sorted(real_data.glob("*/*/*.jpg"))[::4]:
        facts_of(path.read_bytes(), path.name)


def test_real_photos_that_lost_bytes_are_refused(real_data):
    chance = np.random.default_rng(0)
    for path in sorted(real_data.glob("*/*/*.jpg"))[::20]:
        encoded = path.read_bytes()
        start = int(chance.integers(len(encoded) // 3, len(encoded) // 2))

        assert "does not decode" in str(check_photo(encoded[:start] + encoded[start + 512 :]))
