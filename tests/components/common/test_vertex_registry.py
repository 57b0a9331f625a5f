"""Against doubles of Vertex AI and Cloud Storage, over HTTP: Google itself was never asked."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components.common import storage, vertex_registry
from components.common.errors import CloudError, InputError, RegistryError
from components.common.model import ModelFolder
from components.common.registry import (
    CHAMPION,
    ModelVersion,
    check_registry,
    check_storage,
    open_registry,
)
from components.common.vertex_registry import VertexRegistry, model_id
from components.push.push import push_model
from pipelines.targets.reach import _check_registry_reach
from tests.gcs.faults import Fault
from tests.google_cloud.project import SUBMITTER
from tests.pipelines.command import finish, pawpetal, wait_for

URI = "vertex:acme/us-central1"
PARENT = "projects/acme/locations/us-central1"
A, B, C = ("a1" * 32, "b2" * 32, "c3" * 32)  # digests are of 64 hexadecimal digits
METRICS = {"accuracy": 0.1 + 0.2}
LABELS = {"code_version": "", "classes": '["cat", "dog"]'}


@pytest.fixture
def registry(google, gcs, monkeypatch) -> VertexRegistry:
    monkeypatch.setattr(vertex_registry, "POLL_S", 0.01)
    return open_registry(URI)


@pytest.fixture
def place(bucket) -> str:
    return f"gs://{bucket.name}/models"


@pytest.fixture
def files(tmp_path) -> Path:
    folder = tmp_path / "files"
    (folder / "saved_model" / "variables").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"graph")
    (folder / "saved_model" / "variables" / "data 100%").write_bytes(b"variables")
    (folder / "model.keras").write_bytes(os.urandom(100))
    ModelFolder(folder).write(settings={"seed": 1}, history={}, plot=b"")
    return folder


def register(registry, files, place, digest=A, name="pets") -> ModelVersion:
    return registry.register(
        name, files, digest=digest, metrics=METRICS, labels=LABELS, place=place
    )


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def uploads(google) -> list[dict]:
    return [seen.body for seen in google.asked("POST", "aiplatform", "models:upload")]


@pytest.mark.parametrize("name", ["pets", "Cats and dogs", "2024.flowers", "x" * 63])
def test_version_comes_back_as_it_was_registered(registry, files, place, tmp_path, name):
    version = register(registry, files, place, name=name)
    registry.set_alias(version, CHAMPION)

    found = registry.find(name, CHAMPION)
    fetched = registry.download(found, tmp_path / "fetched")

    assert (found.model_name, found.version, found.aliases) == (name, "1", (CHAMPION,))
    assert dict(found.metrics) == {"accuracy": 0.1 + 0.2}  # to the last bit
    assert dict(found.labels) == {**LABELS, "model_digest": A}
    assert found.created_at.endswith("+00:00")
    assert found.source == f"{place}/{model_id(name)}/{A}"
    assert contents(fetched) == contents(files)
    assert register(registry, files, place, name=name) == found
    assert registry.versions(name) == [found]
    assert registry.model_names() == [name]


def test_what_is_sent_can_be_served_and_told_apart(registry, files, place, google):
    register(registry, files, place)
    register(registry, files, place, B)

    assert uploads(google)[0] == {
        "modelId": "pets",
        "model": {
            "displayName": "pets",
            "versionDescription": "accuracy 0.3",
            "labels": {"pawpetal_digest": "a1" * 16},
            "artifactUri": f"{place}/pets/{A}/saved_model",
            "containerSpec": {
                "imageUri": "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
            },
        },
    }
    assert uploads(google)[1]["parentModel"] == f"{PARENT}/models/pets"
    assert "modelId" not in uploads(google)[1]


def test_another_digest_is_another_version_newest_first(registry, files, place):
    for digest in (A, B, C):
        register(registry, files, place, digest)

    versions = registry.versions("pets")

    assert [version.version for version in versions] == ["3", "2", "1"]
    assert [version.labels["model_digest"] for version in versions] == [C, B, A]
    assert [version.aliases for version in versions] == [(), (), ()]  # Vertex AI's own is not told


def test_same_digest_under_another_name_is_a_version_of_that(registry, files, place):
    assert register(registry, files, place).version == "1"
    assert register(registry, files, place, name="dogs").version == "1"
    assert registry.model_names() == ["dogs", "pets"]


def test_alias_moves(registry, files, place):
    first, second = (register(registry, files, place, digest) for digest in (A, B))
    registry.set_alias(first, CHAMPION)
    registry.set_alias(second, CHAMPION)

    assert registry.find("pets", CHAMPION).version == "2"
    assert registry.find("pets", "1").aliases == ()
    assert registry.find("pets", "2").aliases == (CHAMPION,)


def test_what_is_unknown_is_none_or_empty(registry, files, place):
    assert registry.model_names() == []

    register(registry, files, place)

    assert registry.find("unknown", "1") is None
    assert registry.find("unknown", CHAMPION) is None
    assert registry.find("pets", "2") is None
    assert registry.find("pets", CHAMPION) is None
    assert registry.find("pets", "no/alias") is None
    assert registry.find("pets", "No_1") is None
    assert registry.versions("unknown") == []


def upload(google, body) -> None:
    """Make a version otherwise."""
    operation = google.models.upload("projects/123456789/locations/us-central1", body)
    for _ in range(2):  # so many questions it takes
        google.models.operation(operation["name"])


def test_models_of_others_are_left_alone(registry, files, place, google):
    others = {"displayName": "prices", "artifactUri": place, "containerSpec": {"imageUri": "x"}}
    storage.upload_folder(files, place)
    upload(google, {"modelId": "prices", "model": others})

    assert registry.model_names() == []
    assert registry.versions("prices") == []
    assert registry.find("prices", "1") is None


def test_more_than_one_page_of_models_and_versions_is_read(registry, files, place, google):
    google.models.page_size = 2
    names = [f"pets-{number}" for number in range(5)]
    for name in names:
        register(registry, files, place, name=name)
    for digest in (B, C, "d4" * 32, "e5" * 32):
        register(registry, files, place, digest, names[0])

    assert registry.model_names() == names
    assert [one.version for one in registry.versions(names[0])] == ["5", "4", "3", "2", "1"]
    assert register(registry, files, place, name=names[0]).version == "1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flowers", "flowers"),
        ("flowers_2-b", "flowers_2-b"),
        ("Cats and dogs", r"cats-and-dogs-[0-9a-f]{12}"),
        ("2024.flowers", r"m-2024-flowers-[0-9a-f]{12}"),
        ("x" * 64, r"x{48}-[0-9a-f]{12}"),
        ("ünï", r"m--n--[0-9a-f]{12}"),
    ],
)
def test_a_model_has_an_id_that_vertex_takes(name, expected):
    assert re.fullmatch(expected, model_id(name))
    assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", model_id(name))


def test_two_names_never_share_an_id():
    names = ["pets", "Pets", "PETS", "pets.", "pets ", model_id("Pets"), "x" * 64, "x" * 65]

    assert len({model_id(name) for name in names}) == len(names)


# Killed anywhere. An error that nobody handles ends `register` just where a kill would.

KILLS = {
    "before it looks for an upload": ("GET .*/operations$", {"status": 403}),
    "before it looks for the digest": ("GET .*:listVersions", {"status": 403}),
    "before it asks for the version": ("POST .*:upload", {"status": 0}),
    "before it heard of the operation": ("POST .*:upload", {"status": 0, "is_done": True}),
    "before it asks for the operation": ("GET .*/operations/", {"status": 403}),
    "before it heard of its end": ("GET .*/operations/", {"status": 403, "is_done": True}),
    "before it reads the version": ("GET .*/pets@", {"status": 403}),
}


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("earlier", [[], [C]], ids=["new", "known"])
def test_killed_between_calls_to_vertex_there_is_one_version(
    registry, files, place, google, tmp_path, kill, earlier
):
    for digest in earlier:
        register(registry, files, place, digest)
    pattern, fault = KILLS[kill]
    google.fail(pattern, **fault)
    with pytest.raises(CloudError):
        register(registry, files, place)

    version = register(registry, files, place)

    expected = [A, *earlier]
    assert version.version == str(len(expected))
    assert [one.labels["model_digest"] for one in registry.versions("pets")] == expected
    assert contents(registry.download(version, tmp_path / "fetched")) == contents(files)


@pytest.mark.parametrize("written", [0, 3, 5])  # of the five files, and the record after them
def test_killed_between_writes_there_is_no_version(
    registry, files, place, google, faulty_gcs, tmp_path, written
):
    faulty_gcs.plan(Fault.FORBIDDEN, "upload", times=6, after=written)
    with pytest.raises(InputError, match="Cannot write"):
        register(registry, files, place)
    assert uploads(google) == []
    assert registry.versions("pets") == []

    faulty_gcs._plans.clear()
    version = register(registry, files, place)

    assert version.version == "1"
    assert contents(registry.download(version, tmp_path / "fetched")) == contents(files)


REGISTER = """
import sys
from pathlib import Path
from components.common.registry import open_registry
files, digest, place = sys.argv[1:]
open_registry("vertex:acme/us-central1").register(
    "pets", Path(files), digest=digest, metrics={}, labels={}, place=place
)
"""


def test_process_killed_while_vertex_takes_the_model_leaves_one_version(
    registry, files, place, google
):
    command = [sys.executable, "-c", REGISTER, str(files), A, place]
    process = subprocess.Popen(command)  # it waits 2 s between two questions
    wait_for(lambda: uploads(google), "the upload")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert register(registry, files, place).version == "1"
    assert len(uploads(google)) == 1


def test_of_two_that_were_made_at_the_same_moment_the_older_counts(registry, files, place, google):
    register(registry, files, place)
    parent = f"{PARENT}/models/pets"
    upload(google, {"parentModel": parent, "model": uploads(google)[0]["model"]})

    assert register(registry, files, place).version == "1"


def test_a_service_that_lists_no_operations_will_do(registry, files, place, google):
    google.fail("GET .*/operations$", 501)

    assert register(registry, files, place).version == "1"


def test_an_upload_that_failed_is_begun_anew(registry, files, place, google):
    (files / "saved_model" / "saved_model.pb").rename(files / "moved.pb")
    (files / "saved_model" / "variables" / "data 100%").unlink()
    with pytest.raises(
        RegistryError,
        match=f"^Vertex AI did not take pets: There is no model in {place}/pets/{A}/saved_model",
    ):
        register(registry, files, place)
    (files / "moved.pb").rename(files / "saved_model" / "saved_model.pb")

    assert register(registry, files, place).version == "1"


def test_an_upload_that_never_ends_is_told(registry, files, place, google, monkeypatch):
    monkeypatch.setattr(vertex_registry, "GIVE_UP_S", 0.0)

    with pytest.raises(RegistryError, match=r"has not ended .*/operations/\d+ in 0 minutes"):
        register(registry, files, place)


# Refusals.


def test_files_need_a_bucket(registry, files, google):
    with pytest.raises(
        InputError, match=r"^`storage` must be gs://BUCKET/PREFIX for a registry of"
    ):
        register(registry, files, "")

    assert google.seen == []


def test_a_storage_of_this_machine_does_not_go_with_it():
    with pytest.raises(InputError, match=r"Received: '/data'$"):
        check_storage(URI, "/data")
    check_storage(URI, "gs://acme/pawpetal")
    check_storage("", "")


def test_who_has_no_role_is_told(registry, files, place, google):
    google.project.revoke("projects/acme", "roles/aiplatform.user", SUBMITTER)

    with pytest.raises(CloudError, match=r"Permission 'aiplatform.models.list' denied"):
        registry.model_names()
    with pytest.raises(CloudError, match=r"Permission 'aiplatform.models.get' denied"):
        registry.find("pets", CHAMPION)
    with pytest.raises(CloudError, match=r"Permission 'aiplatform.operations.list' denied"):
        register(registry, files, place)


def test_a_version_whose_files_are_gone_is_listed_and_not_fetched(registry, files, place, tmp_path):
    version = register(registry, files, place)
    storage.delete_folder(version.source)

    found = registry.find("pets", "1")

    assert (dict(found.metrics), dict(found.labels)) == ({}, {})
    assert register(registry, files, place).version == "1"
    with pytest.raises(
        RegistryError,
        match=f"^The files of pets version 1 cannot be read from '{version.source}': No objects",
    ):
        registry.download(found, tmp_path)


@pytest.mark.parametrize(
    "uri", [URI, "vertex:my-photos-123/europe-west4", "vertex:example.com:photos/asia-southeast1"]
)
def test_uri_of_a_project_and_region_is_taken(uri):
    check_registry(uri)
    _check_registry_reach(uri)


@pytest.mark.parametrize(
    "uri",
    ["vertex:", "vertex:acme", "vertex:acme/", "vertex:/us-central1", "vertex:acme/us-central1/a"],
)
def test_uri_of_another_form_is_refused(uri):
    with pytest.raises(InputError) as error:
        check_registry(uri)

    assert str(error.value) == (
        "`registry` must be empty (the one of this machine), mlflow:TRACKING_URI or"
        f" vertex:PROJECT/REGION. Received: '{uri}'"
    )


# What uses it.


@pytest.fixture
def push(registry, files, bucket, tmp_path):
    """Pushes a model that differs by `seed`, with an accuracy that was taken by hand."""

    def call(seed: int, accuracy: float):
        settings = {"classes": ["cat", "dog"], "seed": seed, "architecture": "residual"}
        ModelFolder(files).write(settings=settings, history={}, plot=b"")
        scores = dict.fromkeys(("accuracy_low", "accuracy_high", "macro_f1", "loss"), 0.5)
        record = {
            **scores,
            "model_name": "pets",
            "test_digest": "photos-1",
            "accuracy": accuracy,
            "champion": None,
        }
        (tmp_path / "evaluation.json").write_text(json.dumps(record))
        root = f"gs://{bucket.name}/pawpetal"
        return push_model(files, tmp_path, tmp_path / "pushed", registry=URI, root=root)

    return call


def test_the_better_model_is_champion(push, registry):
    pushed = [push(1, 0.75), push(2, 0.8), push(3, 0.78), push(2, 0.8)]

    assert [(each.version, each.is_champion) for each in pushed] == [
        ("1", True),
        ("2", True),
        ("3", False),
        ("2", True),
    ]
    assert pushed[1].verdict == "champion: accuracy 0.8000 against 0.7500 of version 1"
    assert pushed[2].verdict == "not champion: accuracy 0.7800 against 0.8000 of version 2"
    assert [one.aliases for one in registry.versions("pets")] == [(), (CHAMPION,), ()]
    assert registry.find("pets", CHAMPION).labels["architecture"] == "residual"


def test_the_command_lists_and_shows_models(push, tmp_path):
    push(1, 0.75)
    push(2, 0.8)

    listed = finish(pawpetal(tmp_path, "models", "list", "--registry", URI, "--json"))
    shown = finish(pawpetal(tmp_path, "models", "show", "pets", "--registry", URI))

    assert (listed[0], shown[0]) == (0, 0), listed[2] + shown[2]
    [model] = json.loads(listed[1])
    assert (model["name"], model["champion"]["version"]) == ("pets", "2")
    assert model["champion"]["metrics"]["accuracy"] == 0.8
    assert re.search(r"^2 +0\.8000 +residual .* champion$", shown[1], re.MULTILINE)
    assert re.search(r"^version 2: gs://.*/pawpetal/models/pets/[0-9a-f]{64}$", shown[1], re.M)


def test_neither_mlflow_nor_googles_own_client_is_imported():
    program = (
        "import sys; from components.common.registry import open_registry;"
        f" open_registry('{URI}');"
        " print([name for name in ('mlflow', 'google.cloud.aiplatform', 'numpy', 'google.auth')"
        " if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr
