"""The engine is asked by the real client: the one that is here, and ones that are not."""

import pytest

import docker
from pipelines.accelerators import parse_accelerator
from pipelines.doctor import docker as module
from pipelines.doctor.docker import check_docker

BROKEN = "unix:///nowhere/docker.sock"


@pytest.fixture
def client(monkeypatch):
    """A connection to this machine's engine."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    try:
        connected = docker.from_env()
        connected.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers")
    yield connected
    connected.close()


def test_an_engine_that_answers_tells_its_version(client):
    checks = list(check_docker())

    assert (checks[0].name, checks[0].status) == ("engine", "ok")
    assert checks[0].said.startswith(client.version()["Version"])
    assert [check.name for check in checks[1:]] == [
        "memory",
        "engine's disk",
        "pawpetal-cpu",
        "pawpetal-light",
    ]


def test_images_that_are_there_tell_their_digest(client, monkeypatch):
    there = next((image for image in client.images.list() if image.tags), None)
    if there is None:
        pytest.skip("this engine has no image")
    monkeypatch.setattr(module, "reference", lambda *_: there.tags[0])

    found = {check.name: check for check in check_docker()}["pawpetal-light"]

    assert (found.status, found.said) == (
        "ok",
        f"{there.tags[0].rpartition(':')[2]} is {there.id[:19]}",
    )


def test_an_image_that_is_missing_is_built_by_one_command(client, monkeypatch):
    monkeypatch.setattr(module, "reference", lambda name, _: f"{name}:0.0.0-never-built")

    checks = {check.name: check for check in check_docker(parse_accelerator("gpu:any:1"))}

    assert checks["pawpetal-gpu"].status == "fail"
    assert checks["pawpetal-gpu"].mend == "make images IMAGES=gpu"
    assert checks["pawpetal-cpu"].said.startswith("there is no pawpetal-cpu:0.0.0-never-built")


def test_an_image_that_no_registry_has_is_to_be_pushed(client):
    found = {check.name: check for check in check_docker(image_registry="127.0.0.1:1/none")}

    light = found["pawpetal-light"]
    assert light.status == "fail"
    assert "can be pulled from nowhere" in light.said
    assert "docker push 127.0.0.1:1/none/pawpetal-light:" in light.mend


def test_an_engine_that_is_down_is_started_by_one_command(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", BROKEN)

    engine, rest = check_docker()

    assert (engine.status, engine.said) == (
        "fail",
        f"none answers at {BROKEN}: No such file or directory",
    )
    assert engine.mend == "unset DOCKER_HOST"
    assert (rest.name, rest.status) == ("the rest", "skip")


def test_an_engine_of_another_machine_cannot_see_the_folders_of_this(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")

    (engine,) = check_docker()

    assert engine.status == "fail"
    assert engine.said.startswith("DOCKER_HOST is tcp://10.0.0.1:2375")


def test_an_engine_named_by_nothing_is_the_usual_one(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "")

    engine = next(check_docker())

    assert f"at {module.USUAL_ENGINE}" in engine.said or "speak to unix://" in engine.said


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        (PermissionError(13, "Permission denied"), "sudo usermod -aG docker $USER"),
        (ConnectionRefusedError(111, "Connection refused"), "docker"),
    ],
)
def test_what_mends_follows_from_what_the_system_said(reason, mend):
    error = docker.errors.DockerException("Error while fetching server API version")
    error.__cause__ = reason

    engine = module._no_engine(module.USUAL_ENGINE, error)

    assert mend in engine.mend
    assert engine.mend.endswith(("log in again", "start docker", "open -a Docker"))
