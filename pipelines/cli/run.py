"""`pawpetal run`: its options are the inputs of the pipeline, read from the compiled spec."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any, cast

import click

from components.common.errors import unknown_name
from pipelines.cli.targets import target_options
from pipelines.config import parse_inputs, read_yaml
from pipelines.specs import Parameter, Value, parameters, pipeline_names
from pipelines.targets.options import OPTIONS, make_target

USUAL = "train_and_push"
PIPELINE = "pawpetal.pipeline"  # of the context's notes: the pipeline that is run


class _RunCommand(click.Command):
    """A command whose options are the inputs of the pipeline that it is told to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the pipeline first, since it says which options there are."""
        ctx.meta[PIPELINE] = _named_pipeline(args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own options, and one for each input of the pipeline."""
        inputs = [_option(parameter) for parameter in parameters(ctx.meta.get(PIPELINE, USUAL))]
        own = super().get_params(ctx)
        return [own[0], *inputs, *own[1:]]  # the pipeline leads, and help is the last


def _named_pipeline(args: list[str]) -> str:
    """The pipeline that the arguments name; the usual one where they name none."""
    named = USUAL
    for place, argument in enumerate(args):
        if argument == "--pipeline" and place + 1 < len(args):
            named = args[place + 1]
        elif argument.startswith("--pipeline="):
            named = argument.partition("=")[2]
    named = named.replace("-", "_")
    if named not in pipeline_names():
        raise unknown_name("pipeline", named, pipeline_names())
    return named


def _option(parameter: Parameter) -> click.Option:
    flag = f"--{parameter.name.replace('_', '-')}"
    if parameter.type is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    shown = f"  [default: {parameter.default}]" if parameter.default != "" else ""
    # No default here: only so can a config file be told from the command line.
    return click.Option(
        [flag, parameter.name], type=parameter.type, default=None, help=parameter.help + shown
    )


@click.command(cls=_RunCommand, short_help="Train, judge and register a classifier.")
@click.option(
    "--pipeline",
    metavar="NAME",
    default=USUAL,
    show_default=True,
    help="What to run: train_and_push; retrain (goes on from the champion, must beat it); sweep"
    " (compares networks, registers the best); curriculum (datasets from easy to hard). Each has"
    " options of its own: pawpetal run --pipeline NAME --help",
)
@click.option("--config", metavar="FILE", help="YAML file of options; the command line wins.")
@target_options()
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Skip steps whose inputs and code are those of an earlier run.",
)
@click.option(
    "--run-id",
    metavar="NAME",
    default="",
    help="Name of the run, which no other has.  [default: the pipeline's and the time]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Progress on stderr, the summary as JSON on stdout."
)
def run(
    pipeline: str,
    config: str | None,
    on: str,
    cache: bool,
    run_id: str,
    as_json: bool,
    **given: Value | None,
) -> None:
    """Run a pipeline: ingest, split, augment, train, evaluate and, past the gate, push.

    Exit status: 0 the run is done (the summary says whether the model was registered or held back),
    1 a step failed, 2 an argument cannot work.
    """
    pipeline = pipeline.replace("-", "_")
    arguments = {parameter.name: parameter.default for parameter in parameters(pipeline)}
    if config:
        arguments |= parse_inputs(read_yaml(Path(config), "--config"), pipeline, config)
    options: dict[str, Any] = {name: given.pop(name) for name in OPTIONS}
    target = make_target(on, options)
    arguments |= {name: value for name, value in given.items() if value is not None}

    from pipelines.cli.display import Display
    from pipelines.preflight import prepare

    display = Display(sys.stderr if as_json else sys.stdout)
    with display.waiting("checking the settings"):
        prepared = prepare(arguments, target)
        if options["dry_run"]:
            from pipelines.cli import dry_run

            dry_run.show(
                cast(Any, target),  # of Vertex AI: no other takes the option
                pipeline,
                prepared,
                use_cache=cache,
                prices=options["prices"] or "",
                num_photos=options["num_photos"] or 0,
                as_json=as_json,
            )
            return
        execution = target.start(pipeline, prepared, use_cache=cache, run_id=run_id)
    try:
        with contextlib.closing(execution.follow()) as events:
            display.show(execution.run, events)
    except KeyboardInterrupt:
        if execution.run.error:  # it could not be ended where it runs
            click.echo(f"pawpetal: {execution.run.error['message']}", err=True)
        raise
    if as_json:
        click.echo(execution.run.to_json())
    sys.exit(0 if execution.run.error is None else 1)
