import shutil
import sys
import uuid
from pathlib import Path

import pytest

from pipelines.images import ROOT, SOURCES

from .conftest import checked, run

SCRIPTS = sorted(
    path
    for path in (ROOT / "docker").iterdir()
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)
KEPT_OUT = (
    ".env",
    ".git/config",
    ".venv/bin/python",
    "components/__pycache__/code.cpython-311.pyc",
    "docker/build.py",
    "docs/docker.md",
    "pawpetal-home/runs/run/run.json",
    "requirements.lock",
    "secret.pem",
    "tests/docker/conftest.py",
)
LET_IN = (
    "LICENSE",
    "README.md",
    "components/common/images.py",
    "docker/ca/bundle.crt",
    "docker/locks/cpu.lock",
    "pipelines/specs/train_and_push.vertex.yaml",
    "pyproject.toml",
)


def tool(name):
    """Where a program of the dev extra is: beside this Python, or on the PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_the_dockerfile_is_clean():
    checked(tool("hadolint"), "docker/Dockerfile")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_scripts_are_clean(script):
    checked(tool("shellcheck"), str(script))


def test_there_are_scripts_to_check():
    assert "make-base-image" in {script.name for script in SCRIPTS}


def test_only_what_images_are_built_from_goes_to_the_engine(base_image, tmp_path):
    context = tmp_path / "context"
    for name in (*KEPT_OUT, *LET_IN):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).touch()
    shutil.copy(ROOT / ".dockerignore", context)
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM {base_image}\nCOPY . /context\n")
    reference = f"pawpetal-test-context:{uuid.uuid4().hex[:12]}"

    try:
        checked("docker", "build", f"--tag={reference}", f"--file={file}", context)
        listed = checked("docker", "run", "--rm", reference, "find", "/context", "-type", "f")
    finally:
        run("docker", "image", "rm", "--force", reference)

    assert {path.removeprefix("/context/") for path in listed.split()} == set(LET_IN)


def test_all_that_the_dockerfile_copies_counts_for_the_tag():
    """Else an image could change under the same name."""
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = {
        source.rstrip("/")
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }

    outside = copied - set(SOURCES) - {"components", "pipelines"}
    assert {path for path in outside if not path.startswith("docker/locks/")} == {"docker/ca"}
