"""Counts and distributions of a dataset, and the whole report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.index import FORMATS, TRAITS, PhotoIndex
from components.ingest.data_report import ClassSummary, DataReport, Histogram
from components.ingest.findings import find, worst_first
from components.ingest.findings.changes import compare, drift

NUM_BARS = 24
WIDE = 20  # times the smallest value: beyond it, bars of equal ratio show more than equal widths


def build_report(
    index: PhotoIndex,
    *,
    name: str,
    source: str,
    digest: str,
    size_bytes: int,
    rejected: Sequence[tuple[str, str]],
    previous: tuple[str, PhotoIndex] | None = None,
    fractions: Mapping[str, float] | None = None,
    policy: str = "warn",
) -> DataReport:
    """Put together all that is to be known of a dataset.

    Args:
        index: Of its photos.
        name: Short name of the dataset.
        source: URI it came from.
        digest: Of the dataset.
        size_bytes: Of the photos.
        rejected: (file, reason) of each file that was left out.
        previous: Digest and index of the version before it, if there is one.
        fractions: Share of each split, as the photos will be split; by default those of split.
        policy: What stops the run; recorded only.
    """
    findings = find(index, rejected=rejected, fractions=fractions)
    changes = None
    if previous is not None:
        changes = compare(previous[1], index, previous_digest=previous[0])
        findings = worst_first([*findings, *drift(previous[1], index)])
    return DataReport(
        name=name,
        source=source,
        digest=digest,
        num_photos=len(index),
        size_bytes=size_bytes,
        classes=summarise_classes(index),
        formats=_counts(FORMATS, [index.formats == number for number in range(len(FORMATS))]),
        traits=_counts(TRAITS, [index.has_trait(trait) for trait in TRAITS]),
        histograms=summarise_quantities(index),
        rejected=tuple(rejected),
        findings=findings,
        changes=changes,
        checked=bool(index.decoded.any()),
        policy=policy,
    )


def summarise_classes(index: PhotoIndex) -> tuple[ClassSummary, ...]:
    """Sum up each class, in the order of the labels."""
    rows = np.split(
        np.argsort(index.labels, kind="stable"),
        np.cumsum(np.bincount(index.labels, minlength=len(index.classes)))[:-1],
    )
    return tuple(_summarise(index, *pair) for pair in zip(index.classes, rows, strict=True))


def summarise_quantities(index: PhotoIndex) -> tuple[Histogram, ...]:
    """How width, height and bytes are spread and, of decoded photos, brightness."""
    decoded = index.means[index.decoded]
    return (
        _histogram("width", "pixels", index.widths),
        _histogram("height", "pixels", index.heights),
        _histogram("size", "KiB", index.size_bytes / 1024),
        *([_histogram("brightness", "of 255", decoded.mean(axis=1))] if len(decoded) else []),
    )


def _summarise(index: PhotoIndex, name: str, rows: NDArray[np.intp]) -> ClassSummary:
    decoded = rows[index.decoded[rows]]
    red, green, blue = index.means[decoded].mean(axis=0).tolist() if len(decoded) else (0, 0, 0)
    return ClassSummary(
        name=name,
        num_photos=len(rows),
        share=len(rows) / max(len(index), 1),
        size_bytes=int(index.size_bytes[rows].sum()),
        median_width=float(np.median(index.widths[rows])) if len(rows) else 0.0,
        median_height=float(np.median(index.heights[rows])) if len(rows) else 0.0,
        mean_color=(red, green, blue) if len(decoded) else None,
    )


def _histogram(name: str, unit: str, values: NDArray[Any]) -> Histogram:
    low, high = float(values.min()), float(values.max())
    bins: int | NDArray[np.float64] = NUM_BARS
    if low == high:
        bins = 1
    elif low > 0 and high > WIDE * low:
        bins = np.geomspace(low, high, NUM_BARS + 1)
        bins[[0, -1]] = low, high  # rounding would leave the ends out
    counts, edges = np.histogram(values, bins)
    percentiles = np.percentile(values, (5, 50, 95)).tolist()
    return Histogram(
        name=name,
        unit=unit,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        low=percentiles[0],
        median=percentiles[1],
        high=percentiles[2],
    )


def _counts(names: Sequence[str], masks: Sequence[NDArray[np.bool_]]) -> dict[str, int]:
    counts = zip(names, (int(mask.sum()) for mask in masks), strict=True)
    return {name: count for name, count in counts if count}
