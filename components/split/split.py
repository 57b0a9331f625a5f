"""Train, validation and test by the photo's own content, so that no photo ever changes sides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.dataset import Part, read_examples, read_index
from components.common.errors import DataError
from components.common.index import PhotoIndex
from components.common.manifest import Manifest
from components.common.progress import Meter
from components.split.part import PartWriter
from components.split.rule import SPLITS, check_fractions, photos_needed, split_of


def split_photos(
    source: Path,
    folders: Mapping[str, Path],
    fractions: Mapping[str, float],
    *,
    seed: int = 0,
) -> dict[str, Manifest]:
    """Write the photos of a dataset into one dataset a split.

    The photos go where those of the whole are; without a storage root, into the step's folders.

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
    splits, parts = _divide(read_index(source), fractions, seed)
    counts = {split: index.counts() for split, index in parts.items()}
    print(describe(whole.counts, counts))
    _check_classes(whole.counts, counts, fractions)
    rule = ", ".join(f"{split} {fractions[split]:g}" for split in SPLITS) + f", seed {seed}"
    writers = []
    for split, index in parts.items():
        part = Part(split=split, dataset_digest=whole.digest, rule=rule)
        writers.append(PartWriter(whole, index, part, folders[split]))
    try:
        if not all(writer.is_kept for writer in writers):
            meter = Meter("split", whole.num_photos)
            for row, example in enumerate(read_examples(source)):
                writers[splits[row]].add(example)
                meter.show(row + 1)
        return {split: writer.finish() for split, writer in zip(SPLITS, writers, strict=True)}
    finally:
        for writer in writers:
            writer.discard()


def assign(index: PhotoIndex, fractions: Mapping[str, float], *, seed: int = 0) -> NDArray[np.intp]:
    """The split of every photo: that of the photo that it follows, which mostly is itself.

    Args:
        index: Of the photos.
        fractions: Share of each of `SPLITS`.
        seed: Another seed gives another, independent split.

    Returns:
        Indices into `SPLITS`, shape `(n,)`.
    """
    splits = (split_of(leader.tobytes().hex(), fractions, seed=seed) for leader in index.leaders)
    return np.fromiter(map(SPLITS.index, splits), np.intp, len(index))


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


def _divide(
    index: PhotoIndex, fractions: Mapping[str, float], seed: int
) -> tuple[NDArray[np.intp], dict[str, PhotoIndex]]:
    """The split of every photo, and the index of each split."""
    splits = assign(index, fractions, seed=seed)
    return splits, {split: index.take(splits == number) for number, split in enumerate(SPLITS)}


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
