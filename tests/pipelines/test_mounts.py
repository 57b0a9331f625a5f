"""What containers see of the machine: all that a run names, once each, and nothing more."""

import pytest

from components.common.errors import InputError
from pipelines.specs import parameters
from pipelines.targets.mounts import mounts, places

VARIABLES = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KERAS_HOME",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "TFDS_DATA_DIR",
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def arguments(**changed):
    defaults = {each.name: each.default for each in parameters("train_and_push")}
    return defaults | {"weights": "none"} | changed


def seen(**changed):
    """By path, whether it may be written to."""
    found = mounts(arguments(**changed))
    paths = [mount["Target"] for mount in found]
    assert len(paths) == len(set(paths)), "Docker refuses the same mount point twice"
    assert all(mount["Source"] == mount["Target"] for mount in found)
    return {mount["Target"]: not mount["ReadOnly"] for mount in found}


def test_a_sample_needs_the_home_alone(home):
    assert seen() == {str(home): True}


def test_a_storage_folder_can_be_written_to_and_a_bucket_needs_no_mount(home, tmp_path):
    assert seen(storage="/shared/pawpetal") == {str(home): True, "/shared/pawpetal": True}
    assert seen(storage="gs://bucket/pawpetal") == {str(home): True}


def test_an_archive_can_be_read_and_not_written(home):
    assert seen(dataset="archive:/photos.zip") == {str(home): True, "/photos.zip": False}
    assert seen(dataset="archive:gs://bucket/photos.zip") == {str(home): True}


def test_photos_and_weights_can_be_read_and_not_written(home, tmp_path):
    weights = tmp_path / "x.weights.h5"
    weights.touch()

    assert seen(dataset="folder:/photos", weights=str(weights)) == {
        str(home): True,
        "/photos": False,
        str(weights): False,
    }


def test_a_registry_in_a_file_elsewhere_can_be_written(home):
    assert seen(registry="mlflow:sqlite:////team/mlflow.db") == {str(home): True, "/team": True}


@pytest.mark.parametrize("place", ["", "/below"])
def test_what_lies_in_the_home_is_mounted_once(home, place):
    assert seen(
        registry=f"mlflow:sqlite:///{home}{place}/mlflow.db",
        data_dir=f"{home}{place}",
        dataset=f"folder:{home}{place}",
    ) == {str(home): True}


def test_links_among_the_photos_are_followed_step_by_step(tmp_path):
    photos, real, way = (tmp_path / name for name in ("photos", "real", "way"))
    (real / "dog").mkdir(parents=True)
    way.symlink_to(real)
    (photos / "cat").mkdir(parents=True)
    (photos / "dog").symlink_to(way / "dog")
    (real / "one.jpg").touch()
    (photos / "cat" / "one.jpg").symlink_to("../../real/one.jpg")

    found = seen(dataset=f"folder:{photos}")

    # As the container resolves them: by the path that the link says.
    assert {str(photos), str(way / "dog"), str(real)} <= found.keys()


def test_links_in_a_linked_folder_and_circles_of_links_are_no_trap(tmp_path):
    photos, other, last = (tmp_path / name for name in ("photos", "other", "last"))
    for folder in (photos, other, last):
        folder.mkdir()
    (photos / "dog").symlink_to(other)
    (other / "more").symlink_to(last)
    (photos / "loop").symlink_to(photos)
    (photos / "nowhere").symlink_to(photos / "nowhere")

    found = seen(dataset=f"folder:{photos}")

    assert {str(photos), str(other), str(last)} <= found.keys()


def test_a_link_to_the_whole_machine_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "all").symlink_to("/")

    with pytest.raises(InputError, match="would see all of this machine"):
        mounts(arguments(dataset=f"folder:{tmp_path / 'photos'}"))


def test_downloads_are_kept_where_the_caller_keeps_them(tmp_path):
    keras, tfds = tmp_path / "user" / ".keras", tmp_path / "user" / "tensorflow_datasets"
    named = arguments(dataset="tfds:tf_flowers", weights="imagenet")

    assert places(named) == {"KERAS_HOME": str(keras), "TFDS_DATA_DIR": str(tfds)}
    found = {mount["Target"]: mount["ReadOnly"] for mount in mounts(named)}
    assert found[str(keras)] is found[str(tfds)] is False


def test_credentials_that_a_variable_names_are_there_to_read(tmp_path, monkeypatch):
    key = tmp_path / "key.json"
    key.touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))

    assert places(arguments())["GOOGLE_APPLICATION_CREDENTIALS"] == str(key)
    assert seen()[str(key)] is False


def test_ones_own_login_to_google_is_there_to_read(tmp_path):
    key = tmp_path / "user/.config/gcloud/application_default_credentials.json"
    key.parent.mkdir(parents=True)
    key.touch()

    assert places(arguments()) == {"GOOGLE_APPLICATION_CREDENTIALS": str(key)}
