"""One door to files, on this machine or in Cloud Storage (`gs://`).

Set `STORAGE_EMULATOR_HOST` to speak to an emulator instead of Google Cloud.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.common.errors import InputError

if TYPE_CHECKING:
    from google.cloud import storage as gcs


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file in a folder, before its bytes are read."""

    path: str  # relative to the folder, with `/`
    size_bytes: int
    version: str  # changes whenever the bytes do: modification time, or object generation


def is_remote(uri: str) -> bool:
    """Whether `uri` is in Cloud Storage."""
    return uri.startswith("gs://")


def list_files(folder: str) -> list[StoredFile]:
    """Every file below `folder`, sorted by path, hidden ones included.

    Args:
        folder: A local path, or `gs://BUCKET/PREFIX`.

    Raises:
        InputError: If the folder is missing or, in a bucket, empty.
    """
    files = list(_list_remote(folder) if is_remote(folder) else _list_local(folder))
    if is_remote(folder) and not files:
        raise InputError(
            f"No objects under '{folder}'. Check the bucket, the prefix and your role."
        )
    return sorted(files, key=lambda file: file.path)


def exists(uri: str) -> bool:
    """Whether there is a file at `uri`."""
    if is_remote(uri):
        bucket, name = _split(uri)
        return bool(_client().bucket(bucket).blob(name).exists())
    return Path(uri).is_file()


def read_bytes(uri: str) -> bytes:
    """The content of the file at `uri`; Cloud Storage checks it by CRC32C."""
    if is_remote(uri):
        bucket, name = _split(uri)
        return bytes(_client().bucket(bucket).blob(name).download_as_bytes())
    return Path(uri).read_bytes()


def fingerprint(uri: str) -> str:
    """A short text that changes whenever a byte at `uri` may have changed, without reading bytes.

    Args:
        uri: A file or a folder, local or in Cloud Storage.
    """
    digest = hashlib.sha256()
    for file in _one_file(uri) or list_files(uri):
        line = f"{file.path}\0{file.size_bytes}\0{file.version}\n"
        digest.update(line.encode(errors="surrogateescape"))  # names that are not UTF-8, too
    return digest.hexdigest()[:16]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a local file so that no reader, and no kill, ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)  # mkstemp makes it private
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def join(folder: str, path: str) -> str:
    """The URI of `path` inside `folder`."""
    return f"{folder.rstrip('/')}/{path}"


def _one_file(uri: str) -> list[StoredFile]:
    if not is_remote(uri):
        return [_stored_file(Path(uri), Path(uri).parent)] if Path(uri).is_file() else []
    bucket, name = _split(uri)
    # With `/` at its end it is a folder, even where a console left an object of that name.
    blob = None if name.endswith("/") or not name else _client().bucket(bucket).get_blob(name)
    return [_stored_object(blob, name.rsplit("/", 1)[-1])] if blob else []


def _list_local(folder: str) -> Iterator[StoredFile]:
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"No such folder: '{folder}'. Expected a folder with one folder a class.")
    for parent, _, names in os.walk(root, followlinks=True, onerror=_refuse):
        for name in names:
            yield _stored_file(Path(parent, name), root)


def _refuse(error: OSError) -> None:
    """Left to itself, `os.walk` leaves out what it may not read, and says nothing."""
    raise InputError(f"'{error.filename}' cannot be read: {error.strerror}") from error


def _stored_file(path: Path, root: Path) -> StoredFile:
    # A link to nowhere is a file too, which whoever reads it will list as unreadable.
    status = path.stat() if path.exists() else path.lstat()
    return StoredFile(
        path=path.relative_to(root).as_posix(),
        size_bytes=status.st_size,
        version=f"{status.st_mtime_ns}:{status.st_ctime_ns}",
    )


def _list_remote(folder: str) -> Iterator[StoredFile]:
    from google.api_core.exceptions import Forbidden, NotFound

    bucket, name = _split(folder)
    prefix = f"{name.rstrip('/')}/" if name else ""
    try:
        for blob in _client().list_blobs(bucket, prefix=prefix):
            if not blob.name.endswith("/"):  # what consoles leave behind for an empty folder
                yield _stored_object(blob, blob.name.removeprefix(prefix))
    except (Forbidden, NotFound) as error:
        raise InputError(
            f"Cannot list '{folder}' ({type(error).__name__})."
            " Check the bucket, the prefix and your role."
        ) from error


def _stored_object(blob: gcs.Blob, path: str) -> StoredFile:
    return StoredFile(path=path, size_bytes=blob.size, version=f"{blob.generation}:{blob.crc32c}")


def _split(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    if not parts.netloc:
        raise InputError(f"Expected `gs://BUCKET/PREFIX`. Received: '{uri}'")
    # No urlsplit for the rest: `#` and `?` are legal in object names.
    return parts.netloc, uri.removeprefix(f"gs://{parts.netloc}").lstrip("/")


@functools.cache
def _client() -> gcs.Client:
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage as gcs

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return gcs.Client.create_anonymous_client()
    try:
        return gcs.Client()
    except DefaultCredentialsError as error:
        raise InputError(
            "Cloud Storage needs credentials, and none were found. Run `gcloud auth"
            " application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
        ) from error
