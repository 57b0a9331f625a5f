"""Train, validation and test by the photo's own content, so that no photo ever changes sides."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

from components.common.dataset import DatasetWriter, Part, read_photos
from components.common.errors import DataError, InputError
from components.common.manifest import Manifest
from components.common.progress import Meter

SPLITS = ("train", "validation", "test")
CERTAINTY = 0.99  # of finding a photo in each split, for the number that the error names


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Refuse fractions that do not make three splits.

    Args:
        fractions: Share of each of `SPLITS`.

    Raises:
        InputError: If one is not above 0, or they do not sum to 1.
    """
    received = ", ".join(f"{split}_fraction={fractions[split]:g}" for split in SPLITS)
    if any(not 0 < fractions[split] < 1 for split in SPLITS):
        raise InputError(f"Each fraction must be above 0 and below 1. Received: {received}")
    total = math.fsum(fractions[split] for split in SPLITS)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise InputError(f"The fractions must sum to 1. Received: {received}, sum {total:g}")


def split_of(sha256: str, fractions: Mapping[str, float], *, seed: int = 0) -> str:
    """The split of a photo, from its content alone.

    The content's hash, read as a number in [0, 1), falls below the first threshold (test), below
    the second (validation) or above (train). So the same photo lands in the same split in every
    dataset, copies of it stay together, and new photos move none of the old ones. Test comes
    first, so that other shares of train and validation leave the test photos as they are.

    Args:
        sha256: Of the photo's bytes, hexadecimal.
        fractions: Share of each of `SPLITS`.
        seed: Another seed gives another, independent split.

    Returns:
        One of `SPLITS`.
    """
    key = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()
    position = int.from_bytes(key[:8]) / 2**64
    if position < fractions["test"]:
        return "test"
    return "validation" if position < fractions["test"] + fractions["validation"] else "train"


def split_photos(
    source: Path, folders: Mapping[str, Path], fractions: Mapping[str, float], *, seed: int = 0
) -> dict[str, Manifest]:
    """Write the photos of a dataset into one dataset a split.

    Args:
        source: Dataset folder.
        folders: Where each of `SPLITS` is written.
        fractions: Share of each of `SPLITS`; held nearly, since every photo is placed on its own.
        seed: Another seed gives another, independent split.

    Returns:
        The manifest of each split.

    Raises:
        InputError: If the fractions do not make three splits.
        DataError: If a class would have no photo to learn from, or none to be judged by.
    """
    check_fractions(fractions)
    whole = Manifest.load(source)
    writers = {split: DatasetWriter(folders[split], whole.classes) for split in SPLITS}
    meter = Meter("split", whole.num_photos)
    for done, record in enumerate(read_photos(source), start=1):
        writers[split_of(record.sha256, fractions, seed=seed)].add(record)
        meter.show(done)
    counts = {split: dict(writers[split].counts) for split in SPLITS}
    rule = ", ".join(f"{split} {fractions[split]:g}" for split in SPLITS) + f", seed {seed}"
    print(describe(whole.counts, counts))
    _check_classes(whole.counts, counts, fractions)
    return {
        split: writer.finish(
            name=whole.name,
            source=whole.source,
            part=Part(split=split, dataset_digest=whole.digest, rule=rule),
        )
        for split, writer in writers.items()
    }


def describe(totals: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]) -> str:
    """A table of the photos and their actual share, a class and split.

    Args:
        totals: Photos of each class.
        counts: By split, photos of each class.
    """
    width = max(len(name) for name in totals)
    lines = [f"{'class':{width}}" + "".join(f"  {split:>16}" for split in SPLITS)]
    for name, total in totals.items():
        cells = ""
        for split in SPLITS:
            number = counts[split].get(name, 0)
            cells += f"  {number:>8} {number / total:>7.1%}"
        lines.append(f"{name:{width}}{cells}")
    return "\n".join(lines)


def photos_needed(fraction: float, num_classes: int = 1) -> int:
    """Photos that each class takes so that a split of this fraction holds one, 99 times of 100.

    Args:
        fraction: Share of the split, in (0, 1).
        num_classes: Classes that must all have one.
    """
    return math.ceil(math.log((1 - CERTAINTY) / num_classes) / math.log(1 - fraction))


def _check_classes(
    totals: Mapping[str, int],
    counts: Mapping[str, Mapping[str, int]],
    fractions: Mapping[str, float],
) -> None:
    for split in reversed(SPLITS):  # a class without test photos is the worst: say that first
        for name, total in totals.items():
            if counts[split].get(name, 0):
                continue
            problem = (
                f"Class '{name}' has {total} photos, and none of them falls into {split}"
                f" ({split}_fraction={fractions[split]:g}). It takes about"
                f" {photos_needed(fractions[split], len(totals))} photos a class: add some, or"
                " raise the fraction."
            )
            if split != "validation":
                raise DataError(problem)
            print(f"warning: {problem}")  # the epoch is then chosen by the other classes
