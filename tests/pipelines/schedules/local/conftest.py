"""A home, a clock that tests set, and a service whose runs are short."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.common.home import VARIABLE
from pipelines.schedules import Settings
from pipelines.schedules.local.new_data import NewData
from pipelines.schedules.local.records import Firing, Held
from pipelines.schedules.local.service import Service
from pipelines.schedules.local.store import Store

LIMIT_S = 20.0
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)  # a Monday
SHORT_RUN = Path(__file__).with_name("short_run.py")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


class Clock:
    """Shows what it is set to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store()
    yield opened
    opened.close()


def make_settings(name: str = "nightly", **changed: Any) -> Settings:
    """A schedule of each minute, whose runs succeed at once."""
    usual: dict[str, Any] = {
        "pipeline": "retrain",
        "cron": "* * * * *",
        "place": {"on": "local"},
        "parameters": {"how": "succeed"},
    }
    return Settings(name=name, **{**usual, **changed})


def put(store: Store, settings: Settings, seen: datetime = NOON, fingerprint: str = "") -> Held:
    """Make a schedule as it is after `apply`, at a given time."""
    at = seen.isoformat()
    held = Held(settings=settings, seen=seen, fingerprint=fingerprint, changed_at=at)
    store.put(settings.name, lambda _: held)
    found = store.find(settings.name)
    assert found
    return found


def short_run(settings: Settings, run_id: str) -> list[str]:
    how = str(settings.parameters["how"]).split()
    return [sys.executable, str(SHORT_RUN), run_id, *how]


def abandon(service: Service) -> None:
    """Let go of what the process of a service lets go of when it is killed."""
    for lock in service._runner._locks.values():
        lock.close()


@pytest.fixture
def make_service(home: Path, clock: Clock) -> Iterator[Callable[..., Service]]:
    """Makes services; the runs that they leave are ended after the test."""
    made: list[Service] = []

    def make(**settings: Any) -> Service:
        usual = {"clock": clock, "command": short_run, "new_data": NewData(quiet_s=0.2)}
        made.append(Service(**{**usual, **settings}))
        return made[-1]

    yield make
    for service in made:
        service._runner.stop()


def tick_until(service: Service, condition: Callable[[], Any], what: str) -> Any:
    """Let a service go on, at the time that its clock shows, until something holds."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        service.tick()
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {LIMIT_S} s")


def finish(service: Service, store: Store) -> list[Firing]:
    """Let a service go on until nothing is open; gives all firings of `nightly`."""
    tick_until(service, lambda: not store.open_firings(), "the end of all runs")
    return store.firings("nightly")
