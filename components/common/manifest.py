"""The one description of a dataset folder: what is in it, what was left out, and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from components.common.errors import DataError
from components.common.storage import write_atomically

FILE_NAME = "manifest.json"
FORMAT = 1  # raise it when a reader of the old form would go wrong


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One TFRecord file of the dataset."""

    file: str
    num_photos: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A file of the source that is not in the dataset, and why."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A dataset: its classes in label order, counts, shards and digest."""

    name: str  # short, e.g. "flowers"; the default name of models trained on it
    source: str  # the URI it was ingested from
    split: str | None  # "train", "validation", "test", or None for the whole
    classes: tuple[str, ...]
    counts: dict[str, int]  # photos a class
    num_photos: int
    size_bytes: int  # of the photos, without record framing
    digest: str  # of classes and photos; not of order, shards, names or place
    dataset_digest: str  # of the whole that this is a split of; equals `digest` for a whole
    shards: tuple[Shard, ...]
    rejected: tuple[Rejected, ...] = ()
    split_rule: str | None = None  # e.g. "train 0.7, validation 0.15, test 0.15, seed 0"
    format: int = FORMAT

    def save(self, folder: Path) -> None:
        """Write it, atomically; last of all, since a folder with a manifest is complete."""
        content = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        write_atomically(folder / FILE_NAME, content.encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a dataset folder.

        Raises:
            DataError: If there is none, or it was written in another format.
        """
        try:
            fields = json.loads((folder / FILE_NAME).read_bytes())
        except FileNotFoundError:
            raise DataError(
                f"'{folder}' holds no {FILE_NAME}: it is no dataset, or its writer was killed."
                " Run the step that makes it again."
            ) from None
        if fields.get("format") != FORMAT:
            raise DataError(
                f"'{folder / FILE_NAME}' must have format {FORMAT}."
                f" Received: format={fields.get('format')}. Ingest the photos again."
            )
        fields["classes"] = tuple(fields["classes"])
        fields["shards"] = tuple(Shard(**shard) for shard in fields["shards"])
        fields["rejected"] = tuple(Rejected(**rejected) for rejected in fields["rejected"])
        return cls(**fields)


def dataset_digest(classes: Iterable[str], photos: Iterable[tuple[str, str]]) -> str:
    """Digest a dataset by content, the same on every machine and in every order.

    Args:
        classes: Class names in label order.
        photos: (class name, SHA-256 of the photo's bytes) of each photo.
    """
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for class_name, sha256 in sorted(photos):
        digest.update(f"\n{class_name}\t{sha256}".encode())
    return digest.hexdigest()
