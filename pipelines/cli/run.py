"""`pawpetal run`: its options are the inputs of the pipeline, read from the compiled spec."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml

from components.common.errors import InputError, unknown_name
from pipelines.cli.targets import OPTIONS, make_target, target_options
from pipelines.specs import Parameter, Value, parameters

PIPELINE = "train_and_push"


def _pipeline_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option for each input of the pipeline."""
    for parameter in reversed(parameters(PIPELINE)):
        command = _option(parameter)(command)
    return command


def _option(parameter: Parameter) -> Callable[..., Any]:
    flag = f"--{parameter.name.replace('_', '-')}"
    if parameter.type is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    shown = f"  [default: {parameter.default}]" if parameter.default != "" else ""
    # No default here: only so can a config file be told from the command line.
    return click.option(
        flag, parameter.name, type=parameter.type, default=None, help=parameter.help + shown
    )


@click.command(short_help="Train, judge and register a classifier.")
@_pipeline_options
@click.option("--config", metavar="FILE", help="YAML file of options; the command line wins.")
@target_options
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Skip steps whose inputs and code are those of an earlier run.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Progress on stderr, the summary as JSON on stdout."
)
def run(config: str | None, on: str, cache: bool, as_json: bool, **given: Value | None) -> None:
    """Run the pipeline: ingest, split, augment, train, evaluate and, past the gate, push.

    Exit status: 0 the run is done (the summary says whether the model was registered or held back),
    1 a step failed, 2 an argument cannot work.
    """
    arguments = {parameter.name: parameter.default for parameter in parameters(PIPELINE)}
    arguments |= read_config(Path(config)) if config else {}
    target = make_target(on, {name: given.pop(name) for name in OPTIONS})
    arguments |= {name: value for name, value in given.items() if value is not None}

    from pipelines.cli.display import Display
    from pipelines.preflight import prepare

    display = Display(sys.stderr if as_json else sys.stdout)
    with display.waiting("checking the settings"):
        prepared = prepare(arguments, target)
        execution = target.start(PIPELINE, prepared, use_cache=cache)
    with contextlib.closing(execution.follow()) as events:
        display.show(execution.run, events)
    if as_json:
        click.echo(execution.run.to_json())
    sys.exit(0 if execution.run.error is None else 1)


def read_config(path: Path) -> dict[str, Value]:
    """Read the options in a YAML file.

    Args:
        path: File with one mapping: names of pipeline inputs to values.

    Raises:
        InputError: If it is missing, no such mapping, or names an input that there is not.
    """
    try:
        read = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`--config` must name a text file that can be read: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"'{path}' must be YAML: {' '.join(str(error).split())}") from error
    if not isinstance(read, dict):
        raise InputError(f"'{path}' must hold `name: value` lines. Received: {read!r}")
    known = {parameter.name: parameter for parameter in parameters(PIPELINE)}
    values = {}
    for key, value in read.items():
        name = str(key).replace("-", "_")
        if name not in known:
            raise unknown_name(f"{path}: option", str(key), known)
        try:
            values[name] = known[name].parse(value)
        except TypeError as error:
            raise InputError(f"'{path}': {error}") from error
    return values
