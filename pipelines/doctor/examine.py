"""All checks of a target, in the order in which one thing needs another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from pipelines.doctor.check import Check, Group, in_parallel
from pipelines.doctor.dataset import check_dataset
from pipelines.doctor.machine import check_hardware, check_home
from pipelines.doctor.packages import check_packages
from pipelines.targets import Target

if TYPE_CHECKING:
    from pipelines.targets.docker import DockerTarget
    from pipelines.targets.kubeflow import KubeflowTarget
    from pipelines.targets.vertex import VertexTarget


def examine(on: str, target: Target, dataset: str = "") -> Iterator[Check]:
    """Look at everything that a run needs.

    Args:
        on: Name of the target.
        target: The target itself.
        dataset: Whose photos are to be read; empty for none.

    Yields:
        Checks in a fixed order, as they are known.
    """
    bucket = ""
    groups: list[Group] = [partial(check_packages, on), check_home]
    if on == "docker":
        from pipelines.doctor.docker import check_docker

        docker = cast("DockerTarget", target)
        groups.append(partial(check_docker, docker.accelerator, docker.image_registry))
    elif on == "kubeflow":
        from pipelines.doctor.kubeflow import check_kubeflow

        groups.append(partial(check_kubeflow, cast("KubeflowTarget", target)))
    elif on == "vertex":
        from components.common.google_cloud import GoogleCloud
        from pipelines.google_cloud.checks import check_vertex

        place = cast("VertexTarget", target).place
        bucket = place.bucket
        groups.append(partial(check_vertex, GoogleCloud(), place))
    else:
        groups.append(check_hardware)
    if dataset:
        here = target.runs_here
        groups.append(partial(check_dataset, dataset, runs_here=here, bucket=bucket))
    yield from in_parallel(groups)
