"""The one description of a dataset folder: what is in it, what was left out, and its digest."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from components.common import storage
from components.common.errors import DataError

FILE_NAME = "manifest.json"
FORMAT = 2  # raise it when a reader of the old form would go wrong


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
class Round:
    """One dataset of a curriculum; the photos of a joined dataset stand in the order of rounds."""

    name: str  # of the dataset; its URI where two datasets have one name
    num_photos: int  # of the joined dataset up to here, those of the rounds before included


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
    generation: int = 0  # versions of the dataset before this one, where they are kept together
    previous: str = ""  # digest of the version before
    index: str = ""  # file of the index, named by its content as shards are
    checked: bool = False  # whether every photo was decoded
    location: str = ""  # URI of the folder of shards and index; empty: beside the manifest
    rounds: tuple[Round, ...] = ()  # from easy to hard; of a joined dataset only
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """Serialize as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes, uri: str) -> Manifest:
        """Parse what `to_bytes` made.

        Args:
            content: The file.
            uri: Where it is from, for errors.

        Raises:
            DataError: If it is no manifest, or was written in another format.
        """
        try:
            fields = json.loads(content)
            found = fields.get("format")
        except (ValueError, AttributeError) as error:
            raise DataError(f"'{uri}' is no manifest of a dataset: {error}") from error
        if found != FORMAT:
            raise DataError(
                f"'{uri}' must have format {FORMAT}. Received: format={found}."
                " Ingest the photos again."
            )
        fields["classes"] = tuple(fields["classes"])
        fields["shards"] = tuple(Shard(**shard) for shard in fields["shards"])
        fields["rejected"] = tuple(Rejected(**rejected) for rejected in fields["rejected"])
        fields["rounds"] = tuple(Round(**one) for one in fields.get("rounds", ()))
        return cls(**fields)

    def save(self, folder: str | Path, *, if_absent: bool = False) -> bool:
        """Write it into a folder; atomically and last, since a folder with a manifest is complete.

        Args:
            folder: Local, or in Cloud Storage.
            if_absent: Leave one that is there already.

        Returns:
            Whether it was written.
        """
        uri = storage.join(str(folder), FILE_NAME)
        return storage.write_bytes(uri, self.to_bytes(), if_absent=if_absent)

    @classmethod
    def load(cls, folder: str | Path) -> Manifest:
        """Read the manifest of a dataset folder, local or in Cloud Storage.

        Raises:
            DataError: If there is none, or it was written in another format.
        """
        uri = storage.join(str(folder), FILE_NAME)
        if not storage.exists(uri):
            raise DataError(
                f"'{folder}' holds no {FILE_NAME}: it is no dataset, or its writer was killed."
                " Run the step that makes it again."
            )
        return cls.from_bytes(storage.read_bytes(uri), uri)


def dataset_digest(classes: Iterable[str], photos: Iterable[tuple[str, str]]) -> str:
    """Digest a dataset by content, the same on every machine and in every order.

    Args:
        classes: Class names in label order.
        photos: (class name, SHA-256 of the photo's bytes) of each photo.
    """
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    by_class: dict[str, list[bytes]] = defaultdict(list)
    for class_name, sha256 in photos:
        by_class[class_name].append(bytes.fromhex(sha256))  # half as much to hold
    for class_name in sorted(by_class):
        for content in sorted(by_class.pop(class_name)):
            digest.update(f"\n{class_name}\t{content.hex()}".encode())
    return digest.hexdigest()
