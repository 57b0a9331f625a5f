"""`pawpetal compile`: specs for Kubeflow and Vertex AI from the graphs."""

from __future__ import annotations

import sys

import click


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a spec is stale.")
def compile_command(check: bool) -> None:
    """Compile the pipelines into pipelines/specs, one spec a target."""
    from pipelines.compiling import compile_specs, stale_specs

    if not check:
        for path in compile_specs():
            click.echo(f"compiled {path}")
        return
    stale = stale_specs()
    for path, diff in stale.items():
        click.echo(f"stale: {path}\n{diff}\n")
    if stale:
        click.echo("Run `pawpetal compile`, and commit what it writes.", err=True)
        sys.exit(1)
    click.echo("All committed specs are what compiling gives.")
