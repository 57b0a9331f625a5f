"""Following a run that goes on elsewhere, whatever becomes of the connection or of this machine."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from components.common.errors import PawpetalError
from components.common.progress import format_seconds
from pipelines.runs import CANCELLED, FAILED, RUNNING, SUBMITTED, SUCCEEDED, RunFolder, Step
from pipelines.targets import Event, StepEnded, StepProgress, StepStarted
from pipelines.targets.record import begin

LONGEST_PAUSE_S = 30.0  # between questions, while the connection is lost
WAITING = "waiting"


class State(Protocol):
    """How a run goes, at one time."""

    @property
    def end(self) -> str:
        """How it ended, as our records say it; empty while it runs."""

    def status(self, name: str) -> str:
        """Status of a step, as our records say it."""

    def seconds(self, name: str) -> float:
        """How long a step took, or takes so far."""

    def is_cached(self, name: str) -> bool:
        """Whether a step that succeeded took its outputs from the cache."""


Seen = TypeVar("Seen", bound=State)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run is followed."""

    wait: bool = True  # to its end
    poll_s: float = 3.0  # between questions how it goes
    give_up_s: float = 600.0  # how long a lost connection is tried again


class RemoteRun(ABC, Generic[Seen]):
    """One run of a pipeline elsewhere.

    Ctrl-C, and whoever reads the output and goes away, ends the run there too, as it ends the steps
    of a run on this machine. A lost connection, `kill -9` or a closed laptop does not: such a run
    goes on, and its page tells how.
    """

    where: str  # for people, e.g. "in the cluster"

    def __init__(
        self,
        target: str,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        pace: Pace,
        run_id: str = "",
    ) -> None:
        """Prepare the run's folder and record.

        Args:
            target: Name of the target.
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            pace: How it is followed.
            run_id: Name of the run; empty for one of the pipeline and the time.
        """
        self._folder = RunFolder.create(pipeline, run_id)
        self._arguments = dict(arguments)
        self._pace = pace
        self._told: dict[str, str] = {}  # newest line of progress, by step
        self.run = begin(self._folder, pipeline, target, arguments)

    @abstractmethod
    def _submit(self) -> None:
        """Start it; the record then has its id and its page."""

    @abstractmethod
    def _look(self) -> Seen:
        """Ask how it goes."""

    @abstractmethod
    def _is_passing(self, error: PawpetalError) -> bool:
        """Whether asking again may help."""

    @abstractmethod
    def _summarise(self, state: Seen) -> None:
        """Gather what an ended run left, or why there is nothing."""

    @abstractmethod
    def _end(self) -> None:
        """End it there, if it was started; the record has its id where it may have been."""

    def _tell(self, step: Step, state: Seen) -> str:  # noqa: ARG002  # for those that can tell
        """What a running step said last; empty for nothing."""
        return ""

    def _keep_log(self, step: Step, state: Seen) -> None:  # for those that have one
        """Save the log of a step that ended."""

    def follow(self) -> Generator[Event, None, None]:
        """Start it and watch it run to its end; `run` then holds how it went.

        Yields:
            What happens, as it happens.
        """
        start = time.monotonic()
        try:
            self._submit()
            yield self._progress(f"started {self.where}, see {self.run.url}")
            if not self._pace.wait:
                self.run.status = SUBMITTED
                return
            yield from self._watch()
        except (KeyboardInterrupt, GeneratorExit):
            self._cancel()
            raise
        except PawpetalError as error:
            self._stop_following(error)
        except Exception as error:
            self._stop_following(error)
            raise
        finally:
            for step in self.run.steps:
                if step.status == RUNNING and self.run.status not in (RUNNING, SUBMITTED):
                    step.status = self.run.status
            self.run.seconds = round(time.monotonic() - start, 1)
            self._folder.save(self.run)

    def _watch(self) -> Generator[Event, None, None]:
        while True:
            state = yield from self._ask()
            for step in self.run.steps:
                yield from self._update(step, state)
            if state.end:
                break
            self._folder.save(self.run)
            time.sleep(self._pace.poll_s)
        self._summarise(state)

    def _ask(self) -> Generator[Event, None, Seen]:
        """Ask how it goes, again and again while the connection is lost."""
        lost_at, pause = 0.0, self._pace.poll_s
        while True:
            try:
                state = self._look()
            except PawpetalError as error:
                if not self._is_passing(error):
                    raise
                if not lost_at:
                    lost_at = time.monotonic()
                    most = format_seconds(self._pace.give_up_s)
                    yield self._progress(f"{_sentence(error)} It goes on. Trying again for {most}")
                if time.monotonic() - lost_at >= self._pace.give_up_s:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                if lost_at:
                    yield self._progress("connected again")
                return state

    def _update(self, step: Step, state: Seen) -> Iterator[Event]:
        """Bring one step up to date, and tell of what changed."""
        before, status = step.status, state.status(step.name)
        if status == before == RUNNING:
            line = self._tell(step, state)
            if line and line != self._told.get(step.name):
                self._told[step.name] = line
                yield StepProgress(step=step, line=line)
        # A step that succeeded may run again, or fail: in the next turn of its loop.
        if status in (before, WAITING) or before not in (WAITING, RUNNING, SUCCEEDED):
            return
        step.seconds = state.seconds(step.name)
        step.cached = status == SUCCEEDED and state.is_cached(step.name)
        step.status = status
        if before == WAITING and status in (RUNNING, SUCCEEDED, FAILED) and not step.cached:
            yield StepStarted(step=step)
        if status in (SUCCEEDED, FAILED):
            self._keep_log(step, state)
            yield StepEnded(step=step)

    def _progress(self, line: str) -> StepProgress:
        return StepProgress(step=self._running() or self.run.steps[0], line=line)

    def _running(self) -> Step | None:
        """The step that goes on; None between steps."""
        return next((step for step in self.run.steps if step.status == RUNNING), None)

    def _stop_following(self, error: Exception) -> None:
        """Record that it did not start, or that it goes on unseen."""
        running = self._running()
        message, step = str(error), running.name if running else "start"
        self.run.status = FAILED
        if self.run.remote_id:
            self.run.status = SUBMITTED
            message = (
                f"{_sentence(error)} The run goes on {self.where}: follow it at {self.run.url}"
            )
        self.run.error = {"step": step, "message": message, "log": self.run.url or ""}

    def _cancel(self) -> None:
        """End it; the record says so only where that worked."""
        try:
            self._end()
            self.run.status = CANCELLED
        except PawpetalError as error:
            self._stop_following(error)


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."
