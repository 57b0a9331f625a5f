"""Measure what the README quotes: accuracy, time and CPU of whole runs, over several seeds.

Run it with `make bench`, or `python -m benchmarks.results --only flowers --seeds 3`. The runs on
real photos need PAWPETAL_REAL_DATA, a folder with `flowers/` and `cats_dogs/`, and beside it
`weights/mobilenet_v2_imagenet_no_top.weights.h5`; without it they are left out, and that is said.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scipy.special import stdtrit

WEIGHTS = "mobilenet_v2_imagenet_no_top.weights.h5"

FROZEN = ["--fine-tune-epochs", "0"]
REAL = {
    "flowers, frozen, 192 px": ["--image-size", "192", *FROZEN],
    "flowers, fine-tuned, 224 px": [],
    "cats_dogs, frozen, 160 px": ["--image-size", "160", *FROZEN],
    "cats_dogs, fine-tuned, 160 px": ["--image-size", "160"],
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One whole run."""

    accuracy: float
    wall_s: float
    cpu_s: float  # of the run and all its steps
    training_cpu_s: float  # of training alone: decoding, features and all epochs


def tasks() -> dict[str, list[str]]:
    """The arguments of `pawpetal run` for each row of the table."""
    found = {
        "sample:flowers, residual": ["--dataset", "sample:flowers"],
        "sample:pets, residual": ["--dataset", "sample:pets"],
    }
    if not os.environ.get("PAWPETAL_REAL_DATA"):
        print("PAWPETAL_REAL_DATA is not set: real photos are left out", file=sys.stderr)
        return found
    data = Path(os.environ["PAWPETAL_REAL_DATA"]).resolve()
    transfer = ["--architecture", "transfer:MobileNetV2"]
    transfer += ["--weights", str(data.parent / "weights" / WEIGHTS)]
    for name, options in REAL.items():
        dataset, _, phase = name.partition(", ")
        given = ["--dataset", f"folder:{data / dataset}", *transfer, *options]
        found[f"{dataset} (real), MobileNetV2, {phase}"] = given
    return found


def measure(arguments: list[str], seed: int, split_seed: int) -> Measured:
    """Run the pipeline once, in a home of its own, nothing cached."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as home:
        command = [sys.executable, "-m", "pipelines", "--home", home, "run", "--json"]
        seeds = ["--seed", str(seed), "--split-seed", str(split_seed)]
        done = subprocess.run(  # noqa: S603  # our own module, no shell
            [*command, *arguments, *seeds], stdout=subprocess.PIPE, check=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        summary = json.loads(done.stdout)
        folder = Path(home, "runs", summary["run_id"])
        (settings,) = folder.glob("steps/*/train/model/settings.json")
        training_cpu_s = json.loads(settings.read_text())["training_cpu_seconds"]
    return Measured(
        accuracy=summary["metrics"]["accuracy"],
        training_cpu_s=training_cpu_s,
        wall_s=time.monotonic() - start,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description="Measure whole runs over several seeds.")
    parser.add_argument("--seeds", type=int, default=3, help="runs a row")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument(
        "--vary-split", action="store_true", help="another split for each seed, too"
    )
    options = parser.parse_args()
    print(
        "| task | accuracy on test photos, mean +- 95 % of the mean (each seed) | training CPU s |"
        " whole run, wall s | whole run, CPU s |"
    )
    print("| --- | --- | --- | --- | --- |", flush=True)
    for name, arguments in tasks().items():
        if options.only not in name:
            continue
        runs = [
            measure(arguments, seed, seed if options.vary_split else 0)
            for seed in range(options.seeds)
        ]
        accuracies = [run.accuracy for run in runs]
        each = ", ".join(f"{accuracy:.3f}" for accuracy in accuracies)
        shown = f"{statistics.fmean(accuracies):.3f}{_spread(accuracies)} ({each})"
        times = (
            statistics.median(getattr(run, kind) for run in runs)
            for kind in ("training_cpu_s", "wall_s", "cpu_s")
        )
        print(f"| {name} | {shown} | " + " | ".join(f"{s:.0f}" for s in times) + " |", flush=True)


def _spread(accuracies: list[float]) -> str:
    """Half the 95 % interval of the mean, by Student's t; empty for a single run."""
    if len(accuracies) < 2:
        return ""
    error = statistics.stdev(accuracies) / len(accuracies) ** 0.5
    return f" +- {stdtrit(len(accuracies) - 1, 0.975) * error:.3f}"


if __name__ == "__main__":
    main()
