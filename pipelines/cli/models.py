"""`pawpetal models`: what is in the registry."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from components.common.errors import InputError
from components.common.registry import CHAMPION, ModelVersion, Registry, open_registry
from pipelines.cli.table import print_table

COLUMNS = ("accuracy", "architecture", "dataset", "created")

_registry = click.option(
    "--registry",
    default="",
    help="Which registry: empty for the one of this machine, mlflow:TRACKING_URI or"
    " vertex:PROJECT/REGION.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.group()
def models() -> None:
    """Look at the models in the registry."""


@models.command("list")
@_registry
@_as_json
def list_command(registry: str, as_json: bool) -> None:
    """List the models, each with its champion."""
    opened = open_registry(registry)
    champions = {name: opened.find(name, CHAMPION) for name in opened.model_names()}
    if as_json:
        plain = [
            {"name": name, "champion": asdict(version) if version else None}
            for name, version in champions.items()
        ]
        click.echo(json.dumps(plain, indent=2))
        return
    if not champions:
        click.echo("No models yet. Train one: pawpetal run")
        return
    print_table(
        ("model", "champion", *COLUMNS),
        (
            (name, *(_cells(version) if version else ("none", *[""] * len(COLUMNS))))
            for name, version in champions.items()
        ),
    )


@models.command("show")
@click.argument("name")
@_registry
@_as_json
def show_command(name: str, registry: str, as_json: bool) -> None:
    """Show the versions of a model, newest first, and where the champion comes from."""
    opened = open_registry(registry)
    versions = opened.versions(name)
    if not versions:
        raise InputError(_unknown(name, opened))
    if as_json:
        click.echo(json.dumps([asdict(version) for version in versions], indent=2))
        return
    print_table(
        ("version", *COLUMNS, "aliases"),
        ((*_cells(version), ", ".join(version.aliases)) for version in versions),
    )
    champion = next((one for one in versions if CHAMPION in one.aliases), versions[0])
    click.echo(f"\nversion {champion.version}: {champion.source}")
    for key, value in sorted(champion.labels.items()):
        click.echo(f"  {key}: {value}")


def _cells(version: ModelVersion) -> tuple[str, ...]:
    accuracy = version.metrics.get("accuracy")
    return (
        version.version,
        "" if accuracy is None else f"{accuracy:.4f}",
        version.labels.get("architecture", ""),
        version.labels.get("dataset", ""),
        version.created_at,
    )


def _unknown(name: str, registry: Registry) -> str:
    known = ", ".join(registry.model_names()) or "none"
    return f"There is no model '{name}' in the registry. Models there: {known}"
