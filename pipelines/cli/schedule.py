"""`pawpetal schedule`: makes what fires runs be as `schedules.yaml` says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.common.errors import InputError, PawpetalError, unknown_name
from pipelines.cli.targets import target_options
from pipelines.targets.options import KUBEFLOW, LOCAL, OPTIONS, SCHEDULED, VERTEX, make_target

if TYPE_CHECKING:
    from pipelines.schedules import Live, Scheduler, Settings
    from pipelines.schedules.file import ScheduleFile
    from pipelines.schedules.plan import Change
    from pipelines.schedules.schedule import Schedule
    from pipelines.specs import Value

FILE = "schedules.yaml"
NONE_YET = "There are no schedules yet. Write schedules.yaml, then: pawpetal schedule apply"
# What says where a scheduler is, and who asks; the rest of a target stands in the file.
PLACE = (
    *("host", "namespace", "token_file", "cookie_file", "iap_client_id"),
    *("project", "region", "bucket", "service_account", "image_registry"),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--file`, `--on` and the options that say where schedulers are."""
    command = target_options(*PLACE, on=(KUBEFLOW, VERTEX), has_on=False)(command)
    command = click.option(
        "--on",
        type=click.Choice(SCHEDULED),
        help="Only what this scheduler fires: pawpetal's own (local), Kubeflow's, or Vertex AI's."
        "  [default: all that the file names]",
    )(command)
    return click.option(
        "--file", metavar="FILE", help=f"Schedules and targets.  [default: ./{FILE}]"
    )(command)


@click.group()
def schedule() -> None:
    """Start runs at a time, or when photos were added, as a file says."""


@schedule.command("diff")
@_options
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def diff_command(file: str | None, on: str | None, as_json: bool, **options: Value | None) -> None:
    """Show what apply and prune would change.

    Exit status: 0 nothing, 1 something, 2 an argument cannot work, or somebody cannot be asked.
    """
    from pipelines.cli.schedule_display import plain, show
    from pipelines.schedules.plan import SAME

    plans = list(_plans(_read(file, on, options), on))
    if as_json:
        click.echo(json.dumps([plain(*each) for each in plans], indent=2))
    else:
        show(plans)
    sys.exit(any(change.kind != SAME for _, changes in plans for change in changes))


@schedule.command("apply")
@_options
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, as JSON; change nothing.")
def apply_command(
    file: str | None, on: str | None, yes: bool, dry_run: bool, **options: Value | None
) -> None:
    """Create and update schedules so that they are as the file says.

    What would change is shown first. Applied again, it changes nothing. Schedules that are not in
    the file stay: see prune.
    """
    from pipelines.cli.schedule_display import show, show_requests
    from pipelines.schedules.plan import CREATE, MOVE, UPDATE

    plans = list(_plans(_read(file, on, options), on))
    changes = [(each, change) for each, some in plans for change in some]
    moved = [(each, change) for each, change in changes if change.kind == MOVE]
    wanted = [(each, change) for each, change in changes if change.kind in (CREATE, UPDATE)]
    if dry_run:
        show_requests(wanted)
        return
    show(plans)
    if not (wanted or moved):
        return
    _confirm("Apply", yes)
    for scheduler, change in moved:  # first, so that no time fires in both places
        scheduler.pause(_there(change))
        click.echo(f"paused {change.name}, of {scheduler.title}")
    for scheduler, change in wanted:
        if change.kind == CREATE:
            scheduler.create(change.settings)
        else:
            scheduler.update(_there(change), change.settings)
        click.echo(f"{change.kind}d {change.name}")
    _say_what_fires(wanted)


@schedule.command("prune")
@_options
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def prune_command(file: str | None, on: str | None, yes: bool, **options: Value | None) -> None:
    """Delete schedules that are not in the file; runs that they started stay."""
    from pipelines.schedules.plan import MOVE, PRUNE

    plans = list(_plans(_read(file, on, options), on))
    gone = [
        (each, change) for each, some in plans for change in some if change.kind in (MOVE, PRUNE)
    ]
    if not gone:
        click.echo("Every schedule that is there is in the file.")
        return
    for scheduler, change in gone:
        click.echo(f"- {change.name}, of {scheduler.title}")
    _confirm("Delete", yes)
    for scheduler, change in gone:
        scheduler.delete(_there(change))
        click.echo(f"deleted {change.name}")


@schedule.command("list")
@_options
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def list_command(file: str | None, on: str | None, as_json: bool, **options: Value | None) -> None:
    """List the schedules that are there, with when they fire next."""
    from pipelines.cli.schedule_display import plain_live, show_live

    found, silent = _ask(_read(file, on, options, is_needed=False), on)
    if as_json:
        click.echo(json.dumps([plain_live(*each) for each in found], indent=2))
    elif found:
        show_live(found)
        _say_who_fires(found)
    elif not silent:
        click.echo(NONE_YET)
    _warn(silent)
    sys.exit(2 if silent else 0)


def _on_one(verb: str, done: str, help_text: str) -> None:
    """A command that does something with one schedule."""

    @schedule.command(verb, help=help_text)
    @click.argument("name")
    @_options
    def command(name: str, file: str | None, on: str | None, **options: Value | None) -> None:
        scheduler, live = _find(name, _read(file, on, options, is_needed=False), on)
        told = getattr(scheduler, verb.replace("-", "_"))(live)
        click.echo(f"{done} {name}, of {scheduler.title}{f': {told}' if told else ''}")


_on_one("pause", "paused", "Let a schedule fire no more until it is resumed.")
_on_one("resume", "resumed", "Let a paused schedule fire again.")
_on_one("run-now", "started", "Start one run of a schedule now, beside its times.")


def _read(
    file: str | None, on: str | None, options: Mapping[str, Value | None], *, is_needed: bool = True
) -> ScheduleFile:
    """The file, with what the command line says of its targets."""
    from pipelines.places import absolute
    from pipelines.schedules.file import FILES, ScheduleFile, read_schedules

    given: dict[str, dict[str, Value]] = {kind: {} for kind in SCHEDULED}
    for name, value in options.items():
        takers = [kind for kind in OPTIONS[name][0] if kind in SCHEDULED]
        if value is None:
            continue
        if on and on not in takers:
            raise InputError(
                f"--{name.replace('_', '-')} goes with --on {' or '.join(takers)}."
                f" Received: --on {on}"
            )
        for kind in takers:
            given[kind][name] = absolute(str(value)) if name in FILES else value
    path = Path(file or FILE)
    if not is_needed and on == LOCAL:  # no file needs to say where it is
        return ScheduleFile(schedules=(), places=given)
    if not file and not path.is_file():
        if is_needed:
            raise InputError(
                f"There is no {FILE} in this folder. Write one, or name it with --file."
            )
        return ScheduleFile(schedules=(), places=given)
    return read_schedules(path, given)


def _schedulers(file: ScheduleFile, on: str | None) -> Iterator[Scheduler]:
    """Those that are asked: the one of `on`, or all that the file has to do with."""
    named = {each.scheduler for each in file.schedules}
    named |= {kind for kind, place in file.places.items() if {"host", "project"} & set(place)}
    for kind in SCHEDULED:
        if kind == on or (on is None and kind in (LOCAL, *named)):
            yield _make_scheduler(kind, file.places[kind])


def _make_scheduler(kind: str, place: Mapping[str, Value]) -> Scheduler:
    try:
        target: Any = make_target(kind, dict(place))
    except InputError as error:
        raise InputError(f"{error}; or say it in the file: `targets: {{{kind}: ...}}`") from error
    if kind == KUBEFLOW:
        from pipelines.schedules.kubeflow import KubeflowScheduler

        return KubeflowScheduler(target)
    if kind == VERTEX:
        from pipelines.schedules.vertex import VertexScheduler

        return VertexScheduler(target)
    from pipelines.schedules.local.scheduler import LocalScheduler

    return LocalScheduler()


def _plans(file: ScheduleFile, on: str | None) -> Iterator[tuple[Scheduler, list[Change]]]:
    """What would change, by scheduler; everything is checked before anything is."""
    from pipelines.schedules.plan import plan

    for scheduler in _schedulers(file, on):
        here = [each for each in file.schedules if each.scheduler == scheduler.kind]
        elsewhere = {each.name for each in file.schedules} - {each.name for each in here}
        wanted = [_prepare(scheduler, each) for each in here]
        yield scheduler, plan(wanted, scheduler.live(), elsewhere)


def _prepare(scheduler: Scheduler, wanted: Schedule) -> Settings:
    try:
        return scheduler.prepare(wanted)
    except PawpetalError as error:
        raise InputError(f"Schedule '{wanted.name}': {error}") from error


def _ask(
    file: ScheduleFile, on: str | None
) -> tuple[list[tuple[Scheduler, Live]], list[PawpetalError]]:
    """The schedules that are there, and why some places did not answer."""
    found, silent = [], []
    for scheduler in _schedulers(file, on):
        try:
            found += [(scheduler, live) for live in scheduler.live()]
        except PawpetalError as error:
            silent.append(error)
    return found, silent


def _warn(silent: Sequence[PawpetalError]) -> None:
    for error in silent:
        click.echo(f"pawpetal: {error}", err=True)


def _find(name: str, file: ScheduleFile, on: str | None) -> tuple[Scheduler, Live]:
    there, silent = _ask(file, on)
    found = [(each, live) for each, live in there if live.settings.name == name]
    if not found:
        _warn(silent)
        names = [live.settings.name for _, live in there]
        raise unknown_name("NAME", name, names) if names else InputError(NONE_YET)
    if len(found) > 1:
        kinds = " or ".join(each.kind for each, _ in found)
        raise InputError(f"There is more than one schedule '{name}': add --on {kinds}.")
    return found[0]


def _confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{what}? Nobody can be asked here: pass --yes.")
    click.confirm(f"{what}?", abort=True)


def _there(change: Change) -> Live:
    if change.live is None:
        raise ValueError("only what is there is changed")
    return change.live


def _say_who_fires(found: Sequence[tuple[Scheduler, Live]]) -> None:
    from pipelines.schedules.local.service import holder

    if any(scheduler.kind == LOCAL for scheduler, _ in found) and not holder():
        click.echo("\nNo scheduler runs here: its schedules wait for `pawpetal scheduler`.")


def _say_what_fires(applied: Sequence[tuple[Scheduler, Change]]) -> None:
    if any(scheduler.kind == LOCAL for scheduler, _ in applied):
        click.echo("Those of pawpetal's own scheduler fire while it runs: pawpetal scheduler")
