import cv2
import numpy as np
import pytest

from components.common.duplicates import near_duplicate_pairs
from components.common.index import PhotoIndex
from components.ingest.check import check_photo
from components.ingest.data_report import MOST_FILES, NOTE, WARNING
from components.ingest.findings.duplicates import augmented, copies, look_alikes
from components.ingest.samples.render import render
from tests.components.ingest.findings.indexes import make_index, real_index


def with_copies(index: PhotoIndex, *groups: tuple[int, ...]) -> PhotoIndex:
    """The photos of each group become byte for byte the same."""
    for first, *others in groups:
        for row in others:
            index.sha256[row] = index.sha256[first]
            index.hashes[row] = index.hashes[first]
    return index


def with_look_alikes(index: PhotoIndex, *groups: tuple[int, ...]) -> PhotoIndex:
    """The photos of each group come to differ in one bit of their hashes."""
    for first, *others in groups:
        for row in others:
            index.hashes[row] = index.hashes[first] ^ np.uint64(1 << row)
    return index


def test_photos_that_are_all_different_give_no_finding():
    index = make_index({"cat": 50, "dog": 50})

    assert copies(index) == look_alikes(index) == augmented(index) == []


def test_a_copy_in_the_same_class_is_noted():
    index = with_copies(make_index({"cat": 100, "dog": 100}), (3, 7, 9))

    (found,) = copies(index)

    assert (found.check, found.severity, found.num_files) == ("exact-duplicates", NOTE, 3)
    assert found.groups == (("cat/00003.jpg", "cat/00007.jpg", "cat/00009.jpg"),)
    assert found.message == (
        "1 photo is there more than once in one class, 2 copies too many"
        " ('cat/00003.jpg' and 'cat/00007.jpg')."
    )
    assert look_alikes(index) == []  # the same, rather than alike


def test_more_copies_than_one_in_a_hundred_photos_are_a_warning():
    index = with_copies(make_index({"cat": 100, "dog": 100}), (0, 1), (2, 3), (100, 101))

    (found,) = copies(index)

    assert (found.severity, found.num_files) == (WARNING, 6)


def test_a_copy_in_another_class_contradicts():
    index = with_copies(make_index({"cat": 2, "dog": 2}), (0, 2))

    (found,) = copies(index)

    assert (found.check, found.severity) == ("contradicting-labels", WARNING)
    assert found.groups == (("cat/00000.jpg", "dog/00000.jpg"),)
    assert found.message == (
        "1 photo lies in two classes or more, byte for byte the same"
        " ('cat/00000.jpg' and 'dog/00000.jpg')."
    )


def test_photos_that_look_the_same_in_one_class_are_noted():
    index = with_look_alikes(make_index({"cat": 5, "dog": 5}), (0, 1), (5, 7, 8))

    (found,) = look_alikes(index)

    assert (found.check, found.severity, found.num_files) == ("near-duplicates", NOTE, 5)
    assert sorted(found.groups) == [
        ("cat/00000.jpg", "cat/00001.jpg"),
        ("dog/00000.jpg", "dog/00002.jpg", "dog/00003.jpg"),
    ]
    assert found.message.startswith("2 groups of photos of one class look the same (e.g. '")
    assert copies(index) == []


def test_photos_that_look_the_same_in_two_classes_are_a_warning():
    index = with_look_alikes(make_index({"cat": 5, "dog": 5}), (0, 1, 6))

    (found,) = look_alikes(index)

    assert (found.check, found.severity) == ("near-duplicates-across-classes", WARNING)
    assert found.groups == (("cat/00000.jpg", "cat/00001.jpg", "dog/00001.jpg"),)


def test_photos_are_alike_whatever_version_they_came_with():
    index = with_look_alikes(make_index({"cat": 3}), (0, 1), (1, 2))
    index.generations[:] = [0, 1, 0]

    assert look_alikes(index)[0].num_files == 3


def test_without_decoding_copies_are_found_and_look_alikes_are_not():
    index = with_copies(make_index({"cat": 4, "dog": 4}, decoded=False), (0, 1))

    assert [found.check for found in copies(index)] == ["exact-duplicates"]
    assert look_alikes(with_look_alikes(index, (2, 3))) == []


def test_no_more_photos_are_listed_than_a_person_looks_at():
    index = with_copies(
        make_index({"cat": 100}), *((row, row + 1, row + 2) for row in range(0, 99, 3))
    )

    (found,) = copies(index)

    assert found.num_files == 99
    assert sum(map(len, found.groups)) == MOST_FILES
    assert {len(group) for group in found.groups} == {2, 3}  # no photo is left alone


@pytest.mark.parametrize(
    "name",
    [
        "aug_322_3636489.jpg",
        "rose_AUG.png",
        "12-augmented-3.jpg",
        "img.augmentation.jpg",
        "aug7.jpg",
    ],
)
def test_names_of_augmented_copies_are_a_warning(name):
    index = make_index({"rose": 2}, filenames=["rose/1.jpg", f"rose/{name}"])

    (found,) = augmented(index)

    assert (found.check, found.severity, found.num_files) == ("augmented-copies", WARNING, 1)
    assert found.groups == ((f"rose/{name}",),)


@pytest.mark.parametrize(
    "name",
    ["august.jpg", "laughing_1.jpg", "aug-2019-07.jpg", "aug_12_2019_3.jpg", "12aug2019.jpg"],
)
def test_names_of_people_and_months_are_none_of_augmented_copies(name):
    index = make_index({"aug_rose": 2}, filenames=["aug_rose/1.jpg", f"aug_rose/{name}"])

    assert augmented(index) == []


def saved_anew(encoded: bytes, *, quality: int, side_px: int | None = None) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if side_px:
        pixels = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def test_drawn_photos_are_known_again_when_saved_anew_and_are_never_confused():
    facts = []
    for photo in render("pets", photos_per_class=10):
        facts += [check_photo(photo.encoded), check_photo(saved_anew(photo.encoded, quality=40))]
    index = make_index({"cat": 20, "dog": 20}, hashes=[one.hash for one in facts])

    (found,) = look_alikes(index)

    assert found.check == "near-duplicates"
    names = index.filenames
    assert sorted(found.groups) == [(names[row], names[row + 1]) for row in range(0, 40, 2)]


def test_real_photos_are_known_again_at_another_size_and_quality(real_data):
    index = real_index(real_data / "flowers")
    rows = np.flatnonzero(index.widths == 227)[::16]
    small = [
        saved_anew(
            (real_data / "flowers" / index.filenames[row]).read_bytes(), quality=60, side_px=128
        )
        for row in rows
    ]
    hashes = np.array([check_photo(encoded).hash for encoded in small], np.uint64)

    pairs = near_duplicate_pairs(
        np.concatenate([index.hashes[rows], hashes]), np.ones(2 * len(rows), bool)
    )

    assert len(rows) > 100
    assert pairs.tolist() == [[row, row + len(rows)] for row in range(len(rows))]


def test_real_flowers_hold_a_photo_in_two_classes_and_one_at_two_sizes(real_data):
    index = real_index(real_data / "flowers")

    (contradicting,), (alike,), (warped,) = copies(index), look_alikes(index), augmented(index)

    assert contradicting.check == "contradicting-labels"
    assert contradicting.groups == (
        ("rose/17291930305_79deae6a90_n.jpg", "tulip/17291930305_79deae6a90_n.jpg"),
    )
    assert alike.check == "near-duplicates"
    assert alike.groups == (
        ("tulip/7166552648_28b6dce578.jpg", "tulip/7166552648_28b6dce578_n.jpg"),
    )
    assert warped.num_files == 388


def test_real_cats_and_dogs_hold_one_photo_twice(real_data):
    index = real_index(real_data / "cats_dogs")

    assert copies(index) == augmented(index) == []
    assert look_alikes(index)[0].groups == (("dog/dog.180.jpg", "dog/dog.74.jpg"),)
