"""A data report in words: what its page and the terminal both say. Imports nothing heavy."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from components.ingest.data_policy import POLICIES
from components.ingest.data_report import ERROR, NOTE, SEVERITIES, DataReport

KILO = 1000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a report comes to, in words."""

    severity: str  # the worst of the findings, "good" where there is none, "unknown" unchecked
    headline: str
    advice: str


def sum_up(report: DataReport) -> Verdict:
    """Sum a report up in a headline and one piece of advice."""
    counts = Counter(finding.severity for finding in report.findings)
    found = [severity for severity in SEVERITIES if counts[severity]]
    if not found:
        return _without_findings(report)
    worst, *milder = found
    advice = _advice(worst, stops=worst in POLICIES[report.policy])
    rest = " and ".join(amount(counts[severity], severity) for severity in milder)
    return Verdict(
        severity=worst,
        headline=amount(counts[worst], worst),
        advice=f"{advice} Also {rest}." if rest else advice,
    )


def _without_findings(report: DataReport) -> Verdict:
    if report.checked:
        advice = "No check found anything that would spoil what is learned."
        return Verdict(severity="good", headline="Nothing found", advice=advice)
    return Verdict(severity="unknown", headline="Not checked", advice="No photo was decoded.")


def _advice(worst: str, *, stops: bool) -> str:
    if worst == NOTE:
        return "Good to know; nothing here spoils training."
    if worst == ERROR:
        return "Errors stop a run: mend them first."
    if stops:
        return "Warnings stop a run under the policy “strict”: mend them first."
    return "Look at them before you train."


def amount(count: int, noun: str, plural: str = "") -> str:
    """Write "1 photo", "2,000 photos"."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def size_words(size_bytes: float) -> str:
    """Write a number of bytes as "512 bytes", "41.3 MB"."""
    if size_bytes < KILO:
        return f"{size_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= KILO
        # By what it rounds to: 999,960 bytes are 1.0 MB, not 1000.0 kB.
        if round(size_bytes, 1) < KILO:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / KILO:,.1f} TB"


def title(check: str) -> str:
    """Write the short name of a check as a headline: "size-leak" becomes "Size leak"."""
    words = check.replace("-", " ")
    return words[:1].upper() + words[1:]


def class_of(filename: str, classes: Collection[str]) -> str:
    """The class whose folder a photo lies in, or "" where its name tells none."""
    folder = filename.partition("/")[0]
    return folder if folder in classes and folder != filename else ""


def by_reason(rejected: Iterable[tuple[str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Group rejected files by reason, the commonest first.

    Reasons that differ in their numbers alone ("12 bytes not processed") are one.

    Args:
        rejected: (file, reason) of each.

    Returns:
        (reason, its files with their own reasons); numbers that differ are left out as "…".
    """
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for file, reason in rejected:
        groups[re.sub(r"\d+", "…", reason)].append((file, reason))
    named = [
        (members[0][1] if len({reason for _, reason in members}) == 1 else pattern, members)
        for pattern, members in groups.items()
    ]
    return sorted(named, key=lambda group: (-len(group[1]), group[0]))
