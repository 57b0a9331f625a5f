"""`pawpetal runs`: what ran on this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from pipelines.runs import Run, find_run, list_runs

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 240  # columns


@click.group()
def runs() -> None:
    """Look at the runs of this machine."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
def list_command(as_json: bool) -> None:
    """List the runs, newest first."""
    from rich.table import Table

    found = list(list_runs())
    if as_json:
        click.echo(json.dumps([json.loads(run.to_json()) for run in found], indent=2))
        return
    if not found:
        click.echo("No runs yet. Start one: pawpetal run")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("run", "status", "dataset", "architecture", "accuracy", "registered"):
        # An id must stay whole, to be copied.
        table.add_column(column, overflow="fold", no_wrap=column == "run")
    for run in found:
        table.add_row(*_cells(run))
    _console().print(table)


@runs.command("show")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="The record as JSON on stdout.")
def show_command(run_id: str, as_json: bool) -> None:
    """Show one run: its steps, settings, scores and pages. RUN is an id, or latest."""
    from rich.table import Table

    from pipelines.cli.display import Display

    run = find_run(run_id)
    if as_json:
        click.echo(run.to_json())
        return
    console = _console()
    console.print(f"[bold]{run.run_id}[/]  {run.status}, started {run.started_at}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("step", "status", "seconds", "log"):
        table.add_column(column, overflow="fold")
    for step in run.steps:
        status = "cached" if step.cached else step.status
        table.add_row(step.name, status, f"{step.seconds:.1f}", step.log)
    console.print(table)
    console.print("\n[bold]settings[/]")
    for name, value in sorted(run.parameters.items()):
        console.print(f"  {name}: {value!r}", markup=False)
    Display(sys.stdout).summarise(run)


def _cells(run: Run) -> tuple[str, ...]:
    accuracy = run.metrics.get("accuracy")
    held = "held back" if run.gate and not run.gate["passed"] else ""
    return (
        run.run_id,
        run.status,
        str(run.parameters.get("dataset", "")),
        str(run.parameters.get("architecture", "")),
        "" if accuracy is None else f"{accuracy:.4f}",
        f"{run.model['name']} v{run.model['version']}" if run.model else held,
    )


def _console() -> Console:
    from rich.console import Console

    # Into a file or a pipe, no line is folded at a width that no terminal has.
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width)
