"""Data reports and manifests in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.padding import Padding
from rich.text import Text

from components.common.manifest import Manifest
from components.ingest.data_report import ERROR, NOTE, WARNING, DataReport, Finding
from components.ingest.summary import amount, by_reason, size_words, sum_up, title
from pipelines.cli.table import console, print_table

MOST_GROUPS = 20  # of copies
MOST_PHOTOS = 5  # that a finding is about, one by one
MOST_CLASSES, LARGEST, SMALLEST = 24, 12, 6
MOST_SHARDS = 20
MOST_REASONS = 10
BAR_WIDTH = 24  # columns
SHORT_DIGEST = 12  # characters
STYLES = {ERROR: "bold red", WARNING: "bold yellow", NOTE: "bold cyan", "good": "bold green"}


def show_report(report: DataReport, page: Path) -> None:
    """Print a data report: classes, findings, files left out and, last, what it comes to."""
    click.echo(
        f"{plain(report.name)}: {amount(report.num_photos, 'photo')} of"
        f" {amount(len(report.classes), 'class', 'classes')}, {size_words(report.size_bytes)}\n"
    )
    _show_classes({one.name: one.num_photos for one in report.classes})
    if report.changes:
        changes = report.changes
        click.echo(
            f"\nsince {changes.previous[:SHORT_DIGEST]}: {changes.num_added:,} added,"
            f" {changes.num_removed:,} removed, {changes.num_relabelled:,} relabelled"
        )
    for finding in report.findings:
        _show_finding(finding)
    _show_rejected(report.rejected)
    said = sum_up(report)
    console().print()
    console().print(Text.assemble((said.headline, STYLES.get(said.severity, "bold")), ". "), end="")
    console().print(Text(said.advice))
    console().print(Text(f"Page: {page.as_uri()}"))


def show_manifest(uri: str, manifest: Manifest) -> None:
    """Print one dataset: what it is, its classes, its shards and the files left out."""
    for label, value in _labels(uri, manifest):
        console().print(Text.assemble((f"{label:9}", "bold"), plain(value)))
    click.echo()
    _show_classes(manifest.counts)
    click.echo()
    print_table(
        ("shard", f"{'photos':>8}", f"{'size':>10}"),
        (
            (plain(shard.file), f"{shard.num_photos:>8,}", f"{size_words(shard.size_bytes):>10}")
            for shard in manifest.shards[:MOST_SHARDS]
        ),
    )
    if len(manifest.shards) > MOST_SHARDS:
        click.echo(f"and {amount(len(manifest.shards) - MOST_SHARDS, 'more shard')}, see --json")
    _show_rejected([(one.file, one.reason) for one in manifest.rejected])


def show_datasets(found: Sequence[tuple[str, Manifest]], *, as_json: bool) -> None:
    """Print datasets, one a line, or all of them as a JSON array."""
    if as_json:
        plain_ones = [{"uri": uri, **asdict(manifest)} for uri, manifest in found]
        click.echo(json.dumps(plain_ones, indent=2))
        return
    print_table(
        ("dataset", "digest", "split", f"{'photos':>8}", "classes", f"{'size':>10}", "source"),
        (
            (
                plain(manifest.name),
                manifest.digest[:SHORT_DIGEST],
                manifest.split or "whole",
                f"{manifest.num_photos:>8,}",
                f"{len(manifest.classes):>7,}",
                f"{size_words(manifest.size_bytes):>10}",
                plain(manifest.source),
            )
            for _, manifest in found
        ),
    )


def plain(text: str) -> str:
    """Text of other people without what would command the terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _labels(uri: str, manifest: Manifest) -> Iterable[tuple[str, str]]:
    yield "dataset", manifest.name
    yield "source", manifest.source
    rule = f" ({manifest.split_rule})" if manifest.split_rule else ""
    yield "split", f"{manifest.split or 'whole'}{rule}"
    yield "digest", manifest.digest
    if manifest.dataset_digest != manifest.digest:
        yield "of", manifest.dataset_digest
    if manifest.previous:
        yield "version", f"{manifest.generation + 1}, after {manifest.previous}"
    yield "photos", f"{manifest.num_photos:,}, {size_words(manifest.size_bytes)}"
    yield "place", manifest.location or uri


def _show_classes(counts: Mapping[str, int]) -> None:
    """A bar a class, largest first; of many classes the largest and the smallest."""
    sizes = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    total, most = max(sum(counts.values()), 1), max([1, *counts.values()])
    rows = [
        (plain(name), f"{count:>8,}", f"{count / total:>6.1%}  {'█' * _bar(count, most)}")
        for name, count in sizes
    ]
    if len(rows) > MOST_CLASSES:
        hidden = len(rows) - LARGEST - SMALLEST
        rows = [*rows[:LARGEST], (f"({hidden:,} more)", "", ""), *rows[-SMALLEST:]]
    print_table(("class", f"{'photos':>8}", "share"), rows)


def _bar(count: int, most: int) -> int:
    """Columns of a bar; no class that has photos goes without."""
    return max(round(BAR_WIDTH * count / most), 1) if count else 0


def _show_finding(finding: Finding) -> None:
    headline = Text.assemble(
        (title(finding.severity), STYLES.get(finding.severity, "bold")),
        (f"  {title(finding.check)}", "bold"),
        (f"  {amount(finding.num_files, 'photo')}" if finding.num_files else "", "dim"),
    )
    console().print()
    console().print(headline)
    _indented(plain(finding.message), 2)
    if finding.remedy:
        _indented(f"→ {plain(finding.remedy)}", 2)
    _show_groups(finding)


def _show_groups(finding: Finding) -> None:
    copies = any(len(group) > 1 for group in finding.groups)
    shown = finding.groups[: MOST_GROUPS if copies else MOST_PHOTOS]
    for group in shown:
        # Whole lines, to be copied, however narrow the terminal is.
        console().print(Text(f"    {' = '.join(map(plain, group))}"))
    more = (len(finding.groups) if copies else finding.num_files) - len(shown)
    if shown and more > 0:
        noun = "more group" if copies else "more photo"
        click.echo(f"    and {amount(more, noun)}, see the page")


def _show_rejected(rejected: Iterable[tuple[str, str]]) -> None:
    reasons = by_reason(rejected)
    if not reasons:
        return
    total = sum(len(files) for _, files in reasons)
    click.echo(f"\n{amount(total, 'file')} left out")
    for reason, files in reasons[:MOST_REASONS]:
        example = f", e.g. {plain(files[0][0])}" if len(files) > 1 else f": {plain(files[0][0])}"
        click.echo(f"  {len(files):>6,}  {plain(reason)}{example}")
    if len(reasons) > MOST_REASONS:
        click.echo(f"  and {amount(len(reasons) - MOST_REASONS, 'more reason')}")


def _indented(text: str, columns: int) -> None:
    """A paragraph; one line where the output is a file or a pipe."""
    out = console()
    indented = Padding(Text(text), (0, 0, 0, columns), expand=False)
    out.print(
        indented if out.is_terminal else f"{' ' * columns}{text}",
        markup=False,
        soft_wrap=not out.is_terminal,
    )
