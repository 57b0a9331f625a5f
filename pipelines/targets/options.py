"""The settings that say where runs run, and the target that they describe.

The command line and `schedules.yaml` both take them by these names.
"""

from __future__ import annotations

import os
from typing import Any

import click

from components.common.errors import InputError
from pipelines.targets import Target

LOCAL, DOCKER, KUBEFLOW, VERTEX = "local", "docker", "kubeflow", "vertex"

SCHEDULED = (LOCAL, KUBEFLOW, VERTEX)  # the targets of schedules

# Google's library asks for the metadata server of a virtual machine, three times for 3 s, which is
# how long a laptop without credentials would wait.
HURRY = {"GCE_METADATA_TIMEOUT": "1", "GCE_METADATA_DETECT_RETRIES": "1"}
OF_DRY_RUNS = ("dry_run", "prices", "num_photos")

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
        (DOCKER, KUBEFLOW, VERTEX),
        {
            "metavar": "WHAT",
            "help": "What trains: none, gpu:TYPE:COUNT (gpu:nvidia-l4:1, gpu:any:1) or"
            " tpu:GENERATION:TOPOLOGY (tpu:v5e:2x2).",
        },
    ),
    "image_registry": (
        (DOCKER, KUBEFLOW, VERTEX),
        {"metavar": "HOST[/PATH]", "help": "Where images are pulled from."},
    ),
    "num_workers": (
        (KUBEFLOW, VERTEX),
        {"type": int, "metavar": "NUMBER", "help": "Tasks that share the work of ingest."},
    ),
    "project": ((VERTEX,), {"metavar": "ID", "help": "Project on Google Cloud."}),
    "region": ((VERTEX,), {"help": "Region of Google Cloud, e.g. us-central1."}),
    "bucket": ((VERTEX,), {"metavar": "NAME", "help": "Bucket that the steps write to."}),
    "network": (
        (VERTEX,),
        {
            "metavar": "NAME",
            "help": "Network that the steps are peered with, projects/NUMBER/global/networks/NAME.",
        },
    ),
    "spot": (
        (VERTEX,),
        {
            "flag": "--spot",
            "is_flag": True,
            "help": "Train on machines that may be taken away, for less.",
        },
    ),
    "host": ((KUBEFLOW,), {"metavar": "URL", "help": "Address of Kubeflow Pipelines."}),
    "namespace": ((KUBEFLOW,), {"help": "Of the runs, where Kubeflow has many users."}),
    "experiment": ((KUBEFLOW,), {"help": "That the run is shown under; made when new."}),
    "service_account": (
        (KUBEFLOW, VERTEX),
        {"help": "Service account of the steps: of Kubernetes, or an e-mail of Google Cloud."},
    ),
    "token_file": (
        (KUBEFLOW,),
        {"metavar": "FILE", "help": "Holds a bearer token; read again when it changes."},
    ),
    "cookie_file": (
        (KUBEFLOW,),
        {"metavar": "FILE", "help": "Holds a session cookie, NAME=VALUE."},
    ),
    "iap_client_id": ((KUBEFLOW,), {"help": "OAuth client of Identity-Aware Proxy."}),
    "ask_first": (
        (VERTEX,),
        {
            "flag": "--ask/--no-ask",
            "help": "Ask Google Cloud first whether the place is ready, as doctor does; roles of a"
            " folder or group cannot be seen.  [default: ask]",
        },
    ),
    "dry_run": (
        (VERTEX,),
        {
            "flag": "--dry-run",
            "is_flag": True,
            "help": "Print the requests and what they would cost; send nothing.",
        },
    ),
    "prices": (
        (VERTEX,),
        {"metavar": "FILE", "help": "Prices to estimate with, as docs/vertex_costs.md says."},
    ),
    "num_photos": (
        (VERTEX,),
        {
            "type": click.IntRange(min=1),
            "metavar": "NUMBER",
            "help": "Photos to estimate for.",
        },
    ),
    "wait": (
        (KUBEFLOW, VERTEX),
        {"flag": "--wait/--no-wait", "help": "Follow the run to its end.  [default: wait]"},
    ),
}


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
    if on == VERTEX:
        return _vertex(given)
    if "host" not in given:
        raise InputError("--on kubeflow needs --host, e.g. --host http://127.0.0.1:8080")
    from pipelines.targets.kubeflow import KubeflowTarget

    return KubeflowTarget(**given)


def _vertex(given: dict[str, Any]) -> Target:
    missing = [f"--{name}" for name in ("project", "region", "bucket") if name not in given]
    if missing:
        raise InputError(
            f"--on vertex needs {', '.join(missing)}, e.g. --project my-project"
            " --region us-central1 --bucket my-bucket"
        )
    for name in ("prices", "num_photos"):
        if name in given and not given.get("dry_run"):
            raise InputError(f"--{name.replace('_', '-')} goes with --dry-run.")
    for name, value in HURRY.items():
        os.environ.setdefault(name, value)
    from pipelines.targets.vertex import VertexTarget

    return VertexTarget(**{name: value for name, value in given.items() if name not in OF_DRY_RUNS})
