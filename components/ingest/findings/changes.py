"""This version of a dataset against an earlier one: which photos changed, and how they differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.common.index import PhotoIndex, concatenate
from components.ingest.data_report import MOST_FILES, NOTE, WARNING, Changes, Finding
from components.ingest.findings.association import FEWEST, Association, associate
from components.ingest.findings.features import Feature, appearance, metadata
from components.ingest.findings.words import quote
from components.ingest.summary import amount

# Share of the photos added, or removed, that can surely be told from the others by one feature.
NOTED, WARNED = 0.1, 0.3


def compare(previous: PhotoIndex, current: PhotoIndex, *, previous_digest: str) -> Changes:
    """Tell which photos were added, removed and relabelled; a photo is known by its bytes.

    Args:
        previous: The earlier version.
        current: This one.
        previous_digest: Digest of the earlier one.
    """
    before, now = _identify(previous, current)
    classes_before, classes_now = _classes(previous, current)
    added, removed = ~np.isin(now, before), ~np.isin(before, now)
    num_classes = int(max(classes_before.max(), classes_now.max())) + 1
    known = np.isin(now * num_classes + classes_now, before * num_classes + classes_before)
    relabelled = np.flatnonzero(~added & ~known)
    listed = relabelled[:MOST_FILES]
    order = np.argsort(before, kind="stable")
    earlier = order[np.searchsorted(before, now[listed], sorter=order)]
    return Changes(
        previous=previous_digest,
        num_added=int(added.sum()),
        num_removed=int(removed.sum()),
        num_relabelled=len(relabelled),
        added=_names(current, added),
        removed=_names(previous, removed),
        relabelled=tuple(
            (
                current.filenames[row],
                previous.classes[previous.labels[row_before]],
                current.classes[current.labels[row]],
            )
            for row, row_before in zip(listed.tolist(), earlier.tolist(), strict=True)
        ),
    )


def drift(previous: PhotoIndex, current: PhotoIndex) -> tuple[Finding, ...]:
    """Findings on photos added, or removed, that differ from the others as a whole.

    They are held against the others rather than the new version against the earlier one: a
    thousand odd photos hardly move the mean of a hundred thousand.

    Args:
        previous: The earlier version.
        current: This one.
    """
    before, now = _identify(previous, current)
    added, gone = ~np.isin(now, before), ~np.isin(before, now)
    return (
        *_differences(previous, current.take(added), "added", "new"),
        *_differences(previous.take(~gone), previous.take(gone), "removed", "gone"),
    )


def _differences(others: PhotoIndex, some: PhotoIndex, what: str, words: str) -> list[Finding]:
    if min(len(others), len(some)) < FEWEST:
        return []
    pooled = concatenate([others, some])
    features = [_by_class(others, some), *metadata(pooled), *appearance(pooled)]
    belongs = np.repeat([0, 1], [len(others), len(some)])
    return [
        _finding(one, what, words)
        for one in associate(features, belongs, 2)
        if one.is_significant and one.separation[1] >= NOTED
    ]


def _finding(difference: Association, what: str, words: str) -> Finding:
    name = difference.feature.name
    place = difference.striking(1)
    count, total = difference.table[place, 1], difference.table[place].sum()
    # Photos of one class alone are what people add and remove most.
    warned = difference.separation[1] >= WARNED and name != "class"
    return Finding(
        check=f"{name}-drift",
        severity=WARNING if warned else NOTE,
        message=f"The photos {what} differ from the others in {name}: of"
        f" {amount(int(total), 'photo')} {difference.feature.words[place]} {count:,}"
        f" {'is' if count == 1 else 'are'} {words} ({difference.expected[place, 1]:,.0f}"
        " expected).",
        remedy="Look whether that is intended: a model trained before knows the others only."
        if what == "added"
        else "Look whether that is intended: what is left may be easier, or one-sided.",
        num_files=int(count),
    )


def _by_class(others: PhotoIndex, some: PhotoIndex) -> Feature:
    used, places = np.unique(np.concatenate(_classes(others, some)), return_inverse=True)
    names = sorted({*others.classes, *some.classes})
    words = tuple(f"of class {quote(names[number])}" for number in used)
    return Feature(name="class", bins=places, words=words)


def _identify(one: PhotoIndex, other: PhotoIndex) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the photos of both, equal bytes alike."""
    sha256 = np.ascontiguousarray(np.concatenate([one.sha256, other.sha256]))
    numbers = np.unique(sha256.view("S32").ravel(), return_inverse=True)[1]
    return numbers[: len(one)], numbers[len(one) :]


def _classes(one: PhotoIndex, other: PhotoIndex) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the classes of the photos of both, equal names alike."""
    names = sorted({*one.classes, *other.classes})
    numbers = {name: number for number, name in enumerate(names)}
    return (
        np.array([numbers[name] for name in one.classes])[one.labels],
        np.array([numbers[name] for name in other.classes])[other.labels],
    )


def _names(index: PhotoIndex, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(index.filenames[row] for row in np.flatnonzero(chosen)[:MOST_FILES])
