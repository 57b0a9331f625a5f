"""Slow, since it is real: databases, processes that are killed, and an MLflow server."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from components.common import mlflow_registry
from components.common.errors import InputError, RegistryError
from components.common.mlflow_registry import MlflowRegistry
from components.common.model import ModelFolder
from components.common.registry import CHAMPION, ModelVersion, check_registry, open_registry

SERVER_START_S = 90.0
LABELS = {"code_version": "", "classes": '["cat", "dog"]'}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a space in its name, and a new registry."""
    folder = tmp_path_factory.mktemp("home") / "pet home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAWPETAL_HOME", str(folder))
        yield folder


@pytest.fixture
def registry(home) -> MlflowRegistry:
    return MlflowRegistry()


@pytest.fixture
def model_name(request) -> str:
    """One for each test."""
    return request.node.name


@pytest.fixture
def files(tmp_path) -> Path:
    return write_files(tmp_path / "files")


def write_files(folder: Path) -> Path:
    (folder / "saved_model" / "variables").mkdir(parents=True)
    (folder / "saved_model" / "variables" / "data 100%").write_bytes(b"variables")
    (folder / "model.keras").write_bytes(os.urandom(100))
    ModelFolder(folder).write(settings={"seed": 1}, history={}, plot=b"")
    return folder


def register(registry, model_name: str, files: Path, digest: str, place="") -> ModelVersion:
    metrics = {"accuracy": 0.1 + 0.2}
    return registry.register(
        model_name, files, digest=digest, metrics=metrics, labels=LABELS, place=place
    )


def check_round_trip(registry, model_name: str, files: Path, target: Path, place="") -> None:
    version = register(registry, model_name, files, "digest-1", place)
    registry.set_alias(version, CHAMPION)

    found = registry.find(model_name, CHAMPION)
    fetched = registry.download(found, target)

    assert (found.model_name, found.version, found.aliases) == (model_name, "1", (CHAMPION,))
    assert dict(found.metrics) == {"accuracy": 0.1 + 0.2}  # to the last bit
    assert dict(found.labels) == {**LABELS, "model_digest": "digest-1"}
    assert found.created_at.endswith("+00:00")
    assert fetched.is_relative_to(target)
    assert contents(fetched) == contents(files)
    assert register(registry, model_name, files, "digest-1") == found
    assert registry.versions(model_name) == [found]
    assert model_name in registry.model_names()


def test_files_in_a_bucket_come_back_unchanged(registry, model_name, files, tmp_path, bucket):
    place = f"gs://{bucket.name}/models"

    check_round_trip(registry, model_name, files, tmp_path / "fetched", place)

    version = registry.find(model_name, CHAMPION)
    assert version.source == f"{place}/{model_name}/digest-1"
    stored = {blob.name for blob in bucket.list_blobs()}
    assert f"models/{model_name}/digest-1/model.keras" in stored


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "name", ["pets", "cats and dogs", "it's", 'the "best"', "ünï-1.2_x", "50%", "a\\b"]
)
def test_version_comes_back_as_it_was_registered(registry, files, tmp_path, name):
    check_round_trip(registry, name, files, tmp_path / "fetched")


def test_another_digest_is_another_version_newest_first(registry, files, model_name):
    for digest in ("a", "b", "c"):
        register(registry, model_name, files, digest)

    versions = registry.versions(model_name)

    assert [version.version for version in versions] == ["3", "2", "1"]
    assert [version.labels["model_digest"] for version in versions] == ["c", "b", "a"]


def test_same_digest_under_another_name_is_a_version_of_that(registry, files, model_name):
    assert register(registry, model_name, files, "same").version == "1"
    assert register(registry, f"{model_name} too", files, "same").version == "1"


def test_alias_moves(registry, files, model_name):
    first, second = (register(registry, model_name, files, digest) for digest in "ab")
    registry.set_alias(first, CHAMPION)
    registry.set_alias(second, CHAMPION)

    assert registry.find(model_name, CHAMPION).version == "2"
    assert registry.find(model_name, "1").aliases == ()
    assert registry.find(model_name, "2").aliases == (CHAMPION,)


def test_registered_files_are_a_copy(registry, files, model_name, tmp_path):
    version = register(registry, model_name, files, "a")
    before = contents(files)
    (files / "model.keras").write_bytes(b"changed since")

    assert contents(registry.download(version, tmp_path / "fetched")) == before


def test_what_is_unknown_is_none_or_empty(registry, files, model_name):
    register(registry, model_name, files, "a")

    assert registry.find("unknown", "1") is None
    assert registry.find("unknown", CHAMPION) is None
    assert registry.find(model_name, "2") is None
    assert registry.find(model_name, CHAMPION) is None
    assert registry.versions("unknown") == []


@pytest.mark.parametrize("name", ["a/b", "a:b", ""])
def test_name_that_mlflow_cannot_take_is_refused(registry, files, name):
    with pytest.raises(RegistryError, match=r"^The registry cannot do this: "):
        register(registry, name, files, "a")


def test_files_that_are_gone_are_an_error(registry, files, model_name, tmp_path):
    version = register(registry, model_name, files, "a")
    artifacts = Path(version.source.removeprefix("file://").replace("%20", " "))
    artifacts.rename(tmp_path / "elsewhere")

    with pytest.raises(
        RegistryError,
        match=rf"^The files of {model_name} version 1 cannot be read from '{version.source}': ",
    ):
        registry.download(version, tmp_path / "fetched")


def test_more_than_one_page_of_models_and_versions_is_read(
    registry, files, model_name, monkeypatch
):
    monkeypatch.setattr(mlflow_registry, "PAGE", 2)
    names = [f"{model_name} {number}" for number in range(5)]
    for name in names:
        register(registry, name, files, "a")
    for digest in ("b", "c", "d", "e"):
        register(registry, names[0], files, digest)

    assert set(names) <= set(registry.model_names())
    assert [one.version for one in registry.versions(names[0])] == ["5", "4", "3", "2", "1"]
    assert register(registry, names[0], files, "a").version == "1"


def test_registry_is_in_the_home(home, registry, files, model_name):
    version = register(registry, model_name, files, "a")

    assert (home / "registry" / "mlflow.db").is_file()
    assert version.source.startswith((home / "registry" / "artifacts").as_uri())


def test_empty_uri_and_the_uri_of_the_same_database_are_one_registry(
    home, registry, files, model_name
):
    version = register(registry, model_name, files, "a")

    other = open_registry(f"mlflow:sqlite:///{home}/registry/mlflow.db")

    assert open_registry("").find(model_name, "1") == other.find(model_name, "1") == version


@pytest.mark.parametrize("uri", ["vertex:", "mlflow:", "http://127.0.0.1", "MLFLOW:x"])
def test_uri_of_another_form_is_refused(uri):
    with pytest.raises(InputError) as error:
        check_registry(uri)

    assert str(error.value) == (
        "`registry` must be empty (the one of this machine), mlflow:TRACKING_URI or"
        f" vertex:PROJECT/REGION. Received: '{uri}'"
    )


# Several processes at once. They fork from a server that has imported MLflow once.


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["components.common.mlflow_registry", "mlflow.store.tracking.sqlalchemy_store"]
    )
    return context


def register_in_process(home: str, model_name: str, files: str, digest: str, queue) -> None:
    os.environ["PAWPETAL_HOME"] = home
    try:
        queue.put(register(MlflowRegistry(), model_name, Path(files), digest).version)
    except Exception as error:
        queue.put(repr(error))


def register_at_once(
    processes, home: Path, model_name: str, files: Path, digests: list[str]
) -> list[str]:
    """What each process got: a version, or an error."""
    queue = processes.SimpleQueue()
    started = [
        processes.Process(
            target=register_in_process, args=(str(home), model_name, str(files), digest, queue)
        )
        for digest in digests
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [queue.get() for _ in started]


def test_processes_that_open_a_new_registry_at_once_all_register(
    processes, tmp_path, files, monkeypatch
):
    home = tmp_path / "home"

    got = register_at_once(processes, home, "pets", files, ["a", "b", "c", "d"])

    monkeypatch.setenv("PAWPETAL_HOME", str(home))
    versions = MlflowRegistry().versions("pets")
    assert sorted(got) == ["1", "2", "3", "4"]
    assert sorted(version.labels["model_digest"] for version in versions) == ["a", "b", "c", "d"]


def test_processes_that_register_the_same_model_at_once_get_one_version(
    processes, home, registry, files, model_name
):
    got = register_at_once(processes, home, model_name, files, ["same"] * 3)

    assert got == ["1", "1", "1"]
    assert [version.version for version in registry.versions(model_name)] == ["1"]


def register_for_ever(home: str, model_name: str, files: str, first: int, started) -> None:
    os.environ["PAWPETAL_HOME"] = home
    registry = MlflowRegistry()
    started.set()
    for number in range(first, first + 1000):
        register(registry, model_name, Path(files), f"digest-{number}")


def test_process_killed_at_any_moment_leaves_whole_versions_only(
    processes, home, registry, tmp_path, model_name
):
    files = write_files(tmp_path / "files")
    for number in range(800):  # so that copying takes as long as all the rest
        (files / f"{number}.txt").write_bytes(b"x")
    rng = random.Random(0)  # noqa: S311
    for attempt in range(6):
        started = processes.Event()
        process = processes.Process(
            target=register_for_ever,
            args=(str(home), model_name, str(files), 1000 * attempt, started),
        )
        process.start()
        assert started.wait(timeout=60)
        time.sleep(rng.uniform(0.0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        process.join()

        register(registry, model_name, files, f"after-{attempt}")

    versions = registry.versions(model_name)
    assert len(versions) >= 6
    whole = contents(files)
    for version in versions:
        fetched = registry.download(version, tmp_path / version.version)
        assert contents(fetched) == whole
        assert dict(version.metrics) == {"accuracy": 0.1 + 0.2}


def open_in_process(home: str, files: Path, started) -> None:
    os.environ["PAWPETAL_HOME"] = home
    started.set()
    register(MlflowRegistry(), "pets", files, "a")


def test_process_killed_while_it_makes_a_registry_leaves_no_half_of_one(
    processes, tmp_path, files, monkeypatch
):
    started = processes.Event()
    process = processes.Process(
        target=open_in_process, args=(str(tmp_path / "home"), files, started)
    )
    process.start()
    assert started.wait(timeout=60)
    time.sleep(0.8)  # it takes about 2 s
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "home"))
    assert register(MlflowRegistry(), "pets", files, "a").version == "1"


# A server.


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a real MLflow server that keeps the artifacts, too."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process, folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The MLflow server did not answer at {url}: {log.read_text()}")


def test_server_keeps_versions_and_their_files(server, home, files, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    registry = open_registry(f"mlflow:{server}")

    check_round_trip(registry, "it's a pet", files, tmp_path / "fetched")

    assert registry.find("unknown", "1") is None
    assert registry.find("it's a pet", "unknown") is None
    assert registry.versions("unknown") == []
    assert registry.model_names() == ["it's a pet"]


def test_a_home_with_marks_that_mean_something_in_a_uri_works(tmp_path, monkeypatch, files):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "h ö'\"%41 #1?x"))

    made = register(MlflowRegistry(), "pets", files, "a")

    assert MlflowRegistry().versions("pets") == [made]
    assert (tmp_path / "h ö'\"%41 #1?x" / "registry" / "mlflow.db").is_file()


def test_looking_makes_no_database(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path))

    assert MlflowRegistry().model_names() == []
    assert MlflowRegistry().find("pets", CHAMPION) is None
    assert list(tmp_path.iterdir()) == []
