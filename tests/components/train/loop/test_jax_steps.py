"""Training under JAX, in processes of their own: this one has Keras on TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.components.train.loop.jax_training import ROWS, make_batches

ROOT = Path(__file__).parents[4]
FAST = "--xla_backend_optimization_level=0"  # half the time is compiling


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.components.train.loop.jax_training"]
    return subprocess.Popen(
        [*command, *arguments, str(folder)],
        env={**os.environ, "XLA_FLAGS": FAST, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of what one device, and eight, have trained: model.keras, what it says, told.json."""
    folder = tmp_path_factory.mktemp("jax")
    started = {
        "one": start(folder / "one", "auto", "0", KERAS_BACKEND="jax", JAX_PLATFORMS="cpu"),
        "eight": start(folder / "eight", "cpu", "8", KERAS_BACKEND="tensorflow"),
    }
    for process in started.values():
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
    return {name: folder / name for name in started}


@pytest.fixture(scope="module")
def told(trained) -> dict[str, dict]:
    return {
        name: json.loads((folder / "told.json").read_text()) for name, folder in trained.items()
    }


def test_a_cpu_is_divided_into_as_many_devices_as_asked_for(told):
    assert told["eight"]["device"] == "8 x cpu (JAX)"
    assert told["eight"]["num_replicas"] == 8


def test_auto_takes_jax_where_the_environment_says_so(told):
    assert told["one"]["device"] == "1 x cpu (JAX)"
    assert told["one"]["num_replicas"] == 1


def test_eight_devices_train_as_one_also_on_a_last_batch_that_they_do_not_divide(told):
    one, eight = told["one"]["trained"], told["eight"]["trained"]

    assert len(one) == len(ROWS)
    assert len({step["loss"] for step in one}) == len(ROWS)  # it does learn
    for alone, shared in zip(one, eight, strict=True):
        assert shared == pytest.approx(alone, abs=1e-4)


def test_eight_devices_evaluate_as_one(told):
    """By moving statistics of batch normalisation, with the dropout left out."""
    assert told["eight"]["evaluated"] == pytest.approx(told["one"]["evaluated"], abs=1e-4)
    assert told["eight"]["weighted"] == pytest.approx(told["one"]["weighted"], abs=1e-4)


def test_metrics_are_those_of_all_photos_however_batches_divide_them(trained, told):
    model = keras.models.load_model(trained["eight"] / "model.keras")
    photos, labels = (np.concatenate(parts) for parts in zip(*make_batches(), strict=True))

    said = model.predict(photos, verbose=0)

    of_the_truth = said[np.arange(len(labels)), labels]
    assert told["eight"]["evaluated"]["loss"] == pytest.approx(-np.log(of_the_truth).mean())
    right = np.mean(said.argmax(axis=1) == labels)
    assert told["eight"]["evaluated"]["accuracy"] == pytest.approx(right)


def test_pulled_state_has_counted_steps_and_moved_the_random_generator(told):
    for one in told.values():
        assert one["steps"] == len(ROWS)
        assert one["drawn"] == len(ROWS)  # dropout draws once a step


def test_variables_can_be_read_while_the_state_is_on_the_devices(told):
    assert told["one"]["readable"]
    assert told["eight"]["readable"]


def test_pushed_weights_are_those_that_are_used(told):
    # Three classes, each as likely as the others.
    assert told["eight"]["pushed"] == pytest.approx(np.log(3), abs=1e-5)
    assert told["eight"]["trained on"] == pytest.approx(np.log(3), abs=1e-5)


def test_tensorflow_predicts_what_jax_did_from_the_saved_model(trained):
    saved = np.load(trained["eight"] / "predicted.npz")
    model = keras.models.load_model(trained["eight"] / "model.keras")

    assert keras.backend.backend() == "tensorflow"
    np.testing.assert_allclose(model.predict(saved["photos"], verbose=0), saved["said"], atol=1e-5)
