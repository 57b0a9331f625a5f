"""What is to be known of a dataset before anything learns from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # an error always stops the run; a warning, under strict
MOST_FILES = 50  # names that one finding lists


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that may spoil what is learned from the photos."""

    check: str  # short name, e.g. "size-leak"
    severity: str  # one of `SEVERITIES`
    message: str  # one sentence: what was found, how much of it, and where
    remedy: str  # one sentence: what to do, or why nothing need be done
    num_files: int = 0  # photos concerned
    # Photos concerned, as many as a person looks at, `MOST_FILES` at most. Each inner tuple is
    # what belongs together: a photo alone, or the copies of one.
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How a quantity is spread over the photos."""

    name: str  # e.g. "width"
    unit: str  # e.g. "pixels"
    edges: tuple[float, ...]  # k + 1, rising
    counts: tuple[int, ...]  # k
    low: float  # 5th percentile
    median: float
    high: float  # 95th percentile


@dataclass(frozen=True, kw_only=True)
class ClassSummary:
    """One class of the dataset."""

    name: str
    num_photos: int
    share: float  # in [0, 1]
    size_bytes: int
    median_width: float  # pixels
    median_height: float
    mean_color: tuple[float, float, float] | None  # RGB in [0, 255]; None where none was decoded


@dataclass(frozen=True, kw_only=True)
class Changes:
    """This version of a dataset against an earlier one."""

    previous: str  # digest of the earlier one
    num_added: int
    num_removed: int
    num_relabelled: int
    added: tuple[str, ...] = ()  # names, `MOST_FILES` at most
    removed: tuple[str, ...] = ()
    relabelled: tuple[tuple[str, str, str], ...] = ()  # (name, class before, class now)


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """All of it; the page and the JSON file hold the same."""

    name: str
    source: str
    digest: str
    num_photos: int
    size_bytes: int
    classes: tuple[ClassSummary, ...]
    formats: dict[str, int]
    traits: dict[str, int]  # photos with each trait that occurs
    histograms: tuple[Histogram, ...]
    rejected: tuple[tuple[str, str], ...]  # (file, reason), all of them
    findings: tuple[Finding, ...]  # worst first
    changes: Changes | None = None
    checked: bool = True  # False where no photo was decoded
    policy: str = "warn"

    def to_json(self) -> dict[str, Any]:
        """The same as plain lists and mappings."""
        return asdict(self)
