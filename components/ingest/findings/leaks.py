"""Does something that is not in the picture give away the class?"""

from __future__ import annotations

import numpy as np

from components.common.index import PhotoIndex
from components.ingest.data_report import MOST_FILES, NOTE, WARNING, Finding
from components.ingest.findings.association import Association, associate
from components.ingest.findings.features import metadata
from components.ingest.findings.words import one_each, quote
from components.ingest.summary import amount

# Share of a class that can surely be told from the others by one feature, for a note and for a
# warning. Measured: 0.18 for the size of the dandelions, of which none is among the fifth of the
# flowers that is smaller; 0.00 for the sizes of cats and dogs as people took them.
LIMITS = (0.03, 0.1)
# How far a photo can be compressed depends on what it shows, too. Measured: 0.21 for the flowers,
# 0.02 for cats and dogs.
LIMITS_OF_COMPRESSION = (0.1, 0.5)
_REMEDIES = {
    "size": "Take the photos of all classes from the same sources. Otherwise a network learns the"
    " traces of resizing instead of the subject, and fails on photos of other sizes.",
    "aspect": "Take the photos of all classes from the same sources. Otherwise a network learns how"
    " they were stretched instead of the subject.",
    "compression": "Nothing need be done if the classes differ that much in detail; otherwise save"
    " all photos anew at one quality.",
    "format": "Save all photos anew in one format: a network sees the traces of compression.",
    "camera": "Take photos of every class with every camera: each leaves its own traces.",
}
_REMEDY = "Collect photos of every class of this kind, or leave these out."


def leaks(index: PhotoIndex) -> list[Finding]:
    """Findings on metadata that gives away the class."""
    associations = associate(metadata(index), index.labels, len(index.classes))
    found = (_judge(index, one) for one in associations if one.is_significant)
    return [finding for finding in found if finding]


def _judge(index: PhotoIndex, leak: Association) -> Finding | None:
    name = leak.feature.name
    label = int(np.argmax(leak.separation))
    noted, warned = LIMITS_OF_COMPRESSION if name == "compression" else LIMITS
    if leak.separation[label] < noted:
        return None
    place = leak.striking(label)
    count, total = int(leak.table[place, label]), int(leak.table[place].sum())
    expected = leak.expected[place, label]
    rows = np.flatnonzero(leak.feature.bins == place)
    if count > expected:
        rows = rows[index.labels[rows] == label]
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_FILES)).astype(np.intp)]
    return Finding(
        check=f"{name}-leak",
        severity=WARNING if leak.separation[label] >= warned else NOTE,
        message=f"{name.capitalize()} leaks the class: of {amount(total, 'photo')}"
        f" {leak.feature.words[place]} {_are(count, total)} {quote(index.classes[label])}"
        f" ({expected:,.0f} expected). Alone, it names the class of {leak.accuracy:.1%} of all"
        f" photos, where guessing the largest class names {leak.baseline:.1%}.",
        remedy=_REMEDIES.get(name, _REMEDY),
        num_files=len(rows),
        groups=one_each(index.filenames[row] for row in spread),
    )


def _are(count: int, total: int) -> str:
    if count in (0, total):
        return "all are" if count else "none is"
    return "1 is" if count == 1 else f"{count:,} are"
