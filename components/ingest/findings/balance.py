"""How many photos the classes have: enough, and about as many as one another?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.common.index import PhotoIndex
from components.ingest.data_report import ERROR, NOTE, WARNING, Finding
from components.ingest.findings.words import quote
from components.ingest.summary import amount
from components.split.rule import photos_needed

DEFAULT_FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
STRONG, SLIGHT = 10, 3  # largest class over the smallest
MOST_NAMED = 5  # classes in a message


def balance(index: PhotoIndex, fractions: Mapping[str, float] | None = None) -> list[Finding]:
    """Findings on the sizes of the classes.

    Args:
        index: Of the photos.
        fractions: Share of each split, as the data will be split.
    """
    counts = {name: count for name, count in index.counts().items() if count}
    sizes = sorted(counts.items(), key=lambda size: (size[1], size[0]))
    return _too_small(sizes, fractions or DEFAULT_FRACTIONS) + _imbalance(sizes)


def empty_classes(index: PhotoIndex, rejected: Sequence[tuple[str, str]]) -> list[Finding]:
    """Findings on classes of which no photo is left; nothing can be trained on these.

    Args:
        index: Of the photos.
        rejected: (file, reason) of each file that was left out.
    """
    findings = []
    for name, count in index.counts().items():
        if count:
            continue
        left_out = [one for one in rejected if one[0].startswith(f"{name}/")]
        why = f" ({left_out[0][0]}: {left_out[0][1]})" if left_out else ""
        findings.append(
            Finding(
                check="empty-class",
                severity=ERROR,
                message=f"Class {quote(name)} has no photo that can be used{why}.",
                remedy="Add photos of it, or remove its folder.",
                num_files=len(left_out),
            )
        )
    return findings


def _too_small(sizes: Sequence[tuple[str, int]], fractions: Mapping[str, float]) -> list[Finding]:
    needed = photos_needed(min(fractions.values()), len(sizes))
    small = [(name, count) for name, count in sizes if count < needed]
    if not small:
        return []
    named = ", ".join(f"{quote(name)} ({count:,})" for name, count in small[:MOST_NAMED])
    more = ", …" if len(small) > MOST_NAMED else ""
    return [
        Finding(
            check="small-classes",
            severity=WARNING,
            message=f"{len(small):,} of {amount(len(sizes), 'class', 'classes')} may be missing"
            f" from a split, with fewer than {needed} photos: {named}{more}.",
            remedy="Collect more photos of them, or merge classes.",
            num_files=sum(count for _, count in small),
        )
    ]


def _imbalance(sizes: Sequence[tuple[str, int]]) -> list[Finding]:
    (rare, fewest), (common, most) = sizes[0], sizes[-1]
    ratio = most / max(fewest, 1)
    if ratio < SLIGHT:
        return []
    return [
        Finding(
            check="imbalance",
            severity=WARNING if ratio >= STRONG else NOTE,
            message=f"{quote(common)} has {ratio:.3g} times the photos of {quote(rare)}"
            f" ({most:,} against {fewest:,}).",
            remedy="Collect more photos of the rare classes, and judge by macro F1, where each"
            " class counts as much, rather than by accuracy.",
        )
    ]
