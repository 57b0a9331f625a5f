"""What Kubeflow's and Vertex AI's schedules share: both start specs that were deployed."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from components.common.errors import ConflictError, InputError
from pipelines.deploy.deployments import DeployedSpec, Deployment, Deployments
from pipelines.schedules import Settings
from pipelines.schedules.schedule import Schedule
from pipelines.specs import FILLED_IN, Value, parameters
from pipelines.targets import Target

SOON = timedelta(seconds=10)  # how near a time is waited for, since clocks differ
LATE = timedelta(seconds=60)  # after a time, how long its run may take to appear
MOST_WAITING = timedelta(seconds=150)  # of both, twice
POLL_S = 2.0


@dataclass(frozen=True)
class Catalog:
    """What was deployed to a place, where nothing is asked twice: a spec never changes there."""

    deployments: Deployments
    _known: dict[tuple[str, str], tuple[Deployment, DeployedSpec]] = field(default_factory=dict)
    _specs: dict[str, dict[str, Any]] = field(default_factory=dict)  # by reference

    @cached_property
    def current(self) -> Deployment:
        """What new schedules run."""
        return self._learn(self.deployments.current())

    def find(self, settings: Settings) -> tuple[Deployment, DeployedSpec]:
        """The deployment that brought the spec of a schedule, and that spec.

        Raises:
            InputError: If none did.
        """
        key = (settings.pipeline, settings.version)
        if key not in self._known:
            self._learn(self.deployments.current())  # one that came meanwhile
        if key not in self._known:
            for deployment in self.deployments.history():
                self._learn(deployment)
        if key not in self._known:
            raise InputError(
                f"`version` must be one of {settings.pipeline} that was deployed."
                f" Received: '{settings.version}'"
            )
        return self._known[key]

    def read(self, spec: DeployedSpec) -> dict[str, Any]:
        """The spec itself."""
        if spec.reference not in self._specs:
            self._specs[spec.reference] = self.deployments.read_spec(spec)
        return self._specs[spec.reference]

    def _learn(self, deployment: Deployment) -> Deployment:
        """Keep its specs; of two deployments with the same one, the newer comes first."""
        for spec in deployment.specs:
            self._known.setdefault((spec.pipeline, spec.version), (deployment, spec))
        return deployment


def prepare_settings(
    schedule: Schedule, target: Target, catalog: Catalog, place: Mapping[str, Value]
) -> Settings:
    """Check a schedule as a run would be, and work out how it is held.

    Args:
        schedule: With times alone: its scheduler cannot look at photos.
        target: Where its runs run.
        catalog: What is deployed there.
        place: Of the settings.

    Raises:
        InputError: If it cannot work there, or nothing is deployed that it could run.
    """
    from pipelines.preflight import prepare

    if schedule.cron is None or schedule.on_new_data:
        raise InputError(
            f"`fired_by` must be scheduler for '{schedule.name}': nobody but `pawpetal scheduler`"
            " looks at photos first."
        )
    usual = {each.name: each.default for each in parameters(schedule.pipeline)}
    prepared = prepare({**usual, **schedule.parameters}, target, is_recurring=True)
    spec = catalog.current.spec(schedule.pipeline)
    chosen = {
        name: prepared[name]
        for name, default in usual.items()
        if name in schedule.parameters or prepared[name] != default
    }
    _check_known(chosen, spec, catalog.read(spec))
    return Settings(
        name=schedule.name,
        pipeline=schedule.pipeline,
        version=spec.version,
        cron=schedule.cron.text,
        time_zone=schedule.cron.time_zone,
        max_concurrency=schedule.max_concurrency,
        catch_up=schedule.catch_up,
        paused=schedule.paused,
        place=dict(place),
        parameters=chosen,
    )


def _check_known(
    chosen: Mapping[str, Value], spec: DeployedSpec, compiled: Mapping[str, Any]
) -> None:
    """Refuse inputs that the deployed spec lacks, since it may be older than this code."""
    definitions = compiled["root"].get("inputDefinitions", {})
    for name in chosen:
        if name not in definitions.get("parameters", {}):
            raise InputError(
                f"`{name}` is no input of the {spec.pipeline} that is deployed, version"
                f" {spec.version}: run `pawpetal deploy` first, or leave it out."
            )


def sent_parameters(settings: Settings, deployment: Deployment) -> dict[str, Value]:
    """Inputs of each run of a schedule: those chosen, and what pawpetal fills in.

    No fingerprints: what a time finds, nobody knows before.
    """
    filled_in = dict.fromkeys(FILLED_IN, "") | {"code_version": deployment.code_version}
    return {**settings.parameters, **filled_in}


def chosen_parameters(pipeline: str, sent: Mapping[str, Any]) -> dict[str, Value]:
    """The same way back: without what pawpetal fills in, and typed as the pipeline declares.

    JSON has one kind of number, so 1.0 comes back as 1.
    """
    types = {each.name: each.type for each in parameters(pipeline)}
    return {
        name: types[name](value) if types.get(name) in (int, float) else value
        for name, value in sent.items()
        if name not in FILLED_IN
    }


def conflict(name: str, done: str) -> ConflictError:
    """The error for a schedule that is no longer as it was when its change was decided.

    Args:
        name: Of the schedule.
        done: What somebody else did to it, e.g. "deleted".
    """
    return ConflictError(
        f"Schedule '{name}' was {done} by somebody else meanwhile, and is left so. See what differs"
        " now: pawpetal schedule diff"
    )


def wait_while(
    is_firing: Callable[[], bool],
    name: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Wait while a schedule is just firing, but not for ever; say so once.

    Args:
        is_firing: Whether it is.
        name: Of the schedule.
        clock: The time.
        sleep: Waits so many seconds.
    """
    start = clock()
    for rounds in itertools.count():
        if clock() - start >= MOST_WAITING or not is_firing():
            return
        if not rounds:
            print(f"{name}: waiting a moment, since it is just firing", file=sys.stderr)
        sleep(POLL_S)
