"""Real registries and buckets; the models are only files here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.common.errors import InputError
from components.common.mlflow_registry import MlflowRegistry
from components.common.model import ModelFolder
from components.common.registry import CHAMPION
from components.train.start import Start, fetch_start, find_start, is_path

EMPTY = "mlflow:sqlite:///"


def fingerprint(warm_start: str, model_name: str, registry: str) -> str:
    return find_start(warm_start, model_name, registry).fingerprint()


def write_model(folder: Path, content: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(content)
    ModelFolder(folder).write(settings={"classes": ["cat"]}, history={}, plot=b"")
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> str:
    """Two versions of pets, the first one champion, and one of flowers."""
    root = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{root}/mlflow.db"
    opened = MlflowRegistry(uri)
    for name, digest in (("pets", "a"), ("pets", "b"), ("flowers", "c")):
        files = write_model(root / digest, digest.encode())
        version = opened.register(name, files, digest=digest, metrics={}, labels={})
        if digest == "a":
            opened.set_alias(version, CHAMPION)
    return f"mlflow:{uri}"


@pytest.mark.parametrize(
    ("warm_start", "content"),
    [("champion", b"a"), ("2", b"b"), ("pets/1", b"a"), ("flowers/1", b"c")],
)
def test_version_is_fetched(registry, tmp_path, capsys, warm_start, content):
    folder = fetch_start(warm_start, "pets", registry, tmp_path)

    assert (folder / "model.keras").read_bytes() == content
    assert ModelFolder(folder).settings() == {"classes": ["cat"]}
    assert "training goes on from" in capsys.readouterr().out


def test_nothing_asked_for_is_nothing_found(tmp_path, capsys):
    assert fetch_start("", "pets", "", tmp_path) is None
    assert capsys.readouterr().out == ""


def test_first_run_has_no_champion_and_starts_anew(registry, tmp_path, capsys):
    assert fetch_start("champion", "flowers", registry, tmp_path) is None
    assert capsys.readouterr().out == "flowers has no champion yet: training starts anew\n"
    assert find_start("champion", "pets", f"{EMPTY}{tmp_path}/none.db") is None


def test_champion_of_another_model_must_exist(registry):
    with pytest.raises(InputError, match=r"Received: 'flowers/champion'.*'flowers' has version 1"):
        find_start("flowers/champion", "pets", registry)


@pytest.mark.parametrize(
    ("warm_start", "told"),
    [
        ("3", "Received: '3', and 'pets' has version 2, 1"),
        ("cats/1", r"and 'cats' has no version \(the registry has flowers, pets\)"),
        ("runs/model", r"a path that starts with / or ./ or ~.*'runs' has no version"),
    ],
)
def test_unknown_version_is_refused_with_those_there_are(registry, warm_start, told):
    with pytest.raises(InputError, match=told):
        find_start(warm_start, "pets", registry)


def test_fingerprint_tells_versions_apart(registry):
    assert fingerprint("champion", "pets", registry) == "pets/1 a"
    assert fingerprint("1", "pets", registry) == "pets/1 a"
    assert fingerprint("2", "pets", registry) == "pets/2 b"


def test_model_folder_is_taken_where_it_is(tmp_path):
    folder = write_model(tmp_path / "model")

    assert fetch_start(str(folder), "pets", "", tmp_path / "scratch") == folder


def test_run_gives_the_model_that_it_left(tmp_path):
    folder = write_model(tmp_path / "run" / "steps" / "run-1" / "train" / "model")

    assert fetch_start(str(tmp_path / "run"), "pets", "", tmp_path) == folder


def test_run_that_left_several_models_is_refused_with_their_folders(tmp_path):
    loop = tmp_path / "steps" / "sweep-1"
    folders = [
        write_model(loop / f"for-loop-1-iteration-{turn}" / "train" / "model") for turn in (0, 1)
    ]

    with pytest.raises(InputError, match=r"a run that left 2\. Pass one of") as caught:
        find_start(str(tmp_path), "pets", "")

    assert all(f"'{folder}'" in str(caught.value) for folder in folders)


def test_of_a_sweep_the_best_is_taken(tmp_path):
    run = tmp_path / "steps" / "sweep-1"
    write_model(run / "for-loop-1-iteration-0" / "train" / "model")
    best = write_model(run / "compare" / "best")

    assert find_start(str(tmp_path), "pets", "") == Start(folder=str(best))


def test_incomplete_model_is_refused(tmp_path):
    (write_model(tmp_path / "model") / "settings.json").unlink()

    with pytest.raises(InputError, match=r"which has no settings\.json"):
        find_start(str(tmp_path / "model"), "pets", "")
    with pytest.raises(InputError, match=r"which has no model\.keras and no settings.json"):
        find_start(str(tmp_path / "nowhere"), "pets", "")


def test_fingerprint_changes_with_the_files(tmp_path):
    folder = write_model(tmp_path / "model")
    before = fingerprint(str(folder), "pets", "")

    (folder / "model.keras").write_bytes(b"other weights")

    assert before != fingerprint(str(folder), "pets", "")


def test_model_in_a_bucket_is_fetched_without_what_training_does_not_need(bucket, tmp_path):
    for name in ("model.keras", "settings.json", "saved_model/large"):
        bucket.blob(f"models/one/{name}").upload_from_string(name)
    uri = f"gs://{bucket.name}/models/one/"

    folder = fetch_start(uri, "pets", "", tmp_path)

    assert sorted(path.name for path in folder.iterdir()) == ["model.keras", "settings.json"]
    assert fingerprint(uri, "pets", "") == fingerprint(uri[:-1], "pets", "")
    with pytest.raises(InputError, match=r"which has no model\.keras"):
        find_start(f"gs://{bucket.name}/models/two", "pets", "")


@pytest.mark.parametrize(
    ("text", "path"),
    [("/m", True), ("./m", True), ("../m", True), ("~/m", True), ("3", False), ("pets/3", False)],
)
def test_paths_are_told_from_versions_by_their_form(text, path):
    assert is_path(text) is path


def test_looking_for_a_start_imports_nothing_heavy():
    code = "import sys, components.train.start; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    assert not {"numpy", "keras", "mlflow", "tensorflow"} & set(done.stdout.split())
