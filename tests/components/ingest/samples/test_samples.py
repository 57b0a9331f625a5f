"""The sample datasets: the same everywhere, true to their masks, and not to be told by colour."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from components.ingest.samples import CLASSES, flowers, pets
from components.ingest.samples.render import render
from components.ingest.samples.scene import box_of
from components.ingest.sources.photo import SourcePhoto

PER_CLASS = {"flowers": 60, "pets": 120}  # enough for a linear model to show what it can


@cache
def photos_of(name: str) -> list[SourcePhoto]:
    return list(render(name, photos_per_class=PER_CLASS[name]))


def decode(encoded: bytes | None, flag: int) -> npt.NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(encoded or b"", np.uint8), flag)
    assert image is not None
    return np.asarray(image, np.uint8)


def linear_accuracy(name: str, side_px: int = 32) -> float:
    """Test accuracy of one-hot ridge regression on pixels, at the penalty that suits it best."""
    photos = photos_of(name)
    small = [
        cv2.resize(
            decode(photo.encoded, cv2.IMREAD_COLOR),
            (side_px, side_px),
            interpolation=cv2.INTER_AREA,
        )
        for photo in photos
    ]
    pixels = np.stack(small).reshape(len(photos), -1) / 255.0
    labels = np.array([CLASSES[name].index(photo.class_name) for photo in photos])
    held_out = np.arange(len(photos)) % 10 >= 7  # the photos come class by class
    train = pixels[~held_out]
    mean, targets = train.mean(axis=0), np.eye(len(CLASSES[name]))[labels[~held_out]]
    kernel = (train - mean) @ (train - mean).T
    across = (pixels[held_out] - mean) @ (train - mean).T
    accuracies = []
    for penalty in (1.0, 10.0, 100.0, 1000.0):
        duals = np.linalg.solve(
            kernel + penalty * np.eye(len(kernel)), targets - targets.mean(axis=0)
        )
        accuracies.append(np.mean((across @ duals).argmax(axis=1) == labels[held_out]))
    return float(max(accuracies))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_photos_are_the_same_bytes_at_each_run(name: str) -> None:
    assert list(render(name, photos_per_class=2)) == list(render(name, photos_per_class=2))


def test_bytes_do_not_depend_on_how_many_threads_opencv_uses() -> None:
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = list(render("flowers", photos_per_class=2))
        cv2.setNumThreads(4)
        assert list(render("flowers", photos_per_class=2)) == alone
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_more_photos_a_class_change_none_of_the_others(name: str) -> None:
    more = {photo.filename: photo for photo in render(name, photos_per_class=3)}

    for photo in render(name, photos_per_class=1):
        assert more[photo.filename] == photo


def test_another_seed_gives_other_photos() -> None:
    first, second = (next(render("pets", photos_per_class=1, seed=seed)) for seed in (0, 1))

    assert first.encoded != second.encoded


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_has_as_many_photos_under_its_own_folder(name: str) -> None:
    photos = photos_of(name)

    assert Counter(photo.class_name for photo in photos) == dict.fromkeys(
        CLASSES[name], PER_CLASS[name]
    )
    assert all(photo.filename.startswith(f"{photo.class_name}/") for photo in photos)
    assert len({photo.filename for photo in photos}) == len(photos)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_mask_and_box_agree_with_each_other_and_with_the_photo(name: str) -> None:
    for photo in islice(photos_of(name), 0, None, 7):
        image = decode(photo.encoded, cv2.IMREAD_COLOR)
        mask = decode(photo.mask, cv2.IMREAD_UNCHANGED)

        assert mask.shape == image.shape[:2]
        assert np.unique(mask).tolist() == [0, 1]
        assert photo.box == box_of(mask)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_subject_fills_a_fair_part_of_every_photo(name: str) -> None:
    for photo in photos_of(name):
        assert 0.01 < decode(photo.mask, cv2.IMREAD_UNCHANGED).mean() < 0.95


def test_box_is_the_smallest_about_the_mask() -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[2:5, 4:14] = 1

    assert box_of(mask) == (4 / 20, 2 / 10, 14 / 20, 5 / 10)


def test_empty_mask_has_no_box() -> None:
    with pytest.raises(ValueError, match=r"`mask` must mark some pixels. Received: all 0"):
        box_of(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_sizes_vary_and_are_the_same_for_every_class(name: str) -> None:
    sizes = {class_name: Counter[tuple[int, ...]]() for class_name in CLASSES[name]}
    for photo in photos_of(name):
        sizes[photo.class_name][decode(photo.encoded, cv2.IMREAD_COLOR).shape] += 1
    first, *others = sizes.values()

    assert len(first) > PER_CLASS[name] // 2
    assert all(other == first for other in others)
    assert all(96 <= side <= 160 for shape in first for side in shape[:2])


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_linear_model_on_pixels_cannot_tell_the_classes(name: str) -> None:
    assert linear_accuracy(name) < 0.70


def test_unknown_sample_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(
        ValueError, match=r"`name` must be one of \['flowers', 'pets'\]. Received: 'cars'"
    ):
        render("cars")


def test_no_photos_a_class_is_refused_before_any_is_drawn() -> None:
    with pytest.raises(ValueError, match=r"`photos_per_class` must be at least 1. Received: 0"):
        render("flowers", photos_per_class=0)


def test_names_that_need_no_drawing_agree_with_what_is_drawn():
    assert CLASSES["flowers"] == tuple(flowers.SUBJECTS)
    assert CLASSES["pets"] == tuple(pets.SUBJECTS)
