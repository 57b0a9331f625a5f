"""The images of this code, and what was found in them by one look into each."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pipelines.images import ROOT
from pipelines.specs import PLAIN, spec_path

NAMES = ("light", "cpu")  # gpu and tpu are too large to build for a test
INSIDE = Path(__file__).with_name("inside.py")


@pytest.fixture(scope="session")
def load() -> Callable[[str], ModuleType]:
    """Imports a script of docker/, which is no package: Docker's own client has that name."""

    def load_script(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"docker_{name}", ROOT / f"docker/{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where dataclasses look for their own
        spec.loader.exec_module(module)
        return module

    return load_script


@pytest.fixture(scope="session")
def images(docker_images) -> dict[str, str]:
    """References of the images of this code, by name."""
    return docker_images


@pytest.fixture(scope="session")
def details(images) -> dict[str, dict[str, Any]]:
    """What the engine knows of each image."""
    return {name: inspect(reference) for name, reference in images.items()}


@pytest.fixture(scope="session")
def base_image(details, load) -> str:
    """What the images are built from."""
    build = load("build")
    layers = details["light"]["RootFS"]["Layers"]
    for reference in (build.LOCAL, build.PUBLIC):
        found = run("docker", "image", "inspect", reference)
        if not found.returncode:
            base = json.loads(found.stdout)[0]["RootFS"]["Layers"]
            if layers[: len(base)] == base:
                return reference
    pytest.skip("the images are built from another base image than docker/build.py takes")


@pytest.fixture(scope="session")
def facts(images) -> dict[str, dict[str, Any]]:
    """What tests/docker/inside.py says of each image, from a container without a network."""
    return {
        name: json.loads(
            checked(
                *("docker", "run", "--rm", "--interactive", "--network=none", reference),
                *("python", "-", json.dumps(step_imports(f"pawpetal-{name}"))),
                given=INSIDE.read_text(),
            )
        )
        for name, reference in images.items()
    }


def step_imports(image: str) -> list[str]:
    """The import statements in the bodies of the steps that the spec runs in an image."""
    spec = yaml.safe_load(spec_path("train_and_push", PLAIN).read_text())
    containers = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    sources = [each["command"][-1] for each in containers if each["image"].startswith(f"{image}:")]
    statements = re.findall(r"(?m)^ +(from components\S* import \w.*)$", "\n".join(sources))
    return sorted(set(statements))


def inspect(reference: str) -> dict[str, Any]:
    return json.loads(checked("docker", "image", "inspect", reference))[0]


def run(*command: str, given: str | None = None, **options: Any) -> Any:
    options = {"cwd": ROOT, "capture_output": True, "text": True, "input": given} | options
    return subprocess.run(command, **options)


def checked(*command: str, **options: Any) -> str:
    done = run(*command, **options)
    if done.returncode:
        pytest.fail(f"{' '.join(command[:4])} ... failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
