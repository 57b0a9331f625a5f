"""Measure the training loop beside what people write: `keras.Model.fit`, turn by turn.

    python -m benchmarks.training [--only heads|networks|flowers] [--repeats N]

`flowers` takes the photos and MobileNetV2's weights from PAWPETAL_REAL_DATA. All contenders take
turns in one process, CPU time is that of all threads, and each ratio is the median over the turns.
Both sides train from the same weights, by the same optimizer, on the same photos, and compile their
steps anew in every turn, as every training does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from components.common.progress import shown_by

Contender = Callable[[], Any]
NUM_CLASSES = 5
REFERENCE_SIZE = 192  # pixels
REFERENCE_EPOCHS = 5


def head_contenders(batch_size: int, epochs: int) -> dict[str, Contender]:
    """A softmax on 1,280 features of 2,800 photos; 420 photos for validation."""
    from components.train.batches import Batches
    from components.train.fitting import fit
    from components.train.frozen import HEAD_BATCHES
    from components.train.settings import FitSettings

    draw = np.random.default_rng(0)
    features = draw.normal(size=(3220, 1280)).astype(np.float32)
    labels = draw.integers(0, NUM_CLASSES, len(features)).astype(np.int32)
    parts = [(features[:2800], labels[:2800]), (features[2800:], labels[2800:])]

    def build() -> Any:
        import keras

        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [keras.Input((1280,)), keras.layers.Dense(NUM_CLASSES, activation="softmax")]
        )

    def ours() -> None:
        train, validation = (
            Batches(
                truth,
                lambda rows, _, inputs=inputs: inputs[rows],
                batch_size=size,
                seed=0,
                at_once=at_once,
            )
            for (inputs, truth), size, at_once in zip(
                parts, (batch_size, 1024), (HEAD_BATCHES, 1), strict=True
            )
        )
        fit(build(), train, validation, FitSettings(epochs=epochs, learning_rate=1e-3))

    def keras_fit() -> None:
        _keras_fit(build(), *parts, batch_size=batch_size, epochs=epochs)

    return {"pawpetal": ours, "fit": keras_fit}


def measure_heads(repeats: int) -> None:
    """Whole trainings, and what one more epoch of them takes, at our batch and at that of `fit`."""
    from components.train.frozen import HEAD_BATCH

    for batch_size in (HEAD_BATCH, 32):
        what = f"head, {batch_size} rows a step"
        short, long = (measure(head_contenders(batch_size, epochs), repeats) for epochs in (10, 70))
        print_rows(f"{what}, 70 epochs", long, {})
        more = {
            name: [
                ((after[0] - before[0]) / 60, (after[1] - before[1]) / 60)
                for before, after in zip(short[name], long[name], strict=True)
            ]
            for name in long
        }
        print_rows(f"{what}, one more epoch", more, {})


def network_contenders(name: str) -> dict[str, Contender]:
    """A network from scratch on 1,024 photos of its usual size, 2 epochs, no augmentation."""
    from components.train.architectures import find_architecture
    from components.train.batches import Batches
    from components.train.fitting import fit
    from components.train.network import Network, build_head
    from components.train.settings import BATCH, FitSettings

    architecture = find_architecture(name)
    size = architecture.image_size
    draw = np.random.default_rng(0)
    photos = draw.integers(0, 256, (1152, size, size, 3), np.uint8)
    labels = draw.integers(0, NUM_CLASSES, len(photos)).astype(np.int32)
    parts = [(photos[:1024], labels[:1024]), (photos[1024:], labels[1024:])]

    def build() -> Any:
        import keras

        keras.utils.set_random_seed(0)
        backbone = architecture.build_backbone(size)
        head = build_head(backbone.output_shape[-1], NUM_CLASSES, seed=0)
        return Network(backbone=backbone, head=head).assemble(mirror_averaging=False)

    def ours() -> None:
        train, validation = (
            Batches(
                truth,
                lambda rows, _, inputs=inputs: inputs[rows].astype(np.float32),
                batch_size=BATCH,
                seed=0,
                num_threads=2,
            )
            for inputs, truth in parts
        )
        fit(build(), train, validation, FitSettings(epochs=2, learning_rate=1e-3))

    floats = [(inputs.astype(np.float32), truth) for inputs, truth in parts]
    return {
        "pawpetal": ours,
        "fit": lambda: _keras_fit(build(), *floats, batch_size=BATCH, epochs=2),
        "fit, jit_compile=False": lambda: _keras_fit(
            build(), *floats, batch_size=BATCH, epochs=2, jit_compile=False
        ),
    }


def _keras_fit(
    model: Any,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    *,
    batch_size: int,
    epochs: int,
    **compiled: Any,
) -> None:
    import keras

    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.02, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **compiled,
    )
    model.fit(*train, batch_size=batch_size, epochs=epochs, validation_data=validation, verbose=0)


def flowers_contenders(data: Path, accuracies: dict[str, list[float]]) -> dict[str, Contender]:
    """From decoded flowers to a trained model: ours, frozen, and the usual recipe, 5 epochs."""
    from components.common.photos import PhotoSet

    photos = _read_flowers(data / "flowers")
    weights = str(data.parent / "weights" / "mobilenet_v2_imagenet_no_top.weights.h5")

    def judge(name: str, model: Any, test: PhotoSet) -> None:
        said = model.predict(np.asarray(test.images, np.float32), batch_size=32, verbose=0)
        accuracies[name].append(float((said.argmax(axis=1) == test.labels).mean()))

    def ours() -> Any:
        from components.augment.policies import find_policy
        from components.train.material import Material
        from components.train.recipes import train_network
        from components.train.settings import TrainSettings
        from components.train.train import make_deterministic, start_network

        settings = TrainSettings(
            architecture="transfer:MobileNetV2",
            weights=weights,
            image_size=REFERENCE_SIZE,
            fine_tune_epochs=0,
        ).resolved()
        make_deterministic(0)
        network, _ = start_network(settings, photos["train"].classes)
        material = Material(
            train=photos["train"],
            validation=photos["validation"],
            policy=find_policy("none"),
        )
        network, _ = train_network(network, material, settings)
        return lambda: judge("pawpetal", network.assemble(mirror_averaging=True), photos["test"])

    def reference() -> Any:
        import keras

        keras.utils.set_random_seed(0)
        shape = (REFERENCE_SIZE, REFERENCE_SIZE, 3)
        backbone = keras.applications.MobileNetV2(shape, include_top=False, weights=None)
        backbone.load_weights(weights)
        backbone.trainable = False
        inputs = keras.Input(shape)
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
        x = keras.layers.Flatten()(backbone(x, training=False))
        outputs = keras.layers.Dense(NUM_CLASSES, activation="softmax")(x)
        model = keras.Model(inputs, outputs)
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
        )
        train, validation = photos["train"], photos["validation"]
        model.fit(
            np.asarray(train.images, np.float32),
            train.labels,
            batch_size=32,
            epochs=REFERENCE_EPOCHS,
            validation_data=(np.asarray(validation.images, np.float32), validation.labels),
            verbose=0,
        )
        return lambda: judge("the usual recipe", model, photos["test"])

    return {"pawpetal": ours, "the usual recipe": reference}


def _read_flowers(folder: Path) -> dict[str, Any]:
    import cv2

    from components.common.photos import PhotoSet
    from components.split.rule import split_of

    fractions = {"train": 0.7, "validation": 0.15, "test": 0.15}
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    found: dict[str, list[tuple[np.ndarray, int]]] = {name: [] for name in fractions}
    for label, name in enumerate(classes):
        for file in sorted((folder / name).glob("*.jpg")):
            content = file.read_bytes()
            split = split_of(hashlib.sha256(content).hexdigest(), fractions, seed=0)
            photo: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
            square = cv2.resize(photo, (REFERENCE_SIZE,) * 2, interpolation=cv2.INTER_AREA)
            found[split].append((square, label))
    return {
        split: PhotoSet(
            images=np.stack([photo for photo, _ in rows]),
            labels=np.array([label for _, label in rows], np.int32),
            boxes=np.full((len(rows), 4), np.nan, np.float32),
            filenames=tuple(map(str, range(len(rows)))),
            classes=classes,
        )
        for split, rows in found.items()
    }


def measure(contenders: dict[str, Contender], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """CPU and wall seconds of each contender in each turn; what they return is called after it."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            with shown_by(lambda _: None):
                judge = run()
            measured[name].append((time.process_time() - cpu, time.perf_counter() - wall))
            if judge is not None:
                judge()
    return measured


def print_rows(
    what: str, measured: dict[str, list[tuple[float, float]]], notes: dict[str, str]
) -> None:
    """A row a contender: seconds, and how many times ours it takes."""
    for name, turns in measured.items():
        cells = []
        for place in range(2):
            seconds = statistics.median(turn[place] for turn in turns)
            pairs = zip(turns, measured["pawpetal"], strict=True)
            ratio = statistics.median(one[place] / ours[place] for one, ours in pairs)
            cells.append(f"{seconds:.3g} ({ratio:.2f}x)")
        print(f"| {what} | {name} | {' | '.join(cells)} | {notes.get(name, '')} |", flush=True)


def main() -> None:
    """Print the table."""
    data = os.environ.get("PAWPETAL_REAL_DATA", "")
    parser = argparse.ArgumentParser(description="Measure the training loop.")
    parser.add_argument("--only", choices=("heads", "networks", "flowers"), help="one part alone")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender")
    options = parser.parse_args()
    print("| what | who | CPU-s (times ours) | wall s (times ours) | test accuracy |")
    print("| --- | --- | --- | --- | --- |")
    if options.only in (None, "heads"):
        measure_heads(options.repeats)
    if options.only in (None, "networks"):
        for name in ("dense", "residual", "inception"):
            print_rows(name, measure(network_contenders(name), options.repeats), {})
    if options.only in (None, "flowers") and data:
        accuracies: dict[str, list[float]] = {"pawpetal": [], "the usual recipe": []}
        measured = measure(flowers_contenders(Path(data), accuracies), 1)
        notes = {name: f"{np.mean(values):.3f}" for name, values in accuracies.items()}
        print_rows("flowers", measured, notes)


if __name__ == "__main__":
    main()
