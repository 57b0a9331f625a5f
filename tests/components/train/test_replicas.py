"""A whole training on 8 devices that the CPU simulates, beside one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.augment.policies import find_policy
from components.common.model import ModelFolder
from tests.components.train.loop.test_jax_steps import FAST

TRAIN = """
import json, sys
from pathlib import Path
from components.train.devices import prepare_device
settings = json.loads(sys.argv[5])
prepare_device(settings["device"], settings["num_replicas"])
from components.train.settings import TrainSettings
from components.train.train import train_model
train, validation, policy, folder = map(Path, sys.argv[1:5])
train_model(train, validation, policy, folder, TrainSettings(**settings), logs=folder / "logs")
"""


def train(folder: Path, train: Path, validation: Path, policy: str, **settings: object) -> Path:
    """Trains under JAX; the folder of the model."""
    find_policy(policy).save(folder / "policy")
    usual = {"image_size": 32, "epochs": 2, "batch_size": 16, "seed": 1}
    places = [train, validation, folder / "policy", folder / "model"]
    subprocess.run(
        [sys.executable, "-c", TRAIN, *map(str, places), json.dumps({**usual, **settings})],
        # As the image for TPUs sets it, and compiled in half the time.
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": FAST},
        check=True,
    )
    return folder / "model"


@pytest.fixture(scope="module")
def models(tmp_path_factory, train_folder, validation_folder) -> dict[str, Path]:
    """By name: the folder of a model that 1 or 8 devices trained, 24 photos in batches of 16."""
    devices = {
        "one": {"device": "auto", "num_replicas": 0},
        "eight": {"device": "cpu", "num_replicas": 8},
    }
    return {
        name: train(
            tmp_path_factory.mktemp(name),
            train_folder,
            validation_folder,
            "light",
            architecture="dense",
            **chosen,
        )
        for name, chosen in devices.items()
    }


def test_eight_devices_learn_what_one_learns(models):
    one, eight = (ModelFolder(models[name]) for name in ("one", "eight"))

    assert eight.settings()["backend"] == "jax"
    assert eight.settings()["num_replicas"] == 8
    for name, values in one.history().items():
        np.testing.assert_allclose(eight.history()[name], values, atol=5e-5)


def test_exported_model_of_eight_devices_answers_as_that_of_one(models):
    photos = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    one, eight = (
        tf.saved_model.load(str(models[name] / "saved_model")) for name in ("one", "eight")
    )

    np.testing.assert_allclose(one.serve(photos), eight.serve(photos), atol=1e-4)


def test_class_and_place_are_learned_under_jax_and_said_by_the_exported_model(
    tmp_path, placed_folders
):
    places = {"device": "cpu", "num_replicas": 2}
    model = train(tmp_path, *placed_folders, "none", epochs=1, architecture="two_output", **places)

    history = ModelFolder(model).history()
    assert all(np.isfinite(values).all() for values in history.values())
    photos = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    exported = tf.saved_model.load(str(model / "saved_model"))
    said = exported.serve(photos)
    loaded = keras.models.load_model(model / "model.keras").predict(photos, verbose=0)
    for name, value in loaded.items():
        np.testing.assert_allclose(said[name], value, atol=1e-4)


def test_mixed_photos_are_learned_under_jax_in_bfloat16(tmp_path, train_folder, validation_folder):
    places = {"device": "cpu", "num_replicas": 2}
    half = {"precision": "mixed_bfloat16"}
    model = train(
        tmp_path,
        train_folder,
        validation_folder,
        "mixup",
        architecture="dense",
        **places,
        **half,
    )

    losses = ModelFolder(model).history()["loss"]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
