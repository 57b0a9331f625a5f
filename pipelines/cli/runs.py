"""`pawpetal runs`: what ran on this machine."""

from __future__ import annotations

import json
import sys

import click

from pipelines.cli.table import console, print_table
from pipelines.runs import Run, find_run, list_runs


@click.group()
def runs() -> None:
    """Look at the runs of this machine."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
def list_command(as_json: bool) -> None:
    """List the runs, newest first."""
    found = list(list_runs())
    if as_json:
        click.echo(json.dumps([json.loads(run.to_json()) for run in found], indent=2))
        return
    if not found:
        click.echo("No runs yet. Start one: pawpetal run")
        return
    columns = ("run", "on", "status", "dataset", "architecture", "accuracy", "registered")
    print_table(columns, map(_cells, found))


@runs.command("show")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="The record as JSON on stdout.")
def show_command(run_id: str, as_json: bool) -> None:
    """Show one run: its steps, settings, scores and pages. RUN is an id, or latest."""
    from pipelines.cli.display import Display

    run = find_run(run_id)
    if as_json:
        click.echo(run.to_json())
        return
    console().print(
        f"[bold]{run.run_id}[/]  {run.status} on {run.target}, started {run.started_at}\n"
    )
    print_table(
        ("step", "status", "seconds", "log"),
        (
            (step.name, "cached" if step.cached else step.status, f"{step.seconds:.1f}", step.log)
            for step in run.steps
        ),
    )
    click.echo("\nsettings")
    for name, value in sorted(run.parameters.items()):
        click.echo(f"  {name}: {value!r}")
    Display(sys.stdout).summarise(run)


def _cells(run: Run) -> tuple[str, ...]:
    accuracy = run.metrics.get("accuracy")
    held = "held back" if run.gate and not run.gate["passed"] else ""
    return (
        run.run_id,
        run.target,
        run.status,
        _setting(run, "dataset", "curriculum"),
        _setting(run, "architecture", "architectures"),
        "" if accuracy is None else f"{accuracy:.4f}",
        f"{run.model['name']} v{run.model['version']}" if run.model else held,
    )


def _setting(run: Run, *names: str) -> str:
    """The first of these settings that the run's pipeline has."""
    return next((str(run.parameters[name]) for name in names if name in run.parameters), "")
