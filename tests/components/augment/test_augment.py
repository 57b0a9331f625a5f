import numpy as np
import pytest

from components.augment import augment as augment_module
from components.augment.augment import PREVIEW_SIZE, choose_policy
from components.augment.augmenter import Augmenter
from components.augment.policies import POLICIES, Policy, find_policy
from components.augment.preview import Copies, render_preview
from components.augment.strips import draw_strips
from components.common.errors import InputError
from components.common.photos import decode


@pytest.mark.parametrize("name", POLICIES)
def test_the_chosen_policy_is_there_for_train_to_read(pets_folder, tmp_path, name):
    chosen = choose_policy(name, pets_folder, tmp_path / "policy", tmp_path / "preview.html")

    assert chosen == find_policy(name)
    assert Policy.load(tmp_path / "policy") == chosen
    assert [path.name for path in (tmp_path / "policy").iterdir()] == ["policy.json"]


def test_the_page_shows_a_photo_a_class_as_training_will_see_it(pets_folder, pets, tmp_path):
    choose_policy("heavy", pets_folder, tmp_path / "policy", tmp_path / "preview.html", seed=5)

    originals = np.stack([decode(pets[index], PREVIEW_SIZE) for index in (0, 3)])
    policy = find_policy("heavy")
    augmenter = Augmenter(policy=policy, seed=5)
    expected = render_preview(
        originals,
        ["cat", "dog"],
        lambda photos, epoch: Copies(
            photos=augmenter(photos, np.array([0, 3]), epoch), captions=["", ""]
        ),
        policy_name="heavy",
        policy={key: value for key, value in vars(policy).items() if key != "name"},
        strips=draw_strips(policy, originals[0], originals[1], ("cat", "dog")),
    )
    assert (tmp_path / "preview.html").read_text("utf-8") == expected


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_photos_are_shown_with_both_labels(pets_folder, tmp_path, name):
    choose_policy(name, pets_folder, tmp_path / "policy", tmp_path / "preview.html")

    page = (tmp_path / "preview.html").read_text("utf-8")
    assert "% cat, " in page
    assert "% dog" in page


def test_the_page_holds_no_more_rows_than_it_has_room_for(pets_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(augment_module, "PREVIEW_ROWS", 1)

    choose_policy("none", pets_folder, tmp_path / "policy", tmp_path / "preview.html")

    assert (tmp_path / "preview.html").read_text("utf-8").count("data:image/jpeg") == 1


def test_an_unknown_policy_is_refused_before_anything_is_written(pets_folder, tmp_path):
    with pytest.raises(InputError, match=r"Received: 'lite'\. Did you mean 'light'\?"):
        choose_policy("lite", pets_folder, tmp_path / "policy", tmp_path / "preview.html")

    assert not (tmp_path / "policy").exists()
    assert not (tmp_path / "preview.html").exists()
