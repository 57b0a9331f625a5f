"""Measure whether reading limits training: photos a second from a bucket, and into a network.

Run it with `python -m benchmarks.reading --photos FOLDER` (a folder a class; by default the cats
and dogs of PAWPETAL_REAL_DATA). The bucket is an emulated one on this machine: a real one answers
later, and serves more at once. The network is MobileNetV2, forward only, which is the least that
training ever does with a photo.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from components.common.dataset import read_photos
from infra.gcs.emulator import emulator, make_bucket

BUCKET = "bench"
SIZE = 192  # pixels
BATCH = 8


def rate(work: Callable[[], int]) -> float:
    """Photos a second."""
    start = time.monotonic()
    return work() / (time.monotonic() - start)


def read(folder: Path) -> int:
    """Read all photos, encoded as they are."""
    return sum(1 for _ in read_photos(folder))


def load(folder: Path) -> int:
    """Read and decode them, as training does once a run."""
    from components.common.photos import load_photos

    with load_photos(folder, SIZE) as photos:
        return len(photos)


def network() -> Callable[[], int]:
    """A pass of the lightest network over as many photos as take some seconds."""
    import keras
    import numpy as np

    model = keras.applications.MobileNetV2((SIZE, SIZE, 3), include_top=False, weights=None)
    photos = np.zeros((BATCH, SIZE, SIZE, 3), np.float32)
    model.predict_on_batch(photos)

    def work() -> int:
        for _ in range(25):
            model.predict_on_batch(photos)
        return 25 * BATCH

    return work


def ingest(photos: str, folder: Path, root: str) -> None:
    """Make the dataset."""
    from components.ingest.ingest import Order, ingest_photos

    order = Order(dataset=f"folder:{photos}", root=root)
    ingest_photos(order, folder, page=folder / "report.html", data=folder / "report.json")


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description="Measure whether reading limits training.")
    default = os.environ.get("PAWPETAL_REAL_DATA", "")
    parser.add_argument("--photos", default=f"{default}/cats_dogs" if default else None)
    parser.add_argument("--repeats", type=int, default=5, help="turns; medians are shown")
    options = parser.parse_args()
    if not options.photos:
        parser.error("--photos FOLDER, or PAWPETAL_REAL_DATA, must name a folder of photos")
    with tempfile.TemporaryDirectory(prefix="pawpetal-bench-") as scratch, emulator() as address:
        os.environ["STORAGE_EMULATOR_HOST"] = address
        make_bucket(address, BUCKET)
        local, remote = Path(scratch, "local"), Path(scratch, "remote")
        ingest(options.photos, local, f"{scratch}/storage")
        ingest(options.photos, remote, f"gs://{BUCKET}/storage")
        ways: dict[str, Callable[[], int]] = {
            "read from gs://": lambda: read(remote),
            f"read from gs:// and decode to {SIZE} px": lambda: load(remote),
            "read from disk": lambda: read(local),
            f"read from disk and decode to {SIZE} px": lambda: load(local),
            f"MobileNetV2 at {SIZE} px, forward only": network(),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, work in ways.items():
                rates[name].append(rate(work))
    slowest = statistics.median(rates[list(ways)[-1]])
    print("| what | photos/s | against the network |")
    print("| --- | --- | --- |")
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"| {name} | {median:.0f} | {median / slowest:.1f} |")


if __name__ == "__main__":
    main()
