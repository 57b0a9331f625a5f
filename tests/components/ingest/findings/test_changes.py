from dataclasses import replace

import numpy as np
import pytest

from components.common.index import FORMATS, PhotoIndex, concatenate
from components.ingest.data_report import MOST_FILES, NOTE, WARNING, Changes
from components.ingest.findings.changes import compare, drift
from tests.components.ingest.findings.indexes import make_index, real_index, with_trait

BEFORE = {"cat": 300, "dog": 300}


def joined(*parts: PhotoIndex) -> PhotoIndex:
    return concatenate(parts)


def checks(previous: PhotoIndex, current: PhotoIndex) -> dict[str, str]:
    return {found.check: found.severity for found in drift(previous, current)}


def test_a_version_against_itself_has_no_changes():
    index = make_index(BEFORE)

    assert compare(index, index.take(np.arange(600)[::-1]), previous_digest="ab") == Changes(
        previous="ab", num_added=0, num_removed=0, num_relabelled=0
    )
    assert drift(index, index) == ()


def test_photos_added_removed_and_relabelled_are_named():
    previous = make_index({"cat": 3, "dog": 3})
    labels = previous.labels.copy()
    labels[1] = 1
    names = list(previous.filenames)
    names[1] = "dog/was-a-cat.jpg"
    new = make_index({"cat": 1, "dog": 0}, seed=1, filenames=["cat/new.jpg"])
    changed = replace(previous, labels=labels, filenames=names).take([0, 1, 2, 3, 4])

    changes = compare(previous, joined(changed, new), previous_digest="ab" * 32)

    assert changes == Changes(
        previous="ab" * 32,
        num_added=1,
        num_removed=1,
        num_relabelled=1,
        added=("cat/new.jpg",),
        removed=("dog/00002.jpg",),
        relabelled=(("dog/was-a-cat.jpg", "cat", "dog"),),
    )


def test_a_renamed_photo_is_no_change_but_one_whose_class_was_renamed_is():
    previous = make_index({"cat": 2, "dog": 2})
    renamed = replace(previous, filenames=[f"x/{row}.jpg" for row in range(4)])
    reclassed = replace(previous, classes=("dog", "puppy"))

    assert compare(previous, renamed, previous_digest="ab").num_relabelled == 0
    changes = compare(previous, reclassed, previous_digest="ab")
    assert changes.num_relabelled == 4
    assert changes.relabelled[0] == ("cat/00000.jpg", "cat", "dog")


def test_a_copy_in_a_class_that_had_none_is_relabelled():
    previous = make_index({"cat": 2, "dog": 2})
    copied = replace(previous.take([0]), labels=np.array([1], np.int32), filenames=["dog/copy.jpg"])

    changes = compare(previous, joined(previous, copied), previous_digest="ab")

    assert (changes.num_added, changes.num_relabelled) == (0, 1)
    assert changes.relabelled == (("dog/copy.jpg", "cat", "dog"),)


def test_no_more_changes_are_listed_than_a_person_reads():
    previous, current = make_index({"cat": 90, "dog": 90}), make_index({"cat": 70}, seed=1)
    swapped = replace(previous, labels=1 - previous.labels)

    changes = compare(previous, current, previous_digest="ab")
    relabelled = compare(previous, swapped, previous_digest="ab")

    assert (changes.num_added, changes.num_removed) == (70, 180)
    assert (relabelled.num_relabelled, len(relabelled.relabelled)) == (180, MOST_FILES)
    assert len(changes.added) == len(changes.removed) == MOST_FILES


@pytest.mark.parametrize("seed", range(1, 4))
def test_more_photos_of_the_same_kind_are_no_drift(seed):
    previous = make_index(BEFORE)

    assert drift(previous, joined(previous, make_index({"cat": 60, "dog": 60}, seed=seed))) == ()


@pytest.mark.parametrize(
    ("columns", "check"),
    [
        ({"means": 30}, "brightness-drift"),
        ({"stds": 5}, "contrast-drift"),
        ({"formats": FORMATS.index("webp")}, "format-drift"),
        ({"traits": with_trait("grayscale", True)}, "grayscale-drift"),
        ({"cameras": ["Pixel 9"] * 60}, "camera-drift"),
    ],
)
def test_new_photos_of_another_kind_are_a_warning(columns, check):
    previous = make_index(BEFORE)
    odd = make_index({"cat": 30, "dog": 30}, seed=1, **columns)

    assert checks(previous, joined(previous, odd))[check] == WARNING


def test_the_message_says_which_photos_are_new():
    previous = make_index(BEFORE)
    odd = make_index({"cat": 30, "dog": 30}, seed=1, widths=640, heights=512)

    (found,) = drift(previous, joined(previous, odd))

    assert found.check == "size-drift"
    assert found.message == (
        "The photos added differ from the others in size: of 60 photos of 640x512 60 are new (5"
        " expected)."
    )
    assert found.num_files == 60


def test_new_photos_of_one_class_are_a_note():
    previous = make_index(BEFORE)

    (found,) = drift(previous, joined(previous, make_index({"cat": 0, "dog": 100}, seed=1)))

    assert (found.check, found.severity) == ("class-drift", NOTE)
    assert "of 300 photos of class 'cat' 0 are new (43 expected)" in found.message


def test_a_class_that_is_new_is_named():
    previous = make_index(BEFORE)
    current = make_index({"cat": 300, "dog": 300, "hen": 50})

    (found,) = drift(previous, current)

    assert "of 50 photos of class 'hen' 50 are new" in found.message


def test_photos_that_went_and_were_of_another_kind_are_told():
    previous = make_index(BEFORE, means=np.where(np.arange(600) % 4 == 0, 20, 120)[:, None])

    (found,) = drift(previous, previous.take(np.arange(600) % 4 != 0))

    assert found.check == "brightness-drift"
    assert found.message.startswith("The photos removed differ from the others in brightness")
    assert "of 150 photos with a brightness of 20 150 are gone (38 expected)" in found.message


def test_looks_are_not_compared_with_those_of_photos_that_nobody_looked_at():
    previous = make_index(BEFORE, decoded=False, means=0, stds=0)

    assert drift(previous, make_index(BEFORE, seed=1)) == ()


def test_few_new_photos_tell_nothing():
    previous = make_index(BEFORE)

    assert drift(previous, joined(previous, make_index({"cat": 9}, seed=1, means=5))) == ()


def test_a_whole_new_dataset_is_held_against_the_old_one():
    assert "brightness-drift" in checks(make_index(BEFORE), make_index(BEFORE, seed=1, means=40))


def test_real_flowers_drift_in_size_when_the_small_ones_are_added(real_data):
    index = real_index(real_data / "flowers")

    found = {one.check: one for one in drift(index.take(index.widths == 227), index)}

    assert found["size-drift"].severity == WARNING
    assert "of 388 photos of 128x128 388 are new (75 expected)" in found["size-drift"].message
