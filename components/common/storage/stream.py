"""Objects of any size in parts that are read ahead, so that whoever uses the bytes never waits."""

from __future__ import annotations

import io
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import google_crc32c

from components.common.errors import DataError
from components.common.parallel import map_in_order
from components.common.storage.calls import DamagedError
from components.common.storage.cloud import Pinned
from components.common.storage.stored import spell

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 8 * 2**20
STREAM_AHEAD = 3  # parts: 24 MiB in memory a stream, beside the one that is used


def parts(pinned: Pinned, *, ahead: int) -> Generator[bytes]:
    """The content of an object, in order.

    Args:
        pinned: The object.
        ahead: Parts that are fetched or wait at a time.

    Raises:
        DamagedError: After the last part, if the CRC32C of all is not the object's.
    """
    crc = 0
    # Not as a context: an abandoned stream must not wait for what it has asked for.
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="read-ahead")

    def read(start: int) -> bytes:
        return pinned.read(start, min(start + PART_BYTES, pinned.size_bytes))

    try:
        starts = range(0, pinned.size_bytes, PART_BYTES)
        for part in map_in_order(pool, read, starts, ahead=ahead):
            crc = google_crc32c.extend(crc, part)
            yield part
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if spell(crc) != pinned.crc32c:
        raise DamagedError(pinned.uri)


class RemoteStream(io.RawIOBase):
    """An object as a file that is read from its start to its end."""

    def __init__(self, pinned: Pinned) -> None:
        self._uri = pinned.uri
        self._parts = parts(pinned, ahead=STREAM_AHEAD)
        self._part = memoryview(b"")

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as one part reaches; 0 at the end."""
        if not self._part:
            self._part = memoryview(self._next())
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._part))
        target[:size] = self._part[:size]
        self._part = self._part[size:]
        return size

    def close(self) -> None:
        """Stop reading ahead."""
        self._parts.close()
        self._part = memoryview(b"")
        super().close()

    def _next(self) -> bytes:
        try:
            return next(self._parts, b"")
        except DamagedError as error:
            raise DataError(
                f"'{self._uri}' arrived damaged: its bytes have another CRC32C. Nothing that was"
                " read of it can be trusted: run the step again."
            ) from error
