"""What may spoil what is learned from photos: one module a theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from components.common.index import PhotoIndex
from components.ingest.data_report import SEVERITIES, Finding
from components.ingest.findings.balance import balance, empty_classes
from components.ingest.findings.duplicates import augmented, copies, look_alikes
from components.ingest.findings.files import left_out, odd_photos
from components.ingest.findings.leaks import leaks


def find(
    index: PhotoIndex,
    *,
    rejected: Sequence[tuple[str, str]],
    fractions: Mapping[str, float] | None = None,
) -> tuple[Finding, ...]:
    """Check photos for all that is known to spoil training or judging.

    Args:
        index: Of the photos.
        rejected: (file, reason) of each file that was left out.
        fractions: Share of each split, as the photos will be split; by default those of split.

    Returns:
        The findings, worst first.
    """
    return worst_first(
        [
            *empty_classes(index, rejected),
            *leaks(index),
            *copies(index),
            *look_alikes(index),
            *augmented(index),
            *balance(index, fractions),
            *left_out(rejected),
            *odd_photos(index),
        ]
    )


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by severity; those of one severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
