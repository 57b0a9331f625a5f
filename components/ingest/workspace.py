"""What an ingest keeps while it works below a storage root, so that a killed one goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from components.common import storage
from components.common.dataset import (
    ROOM,
    dataset_location,
    find_dataset,
    is_whole,
    publish,
    refer,
)
from components.common.index import PhotoIndex
from components.common.manifest import Manifest
from components.ingest.chunks import Chunk, Outcome, load_outcome, save_outcome


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders of one ingest: of this source, these checks and this code."""

    root: str  # of the storage
    name: str  # of the dataset
    key: str

    @property
    def shards(self) -> str:
        """Where shards lie until it is known which dataset they make."""
        return storage.join(self._room, f".ingest/{self.key}")

    def load(self, chunk: Chunk) -> Outcome | None:
        """What came of a chunk; None where it is not done."""
        return load_outcome(self._uri(chunk))

    def save(self, chunk: Chunk, outcome: Outcome) -> None:
        """Remember what came of a chunk, whose shard is in its place."""
        save_outcome(outcome, self._uri(chunk))

    def find_finished(self) -> Manifest | None:
        """The dataset that an earlier ingest of the same made; None where there is none."""
        if not storage.exists(self._finished):
            return None
        manifest = Manifest.from_bytes(storage.read_bytes(self._finished), self._finished)
        kept = find_dataset(dataset_location(self.root, self.name, manifest.digest))
        if not kept or not is_whole(kept):
            return None
        return replace(kept, source=manifest.source, rejected=manifest.rejected)

    def settle(self, manifest: Manifest, index: PhotoIndex, folder: Path) -> Manifest:
        """Put shards, index and manifest into the dataset's own folder, unless it has them.

        A dataset whose photos nobody decoded, or that lacks a file, gives way to this one.

        Args:
            manifest: Of the dataset, whose shards are in the workspace.
            index: Of its photos.
            folder: Of the step's output.
        """
        location = dataset_location(self.root, self.name, manifest.digest)
        kept = find_dataset(location)
        if kept and is_whole(kept) and (kept.checked or not manifest.checked):
            return refer(manifest, kept, folder)
        for shard in manifest.shards:
            source, target = (storage.join(place, shard.file) for place in (self.shards, location))
            storage.copy(source, target, if_absent=True)
        return publish(manifest, index, folder, location, instead=kept is not None)

    def finish(self, manifest: Manifest) -> None:
        """Remember what this ingest gave, so that it need not be done again, and clean up."""
        found = replace(manifest, location="").to_bytes()
        storage.write_bytes(self._finished, found)
        storage.delete_folder(self.shards)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one ingest of a name work at a time, where all are on this machine.

        In a bucket several may work at once: those of the same photos write the same.
        """
        if storage.is_remote(self.root):
            yield
            return
        Path(self._room).mkdir(parents=True, exist_ok=True)
        with FileLock(storage.join(self._room, ".lock")):
            yield

    @property
    def _room(self) -> str:
        return storage.join(self.root, f"{ROOM}/{self.name}")

    @property
    def _finished(self) -> str:
        return storage.join(self._room, f".sources/{self.key}.json")

    def _uri(self, chunk: Chunk) -> str:
        return storage.join(self.shards, f"{chunk.number:05d}.chunk")


def workspace_key(*parts: str) -> str:
    """A short name for an ingest that depends on these."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
