"""Measure rounds: drawn flowers first, then real ones, against training on all of them at once.

Do rounds pay at equal epochs, and does their order matter? Run it with

    python -m benchmarks.curriculum [--photos FOLDER] [--plot FILE]

a folder with the classes of `sample:flowers`; without `--photos` it takes `flowers/` of
PAWPETAL_REAL_DATA. Two rounds of half the epochs each stand beside one training with all of them.
Every seed is another split, too. Judged is on real test photos alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.from_scratch import Measured, accuracy, gain
from components.augment.policies import find_policy
from components.common.manifest import Manifest
from components.common.photos import load_photos
from components.common.progress import shown_by
from components.ingest.ingest import Order, ingest_photos
from components.join.join import join_datasets
from components.split.rule import SPLITS
from components.split.split import split_photos
from components.train.settings import TrainSettings

# Most real photos judge: the fewer there are to learn from, the more others may help.
FRACTIONS = {"train": 0.3, "validation": 0.1, "test": 0.6}
EASY_FIRST = "drawn, then real as well"
HARD_FIRST = "real, then drawn as well"
AT_ONCE = "drawn and real at once"
ALONE = "real alone"

Parts = dict[str, Path]  # dataset folder of each split
# After each round, accuracy on the validation photos of each dataset.
Levels = list[dict[str, float]]


def ingest(uri: str, folder: Path) -> Path:
    """Ingest photos once, for all seeds."""
    order = Order(dataset=uri)
    ingest_photos(order, folder / "whole", page=folder / "page.html", data=folder / "data.json")
    return folder / "whole"


def split(whole: Path, seed: int, folder: Path) -> Parts:
    """Split a dataset."""
    parts = {name: folder / name for name in SPLITS}
    split_photos(whole, parts, FRACTIONS, seed=seed)
    return parts


def join(datasets: Sequence[Parts], folder: Path) -> Parts:
    """Join datasets, in this order."""
    joined = {name: folder / name for name in SPLITS}
    uris = [Manifest.load(one["train"]).source for one in datasets]
    join_datasets(uris, {name: [one[name] for one in datasets] for name in SPLITS}, joined)
    return joined


def without_rounds(parts: Parts, folder: Path) -> Parts:
    """The same photos, and nothing said of rounds."""
    for name, place in parts.items():
        manifest = replace(Manifest.load(place), rounds=(), location=str(place))
        manifest.save(folder / name)
    return {name: folder / name for name in parts}


def prepare(drawn: Path, real: Path, seed: int, folder: Path) -> dict[str, Parts]:
    """What each way of training learns from; all of them are judged on the same real photos."""
    easy, hard = split(drawn, seed, folder / "drawn"), split(real, seed, folder / "real")
    forth = join([easy, hard], folder / "forth")
    ways = {
        EASY_FIRST: forth,
        AT_ONCE: without_rounds(forth, folder / "at_once"),
        ALONE: hard,
        HARD_FIRST: join([hard, easy], folder / "back"),
    }
    return {name: {**parts, "test": hard["test"]} for name, parts in ways.items()}


def measure(parts: Parts, settings: TrainSettings, epochs: int) -> tuple[Measured, Levels]:
    """Train as the train step does, all epochs shared out among the rounds, and judge."""
    from components.train.material import Material
    from components.train.rounds import find_stages, train_rounds
    from components.train.train import make_deterministic, start_network

    start = time.process_time()  # TensorFlow is there by now
    stages = find_stages(parts["train"], parts["validation"])
    settings = replace(settings.resolved(), epochs=epochs // max(1, len(stages)))
    make_deterministic(settings.seed)
    size = settings.image_size
    with (
        load_photos(parts["train"], size) as train,
        load_photos(parts["validation"], size) as validation,
    ):
        material = Material(train=train, validation=validation, policy=find_policy("light"))
        network, _ = start_network(settings, train.classes)
        network, fitted, results = train_rounds(network, material, settings, stages)
    cpu_s = time.process_time() - start
    model = network.assemble(mirror_averaging=False)
    with load_photos(parts["test"], size) as photos:
        images = np.asarray(photos.images, np.float32)
        predicted = model.predict(images, batch_size=64, verbose=0).argmax(axis=1)
        correct = predicted == photos.labels
    history = fitted.history["val_accuracy"]
    return Measured(correct=correct, validation=history, cpu_s=cpu_s), [
        one.accuracy for one in results
    ]


def plot(rounds: dict[str, list[Levels]], file: Path) -> None:
    """Draw the accuracy on each dataset after each round, mean of the seeds, a panel an order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * len(rounds), 3.0), dpi=110, layout="constrained")
    panels: Any = figure.subplots(1, len(rounds), squeeze=False)[0]
    for axes, (name, runs) in zip(panels, rounds.items(), strict=True):
        levels = list(runs[0][0])
        means = np.mean([[[one[level] for level in levels] for one in run] for run in runs], axis=0)
        axes.imshow(means, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(means):
            colour = "white" if value > 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        axes.set_xticks(
            range(len(levels)),
            ["drawn" if level.startswith("sample:") else "real" for level in levels],
        )
        axes.set_yticks(range(len(means)), [f"round {row + 1}" for row in range(len(means))])
        axes.set_title(name, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel("validation photos of")
        axes.spines[:].set_visible(False)
    figure.savefig(file, metadata={"Software": None})


def print_tables(measured: dict[str, list[Measured]]) -> None:
    """Print what each way is worth and costs, and what rounds gain."""
    print("| trained on | accuracy on real photos (95 % interval; each seed) | CPU-s |")
    print("| --- | --- | --- |")
    for name, runs in measured.items():
        print(f"| {name} | {accuracy(runs)} | {np.mean([run.cpu_s for run in runs]):.0f} |")
    print("\n| gain on the same photos | accuracy (95 % interval) |\n| --- | --- |")
    for other in (AT_ONCE, HARD_FIRST, ALONE):
        told = gain(measured[EASY_FIRST], measured[other])
        print(f"| {EASY_FIRST}, over: {other} | {told} |")


def main() -> None:
    """Train every way with every seed, print the tables, draw the plot."""
    data = os.environ.get("PAWPETAL_REAL_DATA", "")
    parser = argparse.ArgumentParser(description="Measure rounds from easy to hard photos.")
    parser.add_argument("--photos", default=str(Path(data, "flowers")) if data else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--architecture", default="dense")
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=12, help="in all rounds; an even number")
    parser.add_argument("--drawn", type=int, default=330, help="photos a class that are drawn")
    parser.add_argument("--plot", help="PNG to write: accuracy on each dataset after each round")
    options = parser.parse_args()
    if not options.photos:
        parser.error("--photos must name a folder, or PAWPETAL_REAL_DATA one with flowers/")
    measured: dict[str, list[Measured]] = defaultdict(list)
    rounds: dict[str, list[Levels]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch, shown_by(lambda _: None):
        drawn = ingest(f"sample:flowers?photos={options.drawn}", Path(scratch, "drawn"))
        real = ingest(f"folder:{options.photos}", Path(scratch, "real"))
        for seed in range(options.seeds):
            settings = TrainSettings(
                architecture=options.architecture,
                image_size=options.image_size,
                mirror_averaging=False,
                seed=seed,
            )
            for name, parts in prepare(drawn, real, seed, Path(scratch, str(seed))).items():
                run, levels = measure(parts, settings, options.epochs)
                measured[name].append(run)
                if levels:
                    rounds[name].append(levels)
                told = f"{name}: {run.correct.mean():.3f}, {run.cpu_s:.0f} CPU-s, {levels}"
                print(f"seed {seed}: {told}", file=sys.stderr, flush=True)
    print_tables(measured)
    if options.plot:
        plot(rounds, Path(options.plot))


if __name__ == "__main__":
    main()
