"""What pawpetal's scheduler knows, in one SQLite file of the home.

A firing is a row of (schedule, time): whoever inserts it has claimed that time, so no time fires
twice, however many processes try. Transactions are short, and durable before they return.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from components.common.home import home
from pipelines.runs import CANCELLED, RUNNING
from pipelines.schedules import Settings
from pipelines.schedules.local.database import Database
from pipelines.schedules.local.records import (
    WAITING,
    Firing,
    Held,
    read_firing,
    read_held,
    written,
    written_time,
)

FILE = "scheduler.sqlite"


class Store:
    """Schedules and their firings; for one thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, made when new.

        Args:
            path: The file; None for that of the home.

        Raises:
            InputError: If it is damaged, of a later pawpetal, or cannot be written.
        """
        self._database = Database(path or home() / FILE)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def check_in_place(self) -> None:
        """Look whether the file is still the one that was opened.

        Raises:
            GoneError: If it was removed or replaced.
        """
        self._database.check_in_place()

    def schedules(self) -> list[Held]:
        """All that can be read, by name."""
        rows = self._database.rows("SELECT * FROM schedules ORDER BY name")
        return [held for row in rows if (held := read_held(row))]

    def unreadable(self) -> list[str]:
        """Names of those that cannot be read; applied again, they can."""
        rows = self._database.rows("SELECT * FROM schedules ORDER BY name")
        return [str(row[0]) for row in rows if read_held(row) is None]

    def find(self, name: str) -> Held | None:
        """The one of that name, if it can be read."""
        rows = self._database.rows("SELECT * FROM schedules WHERE name = ?", name)
        return read_held(rows[0]) if rows else None

    def put(self, name: str, make: Callable[[Held | None], Held]) -> None:
        """Make or change a schedule; its firings stay.

        Args:
            name: Its name.
            make: Given the schedule as it is, None where there is none, gives what it shall be.
                Nobody changes it meanwhile.
        """
        with self._database.transaction() as connection:
            found = connection.execute("SELECT * FROM schedules WHERE name = ?", (name,)).fetchone()
            held = make(read_held(found) if found else None)
            connection.execute(
                "INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    written(held.settings),
                    written_time(held.seen),
                    held.fingerprint,
                    held.changed_at,
                    held.looked_at,
                    held.looked,
                ),
            )

    def remove(self, name: str) -> None:
        """Forget a schedule, and what waits of it; its other firings stay."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM schedules WHERE name = ?", (name,))
            connection.execute(
                "UPDATE firings SET status = ?, said = ? WHERE schedule = ? AND status = ?",
                (CANCELLED, "its schedule was deleted", name, WAITING),
            )

    def pass_over(self, name: str, seen: datetime) -> None:
        """Look on from another time: what lies before it is settled."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE schedules SET seen = ? WHERE name = ?", (written_time(seen), name)
            )

    def note_look(self, held: Held, due: datetime, at: datetime, found: str) -> None:
        """Keep what the newest look at the photos found, which led to no run.

        Args:
            held: The schedule; one that was changed meanwhile is left alone.
            due: The time that it was looked for.
            at: Now.
            found: For people.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE schedules SET seen = ?, looked_at = ?, looked = ?"
                " WHERE name = ? AND settings = ?",
                (
                    *(written_time(due), written_time(at), found),
                    *(held.settings.name, held.written),
                ),
            )

    def claim(self, held: Held, due: datetime, at: datetime, fingerprint: str = "") -> bool:
        """Claim a time of a schedule, which then waits for its start.

        Args:
            held: The schedule as it was when the time was found due.
            due: The time.
            at: Now.
            fingerprint: Of the photos that are there; empty if none are looked at.

        Returns:
            Whether it is claimed now; not if it was before, or the schedule has been changed.
        """
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE schedules SET seen = ? WHERE name = ? AND settings = ?",
                (written_time(due), held.settings.name, held.written),
            )
            if not changed.rowcount:
                return False
            if not _insert(connection, held.settings.name, due, fingerprint=fingerprint):
                return False
            if fingerprint:
                connection.execute(
                    "UPDATE schedules SET fingerprint = ?, changed_at = ? WHERE name = ?",
                    (fingerprint, written_time(at), held.settings.name),
                )
            return True

    def ask(self, name: str, at: datetime) -> Firing:
        """The firing of a schedule that has not ended; one for right now where there is none.

        It starts even if the schedule is paused.
        """
        with self._database.transaction() as connection:
            found = _open_of(connection, name)
            if not found:
                # Times of a cron are whole seconds: this one is none, so that it takes none away.
                moment = at.replace(microsecond=max(at.microsecond, 1000))
                while not _insert(connection, name, moment, is_manual=True):
                    moment += timedelta(milliseconds=1)
            connection.execute(
                "UPDATE firings SET is_manual = 1 WHERE schedule = ? AND status = ?",
                (name, WAITING),
            )
            return _open_of(connection, name)[0]

    def open_firings(self) -> list[Firing]:
        """Those that have not ended, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM firings WHERE status IN (?, ?) ORDER BY due", WAITING, RUNNING
        )
        return [read_firing(row) for row in rows]

    def last_firing(self, name: str) -> Firing | None:
        """The one that was claimed last, whatever the clock said then."""
        rows = self._database.rows(
            "SELECT * FROM firings WHERE schedule = ? ORDER BY rowid DESC LIMIT 1", name
        )
        return read_firing(rows[0]) if rows else None

    def find_firing(self, firing: Firing) -> Firing:
        """The same firing as it is now."""
        rows = self._database.rows(
            "SELECT * FROM firings WHERE schedule = ? AND due = ?", *_key(firing)
        )
        return read_firing(rows[0])

    def firings(self, name: str) -> list[Firing]:
        """All of a schedule, oldest first."""
        rows = self._database.rows("SELECT * FROM firings WHERE schedule = ? ORDER BY due", name)
        return [read_firing(row) for row in rows]

    def start(self, firing: Firing, run_id: str, settings: Settings, at: datetime) -> bool:
        """Note that it is about to be started; gives False where it does not wait any more."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE firings SET status = ?, run_id = ?, starts = starts + 1, settings = ?,"
                " started_at = ? WHERE schedule = ? AND due = ? AND status = ?",
                (RUNNING, run_id, written(settings), written_time(at), *_key(firing), WAITING),
            )
        return changed.rowcount == 1

    def wait_again(self, firing: Firing, *, is_counted: bool = True) -> bool:
        """Note that its run was ended, and that it waits for another start.

        Args:
            firing: As it was when its run was seen to have ended.
            is_counted: Whether that start counts: it was killed, and might be again and again.

        Returns:
            Whether it waits; not if somebody else has started it since.
        """
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE firings SET status = ?, run_id = '', starts = starts - ?"
                " WHERE schedule = ? AND due = ? AND status = ? AND run_id = ? AND starts = ?",
                (
                    *(WAITING, int(not is_counted), *_key(firing)),
                    *(RUNNING, firing.run_id, firing.starts),
                ),
            )
        return changed.rowcount == 1

    def end(self, firing: Firing, status: str, said: str, at: datetime) -> bool:
        """Note how it ended; gives False where somebody else did."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE firings SET status = ?, said = ?, ended_at = ?"
                " WHERE schedule = ? AND due = ? AND status IN (?, ?)",
                (status, said, written_time(at), *_key(firing), WAITING, RUNNING),
            )
        return changed.rowcount == 1


def _open_of(connection: sqlite3.Connection, name: str) -> list[Firing]:
    rows = connection.execute(
        "SELECT * FROM firings WHERE schedule = ? AND status IN (?, ?) ORDER BY due",
        (name, WAITING, RUNNING),
    )
    return [read_firing(row) for row in rows]


def _insert(
    connection: sqlite3.Connection,
    name: str,
    due: datetime,
    *,
    is_manual: bool = False,
    fingerprint: str = "",
) -> bool:
    """Add a firing that waits; gives False where there is one of that time."""
    added = connection.execute(
        "INSERT OR IGNORE INTO firings VALUES (?, ?, ?, ?, '', 0, '', ?, '', '', '')",
        (name, written_time(due), int(is_manual), WAITING, fingerprint),
    )
    return added.rowcount == 1


def _key(firing: Firing) -> tuple[str, str]:
    return firing.schedule, written_time(firing.due)
