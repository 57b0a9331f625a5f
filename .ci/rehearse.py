#!/usr/bin/env python3
"""Run the commands of the pull request's workflow here, one by one: `.ci/rehearse.py [JOB ...]`.

From a clean clone: `make setup`, then this by .venv/bin/python, which reads YAML. What needs GitHub
(the actions, the comment) is left out. Exit status 1 where a command fails; the others run still.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "pull-request.yaml"
NEEDS_GITHUB = ("comment",)
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # as GitHub's runner


def main() -> int:
    """Run them, and tell the outcome of each."""
    jobs = list(dict.fromkeys(job for job, _ in commands()))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(jobs)}; default: all")
    parser.add_argument("--list", action="store_true", help="only print the commands")
    arguments = parser.parse_args()
    if unknown := set(arguments.jobs) - set(jobs):
        parser.error(f"`JOB` must be of {', '.join(jobs)}. Received: {', '.join(sorted(unknown))}")
    told = []
    for job, command in commands():
        if arguments.jobs and job not in arguments.jobs:
            continue
        if arguments.list:
            print(f"{job}: {command}")
            continue
        print(f"\n=== {job}: {command}", flush=True)
        start = time.monotonic()
        status = subprocess.run([*SHELL, command], cwd=ROOT).returncode
        told.append((status, f"{job}: {command}: {time.monotonic() - start:.0f} s, exit {status}"))
    for _, line in told:
        print(line)
    return int(any(status for status, _ in told))


def commands() -> Iterator[tuple[str, str]]:
    """Job and command of each step that runs one."""
    for name, job in yaml.safe_load(WORKFLOW.read_text())["jobs"].items():
        for step in job["steps"]:
            if "run" in step and name not in NEEDS_GITHUB:
                yield name, step["run"]


if __name__ == "__main__":
    sys.exit(main())
