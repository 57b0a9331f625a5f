"""Measure what `warm_start` is worth: a changed network, warm and from scratch, at equal epochs.

For each change of structure a network goes on from a model that learned from the very same training
photos, and another one starts from scratch on them. Run it with

    python -m benchmarks.warm_start [--photos FOLDER] [--only NAME] [--plot FILE]

a folder with one folder of photos a class; without `--photos` it takes `flowers/` of
PAWPETAL_REAL_DATA. Every seed is another split, too, and test photos are in no training; accuracy
is that of all test photos of all seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.policies import find_policy
from components.common.model import MODEL_FILE, SETTINGS
from components.common.photos import PhotoSet, as_input
from components.common.progress import shown_by
from components.evaluate.metrics import Z_95, wilson_interval
from components.split.rule import split_of
from components.train.architectures import find_architecture

FRACTIONS = {"train": 0.5, "validation": 0.1, "test": 0.4}
SOURCE_EPOCHS = 20  # the usual number: what people retrain was trained to the end
FIVE = ("daisy", "dandelion", "rose", "sunflower", "tulip")
THREE = ("daisy", "rose", "tulip")
OTHER_ORDER = ("tulip", "daisy", "sunflower", "rose", "dandelion")
SCRATCH, WARM = "scratch", "warm"
COLOURS = {SCRATCH: "#8a8a92", WARM: "#2563eb"}  # told apart in grey, too


@dataclass(frozen=True)
class Task:
    """A network, and what it is to learn."""

    build: str = "residual"
    image_size: int = 64
    channels: int = 3
    classes: tuple[str, ...] = FIVE


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training, and what it was worth."""

    correct: NDArray[np.bool_]  # of each test photo
    cpu_s: float  # of building, the transfer, training


RESIDUAL = Task()
CHANGES: dict[str, tuple[Task, Task]] = {  # from, to
    "image size 64 to 96": (RESIDUAL, replace(RESIDUAL, image_size=96)),
    "channels 3 to 1": (RESIDUAL, replace(RESIDUAL, channels=1)),
    "channels 1 to 3": (replace(RESIDUAL, channels=1), RESIDUAL),
    "classes added, 3 to 5": (replace(RESIDUAL, classes=THREE), RESIDUAL),
    "classes removed, 5 to 3": (RESIDUAL, replace(RESIDUAL, classes=THREE)),
    "classes in another order": (RESIDUAL, replace(RESIDUAL, classes=OTHER_ORDER)),
    "two blocks a stage, from one": (RESIDUAL, replace(RESIDUAL, build="deeper")),
    "twice the filters": (RESIDUAL, replace(RESIDUAL, build="wider")),
    "head and features of two_output": (RESIDUAL, replace(RESIDUAL, build="two_output")),
    "inception from residual": (RESIDUAL, replace(RESIDUAL, build="inception")),
    "dense, image size 32 to 48": (Task("dense", 32), Task("dense", 48)),
}


def build_residual(task: Task, *, blocks: int, widen: int) -> Any:
    """The residual network with more blocks a stage, or more filters."""
    import keras
    from keras import layers

    from components.train.architectures.residual import STAGES, _block, _conv

    photos = keras.Input((task.image_size, task.image_size, task.channels), name="photos")
    x = layers.Rescaling(1 / 127.5, offset=-1)(photos)
    x = layers.ReLU()(_conv(x, widen * STAGES[0], 3, stride=2))
    for stage, filters in enumerate(STAGES):
        for block in range(blocks):
            x = _block(x, widen * filters, stride=2 if stage and not block else 1)
    return keras.Model(photos, layers.GlobalAveragePooling2D()(x), name="residual")


def build(task: Task, seed: int) -> Any:
    """A fresh network."""
    import keras

    from components.train.network import Network, build_head
    from components.train.places.head import build_place_head

    keras.utils.set_random_seed(seed)
    if task.build == "deeper":
        backbone = build_residual(task, blocks=2, widen=1)
    elif task.build == "wider":
        backbone = build_residual(task, blocks=1, widen=2)
    else:
        backbone = find_architecture(task.build).build_backbone(task.image_size, task.channels)
    if task.build == "two_output":  # without its place: these photos have none
        both = build_place_head(backbone.output_shape, len(task.classes), place="box", seed=seed)
        head = keras.Model(both.input, both.output["class"], name="head")
    else:
        head = build_head(backbone.output_shape[-1], len(task.classes), seed=seed)
    return Network(backbone=backbone, head=head)


class Photos:
    """The photos of one split of all, at any size and of any classes."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._files: dict[str, list[tuple[str, NDArray[np.uint8]]]] = defaultdict(list)
        for name in FIVE:
            for file in sorted((folder / name).glob("*.jpg")):
                content = file.read_bytes()
                split = split_of(hashlib.sha256(content).hexdigest(), FRACTIONS, seed=seed)
                photo: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
                self._files[split].append((name, photo))

    def take(self, split: str, task: Task) -> PhotoSet:
        """The photos that a task is about."""
        chosen = [(name, photo) for name, photo in self._files[split] if name in task.classes]
        size = (task.image_size, task.image_size)
        images = [cv2.resize(photo, size, interpolation=cv2.INTER_AREA) for _, photo in chosen]
        return PhotoSet(
            images=np.array(images, np.uint8),
            labels=np.array([task.classes.index(name) for name, _ in chosen], np.int32),
            boxes=np.full((len(chosen), 4), np.nan, np.float32),
            filenames=tuple(str(row) for row in range(len(chosen))),
            classes=task.classes,
        )


def train(
    task: Task, photos: Photos, seed: int, *, epochs: int, learning_rate: float, start: Path | None
) -> tuple[Any, float]:
    """Train one network, and say the CPU-seconds that took."""
    from components.train.fitting import fit
    from components.train.material import Material, augmented_batches, plain_batches
    from components.train.settings import FitSettings
    from components.train.warm_start import adapt

    material = Material(
        train=photos.take("train", task),
        validation=photos.take("validation", task),
        policy=find_policy("light"),
    )
    began = time.process_time()
    network = build(task, seed)
    if start:
        adapt(network, task.classes, start)
    model = network.assemble(mirror_averaging=False)
    fit(
        model,
        augmented_batches(material, channels=task.channels, batch_size=32, seed=seed),
        plain_batches(material, channels=task.channels, batch_size=32),
        FitSettings(
            epochs=epochs,
            learning_rate=learning_rate or find_architecture_of(task).learning_rate,
        ),
    )
    return model, time.process_time() - began


def find_architecture_of(task: Task) -> Any:
    """The architecture whose usual settings a task takes."""
    return find_architecture("residual" if task.build in ("deeper", "wider") else task.build)


def judge(model: Any, task: Task, photos: Photos) -> NDArray[np.bool_]:
    """Which test photos a model knows."""
    test = photos.take("test", task)
    predicted = model.predict(
        as_input(np.asarray(test.images), task.channels), batch_size=64, verbose=0
    )
    correct: NDArray[np.bool_] = predicted.argmax(axis=1) == test.labels
    return correct


class Bench:
    """All trainings of one seed; none is done twice."""

    def __init__(self, photos: Photos, seed: int, scratch: Path, options: Any) -> None:
        self._photos, self._seed, self._folder, self._options = photos, seed, scratch, options
        self._done: dict[Task, Measured] = {}

    def both(self, name: str, source: Task, target: Task) -> dict[str, Measured]:
        """A network from scratch, and from an earlier one."""
        runs = {SCRATCH: self._from_scratch(target), WARM: self._warm(source, target)}
        told = ", ".join(
            f"{way} {run.correct.mean():.3f} ({run.cpu_s:.1f} CPU-s)" for way, run in runs.items()
        )
        tell(self._seed, name, told)
        return runs

    def _from_scratch(self, task: Task) -> Measured:
        # Scratch does not mind the order of classes.
        task = replace(task, classes=tuple(sorted(task.classes)))
        if task not in self._done:
            self._done[task] = self._measure(task, 0.0, None)
        return self._done[task]

    def _warm(self, source: Task, target: Task) -> Measured:
        start = self._source(source)
        return self._measure(target, self._options.learning_rate, start)

    def _measure(self, task: Task, learning_rate: float, start: Path | None) -> Measured:
        epochs = self._options.epochs
        model, cpu_s = train(
            task,
            self._photos,
            self._seed,
            epochs=epochs,
            learning_rate=learning_rate,
            start=start,
        )
        return Measured(correct=judge(model, task, self._photos), cpu_s=cpu_s)

    def _source(self, task: Task) -> Path:
        folder = self._folder / "-".join(map(str, (task.build, task.image_size, task.channels)))
        folder = folder.with_name(f"{folder.name}-{len(task.classes)}")
        if not folder.exists():
            began = time.process_time()
            model, _ = train(
                task, self._photos, self._seed, epochs=SOURCE_EPOCHS, learning_rate=0, start=None
            )
            folder.mkdir(parents=True)
            model.save(folder / MODEL_FILE)
            (folder / SETTINGS).write_text(json.dumps({"classes": task.classes}))
            correct = judge(model, task, self._photos)
            cpu_s = time.process_time() - began
            tell(self._seed, f"source {folder.name}", f"{correct.mean():.3f}, {cpu_s:.0f} CPU-s")
        return folder


def tell(seed: int, what: str, told: str) -> None:
    """Print how far it is."""
    print(f"seed {seed}: {what}: {told}", file=sys.stderr, flush=True)


Results = dict[str, dict[str, list[Measured]]]


def gains(runs: dict[str, list[Measured]]) -> tuple[float, float]:
    """Accuracy above scratch on the same photos, and the half of its 95 % interval."""
    pairs = zip(runs[WARM], runs[SCRATCH], strict=True)
    each = np.concatenate([warm.correct.astype(float) - cold.correct for warm, cold in pairs])
    return float(each.mean()), float(Z_95 * each.std(ddof=1) / np.sqrt(len(each)))


def accuracy(runs: list[Measured]) -> tuple[float, float, float]:
    """Of all test photos of all seeds, and its 95 % interval."""
    correct = np.concatenate([run.correct for run in runs])
    return (float(correct.mean()), *wilson_interval(int(correct.sum()), len(correct)))


def print_table(results: Results) -> None:
    """Print all, a row a change."""
    print("| change | from scratch | warm | gain | CPU-s, scratch and warm |")
    print("| --- | --- | --- | --- | --- |")
    for name, runs in results.items():
        cells = ["{:.3f} ({:.3f} to {:.3f})".format(*accuracy(runs[way])) for way in COLOURS]
        gain, error = gains(runs)
        cpu_s = [np.mean([run.cpu_s for run in runs[way]]) for way in COLOURS]
        print(f"| {name} | {' | '.join(cells)} | {gain:+.3f} ± {error:.3f} |", end="")
        print(f" {cpu_s[0]:.1f}, {cpu_s[1]:.1f} |")


def plot(results: Results, file: Path) -> None:
    """Draw accuracy as bars, two a change, with their 95 % intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 0.5 * len(results) + 1.0), dpi=110, layout="constrained")
    axes: Any = figure.subplots()
    rows = np.arange(len(results))
    for place, (way, colour) in enumerate(COLOURS.items()):
        values = np.array([accuracy(runs[way]) for runs in results.values()])
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        axes.barh(
            rows + 0.38 * place - 0.19,
            values[:, 0],
            0.36,
            xerr=errors,
            color=colour,
            label={SCRATCH: "from scratch", WARM: "warm start"}[way],
            error_kw={"linewidth": 1},
        )
    axes.set_yticks(rows, list(results))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("Accuracy on test photos, at equal epochs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    figure.savefig(file, metadata={"Software": None})


def main() -> None:
    """Train all, print the table, draw the plot."""
    data = os.environ.get("PAWPETAL_REAL_DATA", "")
    parser = argparse.ArgumentParser(description="Measure what a warm start is worth.")
    parser.add_argument("--photos", default=str(Path(data, "flowers")) if data else "")
    parser.add_argument("--only", default="", help="changes whose name holds this")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=0.0, help="peak, of warm starts")
    parser.add_argument("--plot", help="PNG to write: accuracy of each change")
    options = parser.parse_args()
    if not options.photos:
        parser.error("--photos must name a folder, or PAWPETAL_REAL_DATA one with flowers/")
    results: Results = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch, shown_by(lambda _: None):
        for seed in range(options.seeds):
            photos = Photos(Path(options.photos), seed)
            bench = Bench(photos, seed, Path(scratch, str(seed)), options)
            for name, (source, target) in CHANGES.items():
                if options.only in name:
                    for way, run in bench.both(name, source, target).items():
                        results[name][way].append(run)
    print_table(results)
    if options.plot:
        plot(results, Path(options.plot))
    print(f"\n{time.process_time():.0f} CPU-s in all")


if __name__ == "__main__":
    main()
