"""Drawn pets with boxes and masks, and real photos, as records."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.common.dataset import DatasetWriter, Part
from components.common.records import PhotoRecord
from components.ingest.samples.render import render

CLASSES = ("cat", "dog")


def make_record(encoded: bytes, *, class_name: str, filename: str, **more) -> PhotoRecord:
    height, width = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return PhotoRecord(
        encoded=encoded,
        format="jpeg",
        height=height,
        width=width,
        label=CLASSES.index(class_name),
        class_name=class_name,
        filename=filename,
        sha256=hashlib.sha256(encoded).hexdigest(),
        **more,
    )


@pytest.fixture(scope="session")
def pets() -> list[PhotoRecord]:
    """Three drawn cats and three dogs."""
    return [
        make_record(
            photo.encoded,
            class_name=photo.class_name,
            filename=photo.filename,
            box=photo.box,
            mask=photo.mask,
        )
        for photo in render("pets", photos_per_class=3, seed=0)
    ]


@pytest.fixture(scope="session")
def pets_folder(pets: list[PhotoRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a dataset folder."""
    folder = tmp_path_factory.mktemp("pets")
    writer = DatasetWriter(folder, CLASSES)
    for record in pets:
        writer.add(record)
    part = Part(split="train", dataset_digest="whole-digest", rule="by hand")
    writer.finish(name="pets", source="sample:pets", part=part)
    return folder


@pytest.fixture
def real_cats(real_data: Path) -> list[PhotoRecord]:
    """Some real photos of many sizes."""
    files = sorted((real_data / "cats_dogs" / "cat").glob("*.jpg"))[::12]
    return [make_record(file.read_bytes(), class_name="cat", filename=file.name) for file in files]
