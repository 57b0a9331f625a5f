"""`pawpetal architectures`: the networks there are, and when to use which."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from components.train.architectures import (
    ARCHITECTURES,
    MAX_IMAGE_SIZE,
    NONE,
    TRANSFER,
    Architecture,
)
from pipelines.cli.table import print_table

JSON_FIELDS = (
    "name",
    "summary",
    "paper",
    "num_parameters",
    "image_size",
    "min_image_size",
    "weights",
    "epochs",
    "fine_tune_epochs",
)
NOTES = f"""\
pixels: usual side of the photos, and the smallest; at most {MAX_IMAGE_SIZE}.
Photos are RGB, or gray with --channels 1. Parameters are without the classes,
at the usual size; those of dense and of the references grow with it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def architectures(as_json: bool) -> None:
    """List the networks: size, parameters, start, when to use which, and the paper."""
    if as_json:
        click.echo(json.dumps([_plain(one) for one in ARCHITECTURES.values()], indent=2))
        return
    own = [one for one in ARCHITECTURES.values() if one.weights == NONE]
    click.echo("Trained from scratch (--weights none): --architecture NAME\n")
    _print(own)
    click.echo(f"\nTransfer (--weights imagenet, or a file): --architecture {TRANSFER}NAME\n")
    _print(one for one in ARCHITECTURES.values() if one.weights != NONE)
    click.echo(f"\n{NOTES}")


def _print(chosen: Iterable[Architecture]) -> None:
    print_table(
        ("name", "pixels", "parameters", "when to use it", "paper"),
        (
            (
                one.name.removeprefix(TRANSFER),
                f"{one.image_size} ({one.min_image_size})",
                _count(one.num_parameters),
                one.summary,
                one.paper,
            )
            for one in chosen
        ),
    )


def _plain(architecture: Architecture) -> dict[str, object]:
    fields = {name: getattr(architecture, name) for name in JSON_FIELDS}
    return {**fields, "channels": [3, 1]}


def _count(number: int) -> str:
    """In millions, as people compare them."""
    return f"{number / 1e6:.1f} M"
