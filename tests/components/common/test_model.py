import hashlib
import json

import pytest

from components.common.errors import DataError
from components.common.model import ModelFolder


@pytest.fixture
def folder(tmp_path) -> ModelFolder:
    (tmp_path / "model.keras").write_bytes(b"weights")
    model = ModelFolder(tmp_path)
    model.write(settings={"seed": 1}, history={"loss": [0.5, 0.25]}, plot=b"PNG")
    return model


def test_what_was_written_is_read(folder):
    assert folder.settings() == {"seed": 1}
    assert folder.history() == {"loss": [0.5, 0.25]}
    assert (folder.path / "history.png").read_bytes() == b"PNG"


def test_settings_can_be_read_by_people_and_programs(folder):
    assert json.loads((folder.path / "settings.json").read_text()) == {"seed": 1}
    assert "\n" in (folder.path / "settings.json").read_text()


def test_digest_is_that_of_settings_and_model_one_after_the_other(folder):
    settings = (folder.path / "settings.json").read_bytes()

    assert folder.digest() == hashlib.sha256(settings + b"weights").hexdigest()


def test_digest_of_a_large_model_covers_every_byte(folder):
    large = bytes(2**20) * 2 + b"end"  # more than is read at once
    (folder.path / "model.keras").write_bytes(large)
    settings = (folder.path / "settings.json").read_bytes()

    assert folder.digest() == hashlib.sha256(settings + large).hexdigest()


def test_digest_changes_with_the_model_and_with_the_settings(folder):
    digests = [folder.digest()]
    (folder.path / "model.keras").write_bytes(b"Weights")
    digests.append(folder.digest())
    folder.write(settings={"seed": 2}, history={"loss": [0.5, 0.25]}, plot=b"PNG")
    digests.append(folder.digest())

    assert len(set(digests)) == 3


def test_digest_does_not_change_with_the_picture_or_the_history(folder):
    before = folder.digest()

    folder.write(settings={"seed": 1}, history={"loss": [0.5]}, plot=b"another")

    assert folder.digest() == before


def test_folder_without_settings_is_no_complete_model(tmp_path):
    with pytest.raises(DataError) as error:
        ModelFolder(tmp_path).settings()

    assert str(error.value) == f"'{tmp_path}' holds no settings.json: it is no complete model."


def test_folder_without_history_is_no_complete_model(tmp_path):
    with pytest.raises(DataError, match=r"holds no history\.json"):
        ModelFolder(tmp_path).history()
