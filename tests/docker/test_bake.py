"""docker-bake.hcl must say what docker/build.py says: buildx itself is not asked."""

import json
import os
import re
import sys

import pytest

from pipelines.images import ROOT, tag

from .conftest import run

hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 reads the bake file")

# A `docker` that writes down what it is asked, and has no image yet.
DOCKER = f"""#!{sys.executable}
import json, sys
if sys.argv[1] == "build":
    with open({{log!r}}, "a") as log:
        log.write(json.dumps(sys.argv[1:]) + chr(10))
sys.exit(sys.argv[1] == "inspect" or sys.argv[1:3] == ["image", "inspect"])
"""


@pytest.fixture
def built(load, tmp_path, monkeypatch):
    """The arguments that docker/build.py gives to `docker build`, by image."""
    log, certificates = tmp_path / "log", tmp_path / "company.crt"
    certificates.touch()
    (tmp_path / "docker").write_text(DOCKER.format(log=str(log)))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.org/simple")
    build = load("build")
    monkeypatch.setattr(build, "CERTIFICATES", tmp_path / "bundle.crt")
    arguments = ["--base-image=debian:1", f"--ca-bundle={certificates}", *build.IMAGES]
    monkeypatch.setattr("sys.argv", ["build.py", *arguments])
    assert build.main() == 0
    commands = [json.loads(line) for line in log.read_text().splitlines()]
    return dict(zip(build.IMAGES, commands, strict=True))


def test_every_image_is_baked_as_it_is_built(built):
    variables, targets, _ = _read_bake_file()
    commit = run("git", "rev-parse", "HEAD")
    variables |= {
        "TAG": tag(),
        "REVISION": "" if commit.returncode else commit.stdout.strip(),
        "BASE_IMAGE": "debian:1",
        "PIP_INDEX_URL": "https://packages.example.org/simple",
        "CA": "/build/ca/bundle.crt",
    }

    assert set(targets) == {"_image", *built}
    for name, command in built.items():
        baked = _evaluate(targets["_image"] | targets[name], variables)
        baked["args"] = _evaluate(targets["_image"]["args"] | targets[name]["args"], variables)
        assert baked["inherits"] == ["_image"]
        assert {key: value for key, value in baked["args"].items() if value} == dict(
            argument.removeprefix("--build-arg=").split("=", 1)
            for argument in command
            if argument.startswith("--build-arg=")
        )
        assert [f"--tag={each}" for each in baked["tags"]] == _option(command, "--tag=")
        assert [f"--file={baked['dockerfile']}"] == _option(command, "--file=")
        assert [f"--platform={each}" for each in baked["platforms"]] == _option(
            command, "--platform="
        )
        assert command[-1] == baked["context"] == "."


def test_only_the_small_images_are_baked_unless_others_are_named():
    assert _evaluate(_read_bake_file()[2], {}) == {"default": {"targets": ["light", "cpu"]}}


def test_what_is_not_given_is_as_the_dockerfile_has_it():
    variables, targets, _ = _read_bake_file()
    text = (ROOT / "docker" / "Dockerfile").read_text()
    defaults = dict(re.findall(r'(?m)^ARG (\w+)="?([^"\n]*)"?$', text))

    baked = _evaluate(targets["_image"]["args"], variables)

    assert baked == {name: defaults[name] for name in baked}
    assert variables["TAG"] == ""  # no name that could move


def _option(command, prefix):
    return [argument for argument in command if argument.startswith(prefix)]


def _read_bake_file():
    """Values of variables, then targets and groups as they stand, by name."""
    with (ROOT / "docker" / "docker-bake.hcl").open() as file:
        read = hcl2.load(file)
    blocks = [
        {_unquote(name): block for each in read[kind] for name, block in each.items()}
        for kind in ("variable", "target", "group")
    ]
    variables = {name: _unquote(block["default"]) for name, block in blocks[0].items()}
    return variables, *blocks[1:]


def _evaluate(value, variables):
    """As buildx would, for the little HCL that this file uses: variables, alone and in text."""
    if isinstance(value, dict):
        shown = {key: inner for key, inner in value.items() if not key.startswith("__")}
        return {_unquote(key): _evaluate(inner, variables) for key, inner in shown.items()}
    if isinstance(value, list):
        return [_evaluate(inner, variables) for inner in value]
    if not value.startswith('"'):
        return variables[value]
    return re.sub(r"\$\{(\w+)\}", lambda match: variables[match[1]], _unquote(value))


def _unquote(text):
    return text.removeprefix('"').removesuffix('"')
