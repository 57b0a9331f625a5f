"""Runs one compiled spec through `kfp.local`, in a process of its own.

kfp logs by replacing the root logger and `print`, and keeps its settings in globals: apart from
the process that talks to the person, it can do so in peace. Started by `pipelines.targets.local`
with the job as JSON on the command line, and with a standard input that closes when the starter
dies, however it dies; then this process and the step it runs die too.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import yaml

from components.common.storage import write_atomically


def main() -> None:
    """Run the job; exit status 1 where a step fails."""
    job = json.loads(sys.argv[1])
    threading.Thread(target=_die_with_the_starter, args=(job,), daemon=True).start()
    # Ours: image names need no "python" in them, since every step is a Python component.
    warnings.filterwarnings("ignore", message=".*custom or non-Python base image")
    # kfp tells of cache hits through the root logger, whose usual level hides them.
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
    from kfp import components, local

    local.init(
        _runner(job["containers"]),
        pipeline_root=job["pipeline_root"],
        enable_caching=True,
        cache_root=job["cache_root"],
    )
    try:
        task = components.load_component_from_text(_one_by_one(job["spec"]))(**job["arguments"])
    except RuntimeError as error:  # what kfp raises for a failed step
        print(error)
        sys.exit(1)
    outputs = {name: _plain(value) for name, value in task.outputs.items()}
    write_atomically(Path(job["outputs"]), json.dumps(outputs).encode())


def _one_by_one(path: str) -> str:
    """The spec, its loops one iteration at a time: each step has the whole machine, and its lines.

    Left alone, kfp runs two at once, which then share cores and memory, and mix what they print.
    """
    spec = yaml.safe_load(Path(path).read_text())
    dags = [spec["root"], *spec["components"].values()]
    for task in (task for dag in dags for task in dag.get("dag", {}).get("tasks", {}).values()):
        if "parameterIterator" in task or "artifactIterator" in task:
            task["iteratorPolicy"] = {"parallelismLimit": 1}
    return yaml.safe_dump(spec)


def _runner(containers: dict[str, Any]) -> Any:
    from kfp import local

    if not containers:
        return local.SubprocessRunner(use_venv=False)
    from kfp.local import docker_task_handler

    from pipelines.targets.containers import run_container

    docker_task_handler.run_docker_container = run_container
    # By name only: arguments of a process can be read by everybody on the machine.
    passed = {name: os.environ[name] for name in containers.pop("passed")}
    containers["environment"] = {**passed, **containers["environment"]}
    return local.DockerRunner(**containers)


def _plain(value: Any) -> Any:
    return value.path if hasattr(value, "path") else value


def _die_with_the_starter(job: dict[str, Any]) -> None:
    # Unbuffered: a thread that holds a buffer's lock makes the interpreter abort at its end.
    os.read(0, 1)
    if job["containers"]:
        from pipelines.targets.containers import CREATING, stop_containers

        CREATING.acquire()  # for good
        stop_containers(job["run_id"])
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main()
