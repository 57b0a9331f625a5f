import numpy as np

from components.ingest.data_report import NOTE, WARNING
from components.ingest.findings.balance import balance, empty_classes
from tests.components.ingest.findings.indexes import make_index


def test_classes_of_like_size_with_photos_enough_give_no_finding():
    assert balance(make_index({"cat": 100, "dog": 250})) == []


def test_classes_that_a_split_may_miss_are_a_warning():
    # Each of two classes misses a split of 15 % with n photos 0.85^n of the time. At most 0.005,
    # a half of 1 %, takes n >= ln 0.005 / ln 0.85 = 32.6.
    (found,) = balance(make_index({"cat": 33, "dog": 32}))

    assert (found.check, found.severity, found.num_files) == ("small-classes", WARNING, 32)
    assert found.message == (
        "1 of 2 classes may be missing from a split, with fewer than 33 photos: 'dog' (32)."
    )


def test_the_smallest_split_decides_how_many_photos_it_takes():
    fractions = {"train": 0.5, "validation": 0.3, "test": 0.2}

    assert balance(make_index({"cat": 24, "dog": 24}), fractions) == []  # ln 0.005 / ln 0.8 = 23.7
    assert balance(make_index({"cat": 24, "dog": 23}), fractions) != []


def test_classes_three_times_as_large_are_noted_and_ten_times_are_a_warning():
    noted, warned = (balance(make_index({"cat": 900, "dog": count})) for count in (300, 90))

    assert [(one.check, one.severity) for one in noted] == [("imbalance", NOTE)]
    assert [(one.check, one.severity) for one in warned] == [("imbalance", WARNING)]
    assert warned[0].message == "'cat' has 10 times the photos of 'dog' (900 against 90)."


def test_of_thousands_of_small_classes_the_message_names_the_smallest():
    counts = {f"a class with a rather long name {i:04d}": 1 + i % 3 for i in range(4000)}

    small, imbalance = balance(make_index(counts))

    assert small.message.startswith("4,000 of 4,000 classes may be missing from a split")
    assert small.message.count("(1)") == 5
    assert len(small.message) < 400
    assert imbalance.severity == NOTE


def test_two_photos_are_enough_to_be_told_that_they_are_not():
    (found,) = balance(make_index({"cat": 1, "dog": 1}))

    assert found.check == "small-classes"


def test_a_class_of_which_no_photo_is_left_is_an_error_that_says_why():
    index = make_index({"cat": 40, "dog": 40}).take(np.arange(40))

    (found,) = empty_classes(index, [("cat/x.jpg", "empty"), ("dog/a.jpg", "not an image")])

    assert (found.check, found.severity) == ("empty-class", "error")
    assert found.message == "Class 'dog' has no photo that can be used (dog/a.jpg: not an image)."
    assert balance(index) == []


def test_classes_that_all_have_photos_are_no_error():
    assert empty_classes(make_index({"cat": 1, "dog": 1}), []) == []
