"""Deploying and rolling back: what happens in which order, the same for every place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.common.errors import InputError
from pipelines.deploy.deployments import Deployment, Place, Release, previous
from pipelines.deploy.documents import inputs, read
from pipelines.deploy.repointing import Repointed, changes, check_schedules, repoint
from pipelines.runs import SUCCEEDED, Run
from pipelines.schedules import Live, Scheduler

Say = Callable[[str], None]
SmokeRun = Callable[[Release], Run]  # runs what is to be deployed to its end


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of it."""

    deployment: Deployment | None  # that is current now; None where nothing is
    is_new: bool = False  # False where the same was there already
    repointed: Sequence[Repointed] = ()
    smoke_run: Run | None = None
    failure: str = ""  # why what was asked for is not current; empty where it is


def deploy(
    place: Place,
    scheduler: Scheduler,
    release: Release,
    *,
    smoke_run: SmokeRun | None = None,
    say: Say,
) -> Outcome:
    """Make a release the current one of a place, and let its schedules run it.

    The smoke run comes first: what fails is never there, for nobody. Killed anywhere, the same
    again completes it.

    Args:
        place: Where to.
        scheduler: Of the schedules that are fired there.
        release: What.
        smoke_run: Tries it there before anything is deployed; None for no try.
        say: Tells people what happens.

    Raises:
        InputError: If a schedule could not run it; nothing was changed.
        PawpetalError: If the place refuses, or cannot be asked.
    """
    needed = {name: inputs(read(spec)[0]) for name, spec in release.specs.items()}
    check_schedules(scheduler.live(), needed)
    current, run = place.find_current(), None
    if smoke_run:
        say(f"Trying {describe(release)} before anything is deployed to {place.title}")
        run = smoke_run(release)
        if run.status != SUCCEEDED:
            return _refuse(release, current, run, say=say)
        check_schedules(scheduler.live(), needed)  # with those that were made meanwhile
        current = place.find_current()
    if current is not None and current.content == release.content:
        say(f"Nothing to deploy: {describe(current)} is the same, and is current at {place.title}")
        return _finish(place, scheduler, current, is_new=False, run=run, say=say)
    say(f"Deploying {describe(release)} to {place.title}")
    made = place.deploy(release)
    for spec in made.specs:
        say(f"  {spec.pipeline:16} {spec.version}")
    return _finish(place, scheduler, made, is_new=True, run=run, say=say)


def roll_back(place: Place, scheduler: Scheduler, *, by: str, say: Say) -> Outcome:
    """Make the deployment before the current one, and let schedules run it.

    A rollback that broke off is finished instead.

    Args:
        place: Where.
        scheduler: Of the schedules that are fired there.
        by: Who asks for it.
        say: Tells people what happens.

    Raises:
        InputError: If there is none before, a schedule could not run it, or its specs are gone.
        PawpetalError: If the place refuses, or cannot be asked.
    """
    live = scheduler.live()
    to, is_begun = find_rollback(place, live)
    check_schedules(live, {spec.pipeline: inputs(place.read_spec(spec)) for spec in to.specs})
    if is_begun:
        say(f"Finishing the rollback of {place.title} to {describe(to)}, begun {to.at}")
    else:
        say(f"Rolling back {place.title} to {describe(to)}, deployed {to.at}")
        to = place.roll_back(to, by)
    return _finish(place, scheduler, to, is_new=not is_begun, run=None, say=say)


def find_rollback(place: Place, live: Sequence[Live]) -> tuple[Deployment, bool]:
    """What a rollback would go back to, and whether one to there has only to be finished.

    Args:
        place: Where.
        live: The schedules that are fired there.

    Raises:
        InputError: If nothing was deployed before the current one.
    """
    history = place.history()
    newest = next((each for each in history[:1] if each.is_rollback), None)
    if newest and (changes(live, newest.versions) or not place.is_settled(newest)):
        return newest, True
    to = previous(history)
    if to is None:
        there = f"only {describe(history[0])} was" if history else "nothing was"
        raise InputError(f"There is nothing to roll back to: {there} deployed at {place.title}.")
    return to, False


def describe(named: Deployment | Release) -> str:
    """What people call it."""
    commit = f", commit {named.commit[:12]}" if named.commit else ""
    return f"{named.tag} ({named.code_version}{commit})"


def _refuse(release: Release, current: Deployment | None, run: Run, *, say: Say) -> Outcome:
    """Leave all as it is."""
    why = run.error["message"] if run.error else run.status
    failure = f"The smoke run of {describe(release)} did not succeed, nothing was deployed: {why}"
    if current is not None and current.content == release.content:
        failure += f". The same is current already, as {describe(current)}, and stays so"
    say(failure)
    return Outcome(deployment=current, smoke_run=run, failure=failure)


def _finish(
    place: Place,
    scheduler: Scheduler,
    made: Deployment,
    *,
    is_new: bool,
    run: Run | None,
    say: Say,
) -> Outcome:
    place.settle()
    current, repointed = repoint(scheduler, place)
    for change in repointed:
        say(f"  schedule {change.name} runs {change.pipeline} {change.after} now")
    failure = ""
    if current.content != made.content:
        by = f" by {current.by}" if current.by else ""
        failure = (
            f"{describe(made)} is not current: meanwhile {describe(current)} was deployed{by}, and"
            " schedules run that"
        )
        say(failure)
    elif is_new or repointed:
        say(f"{describe(current)} is current at {place.title}")
    return Outcome(
        deployment=current, is_new=is_new, repointed=repointed, smoke_run=run, failure=failure
    )
