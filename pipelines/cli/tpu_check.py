"""`pawpetal tpu-check`: what a train step needs of a TPU, found without one."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from components.common.errors import PawpetalError

if TYPE_CHECKING:
    from components.train.tpu_check.report import Finding

NOTES = """\
Of the whole network, trained by AdamW in bfloat16: a frozen one needs less. Images/s are bounds
by arithmetic and by memory alone: reading photos, and waiting for other chips, come on top."""


@click.command("tpu-check")
@click.option("--architecture", metavar="NAME", required=True, help="See pawpetal architectures.")
@click.option("--image-size", type=int, default=0, help="Pixels; 0: the usual.", show_default=True)
@click.option("--global-batch", type=int, required=True, help="Photos a step, all chips together.")
@click.option(
    "--topology",
    metavar="GENERATION:SHAPE",
    default="v5e:2x2",
    show_default=True,
    help="TPU slice: v5e or v6e; 1x1, 2x2 or 2x4.",
)
@click.option("--num-classes", type=int, default=5, show_default=True)
@click.option(
    "--largest-batch", is_flag=True, help="Look for the largest batch also where this one fits."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def tpu_check(
    architecture: str,
    image_size: int,
    global_batch: int,
    topology: str,
    num_classes: int,
    largest_batch: bool,
    as_json: bool,
) -> None:
    """Compile a train step for a TPU that is not here: does it fit, how fast can it be?

    Takes from half a minute to some minutes a batch. Needs the extras steps and tpu.

    Exit status: 0 the step fits, 1 it does not, or cannot be compiled here, 2 an argument cannot
    work.
    """
    from components.train.tpu_check.process import check_elsewhere
    from components.train.tpu_check.report import Request

    request = Request(
        architecture=architecture,
        image_size=image_size,
        global_batch=global_batch,
        topology=topology,
        num_classes=num_classes,
        largest_batch=largest_batch,
    )
    try:
        with _waiting():
            finding = check_elsewhere(request)
    except PawpetalError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(finding.plain(), indent=2))
    else:
        _show(finding)
    if not finding.fits:
        raise click.ClickException(_refusal(finding))


@contextlib.contextmanager
def _waiting() -> Iterator[None]:
    """Show what is being compiled; on stderr, since stdout is for what is found."""
    from rich.console import Console
    from rich.markup import escape

    from components.common.progress import shown_by

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with console.status("building the network") as status:

        def show(line: str) -> None:
            status.update(escape(line))
            if not console.is_terminal:
                click.echo(line, err=True)

        with shown_by(show):
            yield


def _show(finding: Finding) -> None:
    from pipelines.cli.table import print_table

    print_table(("", ""), _rows(finding))
    sys.stdout.write(f"\n{NOTES}\n")


def _rows(finding: Finding) -> Iterator[tuple[str, str]]:
    request, cost = finding.request, finding.cost
    chips, chip = request.slice.num_chips, request.slice.chip
    yield "network", f"{request.architecture}, {finding.num_parameters:,} parameters"
    yield "photos", f"{request.global_batch:,} a step, {request.image_size} px"
    yield "TPU", f"{request.topology}, {chips} chip{'s' * (chips > 1)}"
    there_is = f"of {chip.hbm_gib:g} GiB a chip"
    if finding.fits:
        yield "HBM", f"{finding.needed_gib:.2f} {there_is}"
    else:
        yield "HBM", f"at least {finding.needed_gib:.1f} {there_is}: does not fit"
    if cost:
        yield "FLOPs a step", f"{cost.flops * chips / 1e9:,.1f} G"
        yield "bytes a step", f"{cost.bytes_accessed * chips / 1e9:,.2f} GB read and written"
        flops = f"{chip.peak_flops / 1e12:,.0f} TFLOP/s a chip"
        yield "images/s at most", f"{_round(finding.flops_bound)} by arithmetic, {flops}"
        bandwidth = f"{chip.hbm_bytes_per_s / 1e9:,.0f} GB/s a chip"
        yield "", f"{_round(finding.bandwidth_bound)} by reading and writing, {bandwidth}"
    if finding.largest_batch is not None:
        yield "largest batch", _largest(finding)


def _round(number: float) -> str:
    """To three digits: bounds are no better than that."""
    return f"{float(f'{number:.3g}'):,.0f}"


def _largest(finding: Finding) -> str:
    if finding.too_large is None:
        return f"at least {finding.largest_batch:,}"
    return f"{finding.largest_batch:,} ({finding.too_large:,} does not fit)"


def _refusal(finding: Finding) -> str:
    request = finding.request
    remedy = (
        f"The largest that was found to fit is {finding.largest_batch:,}."
        if finding.largest_batch
        else "No batch fits. Take a smaller `image_size`, or another architecture."
    )
    return (
        f"`global_batch` must fit into {request.slice.chip.hbm_gib:g} GiB a chip of"
        f" {request.topology}. Received: {request.global_batch:,}, which needs"
        f" at least {finding.needed_gib:.1f} GiB. {remedy}"
    )
