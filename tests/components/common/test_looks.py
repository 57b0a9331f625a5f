import cv2
import numpy as np
import pytest

from components.common.duplicates import MAX_DISTANCE
from components.common.looks import FEATURELESS, perceptual_hash

PAINTED_PX = 227


def paint(seed: int) -> np.ndarray:
    """Blobs of four sizes, the large ones strong, as in photos."""
    rng = np.random.default_rng(seed)
    blobs = (rng.normal(size=(4 * scale, 4 * scale)) / scale for scale in (1, 2, 4, 8))
    layers = [cv2.resize(blob, (PAINTED_PX, PAINTED_PX)) for blob in blobs]
    return (128 + 40 * sum(layers)).clip(0, 255).astype(np.uint8)


def resized(photo: np.ndarray, side_px: int) -> np.ndarray:
    return cv2.resize(photo, (side_px, side_px), interpolation=cv2.INTER_AREA)


def saved(photo: np.ndarray, quality: int) -> np.ndarray:
    encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


def distance(one: np.ndarray, other: np.ndarray) -> int:
    pairs = zip(perceptual_hash(one), perceptual_hash(other), strict=True)
    return sum((first ^ second).bit_count() for first, second in pairs)


def test_bits_say_which_frequencies_are_stronger_than_the_median():
    # 127 waves of strength 20, 128 of strength -20; the median is that of the mean, which is 0.
    signs = np.repeat([1, -1], [127, 128])
    np.random.default_rng(0).shuffle(signs)
    waves = np.zeros((32, 32), np.float32)
    waves[:16, :16] = np.append(128 * 32, 20 * signs).reshape(16, 16)
    photo = cv2.idct(waves).round().astype(np.uint8)

    words = perceptual_hash(photo)

    bits = np.unpackbits(np.array(words, "<u8").view(np.uint8))
    assert bits.tolist() == [0, *(signs > 0).tolist()]


@pytest.mark.parametrize("seed", range(5))
def test_a_smaller_copy_of_poor_quality_is_a_near_duplicate(seed):
    photo = paint(seed)

    assert distance(saved(photo, 95), saved(resized(photo, 128), 60)) <= MAX_DISTANCE


@pytest.mark.parametrize("seed", range(5))
def test_other_light_makes_a_near_duplicate(seed):
    photo = resized(paint(seed), 64)

    assert distance(photo, cv2.convertScaleAbs(photo, alpha=0.9, beta=5)) <= MAX_DISTANCE


def test_different_photos_are_far_apart():
    photos = [resized(paint(seed), 60) for seed in range(20)]

    nearest = min(distance(one, other) for i, one in enumerate(photos) for other in photos[:i])

    assert nearest > 2 * MAX_DISTANCE


def test_a_mirrored_photo_is_another_one():
    photo = paint(0)

    assert distance(photo, photo[:, ::-1].copy()) > 2 * MAX_DISTANCE


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((60, 45), np.uint8),
        np.full((160, 120), 255, np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.random.default_rng(0).integers(128, 130, (90, 90), np.uint8),  # a sensor's noise
        np.tile(np.arange(64, dtype=np.uint8), (64, 1)),  # plain light from one side
    ],
    ids=["black", "white", "one-pixel", "noise", "gradient"],
)
def test_photos_without_features_have_no_hash_to_compare(photo):
    assert perceptual_hash(photo) == FEATURELESS


def test_a_photo_of_low_contrast_has_features():
    photo = (120 + resized(paint(0), 60).astype(float) / 20).astype(np.uint8)

    assert perceptual_hash(photo) != FEATURELESS


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (20, 30), (700, 500)])
def test_photos_of_any_size_have_256_bits(shape):
    photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    words = perceptual_hash(photo)

    assert len(words) == 4
    assert all(type(word) is int and 0 <= word < 2**64 for word in words)
