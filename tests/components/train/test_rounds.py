from dataclasses import replace

import keras
import numpy as np
import pytest

from components.augment.policies import find_policy
from components.common.manifest import Manifest, Round
from components.common.model import ModelFolder
from components.common.photos import PhotoSet
from components.train import rounds as rounds_module
from components.train.loop.loop import Fit
from components.train.material import Material
from components.train.network import Network, build_head
from components.train.rounds import Stage, find_stages, train_rounds
from components.train.settings import TrainSettings
from components.train.train import make_deterministic, train_model

SETTINGS = TrainSettings(
    architecture="dense", image_size=32, epochs=2, batch_size=8, learning_rate=0.01, seed=3
).resolved()
STAGES = (
    Stage(dataset="easy", num_photos=16, num_validation_photos=4),
    Stage(dataset="hard", num_photos=24, num_validation_photos=8),
)


@pytest.fixture(scope="module")
def material(train_photos, validation_photos) -> Material:
    return Material(train=train_photos, validation=validation_photos, policy=find_policy("light"))


def start() -> Network:
    """A network so small that most of a training is not compiling it."""
    make_deterministic(SETTINGS.seed)
    backbone = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, "tanh"),
        ],
        name="backbone",
    )
    return Network(backbone=backbone, head=build_head(4, 2, seed=SETTINGS.seed))


def train(material, stages=STAGES, settings=SETTINGS):
    return train_rounds(start(), material, settings, stages)


def same_weights(one, other) -> bool:
    pairs = zip(one.backbone.get_weights(), other.backbone.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def trained(material):
    return train(material)


def test_rounds_are_told_one_after_the_other(trained):
    _, fitted, results = trained

    assert [(one.round, one.dataset, one.num_photos, one.epochs) for one in results] == [
        (1, "easy", 16, 2),
        (2, "hard", 24, 2),
    ]
    assert {len(values) for values in fitted.history.values()} == {4}  # 2 rounds of 2 epochs


def test_the_best_epoch_is_one_of_the_last_round(trained):
    _, fitted, _ = trained

    last = fitted.history["val_loss"][2:]
    assert fitted.best_epoch == 2 + last.index(min(last))


def test_every_round_is_judged_on_the_photos_of_every_dataset(trained, material):
    network, _, results = trained

    assert all(list(one.accuracy) == ["easy", "hard"] for one in results)
    model = network.assemble(mirror_averaging=True)
    images = material.validation.images.astype(np.float32)
    right = model.predict(images, verbose=0).argmax(axis=1) == material.validation.labels
    assert results[-1].accuracy == {"easy": right[:4].mean(), "hard": right[4:].mean()}


def test_the_first_round_is_a_training_on_its_photos_alone(material):
    easy = replace(
        material, train=material.train.first(16), validation=material.validation.first(4)
    )

    alone, alone_fit, _ = train(easy, stages=())
    network, fitted, _ = train(material, stages=STAGES[:1])

    assert fitted == alone_fit
    assert same_weights(network, alone)


def test_a_round_sees_the_photos_up_to_its_end_and_goes_on_from_the_weights_before(
    material, monkeypatch
):
    seen, starts = [], []

    def remember(network, given, settings, phases):
        seen.append((len(given.train), len(given.validation), settings.seed))
        starts.append(network.head.get_weights()[0].copy())
        network.head.set_weights([weights + 1 for weights in network.head.get_weights()])
        return network, Fit(history={"loss": [1.0], "val_loss": [1.0]}, best_epoch=0)

    monkeypatch.setattr(rounds_module, "train_network", remember)
    train(material)

    assert seen == [(16, 4, 3), (24, 8, 4)]
    np.testing.assert_array_equal(starts[1], starts[0] + 1)


def test_a_dataset_that_brings_no_validation_photos_is_not_judged(material):
    stages = (STAGES[0], replace(STAGES[1], num_validation_photos=4))

    _, _, results = train(material, stages, replace(SETTINGS, epochs=1))

    assert [list(one.accuracy) for one in results] == [["easy"], ["easy"]]


def test_without_rounds_it_is_a_training_at_once(material):
    network, fitted, results = train(material, stages=())

    assert results == []
    assert len(fitted.history["loss"]) == 2
    assert network.head.output_shape == (None, 2)


def test_a_frozen_backbone_stays_and_gets_a_head_in_each_round(material):
    settings = replace(SETTINGS, weights="/start.weights.h5", fine_tune_epochs=0)

    network, fitted, results = train(material, settings=settings)

    assert len(fitted.history["loss"]) == sum(one.epochs for one in results) == 4
    assert same_weights(network, start())
    assert [type(layer).__name__ for layer in network.head.layers] == ["Dense"]  # no dropout


def test_written_copies_are_taken_with_their_photos(material, monkeypatch):
    def twice(photos: PhotoSet) -> PhotoSet:
        return PhotoSet(
            images=np.repeat(photos.images, 2, axis=0),
            labels=np.repeat(photos.labels, 2),
            boxes=np.repeat(photos.boxes, 2, axis=0),
            filenames=tuple(name for name in photos.filenames for _ in range(2)),
            classes=photos.classes,
        )

    numbers = []

    def remember(network, given, settings, phases):
        numbers.append(len(given.copies))
        assert given.copies.filenames[::2] == given.train.filenames
        return network, Fit(history={"loss": [1.0], "val_loss": [1.0]}, best_epoch=0)

    monkeypatch.setattr(rounds_module, "train_network", remember)
    train(replace(material, copies=twice(material.train)))

    assert numbers == [32, 48]


def test_rounds_are_those_of_both_manifests(train_folder, validation_folder, tmp_path):
    assert find_stages(train_folder, validation_folder) == ()
    folders = with_rounds(train_folder, validation_folder, tmp_path)

    assert find_stages(*folders) == STAGES


def with_rounds(train_folder, validation_folder, root):
    """The same photos as if they had been joined."""
    given = {"train": (train_folder, 16, 24), "validation": (validation_folder, 4, 8)}
    for split, (folder, first, second) in given.items():
        rounds = (Round(name="easy", num_photos=first), Round(name="hard", num_photos=second))
        manifest = replace(Manifest.load(folder), location=str(folder), rounds=rounds)
        manifest.save(root / split)
    return root / "train", root / "validation"


def test_a_model_of_joined_datasets_keeps_what_each_round_gave(
    train_folder, validation_folder, tmp_path
):
    train_split, validation_split = with_rounds(train_folder, validation_folder, tmp_path)
    find_policy("none").save(tmp_path / "policy")

    fitted = train_model(
        train_split, validation_split, tmp_path / "policy", tmp_path / "model", SETTINGS
    )

    folder = ModelFolder(tmp_path / "model")
    easy, hard = folder.rounds()
    assert (easy["round"], easy["dataset"], easy["num_photos"], easy["epochs"]) == (
        *(1, "easy", 16, 2),
    )
    assert set(hard["accuracy"]) == {"easy", "hard"}
    assert len(folder.history()["loss"]) == 4
    assert folder.settings()["best_epoch"] == fitted.best_epoch + 1


def test_a_model_that_was_trained_at_once_has_no_rounds(tmp_path):
    ModelFolder(tmp_path).write(settings={}, history={}, plot=b"")

    assert ModelFolder(tmp_path).rounds() == []
