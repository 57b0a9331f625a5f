"""Schedules, and what would become of them, in the terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from pipelines.cli.table import console, print_table
from pipelines.runs import FAILED
from pipelines.schedules import Live, Scheduler, Settings
from pipelines.schedules.cron import Cron
from pipelines.schedules.plan import ABSENT, CREATE, MOVE, PRUNE, SAME, UPDATE, Change

Plans = Sequence[tuple[Scheduler, list[Change]]]
NUM_NEXT = 5  # times that are shown
MARKS = {
    CREATE: "[green]+[/]",
    UPDATE: "[yellow]~[/]",
    SAME: " ",
    MOVE: "[yellow]>[/]",
    PRUNE: "[red]-[/]",
}
WORDS = {
    CREATE: "to create",
    UPDATE: "to update",
    SAME: "as in the file",
    MOVE: "to pause here, since another scheduler shall fire it",
    PRUNE: "not in the file (pawpetal schedule prune deletes it)",
}


def show(plans: Plans) -> None:
    """Print what would change, by scheduler, and what it comes to."""
    from rich.markup import escape

    out = console()
    for scheduler, changes in plans:
        if not changes:
            continue
        out.print(f"[bold]{escape(scheduler.title)}[/]")
        for change in changes:
            out.print(f"  {MARKS[change.kind]} [bold]{change.name}[/]  {WORDS[change.kind]}")
            for line in _details(change):
                out.print(f"      {escape(line)}")
        out.print()
    out.print(_summary([change for _, changes in plans for change in changes]))


def show_requests(wanted: Iterable[tuple[Scheduler, Change]]) -> None:
    """Print what would be sent, as one JSON array."""
    requests = [
        dict(request)
        for scheduler, change in wanted
        for request in scheduler.requests(change.live, change.settings)
    ]
    click.echo(json.dumps(requests, indent=2))
    click.echo("Nothing was sent.", err=True)


def show_live(found: Sequence[tuple[Scheduler, Live]]) -> None:
    """Print a table of schedules, and what went wrong last."""
    print_table(
        ("schedule", "pipeline", "on", "fires", "next", "last", "fired by"),
        (
            (
                live.settings.name,
                _what(live.settings),
                str(live.settings.place["on"]),
                _when(live.settings),
                _next(live.settings),
                " ".join(filter(None, (_last(live), live.last_status))),
                scheduler.title,
            )
            for scheduler, live in found
        ),
    )
    for _, live in found:
        if live.said and live.last_status.startswith(FAILED):
            click.echo(f"\n{live.settings.name}: {live.said}")
            if live.last_run:
                click.echo(f"  pawpetal runs show {live.last_run}")


def plain(scheduler: Scheduler, changes: list[Change]) -> dict[str, Any]:
    """What would change, for JSON."""
    return {
        "scheduler": scheduler.title,
        "kind": scheduler.kind,
        "changes": [
            {
                "name": change.name,
                "kind": change.kind,
                "differences": [dataclasses.asdict(each) for each in change.differences],
                "next": _next_times(change.settings),
            }
            for change in changes
        ],
    }


def plain_live(scheduler: Scheduler, live: Live) -> dict[str, Any]:
    """A schedule, for JSON."""
    return {
        **dataclasses.asdict(live.settings),
        "fired_by": scheduler.title,
        "id": live.id,
        "last": live.last.isoformat() if live.last else None,
        "last_status": live.last_status,
        "last_run": live.last_run,
        "said": live.said,
        "url": live.url,
        "next": _next_times(live.settings),
    }


def _details(change: Change) -> Iterator[str]:
    settings = change.settings
    if change.kind == CREATE:
        yield f"{_what(settings)} on {settings.place['on']}, {_when(settings)}"
        for name, value in settings.parameters.items():
            yield f"{name}: {value!r}"
    for each in change.differences:
        yield f"{each.field}: {_word(each.before)} -> {_word(each.after)}"
    if change.kind in (CREATE, UPDATE):
        times = "none, paused" if settings.paused else ", ".join(_next_times(settings, _time))
        if times:
            yield f"next: {times}"


def _word(value: Any) -> str:
    return "none" if value is ABSENT else repr(value)


def _what(settings: Settings) -> str:
    return " ".join(filter(None, (settings.pipeline, settings.version)))


def _when(settings: Settings) -> str:
    at = f"{settings.cron} {settings.time_zone}" if settings.cron else ""
    if not settings.on_new_data:
        return at
    changed = f"photos of {settings.on_new_data} changed"
    return f"{at}, if {changed}" if at else f"when {changed}"


def _next(settings: Settings) -> str:
    if settings.paused:
        return "paused"
    return next(iter(_next_times(settings, _time)), "")


def _last(live: Live) -> str:
    zone = ZoneInfo(live.settings.time_zone)
    return _time(live.last.astimezone(zone)) if live.last else ""


def _next_times(settings: Settings, write: Any = datetime.isoformat) -> list[str]:
    """The next times that it fires, or looks at its photos; none while it is paused."""
    if not settings.cron or settings.paused:
        return []
    cron = Cron(settings.cron, settings.time_zone)
    return [write(time) for time in cron.next_times(NUM_NEXT, datetime.now(UTC))]


def _time(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M %Z}"


def _summary(changes: Sequence[Change]) -> str:
    if not changes:
        return "No schedules in the file, and none there."
    counts = {kind: sum(change.kind == kind for change in changes) for kind in WORDS}
    if counts[SAME] == len(changes):
        return f"Nothing to change: {counts[SAME]} as in the file."
    words = {
        CREATE: "to create",
        UPDATE: "to update",
        SAME: "unchanged",
        MOVE: "to pause",
        PRUNE: "to prune",
    }
    return ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count) + "."
