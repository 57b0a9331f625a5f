"""A whole training on 8 devices that the CPU simulates, beside one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.augment.policies import find_policy
from components.common.model import ModelFolder

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


@pytest.fixture(scope="module")
def models(tmp_path_factory, train_folder, validation_folder) -> dict[str, Path]:
    """By name: the folder of a model that 1 or 8 devices trained, 24 photos in batches of 16."""
    root = tmp_path_factory.mktemp("replicas")
    find_policy("light").save(root / "policy")
    settings = {
        "architecture": "dense", "image_size": 32, "epochs": 2, "batch_size": 16, "seed": 1,
    }  # fmt: skip
    devices = {
        "one": {"device": "auto", "num_replicas": 0},
        "eight": {"device": "cpu", "num_replicas": 8},
    }
    for name, chosen in devices.items():
        places = [train_folder, validation_folder, root / "policy", root / name]
        subprocess.run(
            [sys.executable, "-c", TRAIN, *map(str, places), json.dumps({**settings, **chosen})],
            env={**os.environ, "KERAS_BACKEND": "jax"},  # as the image for TPUs sets it
            check=True,
        )
    return {name: root / name for name in ("one", "eight")}


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
