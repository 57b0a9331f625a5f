"""What a run in containers needs: an engine that answers, its memory and disk, and the images."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.accelerators import NONE, Accelerator
from pipelines.doctor.check import Check, fail, ok, skip
from pipelines.doctor.machine import DISK_GB, GB, check_disk, check_memory
from pipelines.images import names_for, reference
from pipelines.targets.docker import LOCAL_ENGINES

HOST = "DOCKER_HOST"
USUAL_ENGINE = "unix:///var/run/docker.sock"
TIMEOUT_S = 10  # for an answer
BUILD_GB = 8.0  # of docs/docker.md: the images, and what building them leaves


def check_docker(accelerator: Accelerator = NONE, image_registry: str = "") -> Iterator[Check]:
    """Look at the engine, and what it has.

    Args:
        accelerator: What training asks for.
        image_registry: Where missing images are pulled from.
    """
    try:
        import docker
    except ModuleNotFoundError:
        yield skip("engine", "not asked without the package docker")
        return
    where = os.environ.get(HOST) or USUAL_ENGINE
    if not where.startswith(LOCAL_ENGINES):
        said = f"{HOST} is {where}, and steps would not see the folders of this machine there"
        yield fail("engine", said, f"unset {HOST}")
        return
    try:
        with contextlib.closing(docker.from_env(timeout=TIMEOUT_S)) as client:
            info = client.info()
            yield ok("engine", f"{info['ServerVersion']} at {where}, {info['OperatingSystem']}")
            yield from _check_engine(client, info, accelerator, image_registry)
    except docker.errors.DockerException as error:
        yield _no_engine(where, error)
        yield skip("the rest", "memory, disk and images are the engine's")


def _no_engine(where: str, error: Exception) -> Check:
    reason = _reason(error)
    if "Permission" in reason:
        command = "sudo usermod -aG docker $USER  # then log in again"
        return fail("engine", f"you may not speak to {where}", command)
    if where != USUAL_ENGINE:
        return fail("engine", f"none answers at {where}: {reason}", f"unset {HOST}")
    start = "open -a Docker" if sys.platform == "darwin" else "sudo systemctl start docker"
    return fail("engine", f"none answers at {where}: {reason}", start)


def _reason(error: Exception) -> str:
    """What the system said, out of what each layer above has wrapped it in."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return " ".join(str(error).split())


def _check_engine(
    client: Any, info: dict[str, Any], accelerator: Accelerator, registry: str
) -> Iterator[Check]:
    yield check_memory(
        info["MemTotal"] / GB, "give the engine more, where it is a virtual machine of its own"
    )
    found = list(_check_images(client, accelerator, registry))
    kept = Path(info["DockerRootDir"])
    if kept.exists():  # not where the engine is a virtual machine
        needed = DISK_GB if all(each.status == "ok" for each in found) else BUILD_GB
        yield check_disk(kept, needed, "docker image prune", name="engine's disk")
    yield from found


def _check_images(client: Any, accelerator: Accelerator, registry: str) -> Iterator[Check]:
    import docker

    for name in names_for(accelerator.image):
        image = reference(name, registry)
        try:
            found = client.images.get(image)
        except docker.errors.ImageNotFound:
            yield _no_image(client, name, image, registry)
        else:
            yield ok(name, f"{image.rpartition(':')[2]} is {found.id[:19]}")


def _no_image(client: Any, name: str, image: str, registry: str) -> Check:
    """An image that the engine lacks; the registry, where there is one, may have it."""
    import docker

    command = f"make images IMAGES={name.removeprefix('pawpetal-')}"
    if not registry:
        return fail(name, f"there is no {image}, which this code needs", command)
    try:
        digest = client.images.get_registry_data(image).id
    except docker.errors.APIError as error:
        push = f"{command} && docker tag {image.rpartition('/')[2]} {image} && docker push {image}"
        said = " ".join(str(error.explanation or error).split())
        return fail(name, f"{image} can be pulled from nowhere: {said}", push)
    return ok(name, f"{image.rpartition(':')[2]} is {digest[:19]} there, and will be pulled")
