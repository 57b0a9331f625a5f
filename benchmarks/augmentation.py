"""Measure augmentation beside what people use: CPU time a photo, from files to augmented squares.

Run it with `python -m benchmarks.augmentation --photos FOLDER`, a folder with one folder of JPEGs a
class; without `--photos` it takes `cats_dogs/` of PAWPETAL_REAL_DATA. It needs SciPy, for Keras'
ImageDataGenerator. All contenders do what the policy `heavy` does, nearest fill, and take turns in
one process; CPU time is that of all threads, and each ratio is the median over the turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from components.augment.augmenter import Augmenter
from components.augment.mixing import Mixer
from components.augment.policies import POLICIES, Policy, find_policy
from components.common.parallel import num_cores
from components.common.photos import decode
from components.common.records import PhotoRecord

BATCH = 32
Contender = Callable[[int], object]  # goes through all photos once, given the epoch
OURS = "pawpetal, from files"
DECODING = "JPEG decoding alone: OpenCV"


def records_of(files: Iterable[Path]) -> list[PhotoRecord]:
    """What ingest knows of the photos; the bytes are read anew in every turn."""
    records = []
    for file in files:
        with Image.open(file) as photo:
            width, height = photo.size
        records.append(
            PhotoRecord(
                encoded=b"",
                format="jpeg",
                height=height,
                width=width,
                label=0,
                class_name=file.parent.name,
                filename=str(file),
                sha256="",
            )
        )
    return records


def with_bytes(record: PhotoRecord) -> PhotoRecord:
    """The photo with its file read."""
    return replace(record, encoded=Path(record.filename).read_bytes())


def in_threads(function: Callable[[int], object], number: int) -> None:
    """Call a function with 0, 1, ... on all cores."""
    with ThreadPoolExecutor(num_cores()) as pool:
        for start in range(0, number, BATCH):
            list(pool.map(function, range(start, min(start + BATCH, number))))


def ours(records: list[PhotoRecord], policy: Policy, size: int) -> Contender:
    """Decoding and the policy in one go."""
    augmenter = Augmenter(policy=policy, seed=0)

    def run(epoch: int) -> None:
        in_threads(
            lambda row: augmenter.from_record(with_bytes(records[row]), row, epoch, size),
            len(records),
        )

    return run


def ours_from_squares(records: list[PhotoRecord], policy: Policy, size: int) -> Contender:
    """What training does in every epoch, from photos that were decoded once."""
    squares = np.stack([decode(with_bytes(record), size) for record in records])
    augmenter = Augmenter(policy=policy, seed=0)
    mixer = Mixer(augmenter=augmenter, num_photos=len(records), size=size)

    def augment(row: int, epoch: int) -> object:
        rows = np.array([row])
        if policy.mixes:
            return mixer.photos(squares, rows, epoch)
        return augmenter(squares[rows], rows, epoch)

    return lambda epoch: in_threads(lambda row: augment(row, epoch), len(records))


def decoding(records: list[PhotoRecord]) -> Contender:
    """OpenCV, at the photos' own size."""

    def run(row: int) -> object:
        encoded = Path(records[row].filename).read_bytes()
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)

    return lambda _: in_threads(run, len(records))


def image_data_generator(photos: Path, size: int) -> Contender:
    """Keras' legacy generator; its shear is in degrees."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    heavy = find_policy("heavy")
    generator = ImageDataGenerator(
        rotation_range=heavy.rotation_degrees,
        width_shift_range=heavy.width_shift,
        height_shift_range=heavy.height_shift,
        shear_range=heavy.shear_degrees,
        zoom_range=heavy.zoom,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    batches = generator.flow_from_directory(str(photos), target_size=(size, size), batch_size=BATCH)

    def run(_: int) -> None:
        for _ in range(len(batches)):
            next(batches)

    return run


def tensorflow_photos(files: list[Path]) -> Any:
    """Decoded photos as a `tf.data.Dataset`."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices([str(file) for file in files]).map(
        lambda file: tf.io.decode_jpeg(tf.io.read_file(file), channels=3),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def tensorflow_decoding(files: list[Path]) -> Contender:
    """TensorFlow, at the photos' own size."""
    photos = tensorflow_photos(files)
    return lambda _: [None for _ in photos]


def keras_layers(files: list[Path], size: int) -> Contender:
    """Keras' preprocessing layers on batches of a `tf.data` pipeline."""
    import keras
    import tensorflow as tf

    heavy = find_policy("heavy")
    nearest = {"fill_mode": "nearest"}
    layers = [
        keras.layers.RandomRotation(heavy.rotation_degrees / 360, **nearest),
        keras.layers.RandomTranslation(heavy.height_shift, heavy.width_shift, **nearest),
        keras.layers.RandomShear(x_factor=heavy.zoom, **nearest),
        keras.layers.RandomZoom((-heavy.zoom, heavy.zoom), (-heavy.zoom, heavy.zoom), **nearest),
        keras.layers.RandomFlip("horizontal"),
    ]

    def augment(batch: Any) -> Any:
        for layer in layers:
            batch = layer(batch, training=True)
        return batch

    batches = (
        tensorflow_photos(files)
        .map(lambda photo: tf.image.resize(photo, (size, size)), tf.data.AUTOTUNE)
        .batch(BATCH)
        .map(augment, tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    return lambda _: [None for _ in batches]


def measure(contenders: dict[str, Contender], repeats: int, number: int) -> dict[str, list[float]]:
    """CPU milliseconds a photo of each contender in each turn; the first turn only warms up."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, run in contenders.items():
            start = time.process_time()
            run(turn)
            if turn:
                measured[name].append(1000 * (time.process_time() - start) / number)
    return measured


def ratio(measured: dict[str, list[float]], name: str, base: str) -> float:
    """How many times the CPU of `base` one takes: median over the turns."""
    turns = zip(measured[name], measured[base], strict=True)
    return statistics.median(one / other for one, other in turns)


def default_photos() -> str:
    """The real cats and dogs, where there are some."""
    data = os.environ.get("PAWPETAL_REAL_DATA", "")
    return str(Path(data, "cats_dogs")) if data else ""


def compare(photos: Path, size: int, repeats: int) -> None:
    """Print the contenders beside each other."""
    files = sorted(photos.glob("*/*.jpg"))
    records, heavy = records_of(files), find_policy("heavy")
    contenders = {
        OURS: ours(records, heavy, size),
        DECODING: decoding(records),
        "JPEG decoding alone: TensorFlow": tensorflow_decoding(files),
        "Keras preprocessing layers": keras_layers(files, size),
        "Keras ImageDataGenerator": image_data_generator(photos, size),
        "pawpetal, from decoded squares": ours_from_squares(records, heavy, size),
    }
    measured = measure(contenders, repeats, len(files))
    print(f"\n{len(files)} photos, {size} px, policy heavy, {num_cores()} cores\n")
    print("| | CPU ms a photo | CPU beside ours | speed beside decoding alone |")
    print("| --- | --- | --- | --- |")
    for name, turns in measured.items():
        print(
            f"| {name} | {statistics.median(turns):.2f} | {ratio(measured, name, OURS):.2f} |"
            f" {1 / ratio(measured, name, DECODING):.0%} |"
        )


def compare_policies(photos: Path, size: int, repeats: int) -> None:
    """Print what each of our policies costs."""
    records = records_of(sorted(photos.glob("*/*.jpg")))
    ways = (ours, ours_from_squares)
    measured = measure(
        {
            f"{name} {way.__name__}": way(records, policy, size)
            for name, policy in POLICIES.items()
            for way in ways
            if not (policy.mixes and way is ours)  # mixing is for training, from squares
        },
        repeats,
        len(records),
    )
    print("\n| policy | CPU ms a photo, from files | from decoded squares |")
    print("| --- | --- | --- |")
    for name in POLICIES:
        turns = [measured.get(f"{name} {way.__name__}") for way in ways]
        cells = [f"{statistics.median(one):.2f}" if one else "" for one in turns]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Print two tables: the contenders, and our policies."""
    parser = argparse.ArgumentParser(description="Measure augmentation beside what people use.")
    parser.add_argument("--photos", default=default_photos(), help="a folder of JPEGs a class")
    parser.add_argument("--size", type=int, default=192, help="of the squares, pixels")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each contender")
    options = parser.parse_args()
    if not options.photos:
        parser.error("pass --photos, or set PAWPETAL_REAL_DATA")
    compare(Path(options.photos), options.size, options.repeats)
    compare_policies(Path(options.photos), options.size, options.repeats)


if __name__ == "__main__":
    main()
