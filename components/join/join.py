"""Datasets that were split, from easy to hard, joined into one train, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from components.common.dataset import (
    Part,
    dataset_location,
    describe,
    read_examples,
    read_index,
)
from components.common.errors import DataError
from components.common.manifest import Manifest, Round
from components.common.progress import Meter
from components.common.records import from_example, to_example
from components.join.union import Union, unite
from components.split.part import PartWriter
from components.split.rule import SPLITS


def join_datasets(
    datasets: Sequence[str],
    parts: Mapping[str, Sequence[Path]],
    folders: Mapping[str, Path],
    *,
    root: str = "",
) -> dict[str, Manifest]:
    """Write one dataset a split, of the photos of several datasets, in the order of these.

    Photos keep the split that they have; what is left out, and why, says `unite`.

    Args:
        datasets: URIs from easy to hard.
        parts: By split, the dataset folder of each of them, in any order.
        folders: By split, where the joined dataset is written.
        root: Storage root, local or gs://; empty keeps the photos in `folders`.

    Returns:
        The manifest of each split, which says where each round ends.

    Raises:
        DataError: If the folders are of other datasets, datasets disagree on the class of a photo,
            or a round adds no photo to learn from.
    """
    ordered = {split: _in_order(datasets, parts[split], split) for split in SPLITS}
    union = unite({split: [read_index(one) for one in ordered[split]] for split in SPLITS})
    known = [Manifest.load(folder) for folder in ordered["train"]]
    names = _names(known)
    _check_rounds(names, union)
    whole = _describe_whole(known, union, root)
    manifests = {}
    for split in SPLITS:
        part = Part(split=split, dataset_digest=whole.digest, rule=known[0].split_rule or "")
        manifest = _write(whole, union, part, ordered[split], folders[split])
        counts = union.counts(split)
        rounds = tuple(
            Round(name=name, num_photos=number) for name, number in zip(names, counts, strict=True)
        )
        manifests[split] = replace(manifest, rounds=rounds)
        manifests[split].save(folders[split])
    print(describe_rounds(manifests, union))
    return manifests


def describe_rounds(manifests: Mapping[str, Manifest], union: Union) -> str:
    """A table of the photos of each split up to the end of each round, and what was left out."""
    rounds = {split: manifest.rounds for split, manifest in manifests.items()}
    width = max(5, *(len(one.name) for one in rounds["train"]))
    lines = [f"{'up to':{width}}" + "".join(f"  {split:>10}" for split in SPLITS)]
    for row in zip(*(rounds[split] for split in SPLITS), strict=True):
        lines.append(f"{row[0].name:{width}}" + "".join(f"  {one.num_photos:>10}" for one in row))
    left_out = len(union.kept) - int(union.kept.sum())
    lines.append(f"{left_out} photos left out: in an earlier round, or alike one that judges")
    return "\n".join(lines)


def _in_order(datasets: Sequence[str], folders: Sequence[Path], split: str) -> list[Path]:
    """The folders in the order of the curriculum, whatever order a loop gave them in."""
    by_source = {Manifest.load(folder).source: folder for folder in folders}
    if sorted(by_source) != sorted(datasets):
        raise DataError(
            f"`{split}` must have one dataset for each of {', '.join(datasets)}."
            f" Received: {', '.join(sorted(by_source))}"
        )
    return [by_source[dataset] for dataset in datasets]


def _names(known: Sequence[Manifest]) -> list[str]:
    """What rounds are called: the datasets' names, or their URIs where names are not enough."""
    names = [manifest.name for manifest in known]
    return names if len(set(names)) == len(names) else [manifest.source for manifest in known]


def _check_rounds(names: Sequence[str], union: Union) -> None:
    before = 0
    for name, number in zip(names, union.counts("train"), strict=True):
        if number == before:
            raise DataError(
                f"Dataset '{name}' of the curriculum adds no photo to learn from: earlier rounds"
                " have them all, or judge by them. Leave it out."
            )
        before = number
    if not union.counts("validation")[0]:
        raise DataError(
            f"Dataset '{names[0]}', the first of the curriculum, has no photo for validation, by"
            " which its round would be judged. Add photos, or raise validation_fraction."
        )


def _describe_whole(known: Sequence[Manifest], union: Union, root: str) -> Manifest:
    """What the joined splits are parts of; it is kept nowhere itself."""
    # The last one is what the others lead to: models are named after it.
    name = known[-1].name
    whole = describe(
        union.index.take(union.kept), (), name=name, source=",".join(one.source for one in known)
    )
    # The same photos in another order are other datasets, since rounds are kept by number.
    order = hashlib.sha256("\n".join(one.dataset_digest for one in known).encode()).hexdigest()
    location = dataset_location(root, name, f"joined-{order[:16]}") if root else ""
    return replace(whole, location=location)


def _write(
    whole: Manifest, union: Union, part: Part, sources: Sequence[Path], folder: Path
) -> Manifest:
    writer = PartWriter(whole, union.of_split(part.split), part, folder)
    try:
        if not writer.is_kept:
            chosen = union.chosen(part.split)
            meter = Meter(f"joined {part.split}", len(chosen))
            for row, example in enumerate(_read(sources, whole.classes)):
                if chosen[row]:
                    writer.add(example)
                meter.show(row + 1)
        return writer.finish()
    finally:
        writer.discard()


def _read(sources: Sequence[Path], classes: tuple[str, ...]) -> Iterator[bytes]:
    """Every photo of several datasets, one after the other, with its label among `classes`."""
    for source in sources:
        is_labelled = Manifest.load(source).classes == classes
        for example in read_examples(source):
            yield example if is_labelled else _relabelled(example, classes)


def _relabelled(example: bytes, classes: tuple[str, ...]) -> bytes:
    record = from_example(example)
    return to_example(replace(record, label=classes.index(record.class_name)))
