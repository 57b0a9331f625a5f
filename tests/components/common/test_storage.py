import os
from pathlib import Path

import pytest

from components.common import storage
from components.common.errors import InputError

# `#` and `?` would cut a URI short, `%41` is no escaped `A`, `+` no space.
NAMES = [
    "%41.jpg",
    ".hidden",
    "a b.jpg",
    "a/deep/er.jpg",
    "x#1.jpg",
    "x+y.jpg",
    "y?z=1.jpg",
    "é/ü.jpg",
]


def write_local(root: Path, names: list[str]) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return str(root)


def write_remote(bucket, prefix: str, names: list[str]) -> str:
    for name in names:
        bucket.blob(f"{prefix}/{name}").upload_from_string(name.encode())
    return f"gs://{bucket.name}/{prefix}"


@pytest.fixture(params=["local", "remote"])
def folder(request, tmp_path):
    """The same files on disk and in a bucket."""
    if request.param == "local":
        return write_local(tmp_path / "photos", NAMES)
    return write_remote(request.getfixturevalue("bucket"), "some/photos", NAMES)


def test_every_file_is_listed_in_the_order_of_names_hidden_ones_too(folder):
    # By code point: % (25) . (2E) a (61) x (78) y (79) é (E9); a space (20) before / (2F).
    assert [file.path for file in storage.list_files(folder)] == NAMES


def test_sizes_are_those_of_the_files(folder):
    sizes = {file.path: file.size_bytes for file in storage.list_files(folder)}

    assert sizes["x#1.jpg"] == 7
    assert sizes["é/ü.jpg"] == 9  # é and ü take two bytes each


@pytest.mark.parametrize("name", NAMES)
def test_a_listed_file_is_read_by_its_name(folder, name):
    assert storage.exists(storage.join(folder, name))
    assert storage.read_bytes(storage.join(folder, name)) == name.encode()


def test_what_is_not_there_does_not_exist(folder):
    assert not storage.exists(storage.join(folder, "x"))
    assert not storage.exists(folder)  # a folder is no file


def test_nothing_exists_in_a_missing_bucket(gcs):
    assert not storage.exists("gs://no-such-bucket/x")


def test_a_slash_at_the_end_of_a_folder_changes_nothing(folder):
    assert storage.list_files(folder + "/") == storage.list_files(folder)
    assert storage.fingerprint(folder + "/") == storage.fingerprint(folder)
    assert storage.join(folder + "/", "x") == storage.join(folder, "x")


def test_fingerprint_stays_while_nothing_changes(folder):
    assert storage.fingerprint(folder) == storage.fingerprint(folder)


def test_fingerprint_of_a_file_is_not_that_of_another(folder):
    one, other = (storage.join(folder, name) for name in ("x#1.jpg", "x+y.jpg"))

    assert storage.fingerprint(one) == storage.fingerprint(one)
    assert storage.fingerprint(one) != storage.fingerprint(other)


def test_local_fingerprint_changes_with_bytes_with_names_and_with_times(tmp_path):
    folder = write_local(tmp_path / "photos", ["a.jpg", "b.jpg"])
    os.utime(tmp_path / "photos/a.jpg", ns=(10**18, 10**18))
    first = storage.fingerprint(folder)

    os.utime(tmp_path / "photos/a.jpg", ns=(10**18, 10**18 + 1))
    touched = storage.fingerprint(folder)
    (tmp_path / "photos/a.jpg").write_bytes(b"longer than before")
    os.utime(tmp_path / "photos/a.jpg", ns=(10**18, 10**18))
    longer = storage.fingerprint(folder)
    (tmp_path / "photos/b.jpg").rename(tmp_path / "photos/c.jpg")
    renamed = storage.fingerprint(folder)

    assert len({first, touched, longer, renamed}) == 4


def test_local_fingerprint_of_a_file_changes_with_its_bytes(tmp_path):
    weights = tmp_path / "x.weights.h5"
    weights.write_bytes(b"one")
    first = storage.fingerprint(str(weights))
    weights.write_bytes(b"three")

    assert storage.fingerprint(str(weights)) != first


def test_remote_fingerprint_changes_with_bytes_with_names_and_with_rewrites(bucket):
    folder = write_remote(bucket, "photos", ["a.jpg", "b.jpg"])
    first = storage.fingerprint(folder)

    bucket.blob("photos/a.jpg").upload_from_string(b"a.jpg")  # same bytes, a new generation
    rewritten = storage.fingerprint(folder)
    bucket.blob("photos/a.jpg").upload_from_string(b"A.jpg")
    changed = storage.fingerprint(folder)
    bucket.rename_blob(bucket.blob("photos/b.jpg"), "photos/c.jpg")
    renamed = storage.fingerprint(folder)

    assert len({first, rewritten, changed, renamed}) == 4


def test_remote_fingerprint_of_one_object_changes_with_its_bytes(bucket):
    bucket.blob("x.weights.h5").upload_from_string(b"one")
    first = storage.fingerprint(f"gs://{bucket.name}/x.weights.h5")
    bucket.blob("x.weights.h5").upload_from_string(b"two")

    assert storage.fingerprint(f"gs://{bucket.name}/x.weights.h5") != first


def test_an_empty_object_that_stands_for_a_folder_is_no_file(bucket):
    folder = write_remote(bucket, "photos", ["a.jpg"])
    bucket.blob("photos/").upload_from_string(b"")
    bucket.blob("photos/empty/").upload_from_string(b"")
    first = storage.fingerprint(folder + "/")
    bucket.blob("photos/a.jpg").upload_from_string(b"changed")

    assert [file.path for file in storage.list_files(folder)] == ["a.jpg"]
    assert storage.fingerprint(folder + "/") != first


def test_a_prefix_is_a_folder_not_the_start_of_a_name(bucket):
    folder = write_remote(bucket, "photos", ["a.jpg"])
    write_remote(bucket, "photos-of-last-year", ["b.jpg"])

    assert [file.path for file in storage.list_files(folder)] == ["a.jpg"]


def test_a_whole_bucket_is_a_folder(bucket):
    write_remote(bucket, "cat", ["a.jpg"])

    assert [file.path for file in storage.list_files(f"gs://{bucket.name}")] == ["cat/a.jpg"]
    assert storage.read_bytes(storage.join(f"gs://{bucket.name}", "cat/a.jpg")) == b"a.jpg"


def test_links_to_folders_are_followed(tmp_path):
    write_local(tmp_path / "elsewhere", ["a.jpg"])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat").symlink_to(tmp_path / "elsewhere")

    assert [file.path for file in storage.list_files(str(tmp_path / "photos"))] == ["cat/a.jpg"]


def test_names_that_are_not_utf8_are_listed_and_fingerprinted(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"photo")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    assert [file.size_bytes for file in storage.list_files(str(tmp_path))] == [5]
    assert len(storage.fingerprint(str(tmp_path))) == 16


def test_a_missing_folder_is_named(tmp_path):
    for read in (storage.list_files, storage.fingerprint):
        with pytest.raises(InputError, match=r"No such folder: '.*/none'\. Expected a folder with"):
            read(str(tmp_path / "none"))


def test_an_empty_prefix_is_named(bucket):
    for read in (storage.list_files, storage.fingerprint):
        with pytest.raises(InputError, match=r"No objects under 'gs://.*/none'\. Check the bucket"):
            read(f"gs://{bucket.name}/none")


def test_a_missing_bucket_is_named(gcs):
    for read in (storage.list_files, storage.fingerprint):
        with pytest.raises(
            InputError,
            match=r"Cannot list 'gs://no-such-bucket/x' \(NotFound\)\. Check the bucket",
        ):
            read("gs://no-such-bucket/x")


def test_a_uri_without_a_bucket_is_refused():
    with pytest.raises(InputError, match=r"Expected `gs://BUCKET/PREFIX`\. Received: 'gs:///x'"):
        storage.list_files("gs:///x")


def test_an_atomic_write_makes_folders_and_leaves_only_the_file(tmp_path):
    path = tmp_path / "new/folder/file.json"
    storage.write_atomically(path, b"old")
    storage.write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_written_file_can_be_read_by_everybody(tmp_path):
    storage.write_atomically(tmp_path / "file", b"")

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file"
    storage.write_atomically(path, b"old")

    with pytest.raises(TypeError):
        storage.write_atomically(path, "text is no bytes")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_cannot_replace_leaves_nothing_else(tmp_path):
    (tmp_path / "taken/inside").mkdir(parents=True)  # a folder is never replaced by a file

    with pytest.raises(IsADirectoryError):
        storage.write_atomically(tmp_path / "taken", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
