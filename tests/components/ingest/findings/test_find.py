import numpy as np

from components.ingest.data_report import NOTE, SEVERITIES, WARNING
from components.ingest.findings import find
from tests.components.ingest.findings.indexes import make_index, real_index


def test_sound_photos_give_no_findings():
    assert find(make_index({"cat": 100, "dog": 100}), rejected=[]) == ()


def test_findings_of_all_themes_come_worst_first():
    index = make_index({"cat": 400, "dog": 20}, widths=np.repeat([64, 100], [400, 20]))
    index.sha256[1] = index.sha256[0]
    index.traits[3] = 1

    found = find(index, rejected=[("cat/.x", "hidden file"), ("dog/a.jpg", "not an image")])

    assert [(one.check, one.severity) for one in found] == [
        ("size-leak", WARNING),
        ("aspect-leak", WARNING),
        ("small-classes", WARNING),
        ("imbalance", WARNING),
        ("not-images", WARNING),
        ("exact-duplicates", NOTE),
        ("hidden-files", NOTE),
        ("grayscale-photos", NOTE),
    ]
    assert all(one.severity in SEVERITIES and one.remedy and one.message for one in found)


def test_two_photos_that_nobody_decoded_are_enough():
    found = find(make_index({"cat": 1, "dog": 1}, decoded=False), rejected=[])

    assert [one.check for one in found] == ["small-classes"]


def test_a_class_without_photos_stops_nothing():
    assert find(make_index({"cat": 40, "dog": 0}), rejected=[]) != ()


def test_thousands_of_classes_are_no_trouble():
    found = find(make_index({f"class {i}": 2 for i in range(5000)}), rejected=[])

    assert [one.check for one in found] == ["small-classes"]


def test_what_is_wrong_with_the_real_flowers_is_found(real_data):
    found = find(real_index(real_data / "flowers"), rejected=[])

    assert [(one.check, one.severity) for one in found] == [
        ("size-leak", WARNING),
        ("contradicting-labels", WARNING),
        ("augmented-copies", WARNING),
        ("compression-leak", NOTE),
        ("near-duplicates", NOTE),
        ("grayscale-photos", NOTE),
    ]


def test_no_warning_is_given_of_the_real_cats_and_dogs(real_data):
    found = find(real_index(real_data / "cats_dogs"), rejected=[])

    assert [(one.check, one.severity) for one in found] == [
        ("near-duplicates", NOTE),
        ("grayscale-photos", NOTE),
    ]
