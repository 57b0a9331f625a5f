"""The service that fires schedules: `pawpetal scheduler`, or part of another process.

Each second it looks which times have come, claims them in the store, and starts their runs. What
it must know after a kill is in the store and in the records of runs, which it reads anew each time.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from filelock import FileLock, Timeout

from components.common.errors import InputError, PawpetalError
from components.common.home import home
from components.common.storage import write_atomically
from pipelines.runs import CANCELLED, RUNNING
from pipelines.schedules import Settings
from pipelines.schedules.local import launch
from pipelines.schedules.local.database import GoneError, Place
from pipelines.schedules.local.due import cron_of, newest_due, next_time
from pipelines.schedules.local.launch import is_local
from pipelines.schedules.local.new_data import ARRIVING, CHANGED, NOTHING, Look, NewData
from pipelines.schedules.local.records import WAITING, Firing, Held
from pipelines.schedules.local.runner import Runner, utc_now
from pipelines.schedules.local.store import Store

LOCK, PID = "scheduler.lock", "scheduler.pid"
LOCK_S = 2.0  # somebody may just be asking whether it is held
TICK_S = 1.0
SAY_AGAIN_S = 3600.0  # what is the same at each look, is said once an hour


@contextlib.contextmanager
def hold() -> Iterator[None]:
    """Be the one scheduler of the home.

    Raises:
        InputError: If there is another.
    """
    lock = FileLock(home() / LOCK)
    home().mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=LOCK_S)
    except Timeout:
        raise InputError(
            f"A scheduler runs for '{home()}' already: process {_pid()}. One does for all its"
            " schedules; end that one first, or use another --home."
        ) from None
    try:
        write_atomically(home() / PID, str(os.getpid()).encode())
        yield
    finally:
        lock.release()


def holder() -> str:
    """Process id of the scheduler of the home; empty where none runs."""
    if not home().is_dir():
        return ""
    try:
        with FileLock(home() / LOCK, timeout=0):
            return ""
    except Timeout:
        return _pid()


def _pid() -> str:
    try:
        return (home() / PID).read_text()
    except OSError:  # it has just been started
        return "unknown"


class Service:
    """Fires the schedules of the home."""

    def __init__(
        self,
        *,
        max_runs: int = 1,
        clock: Callable[[], datetime] = utc_now,
        new_data: NewData | None = None,
        command: Callable[[Settings, str], list[str]] = launch.command,
    ) -> None:
        """Prepare; nothing fires before `run` or `tick`.

        Args:
            max_runs: Runs on this machine at once; those elsewhere do not count.
            clock: Gives the time.
            new_data: Looks at photos; None for the usual patience.
            command: As of `Runner`.
        """
        self._store = Store()
        self._max_runs = max_runs
        self._clock = clock
        self._new_data = new_data or NewData()
        self._out = sys.stdout  # kfp's client, in a thread, may redirect it for a moment
        self._runner = Runner(self._store, self._say, clock=clock, command=command)
        self._told: dict[str, Settings] = {}  # schedules that were told of
        self._repeated: dict[str, tuple[str, float]] = {}  # what was said last, and when
        self._turns: dict[str, int] = {}  # when each schedule started a run last, counted

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Fire until told to stop; then runs on this machine are ended, to be gone on with later.

        Raises:
            InputError: If another scheduler runs.
            GoneError: If the home or its file is removed: nobody would see what it fires.
        """
        with hold():
            lock = Place(home() / LOCK)
            self._say("", f"pawpetal scheduler, process {os.getpid()}, in {home()}")
            if not self._store.schedules():
                self._say("", "no schedules yet: pawpetal schedule apply")
            try:
                while not should_stop():
                    lock.check()
                    self._store.check_in_place()
                    with self._going_on(""):  # a full disk may be mended
                        self.tick()
                    time.sleep(TICK_S)
            finally:
                self._say("", "stopping")
                self._runner.stop()
                self._store.close()

    def tick(self) -> None:
        """Do what is due now; waits for nothing."""
        now = self._clock()
        schedules = self._store.schedules()
        self._tell_changes(schedules, now)
        for name in self._store.unreadable():
            self._say_seldom(name, "what is kept of it cannot be read: apply it again")
        for firing in self._store.open_firings():
            with self._going_on(firing.schedule):
                self._runner.follow(firing)
        busy = {firing.schedule for firing in self._store.open_firings()}
        for held in schedules:
            name = held.settings.name
            if held.settings.paused or name in busy:
                self._new_data.drop(name)
                continue
            with self._going_on(name):
                self._fire_if_due(held, now)
        for firing in self._waiting():
            with self._going_on(firing.schedule):
                self._start_if_free(firing)

    @contextlib.contextmanager
    def _going_on(self, name: str) -> Iterator[None]:
        """Say what goes wrong with a schedule, which must not end the others."""
        try:
            yield
        except GoneError:
            raise
        except (PawpetalError, OSError) as error:
            self._say_seldom(name, str(error))
        except Exception as error:
            self._say_seldom(name, f"{type(error).__name__}: {error}")

    def _fire_if_due(self, held: Held, now: datetime) -> None:
        settings = held.settings
        if held.seen > now:  # the clock was set back; what was claimed is not claimed again
            self._store.pass_over(settings.name, now)
            held = replace(held, seen=now)
        cron = cron_of(settings)
        due = next_time(cron, held.seen)
        if due is None or due > now:
            return
        if settings.on_new_data or not settings.catch_up:  # one look sees all photos
            due = newest_due(cron, held.seen, now) or due
        if settings.on_new_data:
            self._look(held, due, now)
        else:
            self._store.claim(held, due, now)

    def _look(self, held: Held, due: datetime, now: datetime) -> None:
        settings = held.settings
        data_dir = str(settings.parameters.get("data_dir", ""))
        look = self._new_data.look(settings.name, settings.on_new_data, data_dir, held.fingerprint)
        if look is None:
            return
        if look.kind == CHANGED:
            self._store.claim(held, due, now, look.fingerprint)
            return
        found = self._found(held, look)
        if look.kind == ARRIVING:
            self._say(settings.name, found)
            return
        self._store.note_look(held, due, now, found)
        self._say_seldom(settings.name, found)

    def _found(self, held: Held, look: Look) -> str:
        uri = held.settings.on_new_data
        if look.kind == ARRIVING:
            return f"photos of {uri} changed; a run starts when no more come"
        if look.kind == NOTHING:
            since = datetime.fromisoformat(held.changed_at).astimezone()
            return f"nothing new in {uri} since {since:%Y-%m-%d %H:%M}, no run"
        return f"{uri} cannot be read, no run: {look.why}"

    def _waiting(self) -> list[Firing]:
        """What waits: first the schedule that has not started for longest, then the oldest."""
        waiting = [each for each in self._store.open_firings() if each.status == WAITING]
        return sorted(waiting, key=lambda each: self._turns.get(each.schedule, 0))

    def _start_if_free(self, firing: Firing) -> None:
        held = self._store.find(firing.schedule)
        if held is None:
            self._store.end(firing, CANCELLED, "its schedule was deleted", self._clock())
            return
        if held.settings.paused and not firing.is_manual:
            return
        # Killed before: what it had begun with is what it goes on with.
        settings = firing.settings or held.settings
        if is_local(settings) and self._num_local_runs() >= self._max_runs:
            return
        if self._runner.start(firing, settings):
            self._turns[firing.schedule] = 1 + max(self._turns.values(), default=0)

    def _num_local_runs(self) -> int:
        return sum(
            firing.status == RUNNING and firing.settings is not None and is_local(firing.settings)
            for firing in self._store.open_firings()
        )

    def _tell_changes(self, schedules: list[Held], now: datetime) -> None:
        current = {held.settings.name: held.settings for held in schedules}
        for name, settings in current.items():
            if self._told.get(name) != settings:
                self._repeated.pop(name, None)
                with self._going_on(name):
                    self._say(name, _plan(settings, now))
        for name in self._told.keys() - current.keys():
            self._say(name, "deleted")
        self._told = current

    def _say(self, name: str, text: str) -> None:
        stamp = self._clock().astimezone()
        who = f"{name}: " if name else ""
        with contextlib.suppress(OSError):  # who reads it may have gone, and what fires goes on
            print(f"{stamp:%Y-%m-%d %H:%M:%S}  {who}{text}", file=self._out, flush=True)

    def _say_seldom(self, name: str, text: str) -> None:
        said, at = self._repeated.get(name, ("", 0.0))
        if said != text or time.monotonic() - at >= SAY_AGAIN_S:
            self._repeated[name] = (text, time.monotonic())
            self._say(name, text)


def _plan(settings: Settings, now: datetime) -> str:
    """What a schedule does, and when next."""
    what = f"{settings.pipeline} on {settings.place['on']}"
    if settings.on_new_data:
        what += f" when photos of {settings.on_new_data} changed"
    if settings.paused:
        return f"{what}, paused"
    if not settings.cron:
        return f"{what}, looked at each minute"
    cron = cron_of(settings)
    times = cron.next_times(1, now)
    following = f", next {times[0]:%a %Y-%m-%d %H:%M %Z}" if times else ""
    return f"{what}, at {settings.cron} {settings.time_zone}{following}"
