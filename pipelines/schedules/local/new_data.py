"""Whether photos were added: cheap looks at their names, sizes and times, never at their bytes.

A look may take long, at a large bucket or one that is down, so it goes on in a thread. Photos that
still arrive are waited for. A place that cannot be read is neither changed nor empty.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass

from components.common.errors import InputError, PawpetalError
from pipelines.schedules.local.background import in_background

QUIET_S = 30.0  # nothing may change for so long before a run starts
MOST_WAIT_S = 3600.0  # where photos never cease to arrive, those that are there are taken
NOTHING, ARRIVING, CHANGED, UNREADABLE = "nothing", "arriving", "changed", "unreadable"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look found."""

    kind: str  # NOTHING, ARRIVING, CHANGED, UNREADABLE
    fingerprint: str = ""  # of the photos, where they changed
    why: str = ""  # they cannot be read


@dataclass(kw_only=True)
class _Looking:
    """How far the looks of one schedule are."""

    uri: str
    future: Future[str] | None = None
    asked_at: float = 0.0  # monotonic, as the others
    seen: str = ""  # fingerprint that was found last, other than that of the last run
    seen_at: float = 0.0
    first_seen_at: float = 0.0


class NewData:
    """Looks at the photos of schedules, one at a time for each."""

    def __init__(self, *, quiet_s: float = QUIET_S, most_wait_s: float = MOST_WAIT_S) -> None:
        self._quiet_s = quiet_s
        self._most_wait_s = most_wait_s
        self._looking: dict[str, _Looking] = {}

    def look(self, name: str, uri: str, data_dir: str, known: str) -> Look | None:
        """Begin or go on looking, without waiting.

        Args:
            name: Of the schedule.
            uri: Of its photos.
            data_dir: As of `fingerprint`.
            known: Fingerprint of the photos that the last run had.

        Returns:
            What was found; None while the look goes on, or its next one is not due.
        """
        state = self._looking.get(name)
        if state is None or state.uri != uri:
            state = self._looking[name] = _Looking(uri=uri)
        now = time.monotonic()
        if state.future is None:
            if not state.seen or now >= state.seen_at + self._quiet_s:
                state.future, state.asked_at = in_background(fingerprint, uri, data_dir), now
            return None
        if not state.future.done():
            return None
        look = self._judge(state, state.future, known)
        state.future = None
        if look is None or look.kind != ARRIVING:
            self.drop(name)
        return look

    def drop(self, name: str) -> None:
        """Forget what is going on for a schedule."""
        self._looking.pop(name, None)

    def _judge(self, state: _Looking, future: Future[str], known: str) -> Look:
        try:
            found = future.result()
        except (PawpetalError, OSError) as error:
            return Look(kind=UNREADABLE, why=str(error))
        except Exception as error:  # of a library; one place must not end the whole service
            return Look(kind=UNREADABLE, why=f"{type(error).__name__}: {error}")
        if found == known:
            return Look(kind=NOTHING)
        state.first_seen_at = state.first_seen_at or state.asked_at
        has_waited = state.asked_at - state.first_seen_at >= self._most_wait_s
        if found == state.seen or has_waited:
            return Look(kind=CHANGED, fingerprint=found)
        state.seen, state.seen_at = found, time.monotonic()
        return Look(kind=ARRIVING)


def fingerprint(uri: str, data_dir: str = "") -> str:
    """A text that changes when photos were added, removed or replaced.

    Args:
        uri: Of a dataset.
        data_dir: Of TensorFlow Datasets; for `tfds:` only.

    Raises:
        PawpetalError: If it cannot be read, or holds no photos of 2 classes.
        OSError: The same, of a disk.
    """
    from components.ingest.sources import open_source

    try:
        return open_source(uri, data_dir if uri.startswith("tfds:") else "").fingerprint()
    except ModuleNotFoundError as error:
        raise InputError(f"'{uri}' needs '{error.name}': pip install 'pawpetal[steps]'") from error
