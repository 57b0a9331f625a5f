"""What tests of every step share: real photos, drawn photos, an emulated Cloud Storage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# TensorFlow reads it once, when it is first imported: here no test has done so yet.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
import pytest

from infra.gcs.emulator import EmulatorMissingError, emulator, find_program
from pipelines.images import reference
from tests.gcs.faults import FaultyServer
from tests.google_cloud.double import GoogleDouble

ROOT = Path(__file__).parents[1]
REAL_DATA = "PAWPETAL_REAL_DATA"

# Files of a minute and more, the longest first. Each worker takes whole files (--dist loadfile), so
# one that starts late is what everybody waits for. Left to itself xdist starts with the files of
# most tests, which puts these last: --no-loadscope-reorder keeps the order made here.
LONGEST = (
    "components/train/test_resume.py",
    "pipelines/test_sweep.py",
    "pipelines/test_docker_run.py",
    "pipelines/test_retrain.py",
    "infra/test_gcs_demo.py",
    "pipelines/schedules/local/test_service.py",
    "pipelines/test_curriculum.py",
    "pipelines/test_local_run.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the rest keeps its order."""
    places = {ROOT / "tests" / path: place for place, path in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture
def real_data() -> Path:
    """The folder with real photos (`flowers`, `cats_dogs`: a folder a class)."""
    if not os.environ.get(REAL_DATA):
        pytest.skip(f"{REAL_DATA} is not set: it names the folder with flowers/ and cats_dogs/")
    return Path(os.environ[REAL_DATA])


PhotoFolder = Callable[..., Path]


@pytest.fixture
def photo_folder(tmp_path: Path) -> PhotoFolder:
    """Writes class folders of small photos, the same for the same arguments.

    `photo_folder({"cat": 3, "dog": 2})` gives the folder; `name`, `seed` and `suffix` as below.
    """

    def write(
        counts: dict[str, int], *, name: str = "photos", seed: int = 0, suffix: str = ".jpg"
    ) -> Path:
        rng = np.random.default_rng(seed)
        for class_name, count in counts.items():
            (tmp_path / name / class_name).mkdir(parents=True)
            for index in range(count):
                encoded = encode_photo(rng, suffix=suffix)
                (tmp_path / name / class_name / f"{index:03d}{suffix}").write_bytes(encoded)
        return tmp_path / name

    return write


def encode_photo(rng: np.random.Generator, *, suffix: str = ".jpg") -> bytes:
    """One photo with a few soft blobs of colour, 24 to 40 pixels a side."""
    height, width = rng.integers(24, 41, 2).tolist()
    coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
    photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(suffix, photo)[1].tobytes()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """The address of a real fake-gcs-server, which keeps its buckets in memory."""
    try:
        find_program()
    except EmulatorMissingError as error:
        pytest.skip(str(error))
    with emulator() as address:
        yield address


@pytest.fixture
def gcs(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the emulated Cloud Storage, which `components.common.storage` speaks to, too."""
    from google.cloud import storage as google_storage

    from components.common import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # where there is a proxy, it cannot reach us
    storage.disconnect()
    client = google_storage.Client.create_anonymous_client()
    yield client
    client.close()
    storage.disconnect()


@pytest.fixture
def faulty_gcs(
    gcs_server: str, gcs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyServer]:
    """A server between `components.common.storage` and the emulator, which makes faults."""
    from components.common import storage

    with FaultyServer(gcs_server) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        storage.disconnect()
        yield server
        storage.disconnect()


@pytest.fixture
def bucket(gcs: Any) -> Any:
    """A new bucket of the emulated Cloud Storage."""
    return gcs.create_bucket(f"bucket-{uuid.uuid4().hex}")


@pytest.fixture
def google() -> Iterator[GoogleDouble]:
    """A double of Google Cloud's endpoints, with a project that is in order."""
    with GoogleDouble() as double:
        yield double


@pytest.fixture(scope="session")
def docker_images() -> dict[str, str]:
    """References of the images of this code, `light` and `cpu`; built where they are missing."""
    if os.environ.get("PAWPETAL_ENGINE") == "no":
        pytest.skip("PAWPETAL_ENGINE=no: no images to run")
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True).returncode
    ):
        pytest.skip("no Docker engine answers (docker info)")
    build = [sys.executable, str(ROOT / "docker" / "build.py"), "light", "cpu"]
    done = subprocess.run(build, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"the images cannot be built:\n{done.stdout}{done.stderr}")
    return {name: reference(f"pawpetal-{name}") for name in ("light", "cpu")}
