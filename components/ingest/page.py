"""What is in the data, as a page for people. All that is shown is worked out here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components.common.pages import render_page
from components.ingest.album import Album, Group, Picture, ReadPhoto
from components.ingest.data_report import (
    Changes,
    ClassSummary,
    DataReport,
    Finding,
    Histogram,
)
from components.ingest.summary import (
    amount,
    by_reason,
    size_words,
    sum_up,
    title,
)

FINDING_PICTURES, RELABELLED_PICTURES, SAMPLE_PICTURES = 84, 12, 54  # together 150 at most
FEWEST_PICTURES = 2  # of a finding, however many findings there are
MOST_PAIRS, MOST_SINGLES = 6, 12  # groups in sight; the others are folded
MOST_OPEN_FINDINGS = 12
MOST_OPEN_CLASSES, EXTREME_CLASSES = 40, 12  # of more classes only the extremes are in sight
MOST_LISTED_CLASSES = 5000
MOST_CURVE_BARS = 120
MOST_SAMPLES = 8  # of a class
MOST_OPEN_FILES, MOST_LISTED_FILES = 8, 200  # rejected, of one reason

# In the words of somebody who looks at the photo.
TRAIT_WORDS = {
    "grayscale": "no colour in it",
    "alpha": "partly transparent: what lies below is not known to training",
    "palette": "few colours, from a table",
    "cmyk": "colours for print, turned into RGB",
    "16-bit": "finer shades than training uses",
    "animated": "moves: its first picture is used",
    "turned": "lies on its side or stands on its head, and is turned as EXIF says",
    "wrong-suffix": "the file's name says another format than its bytes",
}


@dataclass(frozen=True, kw_only=True)
class FindingView:
    """A finding with as many of its pictures as the page has room for."""

    finding: Finding
    title: str
    shown: list[Group]
    folded: list[Group]  # with pictures, too
    named: list[Group]  # without
    listed: int  # photos, of those concerned


def render_data_report(
    report: DataReport,
    *,
    read_photo: ReadPhoto,
    samples: Sequence[tuple[str, Sequence[str]]],
) -> str:
    """Write what is known of a dataset as a self-contained page.

    Args:
        report: The dataset, with its findings worst first.
        read_photo: Given a photo's name gives it as RGB, uint8, shape `(height, width, 3)`, or
            None where it cannot be had. Called at most 150 times.
        samples: (class name, names of some of its photos) of each class, in the order to show.

    Returns:
        The HTML document.

    Raises:
        InputError: If `read_photo` gives something else than such a photo.
    """
    classes = {one.name for one in report.classes}
    sizes = sorted(report.classes, key=lambda one: (-one.num_photos, one.name))
    findings = _finding_views(report.findings, read_photo, classes)
    rows = list(_sample_rows(samples, Album(read_photo, classes, SAMPLE_PICTURES)))
    return render_page(
        "ingest/data_report.html.j2",
        title=report.name,
        eyebrow="Data report",
        report=report,
        verdict=sum_up(report),
        findings=findings[:MOST_OPEN_FINDINGS],
        other_findings=findings[MOST_OPEN_FINDINGS:],
        balance=_balance(sizes),
        samples=rows,
        samples_seen=any(picture.uri for _, pictures in rows for picture in pictures),
        histograms=[_bars(one) for one in report.histograms if sum(one.counts)],
        tallies=_tallies(report),
        changes=_changes_view(report.changes, Album(read_photo, classes, RELABELLED_PICTURES)),
        rejected=by_reason(report.rejected),
        most_open_files=MOST_OPEN_FILES,
        most_listed_files=MOST_LISTED_FILES,
        amount=amount,
        size_words=size_words,
    )


def _finding_views(
    findings: Sequence[Finding], read_photo: ReadPhoto, classes: Collection[str]
) -> list[FindingView]:
    with_photos = sum(bool(finding.groups) for finding in findings)
    each = max(FINDING_PICTURES // max(with_photos, 1), FEWEST_PICTURES)
    room = FINDING_PICTURES
    views = []
    for finding in findings:
        album = Album(read_photo, classes, min(each, room))
        views.append(_finding_view(finding, album))
        room -= min(each, room) - album.room
    return views


def _finding_view(finding: Finding, album: Album) -> FindingView:
    groups = [album.group(filenames) for filenames in finding.groups]
    pictured = [group for group in groups if group.pictures]
    opened = MOST_PAIRS if any(len(group.filenames) > 1 for group in groups) else MOST_SINGLES
    return FindingView(
        finding=finding,
        title=title(finding.check),
        shown=pictured[:opened],
        folded=pictured[opened:],
        named=[group for group in groups if not group.pictures],
        listed=sum(map(len, finding.groups)),
    )


def _balance(sizes: Sequence[ClassSummary]) -> dict[str, object]:
    """Show each class; of many classes the extremes, and the run of sizes between them."""
    many = len(sizes) > MOST_OPEN_CLASSES
    most, fewest = sizes[0], sizes[-1]
    ranks = np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_CURVE_BARS)).round().astype(int)
    return {
        "extremes": (most, fewest),
        "most": max(most.num_photos, 1),
        "ratio": most.num_photos / max(fewest.num_photos, 1),
        "largest": sizes[:EXTREME_CLASSES] if many else sizes,
        "smallest": sizes[-EXTREME_CLASSES:] if many else (),
        "curve": [sizes[rank] for rank in ranks] if many else (),
        "all": sizes[:MOST_LISTED_CLASSES] if many else (),
    }


def _sample_rows(
    samples: Sequence[tuple[str, Sequence[str]]], album: Album
) -> Iterator[tuple[str, list[Picture]]]:
    each = min(max(album.room // max(len(samples), 1), 1), MOST_SAMPLES)
    for class_name, filenames in samples[: album.room]:
        yield class_name, [album.picture(filename) for filename in filenames[:each]]


def _bars(histogram: Histogram) -> dict[str, object]:
    """Draw all bins as wide as one another: edges may be spaced by logarithm."""
    most, num_bins = max(histogram.counts), len(histogram.counts)

    def say(value: float) -> str:
        return _quantity(value, histogram.unit)

    def place(value: float) -> float:
        return float(np.interp(value, histogram.edges, np.arange(num_bins + 1))) / num_bins

    spans = zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False)
    return {
        "name": title(histogram.name),
        "bars": [
            (count / most, f"{say(start)} to {say(end)}: {amount(count, 'photo')}")
            for start, end, count in spans
        ],
        "first": say(histogram.edges[0]),
        "last": say(histogram.edges[-1]),
        "unit": "" if histogram.unit == "bytes" else histogram.unit,
        "words": _spread_words(histogram),
        "at_low": place(histogram.low),
        "at_median": place(histogram.median),
        "at_high": place(histogram.high),
    }


def _spread_words(histogram: Histogram) -> str:
    low, median, high = (
        _quantity(value, histogram.unit)
        for value in (histogram.low, histogram.median, histogram.high)
    )
    unit = "" if histogram.unit in ("bytes", "") else f" {histogram.unit}"
    if low == high:
        return f"At least 9 of 10: {median}{unit}."
    return f"Median {median}{unit}; 9 of 10 between {low} and {high}."


def _quantity(value: float, unit: str) -> str:
    if unit == "bytes":
        return size_words(value)
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.2g}"


def _tallies(report: DataReport) -> list[tuple[str, list[tuple[str, str, int, float]]]]:
    """Formats and traits: (heading, [(name, what it means, photos, fraction)])."""
    whole = max(report.num_photos, 1)
    return [
        (
            heading,
            [
                (name, TRAIT_WORDS.get(name, ""), count, count / whole)
                for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                if count
            ],
        )
        for heading, counts in (("Formats", report.formats), ("Peculiarities", report.traits))
    ]


def _changes_view(changes: Changes | None, album: Album) -> dict[str, object] | None:
    if changes is None:
        return None
    moves = changes.relabelled[: album.room]
    return {
        "counts": (
            ("added", changes.num_added),
            ("removed", changes.num_removed),
            ("relabelled", changes.num_relabelled),
        ),
        "none": not (changes.num_added or changes.num_removed or changes.num_relabelled),
        "moved": [(album.picture(name), before, now) for name, before, now in moves],
        "num_other_moved": changes.num_relabelled - len(moves),
        "other_moved": changes.relabelled[len(moves) :],
        "lists": [
            (words, names, count)
            for words, names, count in (
                ("added", changes.added, changes.num_added),
                ("removed", changes.removed, changes.num_removed),
            )
            if names
        ],
    }
