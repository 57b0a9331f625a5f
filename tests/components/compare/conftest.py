"""Real, tiny models of two networks, trained on photos that anything can tell apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.augment.policies import find_policy
from components.common.dataset import DatasetWriter, Part
from components.common.records import PhotoRecord
from components.train.settings import TrainSettings
from components.train.train import train_model

SIZE = 40  # pixels
CLASSES = ("dusk", "noon")
TRAININGS = {
    "dense-16": TrainSettings(architecture="dense", image_size=16, epochs=2, batch_size=8),
    "dense-24": TrainSettings(architecture="dense", image_size=24, epochs=1, batch_size=8),
    "residual": TrainSettings(architecture="residual", image_size=32, epochs=1, batch_size=8),
}


def write_photos(folder: Path, num_photos: int, *, split: str, seed: int) -> Path:
    """A dataset of dark and bright noise, the classes in turn."""
    rng = np.random.default_rng(seed)
    writer = DatasetWriter(folder, CLASSES)
    for row in range(num_photos):
        label = row % 2
        noise = rng.integers(0, 100, (SIZE, SIZE, 3)) + 155 * label
        encoded = cv2.imencode(".png", noise.astype(np.uint8))[1].tobytes()
        writer.add(
            PhotoRecord(
                encoded=encoded,
                format="png",
                height=SIZE,
                width=SIZE,
                label=label,
                class_name=CLASSES[label],
                filename=f"{row:03d}.png",
                sha256=hashlib.sha256(encoded).hexdigest(),
            )
        )
    part = Part(split=split, dataset_digest="whole-digest", rule="by hand")
    writer.finish(name="daytime", source="drawn://daytime", part=part)
    return folder


@pytest.fixture(scope="session")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 photos to choose by."""
    return write_photos(tmp_path_factory.mktemp("chosen-by"), 12, split="validation", seed=2)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, validation: Path) -> dict[str, Path]:
    """The folders of the models, by the names of `TRAININGS`."""
    folder = tmp_path_factory.mktemp("candidates")
    train = write_photos(folder / "train", 24, split="train", seed=1)
    find_policy("none").save(folder / "policy")
    for name, settings in TRAININGS.items():
        train_model(train, validation, folder / "policy", folder / name, settings)
    return {name: folder / name for name in TRAININGS}
