from __future__ import annotations

import shutil
import socket
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from infra.kind import check
from infra.kind.settings import versions

GIB = 2**30


def machine(
    *, docker: dict[str, Any] | None = None, containers: tuple[str, ...] = (), **wanted: str
) -> check.Machine:
    return check.Machine(
        wanted={**versions(), **wanted},
        docker={"ServerVersion": "1"} if docker is None else docker,
        containers=frozenset(containers),
    )


def stand_in(folder: Path, name: str, prints: str, status: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\nexit {status}\n")
    program.chmod(0o755)


def test_the_check_of_this_very_machine_says_all_that_is_missing_at_once(checked):
    engine = check.docker_info()
    expected = {
        f"kind {versions()['KIND_VERSION']}; not found": shutil.which("kind") is None,
        f"4 cores; Docker has {engine.get('NCPU')}": bool(engine) and engine["NCPU"] < 4,
        "a Docker engine that answers": not engine,
        "git, by which": shutil.which("git") is None,
    }

    assert {said: said in checked.stderr for said in expected} == expected
    assert checked.returncode == int(bool(checked.stderr))
    assert ("Nothing was made or changed." in checked.stderr) == bool(checked.returncode)
    assert ("Needs are met" in checked.stdout) == (checked.returncode == 0)


def test_every_missing_thing_is_listed_with_its_remedy_and_a_remedy_once(capsys):
    missing = {
        "network": [check.Missing("a.io", "open it"), check.Missing("b.io", "open it")],
        "kind": [check.Missing("kind v1; not found", "install it")],
    }

    report = check.report(missing, met=["git"])

    assert report.count("open it") == 1
    assert [word in report for word in ("a.io", "b.io", "kind v1", "install it")] == [True] * 4
    assert "Met: git. Nothing was made or changed." in report


def test_without_docker_the_machine_itself_is_counted_and_nothing_crashes(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = machine(docker=check.docker_info(), containers=tuple(check.running_containers()))

    assert "Docker engine" in check.check_docker(bare)[0].what
    assert "cannot be asked" in check.check_images(bare)[0].what
    assert "this machine has" in check.check_cores(machine(docker={}, CORES="9999"))[0].what
    assert "this machine has" in check.check_memory(machine(docker={}, MEMORY_GIB="9999"))[0].what
    assert check.check_git(bare)
    assert "not found" in check.check_kubectl(bare)[0].what


def test_an_engine_that_does_not_answer_is_no_docker(monkeypatch, tmp_path):
    # What the client says of an engine that is not there: no version, and errors.
    stand_in(tmp_path / "bin", "docker", '{"ServerErrors": ["cannot connect"]}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    assert check.docker_info() == {}


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("kind v0.33.0 go1.26.1 linux/amd64", []),
        ("kind v0.32.0 go1.26.1 linux/amd64", ["kind v0.33.0; found v0.32.0"]),
        ("kind v0.33.0-alpha go1.26.1 linux/amd64", ["kind v0.33.0; found v0.33.0-alpha"]),
    ],
)
def test_kind_must_be_of_the_release_that_the_node_was_built_for(
    monkeypatch, tmp_path, said, missing
):
    stand_in(tmp_path / "bin", "kind", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    assert [each.what for each in check.check_kind(machine(KIND_VERSION="v0.33.0"))] == missing


@pytest.mark.parametrize(
    ("version", "is_enough"), [("1.32.9", False), ("1.33.0", True), ("1.40.1+k", True)]
)
def test_kubectl_may_be_newer_but_not_older(monkeypatch, tmp_path, version, is_enough):
    said = f'{{"clientVersion": {{\n  "gitVersion": "v{version}"}}}}'
    stand_in(tmp_path / "bin", "kubectl", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    assert (check.check_kubectl(machine(KUBECTL_MINIMUM="1.33")) == []) == is_enough


def test_cores_and_memory_are_those_that_docker_has():
    small = machine(docker={"NCPU": 3, "MemTotal": 8 * GIB})
    enough = machine(docker={"NCPU": 4, "MemTotal": int(11.7 * GIB)})

    assert check.check_cores(small)[0].what == "4 cores; Docker has 3"
    assert check.check_memory(small)[0].what == "12 GiB of memory; Docker has 8.0"
    assert check.check_cores(enough) + check.check_memory(enough) == []


def test_disk_is_looked_at_where_docker_keeps_its_data(tmp_path):
    docker = {"DockerRootDir": str(tmp_path / "not" / "made")}

    assert check.check_disk(machine(docker=docker, DISK_GB="0")) == []
    (missing,) = check.check_disk(machine(docker=docker, DISK_GB="999999"))
    assert f"999999 GB free where Docker keeps its data; {tmp_path} has" in missing.what


def test_a_cluster_that_runs_holds_its_disk_and_ports_already():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        wanted = {"UI_PORT": port, "MLFLOW_PORT": port, "REGISTRY_PORT": port, "DISK_GB": "999999"}
        runs = machine(containers=("pawpetal-control-plane", "pawpetal-registry"), **wanted)

        assert check.check_disk(runs) + check.check_ports(runs) == []
        assert len(check.check_ports(machine(**wanted))) == 3


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert check.is_taken(port)
    assert not check.is_taken(port)


def test_each_host_is_asked_and_the_reason_told(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port

    missing = check.check_network(machine())

    assert [each.what.partition(",")[0] for each in missing] == list(check.HOSTS)
    assert all("no answer: " in each.what for each in missing)


@pytest.mark.parametrize(("status", "reason"), [(401, ""), (429, "answers with status 429")])
def test_a_registry_that_asks_who_you_are_is_there(monkeypatch, status, reason):
    def refuse(request: Any, timeout: float) -> None:
        raise urllib.error.HTTPError(request.full_url, status, "", {}, None)

    monkeypatch.setattr(check.urllib.request, "urlopen", refuse)

    assert check.why_unreachable("ghcr.io") == reason


def test_images_that_docker_lacks_are_named(monkeypatch, tmp_path):
    stand_in(tmp_path / "bin", "docker", "pawpetal-light:1\nlocalhost:5001/pawpetal-cpu:1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PAWPETAL_IMAGES", "pawpetal-light:1 pawpetal-cpu:1")

    (missing,) = check.check_images(machine())

    assert missing == check.Missing("the image pawpetal-cpu:1 in Docker", "make compile images")


def test_what_is_skipped_is_not_asked(capsys, monkeypatch):
    def never(_machine: check.Machine) -> list[check.Missing]:
        raise RuntimeError("asked")

    monkeypatch.setattr(check, "CHECKS", {"git": never, "kind": lambda _machine: []})

    assert check.main(["--skip", "git"]) == 0
    assert "Needs are met: kind. Not checked: git." in capsys.readouterr().out
