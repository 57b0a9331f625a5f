"""The options of commands that say where runs run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipelines.targets.options import DOCKER, KUBEFLOW, LOCAL, OPTIONS, VERTEX


def target_options(
    *names: str, on: tuple[str, ...] = (LOCAL, DOCKER, KUBEFLOW, VERTEX), has_on: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--on`, which has a default where it may be local, and options of the targets.

    Args:
        names: Of `OPTIONS`; none for all of them.
        on: The targets that there are to choose from.
        has_on: Add `--on`; a command may have one of its own.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, (targets, settings) in reversed(OPTIONS.items()):
            takers = [target for target in targets if target in on]
            if (names and name not in names) or not takers:
                continue
            keywords = dict(settings)
            flag = keywords.pop("flag", f"--{name.replace('_', '-')}")
            keywords["help"] += f"  [--on {' or '.join(takers)}]"
            # No default here: only so is it known what was given.
            command = click.option(flag, name, default=None, **keywords)(command)
        if not has_on:
            return command
        return click.option(
            "--on",
            type=click.Choice(on),
            default=LOCAL if LOCAL in on else None,
            required=LOCAL not in on,
            show_default=LOCAL in on,
            help="Where the steps run.",
        )(command)

    return add
