"""The door to files while network and service fail; the truth is read past the faulty server."""

import functools
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from components.common import storage
from components.common.errors import DataError, InputError
from components.common.storage import calls, stream, upload
from tests.gcs.faults import SLOW_S, Fault

KIB = 2**10
CONTENT = np.random.default_rng(0).bytes(300 * KIB)
PASSING = [Fault.UNAVAILABLE, Fault.TOO_MANY, Fault.DROP, Fault.LOSE]
READING = [*PASSING, Fault.TRUNCATE, Fault.FLIP]
WRITING = [*PASSING, Fault.FLIP, Fault.DAMAGED]


@pytest.fixture
def server(faulty_gcs):
    """What the door speaks to, instead of the emulator itself."""
    return faulty_gcs


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 64 KiB, so that 300 KiB are five of them."""
    monkeypatch.setattr(stream, "PART_BYTES", 64 * KIB)
    monkeypatch.setattr(upload, "PART_BYTES", 64 * KIB)
    monkeypatch.setattr(upload, "ONE_CALL_BYTES", 64 * KIB)


def put(bucket, name="file", content=CONTENT):
    bucket.blob(name).upload_from_string(content)
    return f"gs://{bucket.name}/{name}"


def get(bucket, name="file"):
    return bucket.blob(name).download_as_bytes()


@pytest.mark.parametrize("fault", READING)
def test_what_is_read_is_what_was_written_whatever_happens_on_the_way(fault, server, bucket):
    uri = put(bucket)
    server.plan(fault, "download")

    assert storage.read_bytes(uri) == CONTENT
    assert server.met == {fault: 1}


@pytest.mark.parametrize("fault", [*PASSING, Fault.TRUNCATE])
def test_a_range_is_read_whole_whatever_happens_on_the_way(fault, server, bucket):
    uri = put(bucket)
    server.plan(fault, "download")

    assert storage.read_range(uri, 1000, 200_000) == CONTENT[1000:201_000]
    assert server.met == {fault: 1}


@pytest.mark.parametrize("fault", READING)
def test_a_downloaded_file_is_whole_whatever_happens_on_the_way(
    fault, server, bucket, small_parts, tmp_path
):
    uri = put(bucket)
    server.plan(fault, "download", after=1)

    storage.download_file(uri, tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert server.met == {fault: 1}


@pytest.mark.parametrize("fault", [*PASSING, Fault.TRUNCATE])
def test_a_stream_goes_on_where_it_was(fault, server, bucket, small_parts):
    uri = put(bucket)
    server.plan(fault, "download", after=1)

    with storage.read_stream(uri) as file:
        assert file.read() == CONTENT

    assert server.met == {fault: 1}
    assert server.calls["download"] == 5 + 1  # parts, and the one that was fetched again


@pytest.mark.parametrize("kind", ["download", "upload", "look", "list"])
def test_a_call_that_takes_too_long_is_made_again(kind, server, bucket, monkeypatch):
    monkeypatch.setitem(calls.ONCE, "timeout", (5.0, SLOW_S / 2))
    uri = put(bucket)
    do = {
        "download": functools.partial(storage.read_bytes, uri),
        "upload": functools.partial(storage.write_bytes, uri + "2", b"", if_absent=True),
        "look": functools.partial(storage.exists, uri),
        "list": functools.partial(storage.list_files, f"gs://{bucket.name}"),
    }
    server.plan(Fault.SLOW, kind)

    assert do[kind]()  # in "upload" the slow call and the repeated one both try to be the first
    assert server.met == {Fault.SLOW: 1}
    assert server.calls[kind] == 2


def test_a_stream_that_arrives_damaged_says_so_before_it_ends(server, bucket, small_parts):
    uri = put(bucket)
    server.plan(Fault.FLIP, "download", after=2)

    with storage.read_stream(uri) as file, pytest.raises(DataError, match="arrived damaged"):
        file.read()

    assert server.met == {Fault.FLIP: 1}


def test_a_stream_that_is_left_does_not_wait_for_what_it_asked_for(server, bucket, small_parts):
    uri = put(bucket)
    server.plan(Fault.SLOW, "download", times=4, after=1)
    file = storage.read_stream(uri)
    file.read(1)

    start = time.monotonic()
    file.close()

    assert time.monotonic() - start < SLOW_S / 2


def test_a_stream_never_mixes_an_object_with_the_one_that_replaced_it(bucket, small_parts):
    uri = put(bucket, content=CONTENT * 4)

    with storage.read_stream(uri) as file:
        file.read(1)
        put(bucket, content=bytes(len(CONTENT) * 4))
        with pytest.raises(DataError, match=r"'gs://.*/file' was replaced or removed while it was"):
            file.read()


def test_a_download_that_is_damaged_every_time_fails_and_leaves_the_old_file(
    server, bucket, tmp_path
):
    uri = put(bucket)
    (tmp_path / "file").write_bytes(b"old")
    server.plan(Fault.FLIP, "download", times=99)

    with pytest.raises(DataError, match=r"Cannot read 'gs://.*/file': it arrived damaged 5 times"):
        storage.download_file(uri, tmp_path / "file")

    assert server.met == {Fault.FLIP: 5}
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("fault", WRITING)
def test_what_is_written_arrives_whole_and_once_whatever_happens(fault, if_absent, server, bucket):
    server.plan(fault, "upload")

    assert storage.write_bytes(f"gs://{bucket.name}/file", CONTENT, if_absent=if_absent)
    assert get(bucket) == CONTENT
    assert server.met == {fault: 1}


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.UNAVAILABLE])
def test_somebody_elses_file_is_not_taken_for_ours_and_not_replaced(fault, server, bucket):
    blob = bucket.blob("file")
    # They write after we looked, and before our first try arrives.
    server.plan(fault, "look")
    server.before["upload"] = lambda: blob.upload_from_string(CONTENT)
    server.plan(fault, "upload")

    assert not storage.write_bytes(f"gs://{bucket.name}/file", CONTENT, if_absent=True)
    assert bucket.get_blob("file").generation == blob.generation
    assert server.met == {fault: 2}


@pytest.mark.parametrize("fault", [*PASSING, Fault.FLIP, Fault.DAMAGED, Fault.GONE])
@pytest.mark.parametrize("place", [1, 4])  # a part between others, and the last one
def test_a_large_file_arrives_whole_whichever_part_meets_a_fault(
    fault, place, server, bucket, small_parts, tmp_path
):
    (tmp_path / "file").write_bytes(CONTENT)
    server.plan(fault, "part", after=place)

    assert storage.upload_file(tmp_path / "file", f"gs://{bucket.name}/file", if_absent=True)
    assert get(bucket) == CONTENT
    assert server.met == {fault: 1}
    assert ("session", "ifGenerationMatch=0") in [
        (kind, next((part for part in query.split("&") if part.startswith("ifGen")), ""))
        for kind, query in server.queries
    ]


def test_of_a_part_that_arrived_by_half_the_rest_is_sent(server, bucket, small_parts, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    server.plan(Fault.PARTLY, "part", after=1)

    assert storage.upload_file(tmp_path / "file", f"gs://{bucket.name}/file")
    assert get(bucket) == CONTENT
    assert server.met == {Fault.PARTLY: 1}
    assert server.calls["session"] == 1


def test_an_upload_whose_last_answer_is_lost_is_not_sent_again(
    server, bucket, small_parts, tmp_path
):
    (tmp_path / "file").write_bytes(CONTENT)
    server.plan(Fault.LOSE, "part", after=4)

    assert storage.upload_file(tmp_path / "file", f"gs://{bucket.name}/file", if_absent=True)
    assert get(bucket) == CONTENT
    assert (server.calls["session"], server.calls["part"]) == (1, 5 + 1)


def test_an_upload_of_40_mib_goes_on_after_a_drop_and_does_not_start_again(
    server, bucket, tmp_path
):
    content = np.random.default_rng(1).bytes(40 * KIB * KIB)
    (tmp_path / "file").write_bytes(content)
    server.plan(Fault.DROP, "part", times=2, after=1)

    assert storage.upload_file(tmp_path / "file", f"gs://{bucket.name}/file")
    assert get(bucket) == content
    assert server.met == {Fault.DROP: 2}
    assert (server.calls["session"], server.calls["part"]) == (1, 3 + 2)  # of 16, 16 and 8 MiB


def test_an_upload_that_is_damaged_every_time_fails_and_leaves_nothing(server, bucket):
    server.plan(Fault.FLIP, "upload", times=99)

    with pytest.raises(DataError, match=r"Cannot write 'gs://.*/file': it arrived damaged 5 times"):
        storage.write_bytes(f"gs://{bucket.name}/file", CONTENT)

    assert server.met == {Fault.FLIP: 5}
    assert not bucket.blob("file").exists()


@pytest.mark.parametrize("round_", range(3))
def test_of_eight_writers_one_wins_though_answers_are_lost(round_, server, bucket):
    contents = [bytes([writer]) * 1000 for writer in range(8)]
    uri = f"gs://{bucket.name}/lock"
    server.plan(Fault.LOSE, "upload", times=3)

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(lambda each: storage.write_bytes(uri, each, if_absent=True), contents))

    assert wins.count(True) == 1
    assert get(bucket, "lock") == contents[wins.index(True)]
    assert server.met[Fault.LOSE] >= 1


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("fault", PASSING)
def test_a_copy_is_made_whatever_happens(fault, if_absent, server, bucket):
    uri = put(bucket)
    server.plan(fault, "copy")
    server.plan(fault, "look")

    assert storage.copy(uri, f"gs://{bucket.name}/copy", if_absent=if_absent)
    assert get(bucket, "copy") == CONTENT
    assert server.met == {fault: 2}
    assert server.calls["download"] + server.calls["upload"] == 0  # no byte comes through here


@pytest.mark.parametrize("fault", PASSING)
def test_a_folder_is_deleted_whatever_happens(fault, server, bucket):
    for index in range(20):
        put(bucket, f"old/{index}", b"x")
    put(bucket, "older", b"x")
    server.plan(fault, "list")
    server.plan(fault, "delete", times=3)

    storage.delete_folder(f"gs://{bucket.name}/old")

    assert [blob.name for blob in bucket.list_blobs()] == ["older"]
    assert server.met == {fault: 4}


@pytest.mark.parametrize("fault", [*PASSING, Fault.TRUNCATE])
def test_looking_is_tried_again(fault, server, bucket):
    uri = put(bucket)
    server.plan(fault, "look")
    server.plan(fault, "list")

    assert storage.exists(uri)
    assert [file.path for file in storage.list_files(f"gs://{bucket.name}")] == ["file"]
    assert server.met == {fault: 2}


def test_a_storm_loses_nothing_and_spoils_nothing(server, bucket, small_parts, tmp_path):
    rng = np.random.default_rng(2)
    sizes = rng.choice([0, 10, 30_000, 100_000, 200_000], 40)
    contents = {f"{i % 7}/{i:03d}.bin": rng.bytes(size) for i, size in enumerate(sizes)}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    faults = [each for each in Fault if each not in (Fault.FORBIDDEN, Fault.SLOW)]
    for fault, kind in itertools.product(faults, ["upload", "part", "session", "look"]):
        fits = {Fault.GONE: ["part"], Fault.DAMAGED: ["part", "upload"]}
        if kind in fits.get(fault, [kind]) and (fault, kind) != (Fault.FLIP, "session"):
            server.plan(fault, kind, times=2)

    sent = storage.upload_folder(tmp_path, f"gs://{bucket.name}/data")

    assert sent == 40
    assert {path: get(bucket, f"data/{path}") for path in contents} == contents
    assert sum(server.met.values()) > 40
    assert storage.upload_folder(tmp_path, f"gs://{bucket.name}/data") == 0  # all are there


def test_a_refusal_is_told_at_once_in_one_line(server, bucket):
    uri = put(bucket)
    server.plan(Fault.FORBIDDEN, "download", times=99)

    with pytest.raises(
        InputError,
        match=r"Cannot read 'gs://.*/file' \(Forbidden\)\. Check the bucket, the name and your role"
        r"\. Cloud Storage says: .*storage\.objects\.get access",
    ) as caught:
        storage.read_bytes(uri)

    assert "\n" not in str(caught.value)
    assert server.met == {Fault.FORBIDDEN: 1}


def test_a_missing_bucket_is_told_at_once(server, tmp_path):
    (tmp_path / "large").write_bytes(bytes(upload.ONE_CALL_BYTES + 1))

    for write in (
        lambda: storage.write_bytes("gs://no-such-bucket/x", b""),
        lambda: storage.upload_file(tmp_path / "large", "gs://no-such-bucket/x"),
    ):
        with pytest.raises(InputError, match=r"Cannot write 'gs://no-such-bucket/x' \(NotFound\)"):
            write()

    assert (server.calls["upload"], server.calls["session"]) == (1, 1)


def test_after_a_while_it_gives_up_and_says_why(server, bucket, monkeypatch):
    monkeypatch.setattr(calls, "GIVE_UP_S", 0.5)
    server.plan(Fault.UNAVAILABLE, "upload", times=999)

    with pytest.raises(
        DataError,
        match=r"Cannot write 'gs://.*/file': tried for 0 s, the last time with ServiceUnavailable: "
        r"503 .*\. Check the network, or try again later\.",
    ):
        storage.write_bytes(f"gs://{bucket.name}/file", CONTENT)

    assert server.met[Fault.UNAVAILABLE] > 1


def test_a_service_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")  # nothing listens there
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(calls, "GIVE_UP_S", 0.3)
    storage.disconnect()

    with pytest.raises(DataError, match=r"Cannot find 'gs://bucket/x': tried for .*refused"):
        storage.exists("gs://bucket/x")

    storage.disconnect()


def test_a_forked_process_opens_connections_of_its_own(server, bucket):
    uri = put(bucket)
    ours = calls.client()
    child = os.fork()
    if child == 0:
        is_right = calls.client() is not ours and storage.read_bytes(uri) == CONTENT
        os._exit(0 if is_right else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert calls.client() is ours
