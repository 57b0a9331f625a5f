"""What every source of photos yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SourcePhoto:
    """One labelled photo as its source holds it; the bytes are not yet checked."""

    filename: str  # relative to the source, with `/`, e.g. "daisy/0007.jpg"
    class_name: str
    encoded: bytes  # the file as it is: never re-encoded
    box: tuple[float, float, float, float] | None = None  # (xmin, ymin, xmax, ymax) in [0, 1]
    mask: bytes | None = None  # PNG, 8-bit gray, 1 on the object and 0 elsewhere, size of the photo
