"""Shards: large TFRecord files, named by their content, that hold the photos of a dataset."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from components.common import storage
from components.common.errors import DataError
from components.common.manifest import Shard
from components.common.records import PhotoRecord, from_example
from components.common.tfrecord import frame, read_records

SHARD_SIZE_BYTES = 128 * 2**20  # few large files: launchers copy artifacts one file at a time
WRITE_BYTES = 2**20  # at once: photo by photo, threads would wait for one another at each


class ShardWriter:
    """Writes one shard into a folder, local or in Cloud Storage; a kill leaves nothing there.

    The name holds a digest of the bytes: two writers of the same shard write the same file, and
    two writers of others never overwrite one another.
    """

    def __init__(self, folder: str, number: int) -> None:
        """Begin.

        Args:
            folder: Where the shard will be.
            number: Its place among the shards of the dataset.
        """
        self._folder = folder
        self._number = number
        # In the folder itself where that is local, so that moving the file costs nothing.
        place = None if storage.is_remote(folder) else folder
        if place:
            Path(place).mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=place, prefix=".shard-")
        self._scratch = Path(scratch)
        self._file = os.fdopen(handle, "wb")
        self._digest = hashlib.sha256()
        self._waiting = bytearray()  # to be written
        self.num_photos = 0
        self.size_bytes = 0  # of the file so far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def add(self, example: bytes) -> int:
        """Append one photo, as `to_example` makes it; gives the byte at which its record begins."""
        offset = self.size_bytes
        framed = frame(example)
        self.num_photos += 1
        self.size_bytes += len(framed)
        self._waiting += framed
        if len(self._waiting) >= WRITE_BYTES:
            self._write()
        return offset

    def finish(self) -> Shard:
        """Put the shard into its folder, where it may be already."""
        self._write()
        self._file.close()
        name = f"photos-{self._number:05d}-{self._digest.hexdigest()[:16]}.tfrecord"
        uri = storage.join(self._folder, name)
        if storage.is_remote(uri):
            storage.upload_file(self._scratch, uri, if_absent=True)
            self._scratch.unlink()
        else:
            self._scratch.chmod(0o644)  # mkstemp makes it private
            self._scratch.replace(uri)
        return Shard(file=name, num_photos=self.num_photos, size_bytes=self.size_bytes)

    def discard(self) -> None:
        """Leave nothing behind; nothing to do once it is finished."""
        self._file.close()
        self._scratch.unlink(missing_ok=True)

    def _write(self) -> None:
        self._file.write(self._waiting)
        self._digest.update(self._waiting)
        self._waiting.clear()


class ShardsWriter:
    """Writes one shard after the other; the next begins where one is full."""

    def __init__(self, folder: str, *, full_bytes: int = SHARD_SIZE_BYTES) -> None:
        """Begin.

        Args:
            folder: Where the shards will be, local or in Cloud Storage.
            full_bytes: A shard of this size takes no more photos.
        """
        self._folder = folder
        self._full_bytes = full_bytes
        self._full: list[Shard] = []
        self._open: ShardWriter | None = None

    def add(self, example: bytes) -> tuple[int, int]:
        """Append one photo; gives the number of its shard and the byte there."""
        if self._open is None:
            self._open = ShardWriter(self._folder, len(self._full))
        place = len(self._full), self._open.add(example)
        if self._open.size_bytes >= self._full_bytes:
            self._close()
        return place

    def finish(self) -> list[Shard]:
        """Close the last one."""
        self._close()
        return self._full

    def discard(self) -> None:
        """Leave nothing behind of the one that is open."""
        if self._open is not None:
            self._open.discard()

    def _close(self) -> None:
        if self._open is not None:
            self._full.append(self._open.finish())
            self._open = None


def read_record(uri: str, start: int, stop: int) -> PhotoRecord:
    """One photo of a shard, without reading those before it.

    Args:
        uri: The shard.
        start: Where the photo's record begins, bytes.
        stop: Where it ends.
    """
    record = storage.read_range(uri, start, stop - start)
    return from_example(next(read_records(io.BytesIO(record), uri)))


def read_shard(uri: str, shard: Shard) -> Iterator[bytes]:
    """Stream the photos of one shard as they are stored; the next bytes are read ahead.

    Args:
        uri: Where it is.
        shard: What the manifest says of it.

    Raises:
        DataError: If it is missing, damaged or cut short.
    """
    if not storage.exists(uri):
        raise DataError(f"'{uri}' is gone, which a dataset needs: run again with --no-cache.")
    num_photos = 0
    with storage.read_stream(uri) as file:
        for example in read_records(file, uri):
            num_photos += 1
            yield example
    if num_photos != shard.num_photos:
        raise DataError(
            f"'{uri}' must hold {shard.num_photos} photos. Received: {num_photos}."
            " The dataset was damaged: delete its folder, and run again with --no-cache."
        )
