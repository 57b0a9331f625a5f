import os
import shutil
from pathlib import Path

import pytest

from components.common.errors import InputError
from components.common.manifest import Rejected
from components.ingest.sources import open_source


def upload(folder: Path, bucket, prefix: str) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            blob = bucket.blob(f"{prefix}/{path.relative_to(folder).as_posix()}")
            blob.upload_from_filename(path)
    return f"gs://{bucket.name}/{prefix}"


@pytest.fixture(params=["folder", "gs"])
def uri_of(request):
    """Makes a folder a dataset: as it is, and copied into a bucket."""
    if request.param == "folder":
        return lambda folder: f"folder:{folder}"
    bucket = request.getfixturevalue("bucket")
    return lambda folder: upload(folder, bucket, f"some/{folder.name}")


def test_each_folder_is_a_class_and_each_file_a_photo(photo_folder, uri_of):
    folder = photo_folder({"dog": 2, "cat": 3})

    source = open_source(uri_of(folder))

    assert source.name == "photos"
    assert source.classes == ("cat", "dog")
    assert source.num_files == 5
    assert source.skipped == ()
    photos = {photo.filename: photo for photo in source.photos()}
    assert sorted(photos) == [
        "cat/000.jpg",
        "cat/001.jpg",
        "cat/002.jpg",
        "dog/000.jpg",
        "dog/001.jpg",
    ]
    for name, photo in photos.items():
        assert photo.encoded == (folder / name).read_bytes()
        assert photo.class_name == name.split("/")[0]
        assert (photo.box, photo.mask) == (None, None)


def test_the_order_stays_and_mixes_the_classes(photo_folder, uri_of):
    source = open_source(uri_of(photo_folder({"cat": 20, "dog": 20})))

    names = [photo.filename for photo in source.photos()]

    assert names == [photo.filename for photo in source.photos()]
    first_half = [name.split("/")[0] for name in names[:20]]
    # Of 40 in random order: all but 2 C(20, 4)^2 / C(40, 20), 1 in 2,900, are within.
    assert 5 <= first_half.count("cat") <= 15


def test_the_order_is_the_same_in_a_copy_and_in_a_bucket(photo_folder, tmp_path, bucket):
    folder = photo_folder({"cat": 6, "dog": 6})
    shutil.copytree(folder, tmp_path / "elsewhere/copy")

    orders = [
        [photo.filename for photo in open_source(uri).photos()]
        for uri in (
            f"folder:{folder}",
            f"folder:{tmp_path}/elsewhere/copy/",
            upload(folder, bucket, "photos"),
        )
    ]

    assert orders[0] == orders[1] == orders[2]


def test_hidden_files_and_files_outside_class_folders_are_listed(photo_folder, uri_of):
    folder = photo_folder({"cat": 1, "dog": 1})
    (folder / "README.txt").write_text("about these photos")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "cat/.thumbnail.jpg").write_bytes(b"x")
    (folder / ".git/objects").mkdir(parents=True)
    (folder / ".git/objects/00").write_bytes(b"x")

    source = open_source(uri_of(folder))

    assert source.skipped == (
        Rejected(file=".DS_Store", reason="hidden file"),
        Rejected(file=".git/objects/00", reason="hidden file"),
        Rejected(file="README.txt", reason="not in a class folder"),
        Rejected(file="cat/.thumbnail.jpg", reason="hidden file"),
    )
    assert source.classes == ("cat", "dog")
    assert sorted(photo.filename for photo in source.photos()) == ["cat/000.jpg", "dog/000.jpg"]


def test_folders_inside_a_class_folder_belong_to_the_class(photo_folder, uri_of):
    folder = photo_folder({"cat": 1, "dog": 1})
    (folder / "cat/indoors/asleep").mkdir(parents=True)
    shutil.copy(folder / "cat/000.jpg", folder / "cat/indoors/asleep/zzz.jpg")

    photos = {photo.filename: photo.class_name for photo in open_source(uri_of(folder)).photos()}

    assert photos == {
        "cat/000.jpg": "cat",
        "cat/indoors/asleep/zzz.jpg": "cat",
        "dog/000.jpg": "dog",
    }


def test_a_name_that_is_not_utf8_costs_that_file_only(photo_folder):
    folder = photo_folder({"cat": 1, "dog": 1})
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/cat/caf\xe9.jpg")).write_bytes(b"photo")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    source = open_source(f"folder:{folder}")

    assert source.skipped == (Rejected(file=r"cat/caf\udce9.jpg", reason="name is not UTF-8"),)
    assert sorted(photo.filename for photo in source.photos()) == ["cat/000.jpg", "dog/000.jpg"]


@pytest.mark.parametrize(
    ("counts", "received"), [({"cat": 3}, "cat"), ({}, "no folder with files in it")]
)
def test_fewer_than_two_classes_are_refused(photo_folder, uri_of, counts, received):
    folder = photo_folder(counts)
    folder.mkdir(exist_ok=True)
    (folder / "loose.jpg").write_bytes(b"x")

    with pytest.raises(InputError, match=rf"hold 2 or more folders.* Received: {received}\."):
        open_source(uri_of(folder))


@pytest.mark.parametrize("hidden", [None, ".DS_Store"])
def test_an_empty_class_folder_is_refused(photo_folder, hidden):
    folder = photo_folder({"cat": 1, "dog": 1, "mouse": 0})
    if hidden:
        (folder / "mouse" / hidden).write_bytes(b"x")

    with pytest.raises(InputError, match=r"has no photos for class 'mouse'\. Add photos"):
        open_source(f"folder:{folder}")


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "VAL", "testing")])
def test_a_folder_that_is_split_already_is_refused(photo_folder, uri_of, names):
    folder = photo_folder(dict.fromkeys(names, 1))

    with pytest.raises(InputError, match=r"is split already \(.*\); pawpetal splits by itself"):
        open_source(uri_of(folder))


def test_a_class_may_be_called_train(photo_folder):
    source = open_source(f"folder:{photo_folder({'train': 1, 'bus': 1})}")

    assert source.classes == ("bus", "train")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"No such folder: '.*/none'"):
        open_source(f"folder:{tmp_path}/none")


def test_an_empty_prefix_is_refused(bucket):
    with pytest.raises(InputError, match=rf"No objects under 'gs://{bucket.name}/none'"):
        open_source(f"gs://{bucket.name}/none")


def test_the_name_is_that_of_the_folder_or_of_the_bucket(photo_folder, bucket, monkeypatch):
    folder = photo_folder({"cat": 1, "dog": 1}, name="pets")
    upload(folder, bucket, "old/pets")
    monkeypatch.chdir(folder)

    assert open_source(f"folder:{folder}/").name == "pets"
    assert open_source("folder:.").name == "pets"
    assert open_source("folder:cat/..").name == "pets"
    assert open_source(f"gs://{bucket.name}/old/pets/").name == "pets"
    bucket.blob("other/x.jpg").upload_from_string(b"x")
    assert open_source(f"gs://{bucket.name}").name == bucket.name


def test_fingerprint_changes_with_a_photo_and_not_by_itself(photo_folder):
    folder = photo_folder({"cat": 1, "dog": 1})
    first = open_source(f"folder:{folder}").fingerprint()

    assert open_source(f"folder:{folder}").fingerprint() == first
    (folder / "cat/new.jpg").write_bytes(b"x")
    assert open_source(f"folder:{folder}").fingerprint() != first


def test_a_link_to_nowhere_is_an_empty_photo(photo_folder):
    folder = photo_folder({"cat": 2, "dog": 2})
    (folder / "cat" / "gone.jpg").symlink_to(folder / "nowhere.jpg")

    photos = {photo.filename: photo for photo in open_source(f"folder:{folder}").photos()}

    assert photos["cat/gone.jpg"].encoded == b""
    assert len(photos) == 5


def test_a_range_of_the_order_can_be_read(photo_folder, uri_of):
    source = open_source(uri_of(photo_folder({"cat": 5, "dog": 5})))
    photos = list(source.photos())

    assert list(source.photos(0, 3)) == photos[:3]
    assert list(source.photos(3, 7)) == photos[3:7]
    assert list(source.photos(7)) == photos[7:]
    assert list(source.photos(10)) == []


def test_sizes_are_known_beforehand_and_in_order(photo_folder, uri_of):
    source = open_source(uri_of(photo_folder({"cat": 5, "dog": 5})))

    assert list(source.sizes) == [len(photo.encoded) for photo in source.photos()]


def test_a_photo_can_be_read_by_its_name(photo_folder, uri_of):
    folder = photo_folder({"cat": 2, "dog": 2})

    assert open_source(uri_of(folder)).read("dog/001.jpg") == (folder / "dog/001.jpg").read_bytes()
