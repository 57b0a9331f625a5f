"""Runs of firings: started as processes of their own, followed to their end, never twice at once.

Only the records of runs say how they go, since a run outlives the service that was killed. Whether
one lives, or is about to begin, its lock says (`living`); only who has that can start it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from components.common.errors import PawpetalError
from pipelines.runs import CANCELLED, FAILED, KILLED, RUNNING, SUCCEEDED, Run, run_folder
from pipelines.schedules import Settings
from pipelines.schedules.local import launch, living
from pipelines.schedules.local.background import in_background
from pipelines.schedules.local.elsewhere import NOT_THERE, POLL_S, ask_how_it_goes
from pipelines.schedules.local.launch import ABSENT, is_local
from pipelines.schedules.local.records import Firing
from pipelines.schedules.local.store import Store

MOST_STARTS = 10  # of one firing, whose runs were killed each time
STOPPED = 130  # exit status after Ctrl-C
STOP_S = 10.0  # how long runs may take to end before they are killed
STOP_POLL_S = 0.05

Say = Callable[[str, str], None]  # of a schedule, what happened


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(kw_only=True)
class _Asked:
    """What is asked about a run elsewhere."""

    future: Future[str] | None
    at: float  # monotonic
    trouble: str = ""  # that was told


class Runner:
    """Starts runs, and sees how they end."""

    def __init__(
        self,
        store: Store,
        say: Say,
        *,
        clock: Callable[[], datetime] = utc_now,
        command: Callable[[Settings, str], list[str]] = launch.command,
        is_foreground: bool = False,
    ) -> None:
        """Prepare.

        Args:
            store: Of the firings.
            say: Tells people.
            clock: Gives the time.
            command: Gives the program that is a run, from its schedule and its id.
            is_foreground: Runs are shown on this terminal, and its Ctrl-C ends them.
        """
        self._store = store
        self._say = say
        self._clock = clock
        self._command = command
        self._is_foreground = is_foreground
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._locks: dict[str, living.RunLock] = {}  # of the children, until their end is noted
        self._asked: dict[str, _Asked] = {}
        self._others: set[str] = set()  # runs that somebody else started, and that were told of

    def start(self, firing: Firing, settings: Settings) -> bool:
        """Start a run of a firing that waits, or end it where it has been killed too often.

        Returns:
            Whether that was done; not where somebody else has done it, or does it now.
        """
        run_id = launch.next_run_id(firing)
        if firing.starts >= MOST_STARTS:
            said = f"killed {firing.starts} times, and given up"
            if launch.last_line(launch.log_path(run_id)):
                said += f": {self._last_words(run_id)}"
            self._end(replace(firing, run_id=run_id), FAILED, said)
            return True
        command = self._command(settings, run_id)
        lock = living.RunLock.take(run_id)
        if lock is None:
            return False
        self._locks[run_id] = lock
        is_ours = False
        try:
            # Noted first: of a process that nobody knows of, nobody could see the end.
            is_ours = self._store.start(firing, run_id, settings, self._clock())
        finally:
            if not is_ours:
                self._let_go(run_id)
        if is_ours:
            self._launch(replace(firing, run_id=run_id), command)
        return is_ours

    def _launch(self, firing: Firing, command: list[str]) -> None:
        try:
            with self._output(firing.run_id) as out:
                self._open(firing.run_id, command, out)
        except OSError as error:
            self._let_go(firing.run_id)
            self._end(firing, FAILED, f"it could not be started: {error}")
            return
        again = " again" if firing.starts else ""
        self._say(firing.schedule, f"started{again}, run {firing.run_id}{self._lateness(firing)}")

    def follow(self, firing: Firing) -> None:
        """Note what became of a firing that was started; returns at once."""
        if firing.status != RUNNING:
            return
        child = self._children.get(firing.run_id)
        if child is not None and child.poll() is None:
            return
        look_up = launch.look_up if child is None else launch.read_record
        state = look_up(firing.run_id)
        if state.status == RUNNING:  # if by a process that is not ours, that was refused
            self._let_go(firing.run_id)
            self._tell_of(firing)
            return
        if state.run and state.status in (SUCCEEDED, FAILED, CANCELLED):
            self._end(firing, state.status, launch.describe(state.run))
        elif state.status in (ABSENT, KILLED) and child is not None and child.returncode >= 0:
            status = CANCELLED if child.returncode == STOPPED else FAILED
            self._end(firing, status, self._last_words(firing.run_id))
        elif state.run and firing.settings and not is_local(firing.settings):
            self._follow_elsewhere(firing, firing.settings, state.run)
        else:
            self._start_later(firing)

    def settle(self, firing: Firing) -> None:
        """Note what became of a firing; waits for the answer of the place where its run is."""
        self.follow(firing)
        while (asked := self._asked.get(firing.run_id)) and asked.future is not None:
            time.sleep(STOP_POLL_S)
            self.follow(firing)

    def stop(self) -> None:
        """End the runs that it started or took over; they stay open for the next service."""
        with contextlib.suppress(PawpetalError):  # as when the home is gone: runs end all the same
            firings = [each for each in self._store.open_firings() if each.status == RUNNING]
            ended = self._end_processes(each.run_id for each in firings)
            for firing in firings:
                if firing.run_id in ended:
                    self._leave_to_next(firing)
                elif firing.run_id in self._children:  # it has just ended by itself
                    self.follow(firing)
                elif launch.look_up(firing.run_id).status == RUNNING:
                    self._say(firing.schedule, f"run {firing.run_id} goes on")
        self._end_processes(self._children)
        for run_id in list(self._locks):
            self._let_go(run_id)

    def _end_processes(self, run_ids: Iterable[str]) -> dict[str, int]:
        """End the processes of runs, those of earlier services, too; gives what was ended."""
        known = {run_id: self._process_of(run_id) for run_id in run_ids}
        alive = {run_id: process for run_id, process in known.items() if process}
        for process in alive.values():
            _signal(os.kill, process, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while any(map(self._process_of, alive)) and time.monotonic() < end:
            time.sleep(STOP_POLL_S)
        for run_id, process in alive.items():
            if self._process_of(run_id):
                _signal(os.killpg, process, signal.SIGKILL)
                if child := self._children.get(run_id):
                    child.wait()
        return alive

    def _process_of(self, run_id: str) -> int | None:
        """The living process of a run, if it is ours to end."""
        child = self._children.get(run_id)
        if child is None:
            return living.process_of(run_id)
        return child.pid if child.poll() is None else None

    def _leave_to_next(self, firing: Firing) -> None:
        """Let what was ended in good order wait; that it was started does not count."""
        status = launch.read_record(firing.run_id).status
        if status in (SUCCEEDED, FAILED, CANCELLED):  # just before
            self.follow(firing)
        elif firing.settings and is_local(firing.settings):
            self._store.wait_again(firing, is_counted=False)
            self._keep_log(firing)

    def wait(self) -> None:
        """Wait for the processes of runs, which end by themselves."""
        for child in self._children.values():
            child.wait()

    @contextlib.contextmanager
    def _output(self, run_id: str) -> Iterator[int]:
        """Where a run prints to: a log, or beside the answer of the command that started it."""
        if self._is_foreground:
            yield sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL
            return
        log = launch.log_path(run_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            yield out.fileno()

    def _open(self, run_id: str, command: list[str], out: int) -> None:
        child = subprocess.Popen(  # noqa: S603  # our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=(self._locks[run_id].descriptor,),
            # Ctrl-C is for the service, which ends its runs by its own means.
            start_new_session=not self._is_foreground,
        )
        self._children[run_id] = child
        if not self._is_foreground:  # a person's run is nobody else's to end
            self._locks[run_id].note(child.pid)

    def _tell_of(self, firing: Firing) -> None:
        """Say once that a run goes on that an earlier service started, or a person."""
        if firing.run_id not in self._others:
            self._others.add(firing.run_id)
            self._say(firing.schedule, f"run {firing.run_id} goes on")

    def _start_later(self, firing: Firing) -> None:
        """Let a firing whose run was killed wait for its next start."""
        if self._store.wait_again(firing):
            self._say(firing.schedule, f"run {firing.run_id} was killed, and is started again")
            self._keep_log(firing)
        self._forget(firing)

    def _follow_elsewhere(self, firing: Firing, settings: Settings, run: Run) -> None:
        asked = self._asked.get(firing.run_id)
        if asked is None:
            self._say(firing.schedule, f"run {firing.run_id} goes on there, and is followed again")
        if asked is None or (asked.future is None and time.monotonic() >= asked.at + POLL_S):
            self._asked[firing.run_id] = _Asked(
                future=in_background(ask_how_it_goes, settings.place, run),
                at=time.monotonic(),
                trouble=asked.trouble if asked else "",
            )
        elif asked.future is not None and asked.future.done():
            self._take_answer(firing, run, asked)

    def _take_answer(self, firing: Firing, run: Run, asked: _Asked) -> None:
        future: Any = asked.future
        asked.future, asked.at = None, time.monotonic()
        if error := future.exception():
            if str(error) != asked.trouble:
                self._say(firing.schedule, f"cannot ask how run {run.run_id} goes: {error}")
            asked.trouble = str(error)
            return
        end = future.result()
        if end == NOT_THERE:
            self._start_later(firing)
        elif end:
            self._end(firing, end, f"see {run.url}" if run.url else "")

    def _end(self, firing: Firing, status: str, said: str) -> None:
        is_ours = self._store.end(firing, status, said, self._clock())
        if is_ours:  # and no other process saw it, too
            self._keep_log(firing)
            living.remove(firing.run_id)
        self._forget(firing)
        if is_ours:
            joint = " " if said.startswith("in ") else ": "
            self._say(firing.schedule, f"{status}{joint if said else ''}{said}")

    def _last_words(self, run_id: str) -> str:
        """What a run said that ended without a record of its end."""
        if self._is_foreground:
            return "see above"
        said = launch.last_line(launch.log_path(run_id))
        return f"{said} (all of it: {launch.kept_log(run_id)})" if said else "it said nothing"

    def _forget(self, firing: Firing) -> None:
        self._let_go(firing.run_id)
        self._asked.pop(firing.run_id, None)
        self._others.discard(firing.run_id)

    def _let_go(self, run_id: str) -> None:
        self._children.pop(run_id, None)
        if lock := self._locks.pop(run_id, None):
            lock.close()

    def _keep_log(self, firing: Firing) -> None:
        """Put what the run printed beside its record, where it has one; else keep it if it says."""
        log = launch.log_path(firing.run_id)
        with contextlib.suppress(OSError):
            if run_folder(firing.run_id).is_dir():
                log.replace(launch.kept_log(firing.run_id))
                living.remove(firing.run_id)  # the next start has another id
            elif not log.stat().st_size:
                log.unlink()

    def _lateness(self, firing: Firing) -> str:
        late = self._clock() - firing.due
        if late.total_seconds() < 90:  # 30 s of which photos may have been waited for
            return ""
        return f", due {firing.due.astimezone():%Y-%m-%d %H:%M}"


def _signal(send: Callable[[int, int], None], process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        send(process, number)
