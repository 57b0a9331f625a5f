"""The SQLite file of pawpetal's scheduler: opened, made when new, its errors explained."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from components.common.errors import InputError, PawpetalError

VERSION = 1  # of the tables
BUSY_S = 30.0  # how long another process's transaction is waited for

_TABLES = """
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    seen TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    looked_at TEXT NOT NULL,
    looked TEXT NOT NULL
);
CREATE TABLE firings (
    schedule TEXT NOT NULL,
    due TEXT NOT NULL,
    is_manual INTEGER NOT NULL,
    status TEXT NOT NULL,
    run_id TEXT NOT NULL,
    starts INTEGER NOT NULL,
    settings TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    said TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    PRIMARY KEY (schedule, due)
);
CREATE INDEX open_firings ON firings (status);
CREATE INDEX firings_of_schedules ON firings (schedule);
"""


class GoneError(PawpetalError):
    """What a process works with was removed or replaced: what it does there, nobody sees."""


class Place:
    """A file that must stay the same one while it is used."""

    def __init__(self, path: Path) -> None:
        """Note which file it is now."""
        self._path = path
        self._file = path.stat()

    def check(self) -> None:
        """Look whether it is still that one.

        Raises:
            GoneError: If not.
        """
        try:
            is_same = os.path.samestat(self._file, self._path.stat())
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise GoneError(
                f"'{self._path}' was removed or replaced while it was used. Apply the schedules"
                " again, and start what used it."
            )


class Database:
    """The file; for one thread."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            InputError: If it is damaged, of a later pawpetal, or cannot be written.
        """
        self.path = path
        with self._explaining():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            # Several that find no file must not all make one.
            with FileLock(f"{self.path}.lock"):
                self._prepare()
            self._place = Place(self.path)

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise InputError(
                f"'{self.path}' was written by a later pawpetal (version {version} of its tables;"
                f" this one knows {VERSION}). Use that one, or another home."
            )
        if version == 0:
            self._connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for writers
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def check_in_place(self) -> None:
        """Look whether the file is still the one that was opened.

        Raises:
            GoneError: If it was removed or replaced.
        """
        self._place.check()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._explaining():
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done in the block, or nothing; durable when it is left."""
        with self._explaining():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # not where a full disk ended it
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, no space, no permission
            raise InputError(f"'{self.path}' cannot be used: {error}.") from error
        except OSError as error:  # of the folder; to be read, a file in WAL mode is written, too
            raise InputError(
                f"'{self.path.parent}' must be a folder that can be written to, also to read the"
                f" schedules in it: {error.strerror}."
            ) from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"'{self.path}' is damaged: {error}. Move it away, and apply the schedules again."
            ) from error
