"""Compare how `two_output` weighs its losses: accuracy, IoU and where alpha goes.

Run it with `python -m benchmarks.loss_weighting --plot docs/loss_weighting.png`. The photos are
drawn (sample:pets), so it needs no data; each row is judged on the test photos, at the epoch that
did best on the validation photos.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.augment.policies import find_policy
from components.common.photos import PhotoSet, as_input, load_photos
from components.evaluate.place import box_ious
from components.ingest.ingest import Order, ingest_photos
from components.split.split import split_photos
from components.train.loop.loop import Fit
from components.train.material import Material
from components.train.recipes import train_network
from components.train.settings import LOSS_WEIGHTINGS, TrainSettings
from components.train.train import make_deterministic, start_network

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
HEADING = """| loss_weighting | accuracy (each seed) | IoU | class loss | alpha at last | CPU s |
| --- | --- | --- | --- | --- | --- |
| (the mean box for all) | | {iou:.3f} | | | |"""
COLOURS = ("#2563eb", "#d95714", "#15803d", "#7c3aed")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training."""

    accuracy: float  # on the test photos
    iou: float
    fit: Fit
    cpu_s: float

    @property
    def alphas(self) -> list[float]:
        """One an epoch."""
        return self.fit.history["alpha"]


@contextlib.contextmanager
def pets(dataset: str, size: int) -> Iterator[dict[str, PhotoSet]]:
    """The photos of each split."""
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pawpetal-bench-")))
        ingest_photos(Order(dataset=dataset), root, page=root / "p.html", data=root / "p.json")
        split_photos(root, {name: root / name for name in FRACTIONS}, FRACTIONS)
        yield {name: stack.enter_context(load_photos(root / name, size)) for name in FRACTIONS}


def mean_box_iou(photos: Mapping[str, PhotoSet]) -> float:
    """The IoU that one box for all photos gets."""
    boxes = photos["test"].boxes
    mean = np.nanmean(photos["train"].boxes, axis=0)
    return float(np.nanmean(box_ious(boxes, np.tile(mean, (len(boxes), 1)))))


def measure(photos: Mapping[str, PhotoSet], settings: TrainSettings) -> Measured:
    """Train once, and judge on the test photos."""
    start = time.process_time()
    make_deterministic(settings.seed)
    network, _ = start_network(settings, photos["train"].classes)
    material = Material(
        train=photos["train"], validation=photos["validation"], policy=find_policy("light")
    )
    network, fitted = train_network(network, material, settings)
    test = photos["test"]
    said = network.assemble(mirror_averaging=True).predict(
        as_input(test.images[:], settings.channels), verbose=0
    )
    return Measured(
        accuracy=float((said["class"].argmax(axis=1) == test.labels).mean()),
        iou=float(np.nanmean(box_ious(test.boxes, said["place"]))),
        fit=fitted,
        cpu_s=time.process_time() - start,
    )


def plot(measured: Mapping[str, Sequence[Measured]], file: Path) -> None:
    """Draw alpha over the epochs, a line a seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    for (name, runs), colour in zip(measured.items(), COLOURS, strict=False):
        for turn, run in enumerate(runs):
            epochs = range(1, len(run.alphas) + 1)
            axes.plot(epochs, run.alphas, color=colour, label=None if turn else name)
    axes.set(xlabel="epoch", ylabel="alpha, the share of the class loss", ylim=(-0.03, 1.03))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Software": None})


def row(name: str, runs: Sequence[Measured]) -> str:
    """A row of the table."""
    accuracies = [run.accuracy for run in runs]
    ious = [run.iou for run in runs]
    each = ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    # At the last epoch, and not at the kept one: the question is what the weighting leads to.
    last = statistics.fmean(run.fit.history["class_loss"][-1] for run in runs)
    alphas = ", ".join(f"{run.alphas[-1]:.2f}" for run in runs)
    cpu = statistics.fmean(run.cpu_s for run in runs)
    return (
        f"| {name} | {statistics.fmean(accuracies):.3f} ({each}) | {statistics.fmean(ious):.3f} |"
        f" {last:.3f} | {alphas} | {cpu:.0f} |"
    )


def main() -> None:
    """Print a table, a row as soon as it is measured, and draw alpha."""
    parser = argparse.ArgumentParser(description="Compare the weightings of two losses.")
    parser.add_argument("--dataset", default="sample:pets?photos=200", help="with boxes")
    parser.add_argument("--size", type=int, default=48, help="of the photos, pixels")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3, help="runs a row")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--plot", type=Path, help="where to draw alpha, a PNG")
    options = parser.parse_args()
    names = [name for name in LOSS_WEIGHTINGS if options.only in name]
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    # Progress goes beside the table, not into it.
    with contextlib.redirect_stdout(sys.stderr), pets(options.dataset, options.size) as photos:
        print(HEADING.format(iou=mean_box_iou(photos)), file=sys.__stdout__, flush=True)
        for name in names:
            for seed in range(options.seeds):
                settings = TrainSettings(
                    architecture="two_output",
                    loss_weighting=name,
                    image_size=options.size,
                    epochs=options.epochs,
                    seed=seed,
                )
                measured[name].append(measure(photos, settings.resolved()))
            print(row(name, measured[name]), file=sys.__stdout__, flush=True)
    if options.plot:
        plot(measured, options.plot)


if __name__ == "__main__":
    main()
