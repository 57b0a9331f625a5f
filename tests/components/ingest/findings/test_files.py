import numpy as np
import pytest

from components.common.index import TRAITS
from components.ingest.check import check_photo
from components.ingest.data_report import MOST_FILES, NOTE, WARNING
from components.ingest.findings.files import left_out, odd_photos
from tests.components.ingest.bad_photos import bad_files
from tests.components.ingest.findings.indexes import make_index, with_trait


@pytest.mark.parametrize(
    ("reason", "check", "severity"),
    [
        ("hidden file", "hidden-files", NOTE),
        ("not in a class folder", "files-outside-classes", NOTE),
        ("no label", "files-without-label", NOTE),
        ("does not decode: truncated or damaged", "damaged-photos", WARNING),
        ("empty or unreadable file", "empty-files", WARNING),
        ("not an image", "not-images", WARNING),
        ("format GIF (usable: jpeg, png, bmp, webp)", "unusable-formats", WARNING),
        ("more than 89478485 pixels", "too-large", WARNING),
        ("more than 256 MiB", "too-large", WARNING),
        ("decompresses to more than 100 times its size", "too-large", WARNING),
        ("absolute path", "path-tricks", WARNING),
        ("path with '..'", "path-tricks", WARNING),
        ("link", "path-tricks", WARNING),
        ("2 members of that name", "path-tricks", WARNING),
        ("name is not UTF-8", "unreadable-names", WARNING),
        ("encrypted", "files-left-out", WARNING),
    ],
)
def test_each_reason_to_leave_a_file_out_has_its_finding(reason, check, severity):
    (found,) = left_out([("cat/a.jpg", reason)])

    assert (found.check, found.severity, found.num_files) == (check, severity, 1)
    assert found.groups == (("cat/a.jpg",),)
    assert found.message.startswith("1 file ")
    assert "'cat/a.jpg'" in found.message


def test_files_left_out_for_like_reasons_are_one_finding_with_an_example():
    broken = [(f"cat/{i}.jpg", f"does not decode: {i} bytes are missing") for i in range(60)]

    damaged, hidden = left_out([*broken, ("dog/.DS_Store", "hidden file")])

    assert damaged.message == (
        "60 files are truncated or damaged (e.g. 'cat/0.jpg': does not decode: 0 bytes are"
        " missing)."
    )
    assert damaged.num_files == 60
    assert len(damaged.groups) == MOST_FILES
    assert hidden.message == "1 file is hidden, and was left out ('dog/.DS_Store')."


def test_every_reason_of_the_check_of_photos_has_a_finding_of_its_own():
    reasons = [(name, check_photo(encoded, name)) for name, encoded in bad_files().items()]

    found = {one.check: [name for (name,) in one.groups] for one in left_out(reasons)}

    assert "files-left-out" not in found
    assert found["empty-files"] == ["empty.jpg"]
    assert found["unusable-formats"] == ["moving.gif", "scan.tiff", "phone.heic"]
    assert found["too-large"] == ["bomb.png", "bomb.jpg"]
    assert {"truncated.jpg", "cut-out.jpg", "flipped.png"} < set(found["damaged-photos"])


def test_no_files_left_out_and_no_odd_photos_give_no_finding():
    assert left_out([]) == odd_photos(make_index({"cat": 3, "dog": 3})) == []


@pytest.mark.parametrize("trait", TRAITS)
def test_photos_with_a_trait_are_noted(trait):
    index = make_index({"cat": 3, "dog": 3}, traits=with_trait(trait, np.arange(6) % 3 == 1))

    (found,) = odd_photos(index)

    assert (found.check, found.severity) == (f"{trait}-photos", NOTE)
    assert found.groups == (("cat/00001.jpg",), ("dog/00001.jpg",))
    assert found.message.startswith("2 photos ")
    assert "e.g. 'cat/00001.jpg'" in found.message


def test_a_single_odd_photo_is_spoken_of_as_one():
    index = make_index({"cat": 3}, traits=with_trait("cmyk", np.arange(3) == 2))

    (found,) = odd_photos(index)

    assert found.message == "1 photo has colours for print (CMYK) ('cat/00002.jpg')."


def test_nothing_is_odd_about_photos_that_are_all_grayscale():
    assert odd_photos(make_index({"cat": 3}, traits=with_trait("grayscale", True))) == []


def test_names_that_are_not_ascii_are_noted_and_quoted_short_where_they_are_long():
    names = ["Löwe/1.jpg", "dog/2.jpg", f"dog/{'犬' * 200}.jpg"]
    index = make_index({"Löwe": 1, "dog": 2}, filenames=names)

    (found,) = odd_photos(index)

    assert (found.check, found.severity, found.num_files) == ("names-not-ascii", NOTE, 2)
    assert found.groups == ((names[0],), (names[2],))
    (alone,) = odd_photos(make_index({"dog": 1}, filenames=names[2:]))
    assert len(alone.message) < 130
