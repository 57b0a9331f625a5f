"""Containers of runs on this machine: start one, wait for it, and leave none behind.

Used by the process that talks to the person and by the one that runs kfp, whichever is left.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import docker

RUN_LABEL = "pawpetal.run"  # id of the run that a container belongs to
HOME_LABEL = "pawpetal.home"  # the home that this run is recorded in

CREATING = threading.Lock()  # whoever stops containers holds it, so that none comes after


def run_container(
    client: docker.DockerClient,
    image: str,
    command: list[str],
    volumes: dict[str, Any],
    **arguments: Any,
) -> int:
    """Run a step in a container, and print what it prints.

    In place of the function of that kind in kfp 2.17, which lets Docker remove the container and
    then asks for its exit status: where Docker is faster, a step that failed is taken for a good
    one. And it pulls an image that is missing, from whoever has one of that name.

    Args:
        client: Connection to the Docker engine.
        image: Reference of an image that this engine has.
        command: The step's command with its arguments.
        volumes: By folder of this machine, where the container sees it.
        **arguments: As `docker.DockerClient.containers.create` takes them.

    Returns:
        The exit status.
    """
    try:
        with CREATING:
            container = client.containers.create(image, command, volumes=volumes, **arguments)
    except docker.errors.APIError as error:
        return _tell_refusal(error)
    try:
        container.start()
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        status = int(container.wait()["StatusCode"])
        container.reload()
        if container.attrs["State"]["OOMKilled"]:
            print("MemoryError: the step needed more memory than it was given; raise --memory")
        return status
    except docker.errors.APIError as error:
        return _tell_refusal(error)
    finally:
        _remove(container)


def _tell_refusal(error: docker.errors.APIError) -> int:
    """Print why the engine did not run a container, where the summary finds it."""
    print(f"DockerError: {' '.join(str(error.explanation or error).split())}")
    return 1


def stop_containers(run_id: str) -> None:
    """End and remove the containers of a run; nothing to do where there are none."""
    wanted = {"label": f"{RUN_LABEL}={run_id}"}
    # Where the engine itself has ended, there is nothing to end.
    with (
        contextlib.suppress(docker.errors.DockerException),
        contextlib.closing(docker.from_env()) as client,
    ):
        for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
            _remove(container)


def _remove(container: Any) -> None:
    with contextlib.suppress(docker.errors.APIError):  # somebody else removed it, or does just now
        container.remove(force=True)
