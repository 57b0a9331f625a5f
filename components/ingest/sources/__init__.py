"""Where photos come from: one module a kind of URI, all yielding `SourcePhoto`s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from components.common.errors import InputError
from components.common.manifest import Rejected
from components.ingest.sources.photo import SourcePhoto

FORMS = "sample:NAME, tfds:NAME, folder:PATH, archive:PATH or gs://BUCKET/PREFIX"


class Source(Protocol):
    """A labelled set of photos that can be read once or often."""

    @property
    def name(self) -> str:
        """Short name, e.g. "flowers"; models trained on it are named after it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""

    @property
    def num_files(self) -> int | None:
        """How many photos there are, where that is known beforehand."""

    @property
    def sizes(self) -> Sequence[int] | None:
        """Bytes of each photo in the order of `photos`, where known beforehand."""

    @property
    def skipped(self) -> tuple[Rejected, ...]:
        """Files that are no photos of any class, e.g. hidden ones."""

    def photos(self, start: int = 0, stop: int | None = None) -> Iterator[SourcePhoto]:
        """Yield photos, unchecked, in an order that does not change.

        Args:
            start: Place of the first photo in that order.
            stop: Place after that of the last photo; None for all that are left.
        """

    def read(self, filename: str) -> bytes:
        """Read one photo again; empty where it cannot be read.

        Args:
            filename: As `photos` gave it.
        """

    def fingerprint(self) -> str:
        """A text that changes when the photos may have changed; cheap to get."""


def open_source(uri: str, data_dir: str = "") -> Source:
    """Find the source that a dataset URI names, and check that it is there.

    Args:
        uri: `sample:NAME`, `tfds:NAME`, `folder:PATH`, `archive:PATH` or `gs://BUCKET/PREFIX`;
            the path of an archive may be `gs://`, too.
        data_dir: Where TensorFlow Datasets keeps its data; for `tfds:` only.

    Raises:
        InputError: If the URI has no such form, or nothing is there.
    """
    kind, _, rest = uri.partition(":")
    if data_dir and kind != "tfds":
        raise InputError(f"`data_dir` goes with tfds: datasets. Received: dataset='{uri}'")
    if kind == "sample":
        from components.ingest.sources.sample import SampleSource

        return SampleSource(rest)
    if kind == "tfds":
        from components.ingest.sources.tfds import TfdsSource

        return TfdsSource(rest, data_dir)
    if kind == "archive" and rest:
        from components.ingest.sources.archive import ArchiveSource

        return ArchiveSource(rest)
    if (kind == "folder" and rest) or uri.startswith("gs://"):
        from components.ingest.sources.folder import FolderSource

        return FolderSource(rest if kind == "folder" else uri)
    raise InputError(f"`dataset` must be {FORMS}. Received: '{uri}'")
