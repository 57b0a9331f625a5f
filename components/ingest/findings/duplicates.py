"""Photos that are in the dataset more than once, whole or nearly so."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.common.duplicates import group_near_duplicates
from components.common.index import PhotoIndex
from components.ingest.data_report import NOTE, WARNING, Finding
from components.ingest.findings.words import one_each, quote, together
from components.ingest.summary import amount

MANY_COPIES = 0.01  # of all photos: some copies happen, more are a mistake in gathering them
# "aug_17.jpg", "rose-augmented.png", but no photo of August 2019.
AUGMENTED = re.compile(
    r"(?<![a-z])aug(mented|mentation)?(?![a-z])(?![-_ .]*(\d\d?[-_ .]+)?(19|20)\d\d(?!\d))"
)


def copies(index: PhotoIndex) -> list[Finding]:
    """Findings on photos with the same bytes."""
    keys = np.ascontiguousarray(index.sha256).view("S32").ravel()
    inside, across = _sort_groups(index, np.unique(keys, return_inverse=True)[1])
    found = []
    if across:
        found.append(
            Finding(
                check="contradicting-labels",
                severity=WARNING,
                message=f"{amount(len(across), 'photo')} {_are(across, 'lies', 'lie')} in two"
                f" classes or more, byte for byte the same{_example(index, across)}.",
                remedy="Keep each in the class that is right, and delete the other copies.",
                num_files=_count(across),
                groups=together(_names(index, group) for group in across),
            )
        )
    if inside:
        spare = _count(inside) - len(inside)
        found.append(
            Finding(
                check="exact-duplicates",
                severity=WARNING if spare > MANY_COPIES * len(index) else NOTE,
                message=f"{amount(len(inside), 'photo')} {_are(inside, 'is', 'are')} there more"
                f" than once in one class, {amount(spare, 'copy', 'copies')} too"
                f" many{_example(index, inside)}.",
                remedy="Delete the copies: they count for more in training, but never lie in two"
                " splits.",
                num_files=_count(inside),
                groups=together(_names(index, group) for group in inside),
            )
        )
    return found


def look_alikes(index: PhotoIndex) -> list[Finding]:
    """Findings on photos that look the same, though their bytes differ."""
    # As one version, so that even photos that are in different groups for good are found.
    together_now = replace(index, generations=np.zeros(len(index), np.int32))
    inside, across = _sort_groups(index, group_near_duplicates(together_now), index.sha256)
    found = []
    if across:
        found.append(
            Finding(
                check="near-duplicates-across-classes",
                severity=WARNING,
                message=f"{amount(len(across), 'group')} of photos {_are(across, 'looks', 'look')}"
                f" the same, but {_are(across, 'lies', 'lie')} in two classes or"
                f" more{_example(index, across)}.",
                remedy="Keep one photo of each group, in the class that is right.",
                num_files=_count(across),
                groups=together(_names(index, group) for group in across),
            )
        )
    if inside:
        found.append(
            Finding(
                check="near-duplicates",
                severity=NOTE,
                message=f"{amount(len(inside), 'group')} of photos of one class"
                f" {_are(inside, 'looks', 'look')} the same{_example(index, inside)}.",
                remedy="Nothing need be done: they are kept in one split. Delete all but the best"
                " of each group if there are many.",
                num_files=_count(inside),
                groups=together(_names(index, group) for group in inside),
            )
        )
    return found


def augmented(index: PhotoIndex) -> list[Finding]:
    """Findings on photos that are warped copies of others, by their names.

    No hash knows a photo again that was turned and stretched. Of the 388 such photos among the
    2,000 flowers this was written with, 69 are copies of another of the 2,000 (by SIFT features).
    """
    rows = [
        row
        for row, name in enumerate(index.filenames)
        if AUGMENTED.search(name.rpartition("/")[2].lower())
    ]
    if not rows:
        return []
    return [
        Finding(
            check="augmented-copies",
            severity=WARNING,
            message=f"{amount(len(rows), 'photo')} {_are(rows, 'is', 'are')} named like augmented"
            f" copies of others (e.g. {quote(index.filenames[rows[0]])}).",
            remedy="Delete them: a copy in the test split of a photo in the train split flatters"
            " every figure, and augment makes better ones.",
            num_files=len(rows),
            groups=one_each(index.filenames[row] for row in rows),
        )
    ]


Group = NDArray[np.intp]  # rows of photos that belong together


def _sort_groups(
    index: PhotoIndex,
    keys: NDArray[np.integer],
    sha256: NDArray[np.uint8] | None = None,
) -> tuple[list[Group], list[Group]]:
    """Groups of two photos or more with the same key: those inside a class, and the others.

    With `sha256`, groups of a single photo and its exact copies do not count.
    """
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.diff(keys[order], append=-1))
    starts = np.concatenate([[0], ends[:-1] + 1])
    large = ends > starts
    inside: list[Group] = []
    across: list[Group] = []
    for start, end in zip(starts[large], ends[large], strict=True):
        rows = order[start : end + 1]
        if sha256 is not None and (sha256[rows] == sha256[rows[0]]).all():
            continue
        labels = index.labels[rows]
        (inside if (labels == labels[0]).all() else across).append(rows)
    return inside, across


def _names(index: PhotoIndex, group: Group) -> list[str]:
    return [index.filenames[row] for row in group]


def _example(index: PhotoIndex, groups: list[Group]) -> str:
    names = " and ".join(quote(index.filenames[row]) for row in groups[0][:2])
    return f" ({'e.g. ' if len(groups) > 1 else ''}{names})"


def _count(groups: list[Group]) -> int:
    return sum(map(len, groups))


def _are(things: list[Group] | list[int], one: str, many: str) -> str:
    return one if len(things) == 1 else many
