"""Whether photos can be read is found without reading them."""

import zipfile

import pytest

from components.common import storage
from pipelines.doctor.dataset import check_dataset


def check(uri, *, runs_here=True, bucket=""):
    (found,) = check_dataset(uri, runs_here=runs_here, bucket=bucket)
    return found


def test_a_folder_of_classes_is_ok(photo_folder):
    folder = photo_folder({"cat": 1, "dog": 2})

    assert check(f"folder:{folder}").said == f"folder:{folder}, 2 classes"


def test_a_folder_that_is_not_there_fails(tmp_path):
    found = check(f"folder:{tmp_path}/none/photos")

    assert (found.status, found.said) == ("fail", f"there is no folder '{tmp_path}/none/photos'")
    assert found.mend == f"ls {tmp_path}"


def test_a_folder_without_class_folders_fails(tmp_path):
    (tmp_path / "cat.jpg").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "cat.jpg").touch()
    (tmp_path / "empty").mkdir()

    found = check(f"folder:{tmp_path}")

    assert found.status == "fail"
    assert found.said.startswith("no photos in folders named by class")


def test_a_folder_of_this_machine_cannot_be_read_elsewhere(tmp_path):
    found = check(f"folder:{tmp_path}", runs_here=False, bucket="acme-pawpetal")

    place = f"gs://acme-pawpetal/photos/{tmp_path.name}"
    assert found.status == "fail"
    assert found.mend == (
        f"gcloud storage cp --recursive {tmp_path} {place}  # then --dataset {place}"
    )


def test_an_archive_must_be_there(tmp_path):
    path = tmp_path / "photos.zip"
    assert check(f"archive:{path}").status == "fail"

    zipfile.ZipFile(path, "w").close()
    assert check(f"archive:{path}").status == "ok"


def test_objects_under_a_prefix_are_ok_and_none_fail(bucket):
    bucket.blob("photos/cat/1.jpg").upload_from_string(b"photo")

    assert check(f"gs://{bucket.name}/photos", runs_here=False).status == "ok"
    assert check(f"archive:gs://{bucket.name}/photos/cat/1.jpg").status == "ok"
    found = check(f"gs://{bucket.name}/other")
    assert (found.status, found.said) == ("fail", f"no objects under gs://{bucket.name}/other")
    assert check("gs://no-such-bucket-here/photos").status == "fail"


def test_a_bucket_without_credentials_is_told_the_login(monkeypatch, tmp_path):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # behind one, nobody can tell
    storage.disconnect()

    found = check("gs://photos/flowers")

    assert (found.status, found.said) == (
        "fail",
        "Cloud Storage needs credentials, and none were found.",
    )
    assert found.mend == "gcloud auth application-default login"


@pytest.mark.parametrize("uri", ["sample:flowers", "sample:pets?photos=4", "tfds:tf_flowers"])
def test_names_that_are_known_are_ok(uri):
    assert check(uri, runs_here=False).status == "ok"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sample:flower", "Did you mean 'sample:flowers'?"),
        ("tfds:tf_flower", "Did you mean 'tfds:tf_flowers'?"),
        ("s3://bucket", "`dataset` must be sample:NAME"),
    ],
)
def test_names_that_are_not_known_fail(uri, said):
    found = check(uri)

    assert found.status == "fail"
    assert said in found.said


def test_a_bare_folder_is_told_what_to_be_called(tmp_path):
    assert f"pass folder:{tmp_path}" in check(str(tmp_path)).said
