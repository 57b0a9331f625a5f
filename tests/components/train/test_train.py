import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from components.augment.materialize import materialize
from components.augment.policies import find_policy
from components.common.errors import DataError, InputError
from components.common.model import ModelFolder
from components.train import material
from components.train.architectures import ARCHITECTURES, Architecture
from components.train.network import Network
from components.train.settings import TrainSettings
from components.train.train import start_network, train_model
from components.train.weights import load_weights

SETTINGS = TrainSettings(
    architecture="residual", image_size=32, epochs=3, batch_size=8, learning_rate=0.01, seed=3
)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    find_policy("light").save(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, train_folder, validation_folder, policy):
    """The folder of a small model, and how its training went."""
    folder = tmp_path_factory.mktemp("model") / "new" / "model"
    fitted = train_model(
        train_folder, validation_folder, policy, folder, SETTINGS, code_version="v-test"
    )
    return folder, fitted


@pytest.fixture(scope="module")
def network(trained) -> keras.Model:
    return keras.saving.load_model(trained[0] / "model.keras", compile=False)


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Neither dusk nor noon, so that the model is not sure of any."""
    return np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)


def predict(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs))


def test_model_folder_holds_two_models_and_what_explains_them(trained):
    assert {path.name for path in trained[0].iterdir()} == {
        "model.keras",
        "saved_model",
        "settings.json",
        "history.json",
        "history.png",
        "worst.png",
    }
    assert (trained[0] / "saved_model" / "saved_model.pb").is_file()
    assert (trained[0] / "history.png").read_bytes().startswith(b"\x89PNG")


def test_settings_tell_how_it_was_trained(trained, network):
    folder, fitted = trained

    settings = ModelFolder(folder).settings()

    training_seconds = settings.pop("training_seconds")
    assert 0 < training_seconds < 120
    assert settings.pop("training_cpu_seconds") > 0
    assert settings == {
        "architecture": "residual",
        "weights": "none",  # what auto stands for
        "image_size": 32,
        "channels": 3,
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.01,
        "optimizer": "adamw",
        "schedule": "cosine",
        "weight_decay": 0.02,
        "precision": "float32",
        "split": "by hand",
        "mirror_averaging": True,
        "seed": 3,
        "augmentation": "light",
        "augmented_copies": 0,
        "best_epoch": fitted.best_epoch + 1,  # counted from 1, for people
        "num_parameters": network.count_params(),
        "dataset": "drawn://daytime",
        "dataset_digest": "whole-digest",
        "num_training_photos": 24,
        "classes": ["dusk", "noon"],
        "code_version": "v-test",
        "keras_version": keras.version(),
        "backend": "tensorflow",
    }


def test_history_is_that_of_the_fit(trained):
    folder, fitted = trained

    assert ModelFolder(folder).history() == fitted.history
    assert len(fitted.history["val_loss"]) == 3
    assert fitted.history["val_loss"][fitted.best_epoch] == min(fitted.history["val_loss"])


def test_probabilities_sum_to_1(network, photos):
    probabilities = predict(network, photos)

    assert probabilities.shape == (8, 2)
    assert probabilities.min() >= 0
    assert probabilities.sum(axis=1).tolist() == pytest.approx([1] * 8, abs=1e-6)


def test_saved_model_gives_the_same_probabilities(trained, network, photos):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(trained[0] / "saved_model"))

    np.testing.assert_allclose(loaded.serve(photos).numpy(), predict(network, photos), atol=1e-6)


def test_mirrored_photo_gets_the_same_probabilities(network, photos):
    mirrored = predict(network, photos[:, :, ::-1])

    np.testing.assert_allclose(mirrored, predict(network, photos), atol=1e-6)


def test_prediction_is_the_mean_over_both_views(network, photos):
    backbone, head = network.get_layer("residual"), network.get_layer("head")
    single = predict(head, backbone(photos))
    mirrored = predict(head, backbone(photos[:, :, ::-1]))

    np.testing.assert_allclose(predict(network, photos), (single + mirrored) / 2, atol=1e-6)
    assert np.abs(single - mirrored).max() > 1e-6  # or there was nothing to average


def test_without_mirror_averaging_the_photo_alone_counts():
    image = keras.Input((2, 2, 3))
    left = keras.Model(image, image[:, :, 0, 0])  # red of the left column
    head = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
    photo = np.zeros((1, 2, 2, 3), np.float32)
    photo[0, 0, 0, 0] = np.log(3)  # so the softmax gives 3/4 and 1/4; the mirror image 1/2 twice

    network = Network(backbone=left, head=head)

    plain = predict(network.assemble(mirror_averaging=False), photo)
    averaged = predict(network.assemble(mirror_averaging=True), photo)

    assert plain[0].tolist() == pytest.approx([3 / 4, 1 / 4])
    assert averaged[0].tolist() == pytest.approx([5 / 8, 3 / 8])


def test_weights_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path, train_folder, validation_folder, policy, trained
):
    settings = TrainSettings(
        architecture="transfer:MobileNetV2", weights=str(trained[0] / "model.keras"), image_size=32
    )

    with pytest.raises(InputError, match="`weights` must fit architecture 'transfer:MobileNetV2'"):
        train_model(train_folder, validation_folder, policy, tmp_path / "model", settings)

    assert not (tmp_path / "model").exists()


def test_folder_that_is_no_dataset_is_refused(tmp_path, validation_folder, policy):
    with pytest.raises(DataError, match=r"holds no manifest\.json: it is no dataset"):
        train_model(tmp_path, validation_folder, policy, tmp_path / "model", SETTINGS)


def test_trained_model_can_be_the_start_of_another(trained, network):
    residual = SETTINGS.find_architecture()
    fresh = residual.build_backbone(32)

    load_weights(residual, fresh, str(trained[0] / "model.keras"))

    earlier = network.get_layer("residual").get_weights()
    for one, other in zip(earlier, fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_real_mobilenet_weights_stay_below_a_head_that_tells_dusk_from_noon(
    tmp_path, train_folder, validation_folder, policy, mobilenet_weights
):
    settings = TrainSettings(
        architecture="transfer:MobileNetV2",
        weights=mobilenet_weights,
        image_size=32,
        learning_rate=0.02,
        fine_tune_epochs=0,
        mirror_averaging=False,
    )

    fitted = train_model(train_folder, validation_folder, policy, tmp_path, settings)

    assert fitted.history["val_accuracy"][fitted.best_epoch] >= 7 / 8
    model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    with h5py.File(mobilenet_weights) as file:
        published = file["layers/conv2d/vars/0"][:]
    np.testing.assert_array_equal(model.get_layer("mobilenetv2").get_weights()[0], published)


class Tiny(Architecture):
    """A network that is trained in a second."""

    def build_backbone(self, image_size: int, channels: int = 3) -> keras.Model:
        photos = keras.Input((image_size, image_size, channels))
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(photos)
        features = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(scaled))
        return keras.Model(photos, keras.layers.Dense(4)(features), name="tiny")


@pytest.fixture
def tiny(monkeypatch) -> Architecture:
    """The same, in the table of architectures."""
    network = Tiny(
        name="tiny",
        module="tiny",
        summary="for tests",
        paper="",
        num_parameters=196,
        num_features=4,
        image_size=32,
        min_image_size=32,
        weights="none",
        epochs=1,
        learning_rate=0.01,
    )
    monkeypatch.setitem(ARCHITECTURES, "tiny", network)
    return network


@pytest.fixture
def tiny_weights(tiny, tmp_path) -> str:
    """A file of weights that it can start from, frozen."""
    keras.utils.set_random_seed(0)
    file = tmp_path / "tiny.weights.h5"
    tiny.build_backbone(32).save_weights(file)
    return str(file)


@pytest.mark.parametrize("has_start", [False, True])
def test_a_network_to_be_frozen_goes_on_from_no_other_kind_but_starts_from_its_weights(
    has_start, tiny, tiny_weights, trained
):
    settings = TrainSettings(architecture="tiny", weights=tiny_weights, warm_start="champion")
    fresh = tiny.build_backbone(32)
    fresh.load_weights(tiny_weights)

    network, transfers = start_network(
        settings.resolved(), ("dusk", "noon"), trained[0] if has_start else None
    )

    assert transfers == ()
    for one, other in zip(network.backbone.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def save_policy(name: str, folder: Path) -> Path:
    find_policy(name).save(folder)
    return folder


@pytest.fixture
def train_mixed(tiny, tmp_path, train_folder, validation_folder, monkeypatch):
    """Trains a tiny network for one epoch on mixed photos."""

    def train(augmentation: str, *, num_threads: int) -> tuple[keras.Model, ModelFolder]:
        monkeypatch.setattr(material, "num_cores", lambda: num_threads)
        folder = tmp_path / f"{augmentation}-{num_threads}"
        policy = save_policy(augmentation, tmp_path / "policy")
        settings = TrainSettings(architecture="tiny", batch_size=8, seed=3)
        train_model(train_folder, validation_folder, policy, folder, settings)
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        return model, ModelFolder(folder)

    return train


def test_cutmix_trains_a_network_from_scratch(train_mixed, photos):
    model, folder = train_mixed("cutmix", num_threads=2)

    assert folder.settings()["augmentation"] == "cutmix"
    assert folder.history()["val_accuracy"][0] in [right / 8 for right in range(9)]
    assert predict(model, photos).sum(axis=1).tolist() == pytest.approx([1] * 8, abs=1e-6)


def test_mixup_trains_a_network_to_the_same_bit_with_any_number_of_threads(train_mixed):
    one, folder = train_mixed("mixup", num_threads=1)
    four, _ = train_mixed("mixup", num_threads=4)

    assert folder.settings()["augmentation"] == "mixup"
    for first, second in zip(one.get_weights(), four.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_frozen_network_learns_from_copies_and_their_number_is_recorded(
    tiny_weights, tmp_path, train_folder, validation_folder, policy
):
    settings = TrainSettings(architecture="tiny", weights=tiny_weights, epochs=100)
    copies = tmp_path / "copies"
    materialize(train_folder, copies, find_policy("light"), copies=3, size=32, seed=settings.seed)
    folder = tmp_path / "model"

    fitted = train_model(train_folder, validation_folder, policy, folder, settings, copies=copies)

    written = ModelFolder(folder).settings()
    assert (written["augmentation"], written["augmented_copies"]) == ("light", 3)
    assert written["num_training_photos"] == 24
    assert fitted.history["val_accuracy"][fitted.best_epoch] == 1.0


def test_copies_that_nothing_would_learn_from_are_refused_before_training(
    tiny, tmp_path, train_folder, validation_folder, policy
):
    copies = tmp_path / "copies"
    materialize(train_folder, copies, find_policy("light"), copies=2, size=32, seed=0)

    with pytest.raises(InputError, match=r"`augmented_copies` are for .* Received: 2$"):
        train_model(
            train_folder,
            validation_folder,
            policy,
            tmp_path / "model",
            TrainSettings(architecture="tiny"),
            copies=copies,
        )

    assert not (tmp_path / "model").exists()


def test_mixed_photos_for_a_frozen_network_are_refused_before_training(
    tiny_weights, tmp_path, train_folder, validation_folder
):
    settings = TrainSettings(architecture="tiny", weights=tiny_weights)
    mixup = save_policy("mixup", tmp_path / "policy")

    with pytest.raises(InputError, match="'mixup' mixes photos and labels anew"):
        train_model(train_folder, validation_folder, mixup, tmp_path / "model", settings)

    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("split", "is_warned"),
    [("by hand", False), ("train 0.7, validation 0.15, test 0.15, seed 1", True)],
)
def test_going_on_from_a_model_of_another_split_is_warned_of(
    split, is_warned, trained, tmp_path, train_folder, validation_folder, policy, capsys
):
    start = tmp_path / "start"
    shutil.copytree(trained[0], start)
    settings = json.loads((start / "settings.json").read_text())
    (start / "settings.json").write_text(json.dumps({**settings, "split": split}))
    once = replace(SETTINGS, epochs=1)

    train_model(train_folder, validation_folder, policy, tmp_path / "model", once, start=start)

    assert ("it has learned some that judge now" in capsys.readouterr().out) is is_warned
    transfers = ModelFolder(tmp_path / "model").transfers()
    assert {transfer["how"] for transfer in transfers} == {"copied"}
