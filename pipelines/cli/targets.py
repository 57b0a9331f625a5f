"""The options of `pawpetal run` that say where it runs, and the target that they describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from components.common.errors import InputError
from pipelines.targets import Target

LOCAL, DOCKER, KUBEFLOW = "local", "docker", "kubeflow"

# By option: the targets that take it, and its help.
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "cpus": (
        (DOCKER, KUBEFLOW),
        {"type": float, "metavar": "NUMBER", "help": "CPUs of a step, at most."},
    ),
    "memory": (
        (DOCKER, KUBEFLOW),
        {"metavar": "SIZE", "help": "Memory of a step, at most, e.g. 4Gi."},
    ),
    "accelerator": (
        (DOCKER, KUBEFLOW),
        {
            "metavar": "WHAT",
            "help": "What trains: none, gpu:TYPE:COUNT (gpu:nvidia-l4:1, gpu:any:1) or"
            " tpu:GENERATION:TOPOLOGY (tpu:v5e:2x2).",
        },
    ),
    "image_registry": (
        (DOCKER, KUBEFLOW),
        {"metavar": "HOST[/PATH]", "help": "Where images are pulled from."},
    ),
    "num_workers": (
        (KUBEFLOW,),
        {"type": int, "metavar": "NUMBER", "help": "Pods that share the work of ingest."},
    ),
    "host": ((KUBEFLOW,), {"metavar": "URL", "help": "Address of Kubeflow Pipelines."}),
    "namespace": ((KUBEFLOW,), {"help": "Of the runs, where Kubeflow has many users."}),
    "experiment": ((KUBEFLOW,), {"help": "That the run is shown under; made when new."}),
    "service_account": ((KUBEFLOW,), {"help": "Kubernetes service account of the steps."}),
    "token_file": (
        (KUBEFLOW,),
        {"metavar": "FILE", "help": "Holds a bearer token; read again when it changes."},
    ),
    "cookie_file": (
        (KUBEFLOW,),
        {"metavar": "FILE", "help": "Holds a session cookie, NAME=VALUE."},
    ),
    "iap_client_id": ((KUBEFLOW,), {"help": "OAuth client of Identity-Aware Proxy."}),
    "wait": (
        (KUBEFLOW,),
        {"flag": "--wait/--no-wait", "help": "Follow the run to its end.  [default: wait]"},
    ),
}


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--on` and the options of every target."""
    for name, (targets, settings) in reversed(OPTIONS.items()):
        keywords = dict(settings)
        flag = keywords.pop("flag", f"--{name.replace('_', '-')}")
        keywords["help"] += f"  [--on {' or '.join(targets)}]"
        # No default here: only so is it known what was given.
        command = click.option(flag, name, default=None, **keywords)(command)
    return click.option(
        "--on",
        type=click.Choice([LOCAL, DOCKER, KUBEFLOW]),
        default=LOCAL,
        show_default=True,
        help="Where the steps run.",
    )(command)


def make_target(on: str, options: dict[str, Any]) -> Target:
    """Make the target that the options describe.

    Raises:
        InputError: If one of them is of another target, or has no such form.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if on not in OPTIONS[name][0]:
            raise InputError(
                f"--{name.replace('_', '-')} goes with --on {' or '.join(OPTIONS[name][0])}."
                f" Received: --on {on}"
            )
    if on == LOCAL:
        from pipelines.targets.local import LocalTarget

        return LocalTarget()
    if "accelerator" in given:
        from pipelines.accelerators import parse_accelerator

        given["accelerator"] = parse_accelerator(given["accelerator"])
    if on == DOCKER:
        from pipelines.targets.docker import DockerTarget

        return DockerTarget(**given)
    if "host" not in given:
        raise InputError("--on kubeflow needs --host, e.g. --host http://127.0.0.1:8080")
    from pipelines.targets.kubeflow import KubeflowTarget

    return KubeflowTarget(**given)
