"""Schedules and firings as pawpetal's scheduler keeps them, and how they are written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.schedules import Settings

WAITING = "waiting"  # claimed, not started yet; the other statuses are those of runs


@dataclass(frozen=True, kw_only=True)
class Held:
    """A schedule as it is kept."""

    settings: Settings
    written: str = ""  # the settings as the file has them, which tells whether they were changed
    seen: datetime  # times after it are still to come
    fingerprint: str = ""  # of the photos that were there for the last run; empty: none looked at
    changed_at: str = ""  # when they became so, ISO 8601
    looked_at: str = ""  # newest look, ISO 8601
    looked: str = ""  # what it found


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One time of a schedule, and the run that it became."""

    schedule: str
    due: datetime
    is_manual: bool  # by `run-now`
    status: str
    run_id: str = ""
    starts: int = 0  # how often it was started; above 1 where it was killed
    settings: Settings | None = None  # that it was started with
    said: str = ""  # how it ended


def written_time(moment: datetime) -> str:
    """A time as the file holds it: ISO 8601 in UTC, to be sorted as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def written(settings: Settings) -> str:
    """Settings as the file holds them: JSON, the same for the same."""
    return json.dumps(dataclasses.asdict(settings), sort_keys=True)


def read_held(row: Sequence[Any]) -> Held | None:
    """A schedule from its row; None if it cannot be read, so that the others still work."""
    _, written, seen, fingerprint, changed_at, looked_at, looked = row
    settings, seen_at = _read(written), _read_time(seen)
    if settings is None or seen_at is None:
        return None
    return Held(
        settings=settings,
        written=written,
        seen=seen_at,
        fingerprint=fingerprint,
        changed_at=changed_at,
        looked_at=looked_at,
        looked=looked,
    )


def read_firing(row: Sequence[Any]) -> Firing:
    """A firing from its row."""
    schedule, due, is_manual, status, run_id, starts, settings, _, said, _, _ = row
    return Firing(
        schedule=schedule,
        due=datetime.fromisoformat(due),
        is_manual=bool(is_manual),
        status=status,
        run_id=run_id,
        starts=int(starts),
        settings=_read(settings),
        said=said,
    )


def _read(text: str) -> Settings | None:
    known = {field.name for field in dataclasses.fields(Settings)}
    try:
        fields = {key: value for key, value in json.loads(text).items() if key in known}
        settings = Settings(**fields)
        return settings if settings.place["on"] else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _read_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, TypeError):
        return None
