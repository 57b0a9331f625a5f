"""What a person sees of deployments: what would be deployed, and what was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

from components.common.errors import PawpetalError
from pipelines.cli.table import print_table
from pipelines.deploy.deploy import describe, find_rollback
from pipelines.deploy.deployments import Deployment, Place, Release
from pipelines.deploy.documents import inputs, read
from pipelines.deploy.release import DeployTarget
from pipelines.deploy.repointing import Repointed, changes, check_schedules
from pipelines.schedules import Live, Scheduler
from pipelines.targets.vertex import VertexTarget

T = TypeVar("T")

NEW = "the new version"  # whose name only the place gives


def show_plan(
    target: DeployTarget, place: Place, scheduler: Scheduler, release: Release, *, as_json: bool
) -> None:
    """Say what `deploy` would send and change.

    Args:
        target: The place, as runs know it.
        place: The same, as deployments know it.
        scheduler: Of the schedules that are fired there.
        release: What would be deployed.
        as_json: Print one JSON object instead of text.

    Raises:
        InputError: If a schedule could not run it, or the place is not ready.
        PawpetalError: If Kubeflow cannot be asked.
    """
    unasked = []
    if isinstance(target, VertexTarget):  # works without credentials, too
        unasked.append(target.check_place(is_needed=False))
    history = _ask(place.history, target, unasked)
    live = _ask(scheduler.live, target, unasked)
    number = 0 if history is None else history[0].number + 1 if history else 1
    history, live = history or [], live or []
    not_asked = "; ".join(dict.fromkeys(filter(None, unasked)))
    check_schedules(live, {name: inputs(read(spec)[0]) for name, spec in release.specs.items()})
    is_new = not history or history[0].content != release.content
    requests = list(place.requests(release, number)) if is_new else []
    versions = dict.fromkeys(release.specs, NEW) if is_new else history[0].versions
    repointed = changes(live, versions)
    if as_json:
        told = {
            "tag": release.tag,
            "content": release.content,
            "is_new": is_new,
            "requests": requests,
            "repointed": [asdict(change) for change in repointed],
            "not_asked": not_asked or None,
        }
        click.echo(json.dumps(told, indent=2))
        return
    if is_new:
        click.echo(f"Would deploy {describe(release)} to {place.title}:")
    else:
        click.echo(f"Nothing to deploy: {describe(history[0])} is the same, and is current.")
    for request in requests:
        click.echo(f"  {_line(request)}")
    _end(repointed, not_asked)


def show_rollback(place: Place, scheduler: Scheduler, *, as_json: bool) -> None:
    """Say what `deploy --rollback` would change.

    Args:
        place: Where.
        scheduler: Of the schedules that are fired there.
        as_json: Print one JSON object instead of text.

    Raises:
        InputError: If there is nothing to go back to, or a schedule could not run it.
        PawpetalError: If the place cannot be asked.
    """
    live = scheduler.live()
    to, is_begun = find_rollback(place, live)
    check_schedules(live, {spec.pipeline: inputs(place.read_spec(spec)) for spec in to.specs})
    versions = to.versions if is_begun else place.versions_of_rollback(to)
    repointed = changes(live, versions)
    if as_json:
        told = {
            "to": asdict(to),
            "is_begun": is_begun,
            "versions": dict(versions),
            "repointed": [asdict(change) for change in repointed],
        }
        click.echo(json.dumps(told, indent=2))
        return
    if is_begun:
        click.echo(f"Would finish the rollback of {place.title} to {describe(to)}, begun {to.at}:")
    else:
        click.echo(f"Would roll back {place.title} to {describe(to)}, deployed {to.at}:")
    for pipeline, version in versions.items():
        click.echo(f"  {pipeline:16} {version}")
    _end(repointed, "")


def show_history(history: Sequence[Deployment], live: Sequence[Live], *, as_json: bool) -> None:
    """Print what was deployed, newest first, with the schedules that run it."""
    schedules = [_schedules(each, history, live) for each in history]
    if as_json:
        told = [
            {**asdict(each), "is_current": index == 0, "schedules": names}
            for index, (each, names) in enumerate(zip(history, schedules, strict=True))
        ]
        click.echo(json.dumps(told, indent=2))
    elif not history:
        click.echo("Nothing is deployed there yet. See: pawpetal deploy --help")
    else:
        columns = ("", "tag", "commit", "when", "by", "rollback", "schedules", "specs")
        rows = zip(history, schedules, strict=True)
        print_table(columns, (_cells(each, names, each is history[0]) for each, names in rows))


def _ask(question: Callable[[], T], target: DeployTarget, unasked: list[str]) -> T | None:
    """What is answered; where Google Cloud cannot be asked, None, and why is noted."""
    try:
        return question()
    except PawpetalError as error:
        if not isinstance(target, VertexTarget):
            raise
        unasked.append(str(error))
        return None


def _schedules(each: Deployment, history: Sequence[Deployment], live: Sequence[Live]) -> list[str]:
    """Names of the schedules that run it; what was rolled back to, runs as the rollback."""
    newer = history[: list(history).index(each)]
    known = {(spec.pipeline, spec.version) for other in newer for spec in other.specs}
    own = {(spec.pipeline, spec.version) for spec in each.specs} - known
    return [
        one.settings.name for one in live if (one.settings.pipeline, one.settings.version) in own
    ]


def _cells(each: Deployment, schedules: Sequence[str], is_current: bool) -> tuple[str, ...]:
    back = f"to {each.rolled_back_to}" if each.is_rollback else ""
    return (
        f"{each.number}{' *' if is_current else ''}",
        each.tag,
        each.commit[:12],
        each.at.replace("T", " ").replace("+00:00", " UTC"),
        each.by,
        back,
        ", ".join(schedules),
        ", ".join(_specs(each)),
    )


def _specs(each: Deployment) -> Iterator[str]:
    """Versions: one where all have the same, as on Kubeflow."""
    versions = {spec.version for spec in each.specs}
    if len(versions) == 1:
        yield from versions
        return
    for spec in each.specs:
        yield f"{spec.pipeline} {spec.version.removeprefix('sha256:')[:12]}"


def _line(request: Any) -> str:
    rest = {key: value for key, value in request.items() if key not in ("method", "url")}
    return f"{request['method']} {request['url']}  {json.dumps(rest)}"


def _end(repointed: Sequence[Repointed], unasked: str) -> None:
    for change in repointed:
        before = change.before or "nothing"
        click.echo(f"  schedule {change.name}: {change.pipeline} {before} -> {change.after}")
    if unasked:
        click.echo(f"Not asked of Google Cloud: {unasked}")
    click.echo("Nothing was sent.")
