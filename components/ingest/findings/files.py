"""Files that were left out, and photos that are usable but of an odd kind."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.common.index import PhotoIndex
from components.ingest.data_report import NOTE, WARNING, Finding
from components.ingest.findings.words import one_each, quote
from components.ingest.summary import amount


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of reasons to leave a file out."""

    check: str
    pattern: str  # matches the beginning of the reason
    one: str  # what is said of one file
    many: str  # what is said of several
    remedy: str
    severity: str = WARNING


_KINDS = (
    _Kind(
        check="hidden-files",
        pattern="hidden",
        one="is hidden, and was left out",
        many="are hidden, and were left out",
        remedy="Nothing need be done: systems leave such files beside photos.",
        severity=NOTE,
    ),
    _Kind(
        check="files-outside-classes",
        pattern="not in a class",
        one="lies in no class folder, and was left out",
        many="lie in no class folder, and were left out",
        remedy="Move photos into the folder of their class; leave other files where they are.",
        severity=NOTE,
    ),
    _Kind(
        check="files-without-label",
        pattern="no label",
        one="has no label, and was left out",
        many="have no label, and were left out",
        remedy="Nothing need be done: they cannot be learned from.",
        severity=NOTE,
    ),
    _Kind(
        check="damaged-photos",
        pattern="does not decode",
        one="is truncated or damaged",
        many="are truncated or damaged",
        remedy="Copy them again from where they came from, or delete them.",
    ),
    _Kind(
        check="empty-files",
        pattern="empty",
        one="is empty or cannot be read",
        many="are empty or cannot be read",
        remedy="Copy them again, or let us read them.",
    ),
    _Kind(
        check="not-images",
        pattern="not an image",
        one="is no image",
        many="are no images",
        remedy="Delete them, or download them again: an error page is often saved as a photo.",
    ),
    _Kind(
        check="unusable-formats",
        pattern="format ",
        one="has a format that cannot be used",
        many="have a format that cannot be used",
        remedy="Convert them to JPEG, PNG, BMP or WebP.",
    ),
    _Kind(
        check="too-large",
        pattern="more than|decompresses to more",
        one="would be too large once it is unpacked, and was not",
        many="would be too large once they are unpacked, and were not",
        remedy="Shrink them if they are photos; it may be an attack (a decompression bomb).",
    ),
    _Kind(
        check="path-tricks",
        pattern="absolute path|path with|control character|link|no plain file|.*of that name",
        one="has a name or a kind that could lead out of its folder or hide another file",
        many="have names or kinds that could lead out of their folder or hide other files",
        remedy="Ask where the archive comes from, and pack it anew from plain folders.",
    ),
    _Kind(
        check="unreadable-names",
        pattern="name is not UTF-8",
        one="has a name that is not UTF-8",
        many="have names that are not UTF-8",
        remedy="Rename them.",
    ),
    _Kind(
        check="files-left-out",
        pattern="",  # whatever else there will be
        one="cannot be used",
        many="cannot be used",
        remedy="Look at the reasons, and mend or delete them.",
    ),
)
# Of each trait: what is said of one photo, and of several; what follows from it.
_TRAITS = {
    "alpha": ("has an alpha channel", "have an alpha channel", "The channel is dropped."),
    "palette": ("has a palette", "have a palette", "They are turned into RGB."),
    "cmyk": ("has colours for print (CMYK)", "have colours for print (CMYK)", "They become RGB."),
    "16-bit": ("has 16 bits a channel", "have 16 bits a channel", "The upper 8 are used."),
    "animated": ("is animated", "are animated", "The first frame is used."),
    "turned": ("lies as its camera was held", "lie as their camera was held", "They are turned."),
    "wrong-suffix": (
        "has the suffix of another format",
        "have the suffix of another format",
        "Nothing need be done: the bytes decide.",
    ),
}


def left_out(rejected: Sequence[tuple[str, str]]) -> list[Finding]:
    """Findings on files that are not in the dataset.

    Args:
        rejected: (file, reason) of each.
    """
    kinds: dict[_Kind, list[tuple[str, str]]] = defaultdict(list)
    for file, reason in rejected:
        kind = next(kind for kind in _KINDS if re.match(kind.pattern, reason))
        kinds[kind].append((file, reason))
    return [_left_out(kind, files) for kind, files in kinds.items()]


def odd_photos(index: PhotoIndex) -> list[Finding]:
    """Findings on photos that are used, but not as they are."""
    found = []
    for trait, (one, many, remedy) in _TRAITS.items():
        rows = np.flatnonzero(index.has_trait(trait))
        found += _notes(f"{trait}-photos", index, rows.tolist(), (one, many), remedy)
    gray = np.flatnonzero(index.has_trait("grayscale"))
    if len(gray) < len(index):  # where all are, nothing is odd about it
        words = ("is grayscale among photos in colour", "are grayscale among photos in colour")
        remedy = "Keep them if photos to come will be so, too."
        found += _notes("grayscale-photos", index, gray.tolist(), words, remedy)
    names = [row for row, name in enumerate(index.filenames) if not name.isascii()]
    words = ("has a name that is not plain ASCII", "have names that are not plain ASCII")
    return found + _notes("names-not-ascii", index, names, words, "Some other tools refuse them.")


def _left_out(kind: _Kind, files: Sequence[tuple[str, str]]) -> Finding:
    file, reason = files[0]
    words = kind.one if len(files) == 1 else kind.many
    example = quote(file) if kind.severity == NOTE else f"{quote(file)}: {reason}"
    return Finding(
        check=kind.check,
        severity=kind.severity,
        message=f"{amount(len(files), 'file')} {words} ({_such_as(len(files))}{example}).",
        remedy=kind.remedy,
        num_files=len(files),
        groups=one_each(file for file, _ in files),
    )


def _notes(
    check: str, index: PhotoIndex, rows: Sequence[int], words: tuple[str, str], remedy: str
) -> list[Finding]:
    if not len(rows):
        return []
    example = f"{_such_as(len(rows))}{quote(index.filenames[rows[0]])}"
    said = words[0] if len(rows) == 1 else words[1]
    return [
        Finding(
            check=check,
            severity=NOTE,
            message=f"{amount(len(rows), 'photo')} {said} ({example}).",
            remedy=remedy,
            num_files=len(rows),
            groups=one_each(index.filenames[row] for row in rows),
        )
    ]


def _such_as(count: int) -> str:
    return "e.g. " if count > 1 else ""
