"""Measure networks that are trained from scratch on a few hundred real photos of cats and dogs.

Which network is best, and does heavy augmentation pay at equal epochs? Run it with

    python -m benchmarks.from_scratch [--photos FOLDER] [--plot FILE]

a folder with one folder of photos a class; without `--photos` it takes `cats_dogs/` of
PAWPETAL_REAL_DATA. All networks get the same photos, size and epochs, and each the learning rate
of its table. Every seed is another split, too; accuracy is that of all its test photos together.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.augment.policies import find_policy
from components.common.photos import load_photos
from components.common.progress import shown_by
from components.evaluate.metrics import Z_95, wilson_interval
from components.ingest.ingest import Order, ingest_photos
from components.split.split import split_photos
from components.train.settings import TrainSettings

ARCHITECTURES = ("dense", "inception", "residual")
POLICIES = {"none": "#8a8a92", "heavy": "#2563eb"}  # colours told apart in grey, too
FRACTIONS = {"train": 0.55, "validation": 0.15, "test": 0.3}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training, and what it was worth."""

    correct: NDArray[np.bool_]  # of each test photo
    validation: list[float]  # accuracy in each epoch
    cpu_s: float  # of the train step: decoding, training, saving


Table = dict[tuple[str, str], list[Measured]]  # by network and augmentation; a run a seed


def measure(parts: dict[str, Path], settings: TrainSettings, policy: str, folder: Path) -> Measured:
    """Train as the train step does, and judge as evaluate does."""
    from components.evaluate.evaluate import predict
    from components.train.train import train_model

    find_policy(policy).save(folder / "policy")
    start = time.process_time()
    fitted = train_model(
        parts["train"], parts["validation"], folder / "policy", folder / "model", settings
    )
    cpu_s = time.process_time() - start
    with load_photos(parts["test"], settings.resolved().image_size) as photos:
        predicted = predict(folder / "model", photos.images).argmax(axis=1)
    return Measured(
        correct=predicted == photos.labels,
        validation=fitted.history["val_accuracy"],
        cpu_s=cpu_s,
    )


def splits(photos: Path, num_seeds: int, folder: Path) -> Iterator[tuple[int, dict[str, Path]]]:
    """Ingest the photos once, and split them anew for each seed."""
    whole = folder / "whole"
    order = Order(dataset=f"folder:{photos}")
    ingest_photos(order, whole, page=folder / "page.html", data=folder / "report.json")
    for seed in range(num_seeds):
        parts = {name: folder / str(seed) / name for name in FRACTIONS}
        split_photos(whole, parts, FRACTIONS, seed=seed)
        yield seed, parts


def accuracy(runs: list[Measured]) -> str:
    """Of all test photos, with its 95 % interval; and that of each seed."""
    correct = np.concatenate([run.correct for run in runs])
    low, high = wilson_interval(int(correct.sum()), len(correct))
    each = ", ".join(f"{run.correct.mean():.3f}" for run in runs)
    return f"{correct.mean():.3f} ({low:.3f} to {high:.3f}; {each})"


def gain(runs: list[Measured], others: list[Measured]) -> str:
    """Accuracy above the others' on the same photos, with its 95 % interval."""
    pairs = zip(runs, others, strict=True)
    gains = np.concatenate([a.correct.astype(float) - b.correct for a, b in pairs])
    error = Z_95 * gains.std(ddof=1) / np.sqrt(len(gains))
    return f"{gains.mean():+.3f} ± {error:.3f}"


def plot(measured: Table, names: Sequence[str], file: Path) -> None:
    """Draw validation accuracy over the epochs, a panel a network: each seed, and their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(names), 3.2), dpi=80, layout="constrained")
    panels: Any = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for policy, colour in POLICIES.items():
            curves = np.array([run.validation for run in measured[name, policy]])
            epochs = np.arange(1, curves.shape[1] + 1)
            axes.plot(epochs, curves.T, color=colour, linewidth=0.7, alpha=0.45)
            axes.plot(epochs, curves.mean(axis=0), color=colour, linewidth=2.2, label=policy)
        axes.set_title(name, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel("Epoch")
        axes.axhline(0.5, color="#8a8a92", linewidth=0.8, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("Accuracy on validation photos")
    panels[0].legend(title="augmentation", frameon=False, loc="lower right")
    figure.savefig(file, metadata={"Software": None})


def measure_all(photos: Path, names: Sequence[str], options: argparse.Namespace) -> Table:
    """Train each network with each augmentation, for every seed."""
    measured: Table = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch, shown_by(lambda _: None):
        for seed, parts in splits(photos, options.seeds, Path(scratch)):
            for name, policy in itertools.product(names, POLICIES):
                settings = TrainSettings(
                    architecture=name,
                    image_size=options.image_size,
                    epochs=options.epochs,
                    seed=seed,
                )
                run = measure(parts, settings, policy, Path(scratch, str(seed), name, policy))
                measured[name, policy].append(run)
                told = f"{name}, {policy}: {run.correct.mean():.3f}, {run.cpu_s:.0f} CPU-s"
                print(f"seed {seed}: {told}", file=sys.stderr, flush=True)
    return measured


def print_tables(measured: Table, names: Sequence[str]) -> None:
    """Print each network's accuracy, and what it and augmentation gain."""
    print("| network | augmentation | accuracy (95 % interval; each seed) | CPU-s |")
    print("| --- | --- | --- | --- |")
    for name, policy in itertools.product(names, POLICIES):
        runs = measured[name, policy]
        cpu_s = np.mean([run.cpu_s for run in runs])
        print(f"| `{name}` | {policy} | {accuracy(runs)} | {cpu_s:.0f} |")
    print("\n| on the same photos | gain in accuracy (95 % interval) |\n| --- | --- |")
    for name in names:
        gained = gain(measured[name, "heavy"], measured[name, "none"])
        print(f"| `{name}`: heavy over none | {gained} |")
    for policy, name in itertools.product(POLICIES, names[1:]):
        gained = gain(measured[name, policy], measured[names[0], policy])
        print(f"| {policy}: `{name}` over `{names[0]}` | {gained} |")


def main() -> None:
    """Train all, print the tables, draw the plot."""
    data = os.environ.get("PAWPETAL_REAL_DATA", "")
    parser = argparse.ArgumentParser(description="Measure networks trained from scratch.")
    parser.add_argument("--photos", default=str(Path(data, "cats_dogs")) if data else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    parser.add_argument("--plot", help="PNG to write: validation accuracy over the epochs")
    options = parser.parse_args()
    if not options.photos:
        parser.error("--photos must name a folder, or PAWPETAL_REAL_DATA one with cats_dogs/")
    measured = measure_all(Path(options.photos), options.architectures, options)
    print_tables(measured, options.architectures)
    if options.plot:
        plot(measured, options.architectures, Path(options.plot))


if __name__ == "__main__":
    main()
