"""Indexes of photos made by hand, or by looking at real photos."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.common.index import HASH_WORDS, TRAITS, IndexBuilder, PhotoIndex
from components.common.records import PhotoRecord
from components.ingest.check import check_photo


def make_index(counts: dict[str, int], *, seed: int = 0, **columns: Any) -> PhotoIndex:
    """So many photos of each class, class by class, that have nothing in common.

    They are JPEGs of 100 x 80 pixels. `columns` take the place of those of the index; a single
    value stands for all photos.
    """
    n, rng = sum(counts.values()), np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), list(counts.values()))
    filenames = [f"{name}/{i:05d}.jpg" for name, count in counts.items() for i in range(count)]
    index = PhotoIndex(
        classes=tuple(counts),
        filenames=filenames,
        labels=labels,
        sha256=rng.integers(0, 256, (n, 32), np.uint8),
        size_bytes=rng.integers(4_000, 6_000, n),
        heights=np.full(n, 80, np.int32),
        widths=np.full(n, 100, np.int32),
        formats=np.zeros(n, np.uint8),
        traits=np.zeros(n, np.uint16),
        cameras=[""] * n,
        decoded=np.ones(n, np.bool_),
        hashes=rng.integers(0, 2**64, (n, HASH_WORDS), np.uint64),
        means=rng.normal(120, 20, (n, 3)).astype(np.float32),
        stds=rng.normal(50, 10, (n, 3)).astype(np.float32),
        generations=np.zeros(n, np.int32),
        leaders=np.zeros((n, 32), np.uint8),
        shards=np.zeros(n, np.int32),
        offsets=np.zeros(n, np.int64),
    )
    for name, value in columns.items():
        column = getattr(index, name)
        if isinstance(column, np.ndarray):
            value = np.broadcast_to(value, column.shape).astype(column.dtype)
        index = replace(index, **{name: value})
    return index


def with_trait(trait: str, photos: Any) -> Any:
    """The column `traits` where some photos, a mask, have one trait and the others none."""
    return np.where(photos, 1 << TRAITS.index(trait), 0)


@functools.cache
def real_index(folder: Path) -> PhotoIndex:
    """What ingest knows of real photos in class folders, each decoded."""
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    builder = IndexBuilder(classes)
    for label, class_name in enumerate(classes):
        for path in sorted((folder / class_name).iterdir()):
            encoded, filename = path.read_bytes(), f"{class_name}/{path.name}"
            facts = check_photo(encoded, filename)
            assert not isinstance(facts, str), f"{path}: {facts}"
            record = PhotoRecord(
                encoded=encoded,
                format=facts.format,
                height=facts.height,
                width=facts.width,
                label=label,
                class_name=class_name,
                filename=filename,
                sha256=hashlib.sha256(encoded).hexdigest(),
            )
            builder.add(record, facts)
    return builder.build()
