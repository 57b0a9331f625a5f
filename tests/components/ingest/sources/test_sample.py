import pytest

from components.common.errors import InputError
from components.ingest.samples import CLASSES, DEFAULT_PHOTOS_PER_CLASS
from components.ingest.sources import open_source


def test_photos_are_counted_a_class():
    source = open_source("sample:flowers?photos=4&seed=1")

    assert source.name == "flowers"
    assert source.classes == CLASSES["flowers"]
    assert source.num_files == 4 * len(source.classes)
    assert source.skipped == ()
    photos = list(source.photos())
    assert [photo.class_name for photo in photos].count(source.classes[0]) == 4
    assert len(photos) == source.num_files


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_without_options_each_sample_has_its_own_number_of_photos(name):
    source = open_source(f"sample:{name}")

    assert source.num_files == len(CLASSES[name]) * DEFAULT_PHOTOS_PER_CLASS[name]


def test_a_range_of_the_order_can_be_drawn_alone():
    source = open_source("sample:pets?photos=3")
    photos = list(source.photos())

    assert list(source.photos(2, 5)) == photos[2:5]
    assert list(source.photos(5)) == photos[5:]
    assert list(source.photos(6)) == []
    assert source.sizes is None


def test_a_photo_can_be_drawn_by_its_name():
    source = open_source("sample:pets?photos=3&seed=2")

    for photo in source.photos():
        assert source.read(photo.filename) == photo.encoded


def first_photo(uri: str) -> bytes:
    return next(iter(open_source(uri).photos())).encoded


def test_the_same_seed_draws_the_same_photos():
    assert first_photo("sample:flowers?photos=1&seed=1") == first_photo(
        "sample:flowers?photos=1&seed=1"
    )


def test_another_seed_draws_others():
    assert first_photo("sample:flowers?photos=1&seed=1") != first_photo("sample:flowers?photos=1")


def test_no_seed_is_seed_0():
    assert first_photo("sample:flowers?photos=1&seed=0") == first_photo("sample:flowers?photos=1")


def test_fingerprint_tells_sample_number_and_seed():
    uris = ["sample:flowers", "sample:pets", "sample:flowers?photos=4", "sample:flowers?seed=4"]

    fingerprints = [open_source(uri).fingerprint() for uri in uris]

    assert len(set(fingerprints)) == 4
    assert [open_source(uri).fingerprint() for uri in uris] == fingerprints


def test_an_unknown_sample_is_refused_with_the_nearest():
    with pytest.raises(
        InputError, match=r"Received: 'sample:flower'\. Did you mean 'sample:flowers'\?"
    ):
        open_source("sample:flower")


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"Received: 'photo'\. Did you mean 'photos'\?"):
        open_source("sample:flowers?photo=4")


@pytest.mark.parametrize(
    "query", ["photos=0", "photos=-1", "photos=many", "photos=", "photos=1.5", "seed=-1", "seed=x"]
)
def test_an_option_that_is_no_number_is_refused(query):
    key, value = query.split("=")

    with pytest.raises(InputError, match=rf"`{key}` of a sample must be .*Received: '{value}'"):
        open_source(f"sample:flowers?{query}")
