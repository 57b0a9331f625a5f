"""Lets schedules that Kubeflow or Vertex AI fire run what is deployed."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from components.common.errors import ConflictError, InputError
from pipelines.deploy.deployments import Deployment, Deployments
from pipelines.schedules import Live, Scheduler

MOST_ROUNDS = 10  # of others who deploy, or edit schedules, at the same time
MOST_PAUSE_S = 1.0  # before the next, so that two do not undo each other for ever


@dataclass(frozen=True, kw_only=True)
class Repointed:
    """A schedule that runs another version from now on."""

    name: str
    pipeline: str
    before: str  # version
    after: str


def check_schedules(live: Sequence[Live], inputs: Mapping[str, set[str]]) -> None:
    """Refuse specs that a schedule which is there could not run.

    Args:
        live: The schedules.
        inputs: Names of the inputs of each pipeline that is to be deployed.

    Raises:
        InputError: If a schedule's pipeline, or one of its parameters, is in none of them.
    """
    for each in live:
        settings = each.settings
        if settings.pipeline not in inputs:
            raise InputError(
                f"Schedule '{settings.name}' runs '{settings.pipeline}', which is not among what"
                " would be deployed. Prune the schedule, or change its pipeline, first."
            )
        lacking = sorted(set(settings.parameters) - inputs[settings.pipeline])
        if lacking:
            raise InputError(
                f"Schedule '{settings.name}' gives '{settings.pipeline}' parameters that it would"
                f" not have any more: {', '.join(lacking)}. Take them out of schedules.yaml, and"
                " apply that, first."
            )


def changes(live: Sequence[Live], versions: Mapping[str, str]) -> list[Repointed]:
    """What re-pointing would change.

    Args:
        live: The schedules that are there.
        versions: That they are to run, by pipeline.
    """
    return [
        Repointed(
            name=settings.name,
            pipeline=settings.pipeline,
            before=settings.version,
            after=versions[settings.pipeline],
        )
        for settings in (each.settings for each in live)
        if versions.get(settings.pipeline, settings.version) != settings.version
    ]


def repoint(scheduler: Scheduler, deployments: Deployments) -> tuple[Deployment, list[Repointed]]:
    """Let every schedule run the current deployment.

    Looks again after each round, since others may have deployed something else by then, or edited a
    schedule: their edit stays, and the next round points what they made of it.

    Returns:
        The current deployment, and what was changed.

    Raises:
        ConflictError: If others deploy or edit all the time.
    """
    done: dict[str, Repointed] = {}
    for _ in range(MOST_ROUNDS):
        current = deployments.current()
        live = {each.settings.name: each for each in scheduler.live()}
        wanted = changes(list(live.values()), current.versions)
        if not wanted:
            return current, list(done.values())
        for change in wanted:
            if _point(scheduler, live[change.name], change.after):
                done[change.name] = change
            else:
                time.sleep(random.uniform(0, MOST_PAUSE_S))  # noqa: S311  # no secret
    raise ConflictError("Others deploy, or edit schedules, all the time. Run the same again.")


def _point(scheduler: Scheduler, live: Live, version: str) -> bool:
    """Let a schedule run a version; False where somebody else has just edited it."""
    try:
        scheduler.update(live, replace(live.settings, version=version))
    except ConflictError:
        return False
    return True
