import numpy as np
import pytest

from components.common.index import FORMATS, PhotoIndex
from components.ingest.data_report import MOST_FILES, NOTE, WARNING
from components.ingest.findings.leaks import leaks
from tests.components.ingest.findings.indexes import make_index, real_index, with_trait

CATS_AND_DOGS = {"cat": 200, "dog": 200}
IS_DOG = np.repeat([False, True], 200)


def checks(index: PhotoIndex) -> dict[str, str]:
    return {found.check: found.severity for found in leaks(index)}


def natural(counts: dict[str, int], seed: int = 0) -> PhotoIndex:
    """Photos whose metadata differ much, and in every class alike."""
    rng, n = np.random.default_rng(seed), sum(counts.values())
    return make_index(
        counts,
        seed=seed,
        widths=rng.choice([640, 500, 333, *range(100, 160)], n),
        heights=rng.choice([480, 375, 500, *range(100, 160)], n),
        formats=rng.choice(len(FORMATS), n),
        cameras=rng.choice(["", "Canon EOS", "Pixel 9", *"abcdefghi"], n).tolist(),
        traits=with_trait("grayscale", rng.random(n) < 0.1),
    )


@pytest.mark.parametrize("seed", range(5))
def test_metadata_that_differ_alike_in_every_class_are_no_leak(seed):
    assert leaks(natural({"cat": 150, "dog": 400, "hen": 20, "cow": 90}, seed)) == []


def test_photos_that_are_alike_in_all_metadata_are_no_leak():
    index = make_index(CATS_AND_DOGS, size_bytes=5000)

    assert leaks(index) == []


def test_a_size_that_one_class_lacks_is_named():
    # 50 of the 200 dogs are 64 x 64, and no cat is. So a quarter of the dogs is given away; with
    # them and all others taken for cats, 50 + 200 of 400 are named right.
    small = IS_DOG & (np.arange(400) % 4 == 0)
    sides = np.where(small, 64, 100)

    (found,) = leaks(make_index(CATS_AND_DOGS, widths=sides, heights=sides))

    assert (found.check, found.severity, found.num_files) == ("size-leak", WARNING, 50)
    assert found.message == (
        "Size leaks the class: of 50 photos of 64x64 none is 'cat' (25 expected). Alone, it names"
        " the class of 62.5% of all photos, where guessing the largest class names 50.0%."
    )
    assert len(found.groups) == MOST_FILES
    assert all(name.startswith("dog/") for (name,) in found.groups)


def test_a_leak_of_few_photos_of_a_class_is_a_note():
    few = IS_DOG & (np.arange(400) % 10 == 0)  # 20 of the dogs

    assert checks(make_index(CATS_AND_DOGS, widths=np.where(few, 64, 100))) == {
        "size-leak": NOTE,
        "aspect-leak": NOTE,
    }


def test_a_class_among_a_thousand_that_alone_has_its_size_is_found():
    counts = {f"class-{number:04d}": 12 for number in range(1000)}
    odd = np.arange(12_000) // 12 == 345
    sides = np.where(odd, 64, 100)

    (found,) = leaks(make_index(counts, widths=sides, heights=sides))

    assert found.severity == WARNING
    assert "of 12 photos of 64x64 all are 'class-0345' (0 expected)" in found.message


def test_sizes_that_are_all_different_leak_by_their_number_of_pixels():
    rng = np.random.default_rng(0)
    sides = np.where(IS_DOG, rng.integers(400, 800, 400), rng.integers(100, 400, 400))

    found = {one.check: one for one in leaks(make_index(CATS_AND_DOGS, widths=sides))}

    assert found["size-leak"].severity == WARNING
    assert "in rare sizes of" in found["size-leak"].message


def test_portraits_and_landscapes_leak_by_their_aspect_even_of_equal_size():
    rng = np.random.default_rng(0)
    sides = np.sort(rng.integers(100, 900, (400, 2)), axis=1)
    widths, heights = np.where(IS_DOG, sides.T, sides.T[::-1])

    assert checks(make_index(CATS_AND_DOGS, widths=widths, heights=heights)) == {
        "aspect-leak": WARNING
    }


@pytest.mark.parametrize(
    ("column", "odd", "usual", "check", "words"),
    [
        ("formats", FORMATS.index("png"), 0, "format-leak", "of 60 photos in PNG none is 'cat'"),
        (
            "cameras",
            "Canon EOS 5D",
            "",
            "camera-leak",
            "of 60 photos taken with 'Canon EOS 5D' none is 'cat'",
        ),
        ("traits", 1, 0, "grayscale-leak", "of 60 photos marked grayscale none is 'cat'"),
    ],
)
def test_what_marks_photos_of_one_class_only_is_a_leak(column, odd, usual, check, words):
    column_values = np.where(IS_DOG & (np.arange(400) < 260), odd, usual).tolist()

    (found,) = leaks(make_index(CATS_AND_DOGS, **{column: column_values}))

    assert (found.check, found.severity) == (check, WARNING)
    assert f"{words} (30 expected)" in found.message


def test_cameras_that_are_all_rare_are_no_leak():
    assert leaks(make_index(CATS_AND_DOGS, cameras=[f"camera {row}" for row in range(400)])) == []


def test_another_quality_is_noted_and_a_far_poorer_one_is_a_warning():
    rng = np.random.default_rng(0)
    usual = rng.normal(5000, 500, 400)

    slightly = make_index(CATS_AND_DOGS, size_bytes=np.where(IS_DOG, usual - 400, usual))
    far = make_index(CATS_AND_DOGS, size_bytes=np.where(IS_DOG, usual / 2, usual))

    assert checks(slightly) == {"compression-leak": NOTE}
    assert checks(far) == {"compression-leak": WARNING}


def test_bytes_that_follow_from_the_size_are_not_reported_twice():
    sides = np.where(IS_DOG, 64, 100)
    size_bytes = sides**2 // 2 + np.random.default_rng(0).integers(0, 100, 400)

    found = checks(make_index(CATS_AND_DOGS, widths=sides, heights=sides, size_bytes=size_bytes))

    assert found == {"size-leak": WARNING}


def test_a_small_class_that_chance_made_odd_is_no_leak():
    index = make_index({"cat": 300, "dog": 12}, traits=with_trait("turned", np.arange(312) == 310))

    assert leaks(index) == []


@pytest.mark.parametrize("counts", [{"cat": 1, "dog": 1}, {"cat": 9, "dog": 500}, {"cat": 60}])
def test_too_few_photos_tell_nothing(counts):
    widths = np.arange(sum(counts.values())) + 50

    assert leaks(make_index(counts, widths=widths)) == []


def test_a_leak_is_found_without_decoding():
    sides = np.where(IS_DOG, 64, 100)

    assert checks(make_index(CATS_AND_DOGS, widths=sides, heights=sides, decoded=False)) == {
        "size-leak": WARNING
    }


def test_the_size_of_the_real_flowers_leaks_that_none_of_the_small_is_a_dandelion(real_data):
    found = {one.check: one for one in leaks(real_index(real_data / "flowers"))}

    assert found["size-leak"].severity == WARNING
    assert found["size-leak"].num_files == 388
    assert (
        "of 388 photos of 128x128 none is 'dandelion' (78 expected)" in found["size-leak"].message
    )
    assert [one.check for one in found.values() if one.severity == WARNING] == ["size-leak"]


def test_real_cats_and_dogs_leak_nothing(real_data):
    assert leaks(real_index(real_data / "cats_dogs")) == []
