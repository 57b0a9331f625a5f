"""`pawpetal compile`: specs for Kubeflow and Vertex AI from the graphs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from components.common.errors import InputError


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a spec is stale.")
@click.option("--output", metavar="FOLDER", help="Write there, not into pipelines/specs.")
@click.option(
    "--image-registry",
    default="",
    metavar="HOST[/PATH]",
    help="Where the images are pulled from; empty: the machine or the nodes have them.",
)
@click.option(
    "--accelerator",
    default="none",
    show_default=True,
    help="What trains: none, gpu:TYPE:COUNT or tpu:GENERATION:TOPOLOGY; for Kubeflow alone.",
)
@click.option(
    "--num-workers",
    type=int,
    default=1,
    show_default=True,
    help="Pods that share the work of ingest; above 1 a run needs `storage`.",
)
def compile_command(
    check: bool, output: str | None, image_registry: str, accelerator: str, num_workers: int
) -> None:
    """Compile the pipelines into pipelines/specs, one spec a target."""
    is_usual = not image_registry and accelerator == "none" and num_workers == 1
    if not is_usual and not output:
        raise InputError(
            "`output` must name a folder where `image_registry`, `accelerator` or `num_workers` is"
            " set, since the committed specs have the usual settings."
        )
    if check and output:
        raise InputError("`check` looks at pipelines/specs: leave `output` out.")

    from pipelines.accelerators import parse_accelerator
    from pipelines.compiling import SpecSettings, compile_specs, stale_specs
    from pipelines.specs import FOLDER

    settings = SpecSettings(
        image_registry=image_registry,
        accelerator=parse_accelerator(accelerator),
        num_workers=num_workers,
    )
    if not check:
        for path in compile_specs(Path(output) if output else FOLDER, settings):
            click.echo(f"compiled {path}")
        return
    stale = stale_specs()
    for path, diff in stale.items():
        click.echo(f"stale: {path}\n{diff}\n")
    if stale:
        click.echo("Run `pawpetal compile`, and commit what it writes.", err=True)
        sys.exit(1)
    click.echo("All committed specs are what compiling gives.")
