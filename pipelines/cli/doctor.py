"""`pawpetal doctor`: what would fail later, found now, with the command that mends it."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.targets import target_options
from pipelines.targets.options import make_target

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.doctor.check import Check

NAME_WIDTH = 19  # of the longest name, and a space
MARKS = {"ok": "[green]ok[/]  ", "fail": "[bold red]FAIL[/]", "skip": "[yellow]skip[/]"}


@click.command(short_help="Find what would fail later, and how to mend it.")
@target_options()
@click.option("--dataset", metavar="URI", default="", help="Look whether its photos can be read.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def doctor(on: str, dataset: str, as_json: bool, **options: Any) -> None:
    """Look whether a run could go through: with the options of `pawpetal run` that say where.

    Nothing is changed, started or paid for. Each line is ok, FAIL with what mends it below, or
    skip, where nothing can be said: one may not look, or something has to be mended before.

    Exit status: 0 nothing failed, 1 something did, 2 an argument cannot work.
    """
    from rich.console import Console

    from pipelines.doctor.examine import examine

    # Streams by name: kfp's client, asked by a thread, puts another one in place of `sys.stdout`.
    stdout, stream = sys.stdout, sys.stderr if as_json else sys.stdout
    console = Console(file=stream, highlight=False, soft_wrap=True)
    checks = []
    with console.status("looking"):
        for check in examine(on, make_target(on, options), dataset):
            checks.append(check)
            _show(console, check)
    failed = sum(check.status == "fail" for check in checks)
    console.print(f"\n{_summary(on, checks)}")
    if as_json:
        told = {"on": on, "failed": failed, "checks": [dataclasses.asdict(each) for each in checks]}
        click.echo(json.dumps(told, indent=2), file=stdout)
    sys.exit(1 if failed else 0)


def _show(console: Console, check: Check) -> None:
    from rich.markup import escape

    name = escape(f"{check.name:{NAME_WIDTH}}")
    console.print(f"{MARKS[check.status]}  [bold]{name}[/] {escape(check.said.rstrip('.'))}")
    if check.mend:
        console.print(f"{'':{NAME_WIDTH + 7}}[cyan]→ {escape(check.mend)}[/]")


def _summary(on: str, checks: list[Check]) -> str:
    count = {status: sum(check.status == status for check in checks) for status in MARKS}
    skipped = f", {count['skip']} skipped" if count["skip"] else ""
    if not count["fail"]:
        ready = "[yellow]Ready as far as can be seen[/]," if skipped else "[green]Ready[/]"
        return f"{ready} for --on {on}: {count['ok']} ok{skipped}."
    return (
        f"[red]Not ready[/] for --on {on}: {count['fail']} to mend{skipped}. Begin at the top: what"
        " comes first may mend what follows."
    )
