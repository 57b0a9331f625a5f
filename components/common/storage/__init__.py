"""One door to files, on this machine or in Cloud Storage (`gs://`).

Whatever is written appears whole or not at all, whatever is read is what was written (checked by
CRC32C, in Cloud Storage), and what fails for a moment is tried again. Errors of Cloud Storage are
InputError where it refuses, at once, and DataError where it could not be reached for minutes; those
of this machine are the OSErrors of Python.

Set `STORAGE_EMULATOR_HOST` to speak to an emulator instead of Google Cloud.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

from components.common.errors import DataError, InputError
from components.common.parallel import map_in_order
from components.common.storage import cloud, local, stream, upload
from components.common.storage.calls import DamagedError, disconnect, split
from components.common.storage.stored import StoredFile, checksum

__all__ = [
    "StoredFile",
    "copy",
    "delete_folder",
    "disconnect",
    "download_file",
    "exists",
    "fingerprint",
    "fingerprint_of",
    "is_remote",
    "join",
    "list_files",
    "read_bytes",
    "read_range",
    "read_stream",
    "upload_file",
    "upload_folder",
    "write_atomically",
    "write_bytes",
]

STREAM_BUFFER_BYTES = 2**20
DOWNLOADS_AHEAD = 4  # parts


def is_remote(uri: str) -> bool:
    """Whether `uri` is in Cloud Storage."""
    return uri.startswith("gs://")


def join(folder: str, path: str) -> str:
    """The URI of `path` inside `folder`."""
    return f"{folder.rstrip('/')}/{path}"


def list_files(folder: str, *, missing_ok: bool = False) -> list[StoredFile]:
    """Every file below `folder`, sorted by path, hidden ones included.

    Args:
        folder: A local path, or `gs://BUCKET/PREFIX`.
        missing_ok: Take a folder that is not there for an empty one.

    Raises:
        InputError: If the folder is missing or, in a bucket, empty.
    """
    if missing_ok and not is_remote(folder) and not Path(folder).exists():
        return []
    files = list(cloud.list_files(folder) if is_remote(folder) else local.list_files(folder))
    files.sort(key=lambda file: file.path)
    if is_remote(folder) and not files and not missing_ok:
        raise InputError(
            f"No objects under '{folder}'. Check the bucket, the prefix and your role."
        )
    return files


def exists(uri: str) -> bool:
    """Whether there is a file at `uri`."""
    if is_remote(uri):
        return bool(split(uri)[1]) and cloud.exists(uri)
    return Path(uri).is_file()


def fingerprint(uri: str) -> str:
    """A short text that changes whenever a byte at `uri` may have changed, without reading bytes.

    Args:
        uri: A file or a folder, local or in Cloud Storage.
    """
    return fingerprint_of(_one_file(uri) or list_files(uri))


def fingerprint_of(files: Iterable[StoredFile]) -> str:
    """The same, of files that are listed already."""
    digest = hashlib.sha256()
    for file in files:
        line = f"{file.path}\0{file.size_bytes}\0{file.version}\n"
        digest.update(line.encode(errors="surrogateescape"))  # names that are not UTF-8, too
    return digest.hexdigest()[:16]


def read_bytes(uri: str) -> bytes:
    """The content of the file at `uri`."""
    return cloud.read_bytes(uri) if is_remote(uri) else Path(uri).read_bytes()


def read_range(uri: str, start: int, length: int) -> bytes:
    """Part of a file: `length` bytes from byte `start` on.

    Cloud Storage has a CRC32C of the whole only: what a part holds should carry its own.

    Raises:
        DataError: If the file ends before.
    """
    if is_remote(uri):
        return cloud.read_range(uri, start, length)
    return local.read_range(Path(uri), start, length)


def read_stream(uri: str) -> BinaryIO:
    """Open a file for reading it once, from its start to its end.

    From Cloud Storage the next three parts of 8 MiB are fetched while this one is used. All are of
    the version that was there when it was opened.

    Returns:
        A binary file; close it, or use it in `with`.

    Raises:
        DataError: While reading, if the object was replaced meanwhile, or, at its very end, if the
            bytes have another CRC32C than the object.
    """
    if is_remote(uri):
        remote = stream.RemoteStream(cloud.pin(uri))
        return cast(BinaryIO, io.BufferedReader(remote, STREAM_BUFFER_BYTES))
    return Path(uri).open("rb")


def write_bytes(uri: str, content: bytes, *, if_absent: bool = False) -> bool:
    """Write a file, atomically.

    Args:
        uri: Where to.
        content: All of it.
        if_absent: Replace nothing; of several writers at once exactly one succeeds.

    Returns:
        Whether it was written; False only where `if_absent`.
    """
    if is_remote(uri):
        return upload.send(io.BytesIO(content), uri, if_absent=if_absent)
    return local.write_bytes(Path(uri), content, if_absent=if_absent)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a local file so that no reader, and no kill, ever finds half of it."""
    local.write_bytes(path, content, if_absent=False)


def upload_file(path: Path, uri: str, *, if_absent: bool = False) -> bool:
    """Copy a local file of any size to `uri`, atomically; see `write_bytes`.

    An interrupted one goes on where it was. With `if_absent` nothing is sent where there is a file.
    """
    if not is_remote(uri):
        return local.copy_file(path, Path(uri), if_absent=if_absent)
    with path.open("rb") as source:
        return upload.send(source, uri, if_absent=if_absent)


def upload_folder(folder: Path, uri: str) -> int:
    """Copy every file below a local folder to `uri`, in parallel.

    Files that are there with the same bytes are not sent. Others at `uri` are left alone.

    Returns:
        Files sent.
    """
    there = {}
    if is_remote(uri):
        there = {path: (blob.size, blob.crc32c) for path, blob in cloud.blobs_below(uri)}

    def send(path: str) -> bool:
        source, target = folder / path, join(uri, path)
        if path in there:
            with source.open("rb") as file:
                if checksum(file) == there[path]:
                    return False
        elif not is_remote(uri) and local.is_same(source, Path(target)):
            return False
        return upload_file(source, target)

    paths = [file.path for file in list_files(str(folder))]
    with ThreadPoolExecutor(cloud.THREADS) as pool:
        return sum(map_in_order(pool, send, paths, ahead=2 * cloud.THREADS))


def download_file(uri: str, path: Path) -> None:
    """Copy a file of any size to a local path, atomically.

    Raises:
        DataError: If it arrives damaged again and again.
    """
    if is_remote(uri):
        _download(uri, path, if_absent=False)
    else:
        local.copy_file(Path(uri), path, if_absent=False)


def copy(source: str, target: str, *, if_absent: bool = False) -> bool:
    """Copy a file; see `write_bytes`.

    Within Cloud Storage no byte comes through here. On this machine the copy is a second name of
    the same bytes, where the disk can do that: replace such files, never write into them.
    """
    if is_remote(source) and is_remote(target):
        return upload.copy(source, target, if_absent=if_absent)
    if is_remote(source):
        return _download(source, Path(target), if_absent=if_absent)
    if is_remote(target):
        return upload_file(Path(source), target, if_absent=if_absent)
    return local.link_file(Path(source), Path(target), if_absent=if_absent)


def delete_folder(uri: str) -> None:
    """Delete every file below `uri`; where there is none, nothing is done."""
    if not uri.strip("/"):
        raise InputError(f"Expected a folder to delete. Received: '{uri}'")
    if is_remote(uri):
        cloud.delete_folder(uri)
    else:
        local.delete_folder(Path(uri))


def _download(uri: str, path: Path, *, if_absent: bool) -> bool:
    if if_absent and path.exists():
        return False
    with local.scratch(path) as temporary:
        for _ in range(upload.MOST_STARTS):
            pinned = cloud.pin(uri)
            try:
                _write_parts(stream.parts(pinned, ahead=DOWNLOADS_AHEAD), temporary)
            except DamagedError:
                continue
            return local.publish(temporary, path, if_absent=if_absent)
    raise DataError(f"Cannot read '{uri}': it arrived damaged {upload.MOST_STARTS} times.")


def _write_parts(parts: Iterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(part)


def _one_file(uri: str) -> list[StoredFile]:
    if not is_remote(uri):
        path = Path(uri)
        return [local.describe(uri, path.name)] if path.is_file() else []
    name = split(uri)[1]
    # With `/` at its end it is a folder, even where a console left an object of that name.
    blob = None if name.endswith("/") or not name else cloud.find(uri)
    return [cloud.describe(blob, name.rsplit("/", 1)[-1])] if blob else []
