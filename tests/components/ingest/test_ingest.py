import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time

import pytest

from components.common import storage
from components.common.dataset import (
    dataset_location,
    find_dataset,
    list_datasets,
    read_index,
    read_photos,
)
from components.common.errors import DataError, InputError
from components.common.manifest import Manifest, Rejected
from components.ingest.ingest import Order, check_dataset, ingest_photos, ingest_share
from tests.gcs.faults import Fault


def ingest(uri, folder, **order) -> Manifest:
    return ingest_photos(
        Order(dataset=uri, **order),
        folder,
        page=folder.with_suffix(".html"),
        data=folder.with_suffix(".json"),
    )


def upload(folder, bucket) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            blob = bucket.blob(f"photos/{path.relative_to(folder).as_posix()}")
            blob.upload_from_filename(path)
    return f"gs://{bucket.name}/photos"


def test_photos_arrive_unchanged_with_class_and_size(photo_folder, tmp_path):
    import cv2

    folder = photo_folder({"cat": 5, "dog": 3})

    manifest = ingest(f"folder:{folder}", tmp_path / "dataset")

    assert manifest == Manifest.load(tmp_path / "dataset")
    assert manifest.classes == ("cat", "dog")
    assert manifest.counts == {"cat": 5, "dog": 3}
    assert (manifest.num_photos, manifest.split, manifest.name) == (8, None, "photos")
    assert manifest.source == f"folder:{folder}"
    assert manifest.rejected == ()
    records = list(read_photos(tmp_path / "dataset"))
    assert len({one.filename for one in records}) == 8
    for one in records:
        assert one.encoded == (folder / one.filename).read_bytes()
        assert one.class_name == one.filename.split("/")[0]
        assert one.label == ["cat", "dog"].index(one.class_name)
        height, width = cv2.imread(str(folder / one.filename)).shape[:2]
        assert (one.format, one.height, one.width) == ("jpeg", height, width)


def test_a_bad_file_is_listed_with_the_reason_and_stops_nothing(photo_folder, tmp_path, capsys):
    folder = photo_folder({"cat": 2, "dog": 2}, suffix=".png")
    whole = (folder / "cat/000.png").read_bytes()
    (folder / "cat/cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog/empty.jpg").write_bytes(b"")
    (folder / "dog/notes.txt").write_text("about the dogs")
    (folder / "dog/.hidden.png").write_bytes(whole)
    (folder / "loose.png").write_bytes(whole)

    manifest = ingest(f"folder:{folder}", tmp_path / "dataset")

    assert manifest.counts == {"cat": 2, "dog": 2}
    assert sorted(manifest.rejected, key=lambda one: one.file) == [
        Rejected(file="cat/cut.png", reason="does not decode: image file is truncated"),
        Rejected(file="dog/.hidden.png", reason="hidden file"),
        Rejected(file="dog/empty.jpg", reason="empty or unreadable file"),
        Rejected(file="dog/notes.txt", reason="not an image"),
        Rejected(file="loose.png", reason="not in a class folder"),
    ]
    assert "rejected dog/notes.txt: not an image" in capsys.readouterr().out.splitlines()


def test_a_class_without_a_usable_photo_is_an_error(photo_folder, tmp_path):
    folder = photo_folder({"cat": 2, "dog": 0})
    (folder / "dog/a.jpg").write_bytes(b"no photo")

    with pytest.raises(
        DataError,
        match=r"Class 'dog' has no photo that can be used \(dog/a\.jpg: not an image\)\. Mend",
    ):
        ingest(f"folder:{folder}", tmp_path / "dataset")

    assert not (tmp_path / "dataset/manifest.json").exists()


def test_the_digest_is_that_of_the_photos_not_of_their_place_or_names(photo_folder, tmp_path):
    folder = photo_folder({"cat": 3, "dog": 3})
    shutil.copytree(folder, tmp_path / "elsewhere/copy")
    (tmp_path / "elsewhere/copy/cat/000.jpg").rename(tmp_path / "elsewhere/copy/cat/renamed.jpg")

    one = ingest(f"folder:{folder}", tmp_path / "one")
    two = ingest(f"folder:{tmp_path}/elsewhere/copy", tmp_path / "two")

    assert one.digest == two.digest
    assert one.source != two.source


def test_a_moved_photo_gives_another_digest(photo_folder, tmp_path):
    folder = photo_folder({"cat": 3, "dog": 3})
    one = ingest(f"folder:{folder}", tmp_path / "one")
    (folder / "cat/000.jpg").rename(folder / "dog/moved.jpg")

    assert ingest(f"folder:{folder}", tmp_path / "two").digest != one.digest


def test_a_bucket_gives_the_same_dataset_as_a_disk(photo_folder, tmp_path, bucket):
    folder = photo_folder({"cat": 12, "dog": 9})
    (folder / "dog/#1 what?.jpg").write_bytes((folder / "dog/000.jpg").read_bytes())
    (folder / "dog/bad.jpg").write_bytes(b"no photo")

    local = ingest(f"folder:{folder}", tmp_path / "local")
    remote = ingest(upload(folder, bucket), tmp_path / "remote")

    assert remote.digest == local.digest
    assert remote.counts == local.counts == {"cat": 12, "dog": 10}
    assert (
        remote.rejected == local.rejected == (Rejected(file="dog/bad.jpg", reason="not an image"),)
    )
    assert list(read_photos(tmp_path / "remote")) == list(read_photos(tmp_path / "local"))


def test_a_sample_is_ingested_with_its_boxes_and_masks(tmp_path):
    manifest = ingest("sample:pets?photos=2", tmp_path / "dataset")

    assert manifest.name == "pets"
    assert manifest.rejected == ()
    assert set(manifest.counts.values()) == {2}
    for one in read_photos(tmp_path / "dataset"):
        assert one.mask is not None
        assert one.mask.startswith(b"\x89PNG")
        assert one.box is not None
        xmin, ymin, xmax, ymax = one.box
        assert 0 <= xmin < xmax <= 1
        assert 0 <= ymin < ymax <= 1


def test_a_source_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="No such folder"):
        ingest(f"folder:{tmp_path}/none", tmp_path / "dataset")

    assert not (tmp_path / "dataset").exists()


@pytest.fixture(params=["local", "remote"])
def root(request, tmp_path) -> str:
    """A storage root, on disk and in a bucket."""
    if request.param == "local":
        return str(tmp_path / "storage")
    return f"gs://{request.getfixturevalue('bucket').name}/storage"


def files(root: str) -> dict[str, str]:
    """Everything below a storage root: path and version."""
    return {file.path: file.version for file in storage.list_files(root)}


def test_a_storage_root_keeps_the_dataset_by_its_content(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 5, "dog": 3})

    manifest = ingest(f"folder:{folder}", tmp_path / "out", root=root)

    location = dataset_location(root, "photos", manifest.digest)
    assert location == f"{root}/datasets/photos/{manifest.digest}"
    assert manifest.location == location
    assert Manifest.load(tmp_path / "out") == manifest
    assert find_dataset(location) == manifest
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert {one.filename for one in read_photos(tmp_path / "out")} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")
    }
    assert not [path for path in files(root) if "/.ingest/" in path]  # it cleans up behind it


def test_the_same_photos_a_second_time_write_nothing(photo_folder, tmp_path, root, capsys):
    folder = photo_folder({"cat": 5, "dog": 3})
    first = ingest(f"folder:{folder}", tmp_path / "one", root=root)
    before = files(root)

    second = ingest(f"folder:{folder}", tmp_path / "two", root=root)

    assert second == first
    assert "nothing to read" in capsys.readouterr().out
    assert files(root) == before  # the versions too: nothing was written again


def test_the_same_photos_from_another_place_are_kept_once(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 5, "dog": 3})
    shutil.copytree(folder, tmp_path / "elsewhere/photos")
    (tmp_path / "elsewhere/photos/cat/000.jpg").rename(tmp_path / "elsewhere/photos/cat/new.jpg")
    first = ingest(f"folder:{folder}", tmp_path / "one", root=root)

    second = ingest(f"folder:{tmp_path}/elsewhere/photos", tmp_path / "two", root=root)

    assert (second.location, second.shards) == (first.location, first.shards)
    assert second.source == f"folder:{tmp_path}/elsewhere/photos"
    assert len(list_datasets(root)) == 1
    assert sum(path.endswith(".tfrecord") for path in files(root)) == 1
    assert len(list(read_photos(tmp_path / "two"))) == 8


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_same_dataset_byte_for_byte(
    photo_folder, tmp_path, monkeypatch, num_workers
):
    monkeypatch.setattr("components.ingest.chunks.SHARD_SIZE_BYTES", 4000)
    folder = photo_folder({"cat": 20, "dog": 20})
    (folder / "dog/bad.jpg").write_bytes(b"no photo")
    alone = ingest(f"folder:{folder}", tmp_path / "alone", root=str(tmp_path / "one"))
    root = str(tmp_path / "many")
    order = Order(dataset=f"folder:{folder}", root=root)

    shares = [
        ingest_share(order, worker=worker, num_workers=num_workers)
        for worker in reversed(range(num_workers))
    ]
    together = ingest(f"folder:{folder}", tmp_path / "together", root=root)

    assert sum(shares) == 40
    assert min(shares) > 0
    assert together.digest == alone.digest
    assert len(alone.shards) > 5
    theirs, ours = (
        {path.name: path.read_bytes() for path in (tmp_path / place).rglob(f"{alone.digest}/*")}
        for place in ("one", "many")
    )
    assert set(theirs) == set(ours)
    for name, content in theirs.items():
        if name == "manifest.json":  # it says where it is
            content = content.replace(f"{tmp_path}/one".encode(), root.encode())
        assert ours[name] == content


def test_workers_without_a_place_to_meet_are_refused(photo_folder):
    folder = photo_folder({"cat": 2, "dog": 2})

    with pytest.raises(InputError, match="`storage` must name a place that all workers reach"):
        ingest_share(Order(dataset=f"folder:{folder}"), worker=0, num_workers=2)


KILLED = """
import sys
from pathlib import Path
from components.ingest import chunks
from components.ingest.ingest import Order, ingest_photos
chunks.SHARD_SIZE_BYTES = 4000
place = Path(sys.argv[3])
order = Order(dataset=sys.argv[1], root=sys.argv[2])
ingest_photos(order, place, page=place / "page.html", data=place / "data.json")
"""


def test_an_ingest_goes_on_where_it_was_killed(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 120, "dog": 120})
    command = [sys.executable, "-c", KILLED, f"folder:{folder}", root]

    def chunks_done() -> dict[str, str]:
        kept = files(root) if storage.list_files(root, missing_ok=True) else {}
        return {path: version for path, version in kept.items() if path.endswith(".chunk")}

    victim = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
    while len(chunks_done()) < 5 and victim.poll() is None:
        time.sleep(0.005)
    victim.kill()
    victim.wait()
    done = chunks_done()
    assert len(done) >= 5
    assert list_datasets(root) == []  # killed in the middle of it
    survivor = subprocess.Popen(
        [*command, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    seen: dict[str, str] = {}
    while survivor.poll() is None:
        with contextlib.suppress(OSError):  # it cleans up while we look
            seen |= chunks_done()
    told, _ = survivor.communicate()

    assert survivor.returncode == 0, told
    assert {path: seen.get(path, version) for path, version in done.items()} == done
    again = ingest(f"folder:{folder}", tmp_path / "again", root=f"{root}-2")
    assert Manifest.load(tmp_path / "out").digest == again.digest
    assert len(list(read_photos(tmp_path / "out"))) == 240


def test_a_dataset_that_is_not_finished_is_not_found(photo_folder, root):
    folder = photo_folder({"cat": 5, "dog": 5})

    ingest_share(Order(dataset=f"folder:{folder}", root=root), worker=0, num_workers=1)

    assert files(root)
    assert list_datasets(root) == []


def test_photos_keep_the_version_they_came_with(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 5, "dog": 5})
    first = ingest(f"folder:{folder}", tmp_path / "one", root=root)
    more = photo_folder({"cat": 2, "dog": 1}, name="more", seed=1)
    for path in more.rglob("*.jpg"):
        path.rename(folder / path.parent.name / f"new-{path.name}")

    second = ingest(f"folder:{folder}", tmp_path / "two", root=root)

    assert (first.generation, first.previous) == (0, "")
    assert (second.generation, second.previous) == (1, first.digest)
    index = read_index(second.location)
    for name, generation in zip(index.filenames, index.generations, strict=True):
        assert generation == ("new-" in name)
    changes = json.loads((tmp_path / "two.json").read_text())["changes"]
    assert (changes["num_added"], changes["num_removed"]) == (3, 0)


def test_strict_stops_before_there_is_a_dataset(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 40, "dog": 40})
    shutil.copy(folder / "cat/000.jpg", folder / "dog/same.jpg")

    with pytest.raises(DataError, match="pass --data-policy warn"):
        ingest(f"folder:{folder}", tmp_path / "out", root=root, policy="strict")

    assert list_datasets(root) == []
    assert not (tmp_path / "out/manifest.json").exists()
    assert (tmp_path / "out.html").read_text().startswith("<!DOCTYPE html>")  # to see what it was
    assert ingest(f"folder:{folder}", tmp_path / "out", root=root).num_photos == 81


def test_checks_that_are_off_take_the_photos_all_the_same(photo_folder, tmp_path):
    folder = photo_folder({"cat": 5, "dog": 3})

    off = ingest(f"folder:{folder}", tmp_path / "off", policy="off")
    on = ingest(f"folder:{folder}", tmp_path / "on")

    assert off.digest == on.digest
    assert not read_index(tmp_path / "off").decoded.any()
    assert read_index(tmp_path / "on").decoded.all()


def test_an_unknown_policy_is_refused():
    with pytest.raises(InputError, match="Did you mean 'strict'"):
        Order(dataset="sample:pets", policy="stric")


def test_a_check_leaves_the_photos_where_they_are(photo_folder, tmp_path):
    folder = photo_folder({"cat": 5, "dog": 3})
    (folder / "dog/bad.jpg").write_bytes(b"no photo")

    report = check_dataset(f"folder:{folder}", page=tmp_path / "report.html")

    assert (report.num_photos, report.rejected) == (8, (("dog/bad.jpg", "not an image"),))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "photos",
        "report.html",
        "report.json",
    ]


def test_a_check_compares_with_an_earlier_version(photo_folder, tmp_path):
    folder = photo_folder({"cat": 5, "dog": 3})
    ingest(f"folder:{folder}", tmp_path / "before")
    (folder / "cat/000.jpg").rename(folder / "dog/moved.jpg")
    (folder / "cat/001.jpg").unlink()

    changes = check_dataset(f"folder:{folder}", previous=str(tmp_path / "before")).changes

    assert changes is not None
    assert (changes.num_added, changes.num_removed, changes.num_relabelled) == (0, 1, 1)


def test_a_storage_root_can_be_moved(photo_folder, tmp_path):
    folder = photo_folder({"cat": 5, "dog": 3})
    ingest(f"folder:{folder}", tmp_path / "one", root=str(tmp_path / "root"))
    (tmp_path / "root").rename(tmp_path / "moved")

    manifest = ingest(f"folder:{folder}", tmp_path / "two", root=str(tmp_path / "moved"))

    assert manifest.location.startswith(str(tmp_path / "moved"))
    assert len(list(read_photos(tmp_path / "two"))) == 8


def test_photos_that_were_taken_unseen_are_looked_at_when_somebody_asks(photo_folder, tmp_path):
    folder, root = photo_folder({"cat": 40, "dog": 40}), str(tmp_path / "root")
    shutil.copy(folder / "cat/000.jpg", folder / "dog/same.jpg")
    off = ingest(f"folder:{folder}", tmp_path / "off", root=root, policy="off")

    on = ingest(f"folder:{folder}", tmp_path / "on", root=root)

    assert (off.checked, on.checked, on.digest) == (False, True, off.digest)
    assert read_index(tmp_path / "on").decoded.all()
    assert find_dataset(on.location) == on
    with pytest.raises(DataError, match="--data-policy warn"):
        ingest(f"folder:{folder}", tmp_path / "strict", root=root, policy="strict")


def test_a_dataset_that_lost_a_file_is_made_whole(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 5, "dog": 3})
    first = ingest(f"folder:{folder}", tmp_path / "one", root=root)
    if root.startswith("gs://"):
        storage.delete_folder(first.location)
    else:
        (tmp_path / "storage/datasets/photos" / first.digest / first.shards[0].file).unlink()

    second = ingest(f"folder:{folder}", tmp_path / "two", root=root)

    assert second.digest == first.digest
    assert len(list(read_photos(tmp_path / "two"))) == 8


def test_two_ingests_at_once_of_the_same_photos_by_other_names_agree(photo_folder, tmp_path, root):
    folder = photo_folder({"cat": 30, "dog": 30})
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere/photos"
    for path in folder.rglob("*.jpg"):
        target = other / path.parent.name / f"other-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    results = {}

    def work(name, photos):
        results[name] = ingest(f"folder:{photos}", tmp_path / name, root=root)

    threads = [
        threading.Thread(target=work, args=(f"out-{number}", photos))
        for number, photos in enumerate([folder, other] * 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4
    assert len({manifest.digest for manifest in results.values()}) == 1
    for name in results:
        index = read_index(tmp_path / name)
        records = list(read_photos(tmp_path / name))
        assert [one.filename for one in records] == list(index.filenames)
        assert [one.sha256 for one in records] == [sha.tobytes().hex() for sha in index.sha256]


def test_a_disk_that_fails_for_once_is_not_remembered(photo_folder, tmp_path, monkeypatch):
    folder, root = photo_folder({"cat": 5, "dog": 3}), str(tmp_path / "root")
    real, victim = storage.read_bytes, str(folder / "cat/002.jpg")

    def fail(uri):
        if uri == victim:
            raise OSError(5, "Input/output error", uri)
        return real(uri)

    monkeypatch.setattr(storage, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output error"):
        ingest(f"folder:{folder}", tmp_path / "one", root=root)
    monkeypatch.undo()

    assert ingest(f"folder:{folder}", tmp_path / "two", root=root).num_photos == 8


@pytest.mark.parametrize("name", [".hidden", "..."])
def test_a_name_that_no_folder_should_have_is_refused(photo_folder, tmp_path, name):
    folder = photo_folder({"cat": 2, "dog": 2}, name=name)

    with pytest.raises(InputError, match="must have a name that does not begin with a dot"):
        ingest(f"folder:{folder}", tmp_path / "out", root=str(tmp_path / "root"))


def test_other_photos_of_the_same_name_are_no_earlier_version(photo_folder, tmp_path, root):
    ingest(f"folder:{photo_folder({'cat': 5, 'dog': 3})}", tmp_path / "one", root=root)
    shutil.rmtree(tmp_path / "photos")

    other = ingest(
        f"folder:{photo_folder({'cat': 5, 'dog': 3}, seed=1)}", tmp_path / "two", root=root
    )

    assert (other.generation, other.previous) == (1, "")
    assert json.loads((tmp_path / "two.json").read_text())["changes"] is None


def test_faults_of_the_network_cost_no_photo(photo_folder, tmp_path, bucket, faulty_gcs):
    folder = photo_folder({"cat": 15, "dog": 15})
    faults = [Fault.UNAVAILABLE, Fault.TOO_MANY, Fault.DROP, Fault.LOSE]
    source = upload(folder, bucket)
    for fault in faults:
        for kind in ("look", "list", "upload", "copy", "delete", "download"):
            faulty_gcs.plan(fault, kind)
    for fault in (Fault.TRUNCATE, Fault.FLIP):
        faulty_gcs.plan(fault, "download", times=3)

    remote = ingest(source, tmp_path / "remote", root=f"gs://{bucket.name}/storage")

    local = ingest(f"folder:{folder}", tmp_path / "local")
    assert {fault: faulty_gcs.met[fault] for fault in faults} == dict.fromkeys(faults, 6)
    assert (faulty_gcs.met[Fault.TRUNCATE], faulty_gcs.met[Fault.FLIP]) == (3, 3)
    assert (remote.digest, remote.rejected) == (local.digest, ())
    assert list(read_photos(tmp_path / "remote")) == list(read_photos(tmp_path / "local"))
