"""Objects in Cloud Storage: listing, reading, deleting. `upload` writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.errors import DataError, InputError
from components.common.parallel import map_in_order
from components.common.storage.calls import (
    ONCE,
    blob_at,
    client,
    explained,
    persist,
    policy,
    split,
)
from components.common.storage.stored import StoredFile

if TYPE_CHECKING:
    from google.cloud import storage as gcs

THREADS = 16  # a bucket answers slowly, but many at once
_FIELDS = "items(name,size,generation,crc32c),nextPageToken"  # of some 30 that a listing has


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One version of an object, which no replacement can mix with another."""

    uri: str
    generation: int
    size_bytes: int
    crc32c: str

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to before `stop`, as they are stored."""
        from google.api_core.exceptions import NotFound

        def read() -> bytes:
            try:
                return _read_range(blob_at(self.uri, self.generation), start, stop)
            except NotFound as error:
                raise DataError(
                    f"'{self.uri}' was replaced or removed while it was read. Start again."
                ) from error

        return persist("read", self.uri, read)


def list_files(folder: str) -> Iterator[StoredFile]:
    """Every object below a prefix, in the order of names."""
    for path, blob in blobs_below(folder):
        yield describe(blob, path)


def blobs_below(folder: str) -> Iterator[tuple[str, gcs.Blob]]:
    """Every object below a prefix with its path relative to it, in the order of names."""
    bucket, name = split(folder)
    prefix = f"{name.rstrip('/')}/" if name else ""
    with explained("list", folder):
        blobs = client().list_blobs(
            bucket, prefix=prefix, fields=_FIELDS, **{**ONCE, "retry": policy()}
        )
        for blob in blobs:
            if not blob.name.endswith("/"):  # what consoles leave behind for an empty folder
                yield blob.name.removeprefix(prefix), blob


def exists(uri: str) -> bool:
    """Whether there is an object; False where there is not even the bucket."""
    blob = blob_at(uri)
    return bool(persist("find", uri, lambda: blob.exists(**ONCE)))


def find(uri: str) -> gcs.Blob | None:
    """The object with what is known of it; None where there is none."""
    blob = blob_at(uri)
    name = blob.name
    return persist("read", uri, lambda: blob.bucket.get_blob(name, **ONCE))


def get(uri: str) -> gcs.Blob:
    """The same where there must be one."""
    blob = find(uri)
    if blob is None:
        raise InputError(f"No such object: '{uri}'. Check the bucket, the name and your role.")
    return blob


def describe(blob: gcs.Blob, path: str) -> StoredFile:
    """What is known of one object without reading it."""
    return StoredFile(path=path, size_bytes=blob.size, version=f"{blob.generation}:{blob.crc32c}")


def pin(uri: str) -> Pinned:
    """The version of an object that is there now."""
    blob = get(uri)
    return Pinned(uri=uri, generation=blob.generation, size_bytes=blob.size, crc32c=blob.crc32c)


def read_bytes(uri: str) -> bytes:
    """The whole content of an object, checked by CRC32C."""
    from google.cloud.storage.exceptions import DataCorruption

    def read() -> bytes:
        try:
            content: bytes = blob_at(uri).download_as_bytes(checksum="crc32c", **ONCE)
        except DataCorruption as error:
            raise ConnectionError("the bytes that arrived have another checksum") from error
        return content

    return persist("read", uri, read)


def read_range(uri: str, start: int, length: int) -> bytes:
    """`length` bytes from byte `start` on."""
    return persist("read", uri, lambda: _read_range(blob_at(uri), start, start + length))


def delete_folder(folder: str) -> None:
    """Delete the objects that are below a prefix now, in parallel."""
    if not split(folder)[1].strip("/"):
        raise InputError(f"Expected a folder in a bucket, not all of it. Received: '{folder}'")
    with ThreadPoolExecutor(THREADS) as pool:
        blobs = (blob for _, blob in blobs_below(folder))
        for _ in map_in_order(pool, _delete, blobs, ahead=2 * THREADS):
            pass


def delete(uri: str, generation: int) -> None:
    """Delete an object unless it was replaced since; nothing is done where there is none."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    def delete() -> None:
        # No generation in the name, or a bucket that keeps old versions would not keep this one.
        with contextlib.suppress(NotFound, PreconditionFailed):
            blob_at(uri).delete(if_generation_match=generation, **ONCE)

    persist("delete", uri, delete)


def _delete(blob: gcs.Blob) -> None:
    delete(f"gs://{blob.bucket.name}/{blob.name}", blob.generation)


def _read_range(blob: gcs.Blob, start: int, stop: int) -> bytes:
    from google.api_core.exceptions import RequestRangeNotSatisfiable

    if stop <= start:
        return b""
    content = b""
    with contextlib.suppress(RequestRangeNotSatisfiable):  # it ends before `start`
        content = blob.download_as_bytes(
            start=start,
            end=stop - 1,
            raw_download=True,
            checksum=None,  # Cloud Storage knows that of the whole only
            **ONCE,
        )
    if len(content) != stop - start:
        uri = f"gs://{blob.bucket.name}/{blob.name}"
        raise DataError(f"'{uri}' ends before byte {stop}: it was cut short.")
    return content
