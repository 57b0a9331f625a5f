"""Schedules that pawpetal's own scheduler fires, as `pawpetal schedule` sees them."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from components.common.errors import ConflictError, InputError, unknown_name
from components.common.home import home
from pipelines.runs import KILLED, RUNNING, SUCCEEDED
from pipelines.schedules import Live, Settings
from pipelines.schedules.local.due import cron_of
from pipelines.schedules.local.launch import ABSENT, describe, look_up
from pipelines.schedules.local.new_data import fingerprint
from pipelines.schedules.local.records import WAITING, Firing, Held, written_time
from pipelines.schedules.local.runner import Runner, utc_now
from pipelines.schedules.local.service import holder
from pipelines.schedules.local.store import FILE, Store
from pipelines.schedules.schedule import Schedule
from pipelines.specs import Value, parameters, pipeline_names
from pipelines.targets.options import LOCAL, make_target

LEFT_TO_SERVICE = "`pawpetal scheduler` runs it as soon as this machine is free"
POLL_S = 0.2  # how often a run in the foreground is looked at
NOTED_S = 5.0  # the service looks each second how its runs are


class LocalScheduler:
    """The schedules of this home, which `pawpetal scheduler` fires while it runs."""

    kind: ClassVar[str] = LOCAL

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        """Prepare.

        Args:
            clock: Gives the time.
        """
        self._clock = clock

    @property
    def title(self) -> str:
        """What people call it."""
        return f"pawpetal scheduler in {home()}"

    def prepare(self, schedule: Schedule) -> Settings:
        """Check a schedule as a run of it would be checked; changes nothing.

        Raises:
            InputError: If it cannot work.
        """
        if schedule.max_concurrency != 1:
            raise InputError(
                "`max_concurrency` must be 1 for schedules that `pawpetal scheduler` fires: it runs"
                f" none of them twice at once. Received: {schedule.max_concurrency}"
            )
        if schedule.cron is None and not schedule.on_new_data:
            raise InputError("`cron` or `on_new_data` must say when it fires. Received: neither")
        if schedule.pipeline not in pipeline_names():
            raise unknown_name("pipeline", schedule.pipeline, pipeline_names())
        arguments = _check_parameters(schedule)
        if schedule.on_new_data != arguments.get("dataset"):
            _fingerprint(schedule.on_new_data, arguments)
        return Settings(
            name=schedule.name,
            pipeline=schedule.pipeline,
            cron=schedule.cron.text if schedule.cron else "",
            time_zone=schedule.cron.time_zone if schedule.cron else "UTC",
            on_new_data=schedule.on_new_data,
            catch_up=schedule.catch_up,
            paused=schedule.paused,
            place={"on": schedule.on, **schedule.place},
            parameters=_differing(schedule),
        )

    def live(self) -> list[Live]:
        """The schedules that are there, by name."""
        if not (home() / FILE).exists():
            return []
        with _opened() as store:
            return [
                _live(held, store.last_firing(held.settings.name)) for held in store.schedules()
            ]

    def create(self, wanted: Settings) -> None:
        """Make it; photos that are there now count as seen, so that only new ones start a run.

        Raises:
            InputError: If its photos cannot be read.
        """
        self._put(wanted)

    def update(self, live: Live, wanted: Settings) -> None:
        """Make it so; it goes on from the time that it fired last, and the photos that it saw.

        Raises:
            InputError: If its photos cannot be read.
            ConflictError: If it is no longer as `live` says, nor as it is wanted.
        """
        self._put(wanted, live.settings)

    def delete(self, live: Live) -> None:
        """Take it away; a run that goes on is followed to its end."""
        with _opened() as store:
            store.remove(live.settings.name)

    def pause(self, live: Live) -> None:
        """Let it fire no more until it is resumed."""
        self._set_paused(live.settings.name, True)

    def resume(self, live: Live) -> None:
        """Let it fire again, from now on: times in between are over, new photos are not."""
        self._set_paused(live.settings.name, False)

    def run_now(self, live: Live) -> str:
        """Start one run now: by the service or, where none runs, here, shown to its end.

        Returns:
            The run, or how it went.

        Raises:
            InputError: If a run of it goes on.
            SystemExit: With status 1, if the run fails; why was said.
        """
        name = live.settings.name
        with _opened() as store:
            held = _there(store.find(name), name)
            runner = Runner(store, _say, clock=self._clock, is_foreground=True)
            self._settle(store, runner, name)
            firing = store.ask(name, self._clock())
            if firing.status == RUNNING:
                raise _is_busy(firing)
            if holder():
                return LEFT_TO_SERVICE
            return self._run_here(store, runner, firing, firing.settings or held.settings)

    def requests(self, live: Live | None, wanted: Settings) -> Iterator[Mapping[str, Any]]:
        """What would be written, and where."""
        yield {
            "method": "UPDATE" if live else "INSERT",
            "url": (home() / FILE).as_uri(),
            "body": dataclasses.asdict(wanted),
        }

    def _put(self, wanted: Settings, known: Settings | None = None) -> None:
        """Keep a schedule; where one is known, only if it is still so."""
        with _opened() as store:
            before = store.find(wanted.name)
            now = self._clock()
            knows = before is not None and before.settings.on_new_data == wanted.on_new_data
            # Slow: not within the transaction.
            found = "" if knows else _fingerprint(wanted.on_new_data, wanted.parameters)

            def make(held: Held | None) -> Held:
                if known:
                    _check_unchanged(held, known, wanted)
                goes_on = held is not None and _goes_on(held.settings, wanted)
                seen = held.seen if held and goes_on else now
                if held and held.settings.on_new_data == wanted.on_new_data:
                    return dataclasses.replace(held, settings=wanted, seen=seen)
                return Held(
                    settings=wanted, seen=seen, fingerprint=found, changed_at=written_time(now)
                )

            store.put(wanted.name, make)

    def _set_paused(self, name: str, paused: bool) -> None:
        def make(held: Held | None) -> Held:
            held = _there(held, name)
            if held.settings.paused == paused:
                return held
            settings = dataclasses.replace(held.settings, paused=paused)
            return dataclasses.replace(held, settings=settings, seen=self._clock())

        with _opened() as store:
            store.put(name, make)

    def _settle(self, store: Store, runner: Runner, name: str) -> None:
        """Let what has ended be noted, so that it is not taken for the run that is asked for."""
        end = time.monotonic() + NOTED_S
        for firing in [each for each in store.open_firings() if each.schedule == name]:
            if not holder():
                runner.settle(firing)
            while (
                holder()  # whose service does it
                and time.monotonic() < end
                and store.find_firing(firing).status == RUNNING
                and look_up(firing.run_id).status != RUNNING
            ):
                time.sleep(POLL_S)

    def _run_here(self, store: Store, runner: Runner, firing: Firing, settings: Settings) -> str:
        try:
            while (current := store.find_firing(firing)).status in (WAITING, RUNNING):
                if current.status == WAITING and not runner.start(current, settings):
                    if holder():  # started right now
                        return LEFT_TO_SERVICE
                    raise _is_busy(store.find_firing(firing))  # somebody else was quicker
                runner.follow(store.find_firing(firing))
                time.sleep(POLL_S)
        except KeyboardInterrupt:  # which the run got, too
            runner.wait()
            runner.follow(store.find_firing(firing))
            raise
        if current.status != SUCCEEDED:
            raise SystemExit(1)
        return f"{current.run_id}, {current.status} {current.said}"


@contextlib.contextmanager
def _opened() -> Iterator[Store]:
    store = Store()
    try:
        yield store
    finally:
        store.close()


def _check_parameters(schedule: Schedule) -> dict[str, Any]:
    from pipelines.preflight import prepare

    usual = {each.name: each.default for each in parameters(schedule.pipeline)}
    for name in schedule.parameters:
        if name not in usual:
            raise unknown_name("parameter", name, usual)
    arguments = usual | dict(schedule.parameters)
    return prepare(arguments, make_target(schedule.on, dict(schedule.place)), is_recurring=True)


def _differing(schedule: Schedule) -> dict[str, Value]:
    """What was given, and is not the default anyway; a run fills in the rest by itself."""
    usual = {each.name: each.default for each in parameters(schedule.pipeline)}
    given = sorted(schedule.parameters.items())
    return {name: value for name, value in given if value != usual[name]}


def _fingerprint(uri: str, given: Mapping[str, Any]) -> str:
    """What tells the photos of now from later ones; empty for no URI."""
    if not uri:
        return ""
    try:
        return fingerprint(uri, str(given.get("data_dir", "")))
    except OSError as error:
        raise InputError(f"`on_new_data` '{uri}' cannot be read: {error}") from error


def _goes_on(before: Settings, wanted: Settings) -> bool:
    """Whether times that have not fired yet are still its times."""
    was_active = not before.paused and not wanted.paused
    return was_active and cron_of(before) == cron_of(wanted)


def _live(held: Held, last: Firing | None) -> Live:
    trouble = held.looked if "cannot be read" in held.looked else ""
    status, said = _how_it_went(last) if last else ("", "")
    return Live(
        settings=held.settings,
        id=held.settings.name,
        last=last.due if last else None,
        last_status=", ".join(filter(None, (status, trouble))),
        last_run=last.run_id if last else "",
        said=said,
    )


def _how_it_went(firing: Firing) -> tuple[str, str]:
    """Its status, and what was said of it; as the records say where no service has noted it yet."""
    if firing.status != RUNNING:
        return firing.status, firing.said
    state = look_up(firing.run_id)
    if state.run is None or state.status == RUNNING:
        return (KILLED if state.status == ABSENT else state.status), ""
    return state.status, describe(state.run)


def _check_unchanged(held: Held | None, known: Settings, wanted: Settings) -> None:
    if held is None:
        raise ConflictError(f"Schedule '{known.name}' has been deleted by somebody else meanwhile.")
    if held.settings not in (known, wanted):
        raise ConflictError(f"Schedule '{known.name}' has been changed by somebody else meanwhile.")


def _is_busy(firing: Firing) -> InputError:
    of_it = f": pawpetal runs show {firing.run_id}" if firing.run_id else ""
    return InputError(f"A run of '{firing.schedule}' goes on{of_it}. It runs once at a time.")


def _say(name: str, text: str) -> None:
    print(f"{name}: {text}", file=sys.stderr)


def _there(held: Held | None, name: str) -> Held:
    if held is None:
        raise InputError(f"There is no schedule '{name}' any more. See: pawpetal schedule list")
    return held
