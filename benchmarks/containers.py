"""Measure what containers cost: the same run as processes and in containers, turn by turn.

Run it with `python -m benchmarks.containers`; it needs a Docker engine, and the images of this code
(`make images`). Nothing is cached.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile

TARGETS = ("local", "docker")


def step_seconds(target: str, arguments: list[str]) -> dict[str, float]:
    """Run the pipeline once; wall seconds by step, and in all."""
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as home:
        command = [sys.executable, "-m", "pipelines", "--home", home, "run", "--json"]
        done = subprocess.run(  # noqa: S603  # our own module, no shell
            [*command, "--on", target, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
        )
    run = json.loads(done.stdout)
    return {step["name"]: step["seconds"] for step in run["steps"]} | {"whole run": run["seconds"]}


def main() -> None:
    """Print a table: medians, and the ratio of containers to processes."""
    parser = argparse.ArgumentParser(description="Measure what containers cost.")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind")
    parser.add_argument("--epochs", type=int, default=2, help="of training")
    options = parser.parse_args()
    arguments = ["--epochs", str(options.epochs), "--min-accuracy", "0"]
    measured: dict[str, list[dict[str, float]]] = {target: [] for target in TARGETS}
    for _ in range(options.repeats):
        for target in TARGETS:
            measured[target].append(step_seconds(target, arguments))
    print("| step | processes, s | containers, s | ratio |")
    print("| --- | --- | --- | --- |")
    for name in measured[TARGETS[0]][0]:
        plain, contained = (
            statistics.median(run[name] for run in measured[target]) for target in TARGETS
        )
        print(f"| {name} | {plain:.1f} | {contained:.1f} | {contained / plain:.2f} |")


if __name__ == "__main__":
    main()
