import numpy as np
import pytest

from components.augment import augment as augment_module
from components.augment.augment import choose_policy
from components.augment.policies import Policy, find_policy
from components.augment.preview import render_preview
from components.augment.warp import Augmenter
from components.common.dataset import read_photos
from components.common.errors import InputError
from components.common.photos import decode
from components.ingest.ingest import ingest_photos


@pytest.fixture
def train(photo_folder, tmp_path):
    folder = photo_folder({"cat": 3, "dog": 3, "mouse": 3})
    ingest_photos(f"folder:{folder}", tmp_path / "train")
    return tmp_path / "train"


@pytest.mark.parametrize("name", ["none", "light", "heavy"])
def test_the_chosen_policy_is_there_for_train_to_read(train, tmp_path, name):
    chosen = choose_policy(name, train, tmp_path / "policy", tmp_path / "preview.html")

    assert chosen == find_policy(name)
    assert Policy.load(tmp_path / "policy") == chosen
    assert [path.name for path in (tmp_path / "policy").iterdir()] == ["policy.json"]


def test_the_page_shows_a_photo_a_class_as_training_will_see_it(train, tmp_path):
    choose_policy("heavy", train, tmp_path / "policy", tmp_path / "preview.html", seed=5)

    records = list(read_photos(train))
    classes = ["cat", "dog", "mouse"]
    indices = [[one.class_name for one in records].index(name) for name in classes]
    originals = np.stack([decode(records[index], 160) for index in indices])
    augmenter = Augmenter(policy=find_policy("heavy"), seed=5)
    expected = render_preview(
        originals,
        classes,
        lambda photos, epoch: augmenter(photos, np.array(indices), epoch),
        policy_name="heavy",
        policy={key: value for key, value in vars(find_policy("heavy")).items() if key != "name"},
    )
    assert (tmp_path / "preview.html").read_text("utf-8") == expected


def test_the_page_holds_no_more_rows_than_it_has_room_for(train, tmp_path, monkeypatch):
    monkeypatch.setattr(augment_module, "PREVIEW_ROWS", 2)

    choose_policy("none", train, tmp_path / "policy", tmp_path / "preview.html")

    assert (tmp_path / "preview.html").read_text("utf-8").count("data:image/jpeg") == 2


def test_an_unknown_policy_is_refused_before_anything_is_written(train, tmp_path):
    with pytest.raises(InputError, match=r"Received: 'lite'\. Did you mean 'light'\?"):
        choose_policy("lite", train, tmp_path / "policy", tmp_path / "preview.html")

    assert not (tmp_path / "policy").exists()
    assert not (tmp_path / "preview.html").exists()
