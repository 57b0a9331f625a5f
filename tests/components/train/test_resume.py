"""A training that is killed, and killed again, ends as the one that never was."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from components.augment.policies import Policy, find_policy
from components.common.errors import TrainingError
from components.common.model import ModelFolder
from components.train.loop.checkpoints import Checkpoint, Checkpoints, Saved
from components.train.resume import find_checkpoints
from components.train.settings import TrainSettings
from components.train.train import train_model

TRAIN = """
import json, sys
from pathlib import Path
from components.train.settings import TrainSettings
from components.train.train import train_model

train, validation, policy, folder, checkpoints = sys.argv[1:6]
train_model(
    Path(train), Path(validation), Path(policy), Path(folder),
    TrainSettings(**json.loads(sys.argv[6])),
    checkpoints=checkpoints, checkpoint_seconds=0,
)
"""
SMALL = {"epochs": 30, "batch_size": 8, "image_size": 32, "seed": 5}
TRAININGS = {  # with how often each is killed, 20 times in all; the small ones start quickly
    "dense": (6, {}),
    "inception": (2, {"ema": 0.9}),
    "inception_reference": (4, {"image_size": 8, "optimizer": "sgd"}),
    "residual": (1, {"label_smoothing": 0.1}),
    "residual_reference": (3, {"image_size": 8, "optimizer": "rmsprop"}),
    "two_output": (2, {"loss_weighting": "scheduled"}),
    "transfer:MobileNetV2": (2, {"epochs": 60, "fine_tune_epochs": 20, "fine_tune_blocks": 1}),
}


class Training:
    """One training, to be run here or in a process that can be killed."""

    def __init__(self, train: Path, validation: Path, policy: Path, settings: dict) -> None:
        self.places = (train, validation, policy)
        self.settings = settings

    def run(self, folder: Path, checkpoints: str = "", **how: object) -> str:
        train_model(
            *self.places, folder, TrainSettings(**self.settings), checkpoints=checkpoints, **how
        )
        return digest_of(folder)

    def start(self, folder: Path, checkpoints: Path) -> subprocess.Popen:
        arguments = [*map(str, self.places), str(folder), str(checkpoints)]
        return subprocess.Popen(
            [sys.executable, "-c", TRAIN, *arguments, json.dumps(self.settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def digest_of(folder: Path) -> str:
    """Of the weights, the history and the best epoch: equal to the bit, or not equal."""
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    kept = ModelFolder(folder)
    digest.update(json.dumps([kept.history(), kept.settings()["best_epoch"]]).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    find_policy("light").save(folder)
    return folder


@pytest.fixture
def training(request, tmp_path, train_folder, validation_folder, policy, placed_folders):
    name = getattr(request, "param", "dense")
    settings = {"architecture": name, **SMALL, **TRAININGS[name][1]}
    folders = placed_folders if name == "two_output" else (train_folder, validation_folder)
    if name.startswith("transfer:"):
        weights = tmp_path / "backbone.weights.h5"
        keras.utils.set_random_seed(0)
        shape = (settings["image_size"], settings["image_size"], 3)
        keras.applications.MobileNetV2(shape, include_top=False, weights=None).save_weights(weights)
        settings["weights"] = str(weights)
    return Training(*folders, policy, settings)


def wait_for_step(process: subprocess.Popen, checkpoints: Path) -> bool:
    """Wait until it has saved something new; say whether it did, before it ended."""
    before = {file: file.stat().st_mtime_ns for file in checkpoints.rglob("*.npz")}
    while process.poll() is None:
        for file in checkpoints.rglob("*.npz"):
            if file.exists() and file.stat().st_mtime_ns != before.get(file):
                return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize("training", list(TRAININGS), indirect=True)
def test_training_that_is_killed_at_random_moments_ends_with_the_same_weights(training, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    draw = random.Random(training.settings["architecture"])  # noqa: S311
    num_kills, _ = TRAININGS[training.settings["architecture"]]
    for _ in range(num_kills):
        process = training.start(tmp_path / "killed", checkpoints)
        assert wait_for_step(process, checkpoints), process.communicate()[0]
        time.sleep(draw.uniform(0, 0.3))
        process.kill()
        assert process.wait() == -signal.SIGKILL

    killed = training.run(tmp_path / "killed", str(checkpoints))

    assert killed == training.run(tmp_path / "whole")
    assert not list(checkpoints.rglob("*.npz"))  # once the model is written, they are gone


def test_sigterm_saves_at_once_and_the_same_run_again_goes_on(training, tmp_path, capsys):
    checkpoints = tmp_path / "checkpoints"
    process = training.start(tmp_path / "stopped", checkpoints)
    assert wait_for_step(process, checkpoints)

    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]

    assert process.returncode == 143
    assert "its state is saved, and the same run again goes on" in output
    stopped = training.run(tmp_path / "stopped", str(checkpoints))
    assert "[progress] going on from epoch" in capsys.readouterr().out
    assert stopped == training.run(tmp_path / "whole")


def test_another_training_does_not_take_up_the_state(training, tmp_path, capsys):
    checkpoints = tmp_path / "checkpoints"
    process = training.start(tmp_path / "killed", checkpoints)
    assert wait_for_step(process, checkpoints)
    process.kill()
    process.wait()

    training.settings["learning_rate"] = 0.002
    training.run(tmp_path / "other", str(checkpoints))

    assert "going on from" not in capsys.readouterr().out
    assert len(list(checkpoints.rglob("*.npz"))) == 1  # of the first one


def test_state_that_nobody_took_up_for_a_month_is_deleted_by_the_next_training(
    tmp_path, train_folder, validation_folder, policy
):
    kept, left = tmp_path / "kept", tmp_path / "left"
    month = 31 * 24 * 3600
    for folder, age in ((kept, month - 2 * 24 * 3600), (left, month)):
        folder.mkdir()
        os.utime(folder, (time.time() - age,) * 2)

    def find() -> Checkpoints:
        return find_checkpoints(
            str(tmp_path),
            TrainSettings().resolved(),
            Policy.load(policy),
            [train_folder, validation_folder],
            start=None,
            versions=["1"],
            every_s=60,
        )

    own = Path(find().folder)
    own.mkdir()
    os.utime(own, (time.time() - month,) * 2)  # is being taken up just now
    find()

    assert kept.is_dir()
    assert own.is_dir()
    assert not left.exists()


def test_checkpoint_comes_back_as_it_was(tmp_path):
    checkpoint = Checkpoint(str(tmp_path / "phase.npz"), every_s=0)
    assert checkpoint.load() is None
    saved = Saved(facts={"epoch": 3, "best_loss": 0.5}, arrays={"state/0": np.arange(3.0)})

    checkpoint.save(saved)
    checkpoint.save(saved)

    again = checkpoint.load()
    assert again.facts == saved.facts
    np.testing.assert_array_equal(again.arrays["state/0"], [0, 1, 2])
    assert [file.name for file in tmp_path.iterdir()] == ["phase.npz"]  # the last one only


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_damaged_checkpoint_is_told_of_and_not_used(content, tmp_path, capsys):
    (tmp_path / "phase.npz").write_bytes(content)

    assert Checkpoint(str(tmp_path / "phase.npz"), every_s=0).load() is None

    assert "phase.npz' is damaged" in capsys.readouterr().out


def test_checkpoint_holds_no_code(tmp_path):
    np.savez(tmp_path / "phase.npz", facts=np.array([{"epoch": 3}], dtype=object))

    assert Checkpoint(str(tmp_path / "phase.npz"), every_s=0).load() is None


def test_full_disk_is_told_of_and_the_last_checkpoint_stands(full_disk):
    checkpoint = Checkpoints(str(full_disk), every_s=0).phase("whole")
    checkpoint.save(Saved(facts={"epoch": 1}, arrays={"state/0": np.zeros(10)}))

    large = Saved(facts={"epoch": 2}, arrays={"state/0": np.zeros(2**20)})
    with pytest.raises(TrainingError, match=r"No space left on device.*make room"):
        checkpoint.save(large)

    assert checkpoint.load().facts == {"epoch": 1}


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 1 MiB; needs the right to mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)
