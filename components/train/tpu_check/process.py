"""The check in a process of its own, whatever this one has imported. Light."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile

from components.common.errors import InputError, PawpetalError
from components.common.progress import MARK, RESULT, report
from components.train.tpu_check.report import Finding, Request, load_finding

NEEDED = ("jax", "libtpu", "keras")  # libtpu holds the compiler


def check_elsewhere(request: Request) -> Finding:
    """Start it, hand its progress on, and read what it finds.

    Args:
        request: The step to compile.

    Raises:
        InputError: If what it needs is not installed.
        PawpetalError: If the compiler fails in another way than for want of memory.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"tpu-check needs {', '.join(missing)}: pip install 'pawpetal[steps,tpu]' on Linux"
            " x86-64, the one platform that libtpu is made for"
        )
    finding = None
    with (
        tempfile.TemporaryFile("w+") as log,  # libtpu warns at length of the TPU that is not here
        subprocess.Popen(  # noqa: S603  # our own module, no shell
            _command(request), stdout=subprocess.PIPE, stderr=log, text=True, env=_environment()
        ) as process,
    ):
        for line in process.stdout or ():
            if line.startswith(MARK):
                report(line.removeprefix(MARK).rstrip())
            elif line.startswith(RESULT):
                finding = load_finding(json.loads(line.removeprefix(RESULT)))
        process.wait()
        if finding is None:
            log.seek(0)
            raise PawpetalError(_last_words(log.read(), process.returncode))
    return finding


def _command(request: Request) -> list[str]:
    command = [sys.executable, "-m", "components.train.tpu_check"]
    command += ["--architecture", request.architecture, "--topology", request.topology]
    command += ["--image-size", str(request.image_size)]
    command += ["--global-batch", str(request.global_batch)]
    command += ["--num-classes", str(request.num_classes)]
    return [*command, *(["--largest-batch"] if request.largest_batch else [])]


def _environment() -> dict[str, str]:
    """Without flags that were meant for the devices of this process."""
    kept = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "2"}


def _last_words(log: str, status: int) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return f"the compiler ended with status {status}: {lines[-1] if lines else 'without a word'}"
