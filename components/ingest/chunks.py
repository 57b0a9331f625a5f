"""Ingest in chunks, each one shard: whoever does a chunk, and how often, it comes out the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass

from components.common import storage
from components.common.index import IndexBuilder, PhotoFacts, PhotoIndex
from components.common.manifest import Rejected, Shard
from components.common.parallel import map_in_order, num_cores
from components.common.progress import Meter
from components.common.records import PhotoRecord, to_example
from components.common.shards import SHARD_SIZE_BYTES, ShardWriter
from components.ingest.check import check_photo
from components.ingest.sources import Source
from components.ingest.sources.photo import SourcePhoto

PHOTOS_OF_UNKNOWN_SIZE = 4096  # in a chunk
# What a thread takes at once. Handing photos over one by one takes longer than reading a header.
BATCH_PHOTOS, BATCH_BYTES = 16, 2**20

Checked = tuple[PhotoRecord, PhotoFacts] | Rejected


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Neighbours in the order of the source; they make one shard."""

    number: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a chunk."""

    shard: Shard | None  # None where no photo could be used
    index: PhotoIndex
    rejected: tuple[Rejected, ...]


def plan(source: Source) -> list[Chunk]:
    """Cut a source into chunks, by what it holds alone, not by who will work on it."""
    stops: list[int] = []
    if source.num_files is None:  # not known before it is downloaded, which the first photo takes
        next(source.photos(0, 1), None)
    if source.sizes is None:
        total = source.num_files or 0
        stops = [*range(PHOTOS_OF_UNKNOWN_SIZE, total, PHOTOS_OF_UNKNOWN_SIZE), total]
    else:
        size_bytes = 0
        for place, photo_bytes in enumerate(source.sizes, start=1):
            size_bytes += photo_bytes
            if size_bytes >= SHARD_SIZE_BYTES or place == len(source.sizes):
                stops.append(place)
                size_bytes = 0
    starts = [0, *stops[:-1]]
    return [
        Chunk(number=number, start=start, stop=stop)
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


def ingest_chunk(
    source: Source,
    chunk: Chunk,
    folder: str | None,
    *,
    decode: bool = True,
    meter: Meter,
    done: int = 0,
) -> Outcome:
    """Check the photos of a chunk and write the good ones as one shard.

    Args:
        source: Where they are from.
        chunk: Which ones.
        folder: Where the shard goes, local or in Cloud Storage; None to look at the photos only.
        decode: Look at every pixel; without it at the header only.
        meter: Told how many photos are done.
        done: Photos of the chunks before it.
    """
    index, rejected = IndexBuilder(source.classes), []
    with ShardWriter(folder, chunk.number) if folder else nullcontext() as shard:
        for batch in _check_all(source, chunk, decode=decode):
            for checked in batch:
                if isinstance(checked, Rejected):
                    rejected.append(checked)
                    continue
                offset = shard.add(to_example(checked[0])) if shard else 0
                index.add(*checked, offset=offset)
            done += len(batch)
            meter.show(done)
        return Outcome(
            shard=shard.finish() if shard and shard.num_photos else None,
            index=index.build(),
            rejected=tuple(rejected),
        )


def save_outcome(outcome: Outcome, uri: str) -> None:
    """Write what came of a chunk, atomically: from then on the chunk is done."""
    note = {
        "shard": asdict(outcome.shard) if outcome.shard else None,
        "rejected": [asdict(one) for one in outcome.rejected],
    }
    encoded = json.dumps(note).encode()
    # One file, so that there is no half: the length of the first part, then both parts.
    content = len(encoded).to_bytes(8) + encoded + outcome.index.to_bytes()
    storage.write_bytes(uri, content)


def load_outcome(uri: str) -> Outcome | None:
    """Read what `save_outcome` wrote; None where the chunk is not done."""
    if not storage.exists(uri):
        return None
    content = storage.read_bytes(uri)
    end = 8 + int.from_bytes(content[:8])
    note = json.loads(content[8:end])
    return Outcome(
        shard=Shard(**note["shard"]) if note["shard"] else None,
        index=PhotoIndex.from_bytes(content[end:]),
        rejected=tuple(Rejected(**one) for one in note["rejected"]),
    )


def _check_all(source: Source, chunk: Chunk, *, decode: bool) -> Iterator[list[Checked]]:
    labels = {class_name: label for label, class_name in enumerate(source.classes)}

    def check(photos: list[SourcePhoto]) -> list[Checked]:
        return [_check(photo, labels[photo.class_name], decode=decode) for photo in photos]

    batches = _batches(source.photos(chunk.start, chunk.stop))
    if not decode:  # headers are read sooner than another thread could take them over
        yield from map(check, batches)
        return
    with ThreadPoolExecutor(num_cores()) as pool:
        yield from map_in_order(pool, check, batches, ahead=2 * num_cores())


def _batches(photos: Iterable[SourcePhoto]) -> Iterator[list[SourcePhoto]]:
    batch, size_bytes = [], 0
    for photo in photos:
        batch.append(photo)
        size_bytes += len(photo.encoded)
        if len(batch) == BATCH_PHOTOS or size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _check(photo: SourcePhoto, label: int, *, decode: bool) -> Checked:
    facts = check_photo(photo.encoded, photo.filename, decode=decode)
    if isinstance(facts, str):
        return Rejected(file=photo.filename, reason=facts)
    record = PhotoRecord(
        encoded=photo.encoded,
        format=facts.format,
        height=facts.height,
        width=facts.width,
        label=label,
        class_name=photo.class_name,
        filename=photo.filename,
        sha256=hashlib.sha256(photo.encoded).hexdigest(),
        box=photo.box,
        mask=photo.mask,
    )
    return record, facts
