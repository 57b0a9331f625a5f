import shutil

import pytest

from components.common.dataset import read_photos
from components.common.errors import DataError, InputError
from components.common.manifest import Manifest, Rejected
from components.ingest.ingest import ingest_photos


def upload(folder, bucket) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            blob = bucket.blob(f"photos/{path.relative_to(folder).as_posix()}")
            blob.upload_from_filename(path)
    return f"gs://{bucket.name}/photos"


def test_photos_arrive_unchanged_with_class_and_size(photo_folder, tmp_path):
    import cv2

    folder = photo_folder({"cat": 5, "dog": 3})

    manifest = ingest_photos(f"folder:{folder}", tmp_path / "dataset")

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

    manifest = ingest_photos(f"folder:{folder}", tmp_path / "dataset")

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
        match=r"Class 'dog' of 'folder:.*' has no photo that can be used \(dog/a\.jpg: not",
    ):
        ingest_photos(f"folder:{folder}", tmp_path / "dataset")

    assert not (tmp_path / "dataset/manifest.json").exists()


def test_the_digest_is_that_of_the_photos_not_of_their_place_or_names(photo_folder, tmp_path):
    folder = photo_folder({"cat": 3, "dog": 3})
    shutil.copytree(folder, tmp_path / "elsewhere/copy")
    (tmp_path / "elsewhere/copy/cat/000.jpg").rename(tmp_path / "elsewhere/copy/cat/renamed.jpg")

    one = ingest_photos(f"folder:{folder}", tmp_path / "one")
    two = ingest_photos(f"folder:{tmp_path}/elsewhere/copy", tmp_path / "two")

    assert one.digest == two.digest
    assert one.source != two.source


def test_a_moved_photo_gives_another_digest(photo_folder, tmp_path):
    folder = photo_folder({"cat": 3, "dog": 3})
    one = ingest_photos(f"folder:{folder}", tmp_path / "one")
    (folder / "cat/000.jpg").rename(folder / "dog/moved.jpg")

    assert ingest_photos(f"folder:{folder}", tmp_path / "two").digest != one.digest


def test_a_bucket_gives_the_same_dataset_as_a_disk(photo_folder, tmp_path, bucket):
    folder = photo_folder({"cat": 12, "dog": 9})
    (folder / "dog/#1 what?.jpg").write_bytes((folder / "dog/000.jpg").read_bytes())
    (folder / "dog/bad.jpg").write_bytes(b"no photo")

    local = ingest_photos(f"folder:{folder}", tmp_path / "local")
    remote = ingest_photos(upload(folder, bucket), tmp_path / "remote")

    assert remote.digest == local.digest
    assert remote.counts == local.counts == {"cat": 12, "dog": 10}
    assert (
        remote.rejected == local.rejected == (Rejected(file="dog/bad.jpg", reason="not an image"),)
    )
    assert list(read_photos(tmp_path / "remote")) == list(read_photos(tmp_path / "local"))


def test_a_sample_is_ingested_with_its_boxes_and_masks(tmp_path):
    manifest = ingest_photos("sample:pets?photos=2", tmp_path / "dataset")

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
        ingest_photos(f"folder:{tmp_path}/none", tmp_path / "dataset")

    assert not (tmp_path / "dataset").exists()
