"""Writing objects: whole, checked by Cloud Storage before they appear, and at most once.

A write may have succeeded although its answer was lost. So every object carries the name of its
writer: where a second try is told that somebody was first, that tells whether it was the first try.

Reference:
    https://cloud.google.com/storage/docs/performing-resumable-uploads
    https://cloud.google.com/storage/docs/retry-strategy
"""

from __future__ import annotations

import functools
import http
import re
import uuid
from typing import TYPE_CHECKING, Any, BinaryIO

from components.common.errors import DataError
from components.common.storage.calls import (
    ONCE,
    DamagedError,
    blob_at,
    client,
    explained,
    retrying,
)
from components.common.storage.cloud import delete, exists, find, get
from components.common.storage.stored import checksum

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import storage as gcs

ONE_CALL_BYTES = 8 * 2**20  # the client's own limit; larger files go in parts
PART_BYTES = 16 * 2**20  # what a failure costs; in memory; a multiple of 256 KiB
MOST_STARTS = 5
WRITER = "writer"  # key in the metadata of an object
_GONE = (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)
_ARRIVED = re.compile(r"bytes=0-(\d+)")


def send(source: BinaryIO, uri: str, *, if_absent: bool) -> bool:
    """Write one object.

    Args:
        source: A file that can be read again from its start.
        uri: Of the object.
        if_absent: Replace nothing.

    Returns:
        Whether it is there by this call; False only where `if_absent`.

    Raises:
        DataError: If it cannot be sent undamaged.
    """
    from google.api_core.exceptions import PreconditionFailed

    if if_absent and exists(uri):
        return False
    writer = uuid.uuid4().hex
    with explained("write", uri):
        for _ in range(MOST_STARTS):
            try:
                _send(source, uri, writer, 0 if if_absent else None)
            except DamagedError:
                continue
            except PreconditionFailed:
                return _find_by(writer, uri) is not None
            return True
    raise DataError(f"Cannot write '{uri}': it arrived damaged {MOST_STARTS} times. Try again.")


def copy(source: str, target: str, *, if_absent: bool) -> bool:
    """Copy one object within Cloud Storage, which moves the bytes by itself; see `send`."""
    from google.api_core.exceptions import PreconditionFailed

    if if_absent and exists(target):
        return False
    original, duplicate, writer = get(source), blob_at(target), uuid.uuid4().hex
    duplicate.content_type = original.content_type  # where one is set, none of them is copied
    duplicate.metadata = {**(original.metadata or {}), WRITER: writer}
    with explained("copy", f"{source}' to '{target}"):
        try:
            _rewrite(original, duplicate, 0 if if_absent else None)
        except PreconditionFailed:
            return _find_by(writer, target) is not None
    return True


def _send(source: BinaryIO, uri: str, writer: str, generation: int | None) -> None:
    size_bytes, crc32c = checksum(source)
    blob = blob_at(uri)
    blob.crc32c = crc32c  # Cloud Storage refuses other bytes, before anybody sees them
    blob.metadata = {WRITER: writer}
    deliver = _in_one_call if size_bytes <= ONE_CALL_BYTES else _in_parts
    arrived = deliver(blob, source, size_bytes, generation)
    if arrived["crc32c"] != crc32c:  # an emulator refuses nothing
        delete(uri, int(arrived["generation"]))
        raise DamagedError(uri)


def _in_one_call(
    blob: gcs.Blob, source: BinaryIO, size_bytes: int, generation: int | None
) -> dict[str, Any]:
    from google.api_core.exceptions import BadRequest

    upload = functools.partial(
        blob.upload_from_file,
        source,
        rewind=True,
        size=size_bytes,
        checksum=None,  # the blob has it
        if_generation_match=generation,
        **ONCE,
    )
    try:
        retrying(upload)
    except BadRequest as error:
        if _is_damage(error):
            raise DamagedError(error.message) from error
        raise
    return {"crc32c": blob.crc32c, "generation": blob.generation}


def _in_parts(
    blob: gcs.Blob, source: BinaryIO, size_bytes: int, generation: int | None
) -> dict[str, Any]:
    begin = functools.partial(
        blob.create_resumable_upload_session,
        size=size_bytes,
        checksum=None,
        if_generation_match=generation,
        **ONCE,
    )
    session, start = retrying(begin), 0
    while start < size_bytes:
        source.seek(start)
        put = functools.partial(_put, session, source.read(PART_BYTES), start, size_bytes)
        answer = retrying(put)
        if answer.status_code in _GONE:
            return _outcome(blob)
        if answer.status_code != http.HTTPStatus.PERMANENT_REDIRECT:
            return dict(answer.json())
        start = _arrived(answer)
    raise DamagedError(session)


def _put(session: str, part: bytes, start: int, size_bytes: int) -> Any:
    """Send one part.

    Sending it twice does no harm: Cloud Storage ignores bytes that it has. Asking it how many it
    has is not needed, hence, and would end the upload on an emulator.
    """
    from google.api_core.exceptions import from_http_response

    place = f"bytes {start}-{start + len(part) - 1}/{size_bytes}"
    answer = client()._http.put(
        session, data=part, headers={"Content-Range": place}, timeout=ONCE["timeout"]
    )
    if answer.status_code == http.HTTPStatus.PERMANENT_REDIRECT and _arrived(answer) <= start:
        raise ConnectionError("nothing of a part arrived")
    if answer.status_code < http.HTTPStatus.BAD_REQUEST or answer.status_code in _GONE:
        return answer
    error = from_http_response(answer)  # type: ignore[no-untyped-call]  # as the client does it
    raise DamagedError(error.message) if _is_damage(error) else error


def _arrived(answer: Any) -> int:
    found = _ARRIVED.fullmatch(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


def _outcome(blob: gcs.Blob) -> dict[str, Any]:
    """What became of an upload that is over: it was finished, unheard, or was forgotten."""
    uri = f"gs://{blob.bucket.name}/{blob.name}"
    found = _find_by(blob.metadata[WRITER], uri)
    if found is None:
        raise DamagedError(uri)
    return {"crc32c": found.crc32c, "generation": found.generation}


def _is_damage(error: GoogleAPICallError) -> bool:
    """Whether Cloud Storage refuses the bytes that arrived, and not the call."""
    return error.code == http.HTTPStatus.BAD_REQUEST and "crc32c" in error.message.lower()


def _find_by(writer: str, uri: str) -> gcs.Blob | None:
    found = find(uri)
    return found if found and (found.metadata or {}).get(WRITER) == writer else None


def _rewrite(original: gcs.Blob, duplicate: gcs.Blob, generation: int | None) -> None:
    token = None
    while True:  # between regions a large object takes several calls
        rewrite = functools.partial(
            duplicate.rewrite,
            original,
            token=token,
            if_generation_match=generation,
            **ONCE,
        )
        token, _, _ = retrying(rewrite)
        if token is None:
            return
