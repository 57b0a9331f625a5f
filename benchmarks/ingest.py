"""Measure ingest and split: speed against TensorFlow Datasets, and memory as datasets grow.

Run it with

    python -m benchmarks.ingest speed [--photos FOLDER]
    python -m benchmarks.ingest memory

Each measurement is a process of its own, turn by turn. It first does the same with 100 photos,
so that all is imported, and then takes the CPU seconds of all threads. Photos are drawn, unless
there is a folder of them, with one folder a class.
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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

CLASSES = ("cat", "dog")
FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
WARM_UP_PHOTOS = 100  # of both classes some in every split
DECODE, TFDS = "decode", "tfds"
NAMES = {
    DECODE: "decode each photo once (OpenCV), and its SHA-256",
    TFDS: "`tfds` builds the same: `download_and_prepare`, which decodes nothing",
    "off": "ingest, checks off",
    "warn": "ingest, every check on",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process took."""

    cpu_s: float  # all threads
    wall_s: float
    before_mb: float = 0.0  # peak resident memory once all is imported
    peak_mb: float = 0.0  # at the end


def decode_once(photos: Path, folder: Path) -> None:  # noqa: ARG001  # writes nothing
    """Do the least that any check of all pixels must do."""
    import hashlib

    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    for path in photos.glob("*/*"):
        encoded = path.read_bytes()
        hashlib.sha256(encoded).digest()
        cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)


def build_tfds(photos: Path, folder: Path) -> None:
    """Build a dataset of TensorFlow Datasets, as its guide says."""
    import tensorflow_datasets as tfds

    with tfds.core.registered.skip_registration():  # a second class of this name is an error

        class Photos(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
            VERSION = tfds.core.Version("1.0.0")

            def _info(self) -> object:
                names = sorted(path.name for path in photos.iterdir())
                label = tfds.features.ClassLabel(names=names)
                features = {"image": tfds.features.Image(), "label": label}
                features = tfds.features.FeaturesDict(features)
                return tfds.core.DatasetInfo(builder=self, features=features)

            def _split_generators(self, _: object) -> dict[str, object]:
                return {"train": self._generate_examples()}

            def _generate_examples(self) -> Iterator[tuple[str, dict[str, str]]]:
                for path in photos.glob("*/*"):
                    # A path: its bytes are kept as they are. An array would be encoded again.
                    label = path.parent.name
                    yield f"{label}/{path.name}", {"image": str(path), "label": label}

    Photos(data_dir=str(folder)).download_and_prepare()


def ingest(policy: str, *, keep: bool = False, split: bool = False) -> Callable[[Path, Path], None]:
    """Our own step; with `keep` into a storage root, with `split` the split step after it."""

    def work(photos: Path, folder: Path) -> None:
        from components.ingest.ingest import Order, ingest_photos
        from components.split.split import split_photos

        root = str(folder / "root") if keep else ""
        order = Order(dataset=f"folder:{photos}", policy=policy, root=root)
        whole = folder / "whole"
        ingest_photos(order, whole, page=folder / "page.html", data=folder / "report.json")
        if split:
            parts = {name: folder / name for name in FRACTIONS}
            split_photos(whole, parts, FRACTIONS)

    return work


WAYS: dict[str, Callable[[Path, Path], None]] = {
    DECODE: decode_once,
    TFDS: build_tfds,
    "off": ingest("off"),
    "warn": ingest("warn"),
    "beside": ingest("warn", split=True),
    "kept": ingest("warn", keep=True, split=True),
}


def draw(folder: Path, num_photos: int) -> None:
    """Draw photos of coloured clouds, about 10 kB each, no two alike."""
    import cv2
    import numpy as np

    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(num_photos):
        random = np.random.default_rng(number)
        clouds = random.integers(0, 256, (16, 16, 3), np.uint8)
        size = random.integers(200, 300, 2).tolist()
        photo = cv2.resize(clouds, size, interpolation=cv2.INTER_CUBIC)
        name = CLASSES[number % len(CLASSES)]
        path = folder / name / f"{number:06d}.jpg"
        cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 80])


def measure_here(way: str, photos: Path) -> Measured:
    """Do one thing once, in this process."""
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch:
        few = Path(scratch, "few")
        draw(few, WARM_UP_PHOTOS)
        WAYS[way](few, Path(scratch, "warm-up"))
        before_mb = peak_mb()
        wall, cpu = time.monotonic(), time.process_time()
        WAYS[way](photos, Path(scratch, "built"))
        return Measured(
            cpu_s=time.process_time() - cpu,
            wall_s=time.monotonic() - wall,
            before_mb=before_mb,
            peak_mb=peak_mb(),
        )


def peak_mb() -> float:
    """Peak resident memory of this process, on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def call(*arguments: str) -> str:
    """Do something in a process of its own; gives the last line that it prints.

    Nothing heavy is imported here: a new process counts the peak memory of its parent as its own.
    """
    done = subprocess.run(  # noqa: S603  # our own module, no shell
        [sys.executable, "-m", "benchmarks.ingest", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.rstrip().rpartition("\n")[2]


def measure(way: str, photos: Path) -> Measured:
    """Do one thing once, in a process of its own."""
    return Measured(**json.loads(call("one", way, str(photos))))


def speed(photos: Path, repeats: int) -> None:
    """Print a table: medians, and of the ratios the medians over the rounds."""
    num_photos = sum(1 for _ in photos.glob("*/*"))
    found: dict[str, list[Measured]] = {way: [] for way in NAMES}
    for _ in range(repeats):
        for way in NAMES:
            found[way].append(measure(way, photos))

    def ratio(way: str, other: str) -> float:
        pairs = zip(found[way], found[other], strict=True)
        return statistics.median(one.cpu_s / two.cpu_s for one, two in pairs)

    print(f"{num_photos:,} photos, {repeats} rounds, {len(os.sched_getaffinity(0))} cores\n")
    print("| | CPU, ms a photo | wall, ms a photo | / decoding once | / tfds |")
    print("| --- | --- | --- | --- | --- |")
    for way, name in NAMES.items():
        cpu_ms = 1000 * statistics.median(one.cpu_s for one in found[way]) / num_photos
        wall_ms = 1000 * statistics.median(one.wall_s for one in found[way]) / num_photos
        print(
            f"| {name} | {cpu_ms:.3f} | {wall_ms:.3f}"
            f" | {ratio(way, DECODE):.2f} | {ratio(way, TFDS):.2f} |"
        )


def memory(numbers: list[int]) -> None:
    """Print a table: peak memory of ingest and split, every check on."""
    print("| photos | storage root | peak, MB | of it imports | / smallest | CPU s | photos/s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    smallest: dict[str, float] = {}
    for num_photos in numbers:
        with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch:
            photos = Path(scratch, "photos")
            call("draw", str(photos), str(num_photos))
            for way, words in (("beside", "no"), ("kept", "yes")):
                one = measure(way, photos)
                ratio = one.peak_mb / smallest.setdefault(way, one.peak_mb)
                print(
                    f"| {num_photos:,} | {words} | {one.peak_mb:.0f} | {one.before_mb:.0f}"
                    f" | {ratio:.2f} | {one.cpu_s:.1f} | {num_photos / one.wall_s:.0f} |",
                    flush=True,
                )


def main() -> None:
    """Measure what the first argument names."""
    parser = argparse.ArgumentParser(description="Measure ingest and split.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("speed")
    command.add_argument("--photos", type=Path, help="one folder a class; else drawn")
    command.add_argument("--repeats", type=int, default=5, help="rounds")
    command = commands.add_parser("memory")
    command.add_argument("--photos", default="1000,25000,100000", help="numbers of photos")
    command = commands.add_parser("one")  # what follows is for this program itself
    command.add_argument("way", choices=WAYS)
    command.add_argument("photos", type=Path)
    command = commands.add_parser("draw")
    command.add_argument("folder", type=Path)
    command.add_argument("number", type=int)
    options = parser.parse_args()
    if options.command == "one":
        print(json.dumps(asdict(measure_here(options.way, options.photos))))
    elif options.command == "draw":
        draw(options.folder, options.number)
    elif options.command == "memory":
        memory([int(number) for number in options.photos.split(",")])
    elif options.photos:
        speed(options.photos.resolve(), options.repeats)
    else:
        with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch:
            call("draw", str(Path(scratch, "photos")), "5000")
            speed(Path(scratch, "photos"), options.repeats)


if __name__ == "__main__":
    main()
