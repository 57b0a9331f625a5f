import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.common import storage
from components.common.errors import DataError, InputError
from components.common.storage import stream, upload

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


@pytest.fixture(params=["local", "remote"])
def place(request, tmp_path):
    """Where nothing is yet, on disk and in a bucket."""
    if request.param == "local":
        return str(tmp_path / "place")
    return f"gs://{request.getfixturevalue('bucket').name}/place"


@pytest.fixture(params=["local", "remote"])
def other_place(request, tmp_path):
    """Another one, so that there are four ways from one to the other."""
    if request.param == "local":
        return str(tmp_path / "other")
    return f"gs://{request.getfixturevalue('bucket').name}/other"


def names_in(folder) -> list[str]:
    return [file.path for file in storage.list_files(folder)]


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


def test_a_missing_folder_may_be_taken_for_an_empty_one(place):
    assert storage.list_files(place, missing_ok=True) == []


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


def test_the_last_write_counts(place):
    uri = storage.join(place, "new/file.json")

    assert storage.write_bytes(uri, b"old, and longer")
    assert storage.write_bytes(uri, b"new")
    assert storage.read_bytes(uri) == b"new"
    assert names_in(place) == ["new/file.json"]


def test_a_write_that_must_be_the_first_replaces_nothing(place):
    uri = storage.join(place, "new/file.json")

    assert storage.write_bytes(uri, b"first", if_absent=True)
    assert not storage.write_bytes(
        uri, b"first", if_absent=True
    )  # the same bytes: late all the same
    assert not storage.write_bytes(uri, b"second", if_absent=True)
    assert storage.read_bytes(uri) == b"first"
    assert names_in(place) == ["new/file.json"]


@pytest.mark.parametrize("round_", range(5))
def test_of_eight_writers_at_once_exactly_one_is_the_first(round_, place):
    uri = storage.join(place, "lock")
    contents = [bytes([writer]) * 100_000 for writer in range(8)]

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(lambda each: storage.write_bytes(uri, each, if_absent=True), contents))

    assert wins.count(True) == 1
    assert storage.read_bytes(uri) == contents[wins.index(True)]
    assert names_in(place) == ["lock"]


def test_readers_never_see_half_of_a_file_that_is_replaced(tmp_path):
    uri = str(tmp_path / "file")
    contents = [bytes([value]) * 1_000_000 for value in range(2)]
    storage.write_bytes(uri, contents[0])

    with ThreadPoolExecutor(2) as pool:
        written = pool.map(lambda index: storage.write_bytes(uri, contents[index % 2]), range(50))
        seen = {storage.read_bytes(uri) for _ in range(200)}

    assert all(written)
    assert seen <= set(contents)


SIZES = [
    0,
    100_000,
    upload.ONE_CALL_BYTES,
    upload.ONE_CALL_BYTES + 1,
    upload.PART_BYTES,
    upload.PART_BYTES + 1,
]


@pytest.mark.parametrize("size", SIZES)
def test_files_of_any_size_go_there_and_back(size, place, tmp_path):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    uri = storage.join(place, "file")

    assert storage.upload_file(tmp_path / "file", uri)
    storage.download_file(uri, tmp_path / "new/back")

    assert (tmp_path / "new/back").read_bytes() == content
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["back"]
    with storage.read_stream(uri) as file:
        assert file.read() == content


def test_an_upload_that_must_be_the_first_replaces_nothing(place, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(name.encode())
    uri = storage.join(place, "file")

    assert storage.upload_file(tmp_path / "first", uri, if_absent=True)
    assert not storage.upload_file(tmp_path / "second", uri, if_absent=True)
    assert storage.read_bytes(uri) == b"first"
    assert storage.upload_file(tmp_path / "second", uri)
    assert storage.read_bytes(uri) == b"second"


def test_a_range_is_read_without_the_rest(place):
    uri = storage.join(place, "file")
    storage.write_bytes(uri, b"0123456789")

    assert storage.read_range(uri, 2, 3) == b"234"
    assert storage.read_range(uri, 0, 10) == b"0123456789"
    assert storage.read_range(uri, 10, 0) == b""


@pytest.mark.parametrize(("start", "length"), [(8, 3), (10, 1), (99, 1)])
def test_a_range_beyond_the_end_is_told(start, length, place):
    uri = storage.join(place, "file")
    storage.write_bytes(uri, b"0123456789")

    with pytest.raises(DataError, match=f"file' ends before byte {start + length}: it was cut"):
        storage.read_range(uri, start, length)


def test_a_stream_is_read_as_a_file_is(place, monkeypatch):
    monkeypatch.setattr(stream, "PART_BYTES", 1000)
    content = os.urandom(10_500)
    uri = storage.join(place, "file")
    storage.write_bytes(uri, content)

    with storage.read_stream(uri) as file:
        pieces = [file.read(size) for size in (0, 1, 999, 1, 2500, 8000, 1)]

    assert b"".join(pieces) == content
    assert [len(piece) for piece in pieces] == [0, 1, 999, 1, 2500, 6999, 0]


def test_a_stream_can_be_left_before_its_end(place, monkeypatch):
    monkeypatch.setattr(stream, "PART_BYTES", 1000)
    uri = storage.join(place, "file")
    storage.write_bytes(uri, os.urandom(50_000))

    with storage.read_stream(uri) as file:
        file.read(10)

    assert file.closed


def test_a_copy_holds_the_same_bytes(place, other_place):
    source, target = storage.join(place, "a"), storage.join(other_place, "new/b")
    storage.write_bytes(source, b"first")

    assert storage.copy(source, target)
    storage.write_bytes(source, b"second")
    assert storage.read_bytes(target) == b"first"  # replacing the one leaves the other
    assert storage.copy(source, target)
    assert storage.read_bytes(target) == b"second"
    assert names_in(other_place) == ["new/b"]


def test_a_copy_that_must_be_the_first_replaces_nothing(place, other_place):
    source, target = storage.join(place, "a"), storage.join(other_place, "b")
    storage.write_bytes(source, b"ours")

    assert storage.copy(source, target, if_absent=True)
    storage.write_bytes(source, b"changed")
    assert not storage.copy(source, target, if_absent=True)
    assert storage.read_bytes(target) == b"ours"
    assert names_in(other_place) == ["b"]


def test_a_copy_onto_itself_leaves_one_file(tmp_path):
    uri, second = str(tmp_path / "a"), str(tmp_path / "b")
    storage.write_bytes(uri, b"content")
    storage.copy(uri, second)
    storage.copy(uri, second)  # two names of the same bytes already

    assert names_in(str(tmp_path)) == ["a", "b"]


def test_a_copy_keeps_the_type_of_an_object(bucket):
    bucket.blob("a.jpg").upload_from_string(b"photo", content_type="image/jpeg")

    storage.copy(f"gs://{bucket.name}/a.jpg", f"gs://{bucket.name}/b.jpg")

    assert bucket.get_blob("b.jpg").content_type == "image/jpeg"


def test_a_folder_is_copied_once(place, tmp_path):
    folder = tmp_path / "photos"
    write_local(folder, NAMES)

    assert storage.upload_folder(folder, place) == len(NAMES)
    assert names_in(place) == NAMES
    assert storage.upload_folder(folder, place) == 0
    (folder / "x+y.jpg").write_bytes(b"X+y.jpg")  # as many bytes as before
    assert storage.upload_folder(folder, place) == 1
    assert storage.read_bytes(storage.join(place, "x+y.jpg")) == b"X+y.jpg"


def test_what_else_is_in_a_folder_stays(place, tmp_path):
    storage.write_bytes(storage.join(place, "theirs"), b"")
    write_local(tmp_path / "photos", ["ours"])

    storage.upload_folder(tmp_path / "photos", place)

    assert names_in(place) == ["ours", "theirs"]


def test_a_folder_is_deleted_with_all_that_is_in_it(place, tmp_path):
    write_local(tmp_path / "photos", NAMES)
    storage.upload_folder(tmp_path / "photos", storage.join(place, "data"))
    storage.write_bytes(storage.join(place, "database"), b"")

    storage.delete_folder(storage.join(place, "data"))
    storage.delete_folder(storage.join(place, "data"))  # nothing is there any more

    assert names_in(place) == ["database"]


def test_of_a_link_to_a_folder_the_link_is_deleted(tmp_path):
    write_local(tmp_path / "elsewhere", ["a.jpg"])
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    storage.delete_folder(str(tmp_path / "link"))

    assert names_in(str(tmp_path)) == ["elsewhere/a.jpg"]


@pytest.mark.parametrize("uri", ["", "/", "gs://bucket", "gs://bucket/"])
def test_a_whole_disk_or_bucket_is_not_deleted(uri):
    with pytest.raises(InputError, match=r"Expected a folder .*\. Received: '"):
        storage.delete_folder(uri)


def test_a_missing_object_is_named(bucket, tmp_path):
    uri = f"gs://{bucket.name}/none"

    for read in (
        storage.read_stream,
        lambda uri: storage.download_file(uri, tmp_path / "file"),
        lambda uri: storage.copy(uri, uri + "2"),
    ):
        with pytest.raises(InputError, match=r"No such object: 'gs://.*/none'\. Check the bucket"):
            read(uri)
    with pytest.raises(InputError, match=r"Cannot read 'gs://.*/none' \(NotFound\)\. Check the"):
        storage.read_bytes(uri)
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_is_no_object():
    for use in (storage.read_bytes, storage.read_stream, lambda uri: storage.write_bytes(uri, b"")):
        with pytest.raises(
            InputError, match=r"Expected `gs://BUCKET/NAME`\. Received: 'gs://abc/'"
        ):
            use("gs://abc/")


def test_onto_another_disk_a_copy_is_made(tmp_path):
    memory = Path("/dev/shm")  # noqa: S108  # only to read from, below a new name
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk here")
    with tempfile.TemporaryDirectory(dir=memory) as other:
        storage.write_bytes(f"{other}/a", b"content")
        storage.copy(f"{other}/a", str(tmp_path / "b"))

    assert storage.read_bytes(str(tmp_path / "b")) == b"content"
    assert names_in(str(tmp_path)) == ["b"]


def test_many_threads_share_connections(bucket, recwarn, caplog):
    storage.write_bytes(f"gs://{bucket.name}/file", b"content")

    with ThreadPoolExecutor(32) as pool:
        contents = set(pool.map(storage.read_bytes, [f"gs://{bucket.name}/file"] * 200))

    assert contents == {b"content"}
    assert "Connection pool is full" not in caplog.text
