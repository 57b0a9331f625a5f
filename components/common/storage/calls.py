"""Calls of Cloud Storage: one client, patience with what passes, one line for what does not."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from components.common.errors import DataError, InputError
from components.common.google_cloud import CREDENTIALS_HINT

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud import storage as gcs

FIRST_WAIT_S = 0.1  # doubles with every try; the wait itself is random between 0 and that
LONGEST_WAIT_S = 16.0
GIVE_UP_S = 180.0  # from the first try on
# Of each call: repeating is ours (`retrying`). Seconds to connect, and between two bytes.
ONCE: dict[str, Any] = {"retry": None, "timeout": (20.0, 60.0)}
CONNECTIONS = 64  # kept open; more threads than that would open a new one for every call
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]+[a-z0-9]")
_MESSAGE = re.compile(r'"message": *"((?:[^"\\]|\\.)*)"')

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class DamagedError(Exception):
    """What arrived is not what was sent: the whole transfer must start again."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and object name of a `gs://` URI; the name is empty for a whole bucket."""
    # No urlsplit: `#` and `?` are legal in object names.
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"Expected `gs://BUCKET/PREFIX`. Received: '{uri}'")
    return bucket, name.lstrip("/")


def blob_at(uri: str, generation: int | None = None) -> gcs.Blob:
    """A new handle of one object; nothing is asked yet.

    Args:
        uri: Of the object.
        generation: Of the one version that is meant; None: whichever is there.
    """
    bucket, name = split(uri)
    if not name:
        raise InputError(f"Expected `gs://BUCKET/NAME`. Received: '{uri}'")
    return client().bucket(bucket).blob(name, generation=generation)


def persist(deed: str, uri: str, action: Callable[[], Result]) -> Result:
    """Do one call, again and again where it may work the next time.

    Args:
        deed: What it is for, e.g. "read".
        uri: What it is about.
        action: The call. It must do no harm twice, and leave repeating to us.

    Raises:
        InputError: At once, where Cloud Storage refuses.
        DataError: After `GIVE_UP_S` of trying.
    """
    with explained(deed, uri):
        return retrying(action)


def retrying(action: Callable[[], Result]) -> Result:
    """The same, with the errors of the client."""
    return policy()(action, on_error=_note)()


def policy() -> Retry:
    """What is tried again: 408, 429, 5xx, and whatever happens to connections; and for how long."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    patience: Retry = DEFAULT_RETRY.with_delay(
        initial=FIRST_WAIT_S, maximum=LONGEST_WAIT_S, multiplier=2
    ).with_timeout(GIVE_UP_S)
    return patience


@contextlib.contextmanager
def explained(deed: str, uri: str) -> Iterator[None]:
    """Turn the client's errors into ours, of one line."""
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except api.RetryError as error:
        raise DataError(
            f"Cannot {deed} '{uri}': tried for {GIVE_UP_S:.0f} s, the last time with"
            f" {_name(error.cause)}. Check the network, or try again later."
        ) from error
    except api.GoogleAPICallError as error:
        raise InputError(
            f"Cannot {deed} '{uri}' ({type(error).__name__}). Check the bucket, the name and your"
            f" role. Cloud Storage says: {_said(error.message)}"
        ) from error
    except GoogleAuthError as error:
        raise InputError(
            f"Cannot {deed} '{uri}': the credentials were refused ({_first_line(error)})."
            f" {CREDENTIALS_HINT}"
        ) from error


def client() -> gcs.Client:
    """The client of this process, for all of its threads."""
    with _lock:
        return _connect()


def disconnect() -> None:
    """Close the client; the next call makes one anew, which looks at the environment again."""
    with _lock:
        if _connect.cache_info().currsize:
            _connect().close()
        _connect.cache_clear()


@functools.cache
def _connect() -> gcs.Client:
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage as gcs

    try:
        # Objects need no project, which not everybody has set; an emulator needs no credentials.
        connected = gcs.Client(project=None)
    except DefaultCredentialsError as error:
        raise InputError(
            f"Cloud Storage needs credentials, and none were found. {CREDENTIALS_HINT}"
        ) from error
    for scheme in ("https://", "http://"):
        connected._http.get_adapter(scheme).init_poolmanager(CONNECTIONS, CONNECTIONS)
    return connected


def _note(error: Any) -> None:
    logger.info("Cloud Storage: %s; trying again", _name(error))


def _name(error: Any) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _said(message: str) -> str:
    """What people can read of an answer, which may be the whole JSON of it."""
    found = _MESSAGE.search(message)
    return found[1] if found else _first_line(message)


def _first_line(error: Any) -> str:
    return str(error).strip().partition("\n")[0]


def _start_anew() -> None:
    """A forked process must not speak through the connections of its parent."""
    global _lock
    _lock = threading.Lock()
    _connect.cache_clear()


_lock = threading.Lock()
os.register_at_fork(after_in_child=_start_anew)
