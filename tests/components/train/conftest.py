"""Photos that anything can tell apart: class `dusk` is dark and class `noon` is bright."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.common.dataset import DatasetWriter, Part
from components.common.photos import PhotoSet
from components.common.records import PhotoRecord

SIZE = 32  # pixels
CLASSES = ("dusk", "noon")


def draw(num_photos: int, *, seed: int) -> PhotoSet:
    """Noise in [0, 100) for dusk and in [155, 255) for noon, the classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_photos, dtype=np.int32) % 2
    noise = rng.integers(0, 100, (num_photos, SIZE, SIZE, 3))
    return PhotoSet(
        images=(noise + 155 * labels[:, None, None, None]).astype(np.uint8),
        labels=labels,
        boxes=np.full((num_photos, 4), np.nan, np.float32),
        filenames=tuple(f"{row:03d}.png" for row in range(num_photos)),
        classes=CLASSES,
    )


def write(folder: Path, photos: PhotoSet, *, split: str) -> Path:
    writer = DatasetWriter(folder, photos.classes)
    for row, (image, label) in enumerate(zip(photos.images, photos.labels, strict=True)):
        encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        writer.add(
            PhotoRecord(
                encoded=encoded,
                format="png",
                height=SIZE,
                width=SIZE,
                label=int(label),
                class_name=photos.classes[label],
                filename=photos.filenames[row],
                box=None
                if np.isnan(photos.boxes[row]).any()
                else tuple(photos.boxes[row].tolist()),
                sha256=hashlib.sha256(encoded).hexdigest(),
            )
        )
    writer.finish(
        name="daytime",
        source="drawn://daytime",
        part=Part(split=split, dataset_digest="whole-digest", rule="by hand"),
    )
    return folder


@pytest.fixture(scope="session")
def draw_photos() -> Callable[..., PhotoSet]:
    """Draws more of them: `draw_photos(num_photos, seed=...)`."""
    return draw


@pytest.fixture(scope="session")
def train_photos() -> PhotoSet:
    return draw(24, seed=1)


@pytest.fixture(scope="session")
def validation_photos() -> PhotoSet:
    return draw(8, seed=2)


@pytest.fixture(scope="session")
def train_folder(tmp_path_factory: pytest.TempPathFactory, train_photos: PhotoSet) -> Path:
    return write(tmp_path_factory.mktemp("train"), train_photos, split="train")


@pytest.fixture(scope="session")
def validation_folder(
    tmp_path_factory: pytest.TempPathFactory, validation_photos: PhotoSet
) -> Path:
    return write(tmp_path_factory.mktemp("validation"), validation_photos, split="validation")


@pytest.fixture(scope="session")
def placed_folders(
    tmp_path_factory: pytest.TempPathFactory, train_photos: PhotoSet, validation_photos: PhotoSet
) -> tuple[Path, Path]:
    """Train and validation, every photo with a box."""
    return tuple(
        write(
            tmp_path_factory.mktemp(split),
            replace(photos, boxes=np.full((len(photos), 4), [0.2, 0.3, 0.6, 0.9], np.float32)),
            split=split,
        )
        for split, photos in (("train", train_photos), ("validation", validation_photos))
    )


@pytest.fixture
def mobilenet_weights(real_data: Path) -> str:
    """The file of MobileNetV2's ImageNet weights without its top."""
    file = real_data.parent / "weights" / "mobilenet_v2_imagenet_no_top.weights.h5"
    if not file.is_file():
        pytest.skip(f"'{file}' is not there: it holds MobileNetV2's weights")
    return str(file)
