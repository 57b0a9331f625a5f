"""Kubeflow's recurring runs as schedules: which are ours, what they hold, and what they fired.

A recurring run can be switched on and off, but not edited. So a schedule is a chain of them, its
generations; the newest counts, the others keep their history.

How its controller fires was read in backend/src/crd/controller/scheduledworkflow of
kubeflow/pipelines: times after the last one that it fired are due; before the first, times after
`start_time` or, without one, after its creation. With `no_catchup` only the newest that is due. It
looks every 30 s.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import kfp_server_api
from cronsim import CronSim

from components.common.errors import InputError
from pipelines.schedules import Settings
from pipelines.schedules.cron import Cron
from pipelines.schedules.deployed import chosen_parameters
from pipelines.specs import Value, pipeline_names

MOST_CHARACTERS = 255  # of a description, in databases that an older release has made
OURS = "pawpetal"  # key that holds the schedule's name
ENABLED = "ENABLED"
NEVER = datetime(1971, 1, 1, tzinfo=UTC)  # what Go makes of no time is before


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a description says: that it is ours, and what the other fields cannot hold."""

    name: str  # of the schedule
    generation: int
    pipeline: str
    cron: str  # as people wrote it
    time_zone: str = "UTC"
    service_account: str = ""  # as given; the server fills in its usual one
    is_replacing: bool = False  # a note that a replacement has begun; never fires

    @classmethod
    def of(cls, wanted: Settings, generation: int, *, is_note: bool = False) -> Self:
        """That of a schedule."""
        return cls(
            name=wanted.name,
            generation=generation,
            pipeline=wanted.pipeline,
            cron=wanted.cron,
            time_zone=wanted.time_zone,
            service_account=str(wanted.place.get("service_account", "")),
            is_replacing=is_note,
        )

    def to_text(self) -> str:
        """One line of JSON, without what is usual.

        Raises:
            InputError: If it would be cut off.
        """
        usual = Mark(name="", generation=0, pipeline="", cron="")
        told = {k: v for k, v in asdict(self).items() if v != getattr(usual, k)}
        text = json.dumps({OURS: told.pop("name"), **told}, separators=(",", ":"))
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"`cron` must be shorter for Kubeflow. Received: '{self.cron}'")
        return text

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """What a description says; None where somebody else has written it."""
        try:
            told = json.loads(text or "")
            mark = cls(name=told.pop(OURS), **told)
            Cron(mark.cron, mark.time_zone).for_kubeflow()
        except (ValueError, TypeError, KeyError, AttributeError):  # an InputError is a ValueError
            return None
        return mark if mark.pipeline in pipeline_names() else None


@dataclass(frozen=True, kw_only=True)
class Body:
    """What a recurring run is made of, but for its generation."""

    settings: Settings
    version: Any  # V2beta1PipelineVersionReference
    parameters: Mapping[str, Value]
    experiment_id: str

    def make(
        self,
        generation: int,
        *,
        since: datetime | None = None,
        is_note: bool = False,
    ) -> Any:
        """Write it as the API takes it."""
        wanted, api = self.settings, kfp_server_api
        mark = Mark.of(wanted, generation, is_note=is_note)
        cron = Cron(wanted.cron, wanted.time_zone)
        modes = api.RecurringRunMode
        title = f"{wanted.name} ({generation})" if generation > 1 else wanted.name
        return api.V2beta1RecurringRun(
            display_name=f"{title}: being made" if is_note else title,
            description=mark.to_text(),
            experiment_id=self.experiment_id,
            pipeline_version_reference=self.version,
            runtime_config=api.V2beta1RuntimeConfig(parameters=dict(self.parameters)),
            service_account=mark.service_account or None,
            max_concurrency=str(wanted.max_concurrency),
            no_catchup=not wanted.catch_up,
            mode=modes.DISABLE if wanted.paused or is_note else modes.ENABLE,
            trigger=api.V2beta1Trigger(
                cron_schedule=api.V2beta1CronSchedule(cron=cron.for_kubeflow(), start_time=since)
            ),
        )


@dataclass(frozen=True)
class Generation:
    """One recurring run of ours."""

    mark: Mark
    run: Any  # V2beta1RecurringRun

    @property
    def id(self) -> str:
        """As Kubeflow names it."""
        return str(self.run.recurring_run_id)

    @property
    def number(self) -> int:
        """Which one it is; the first is 1."""
        return self.mark.generation

    @property
    def is_enabled(self) -> bool:
        """Whether it fires."""
        return bool(self.run.status == ENABLED)

    @property
    def order(self) -> tuple[int, datetime, str]:
        """Of two of the same number, the older one comes first."""
        return -self.number, self.run.created_at, self.id

    def cron(self) -> Cron:
        """Its times, as it was written where that still says the same."""
        written = self.run.trigger.cron_schedule.cron
        cron = Cron(self.mark.cron, self.mark.time_zone)
        return cron if cron.for_kubeflow() == written else Cron(written.partition(" ")[2])

    def settings(self, version: str, experiment: str) -> Settings:
        """What it holds.

        Args:
            version: Name of the version that it runs.
            experiment: Name of the experiment that its runs are shown under.
        """
        cron = self.cron()
        account = self.mark.service_account
        place = {"on": "kubeflow", "experiment": experiment}
        return Settings(
            name=self.mark.name,
            pipeline=self.mark.pipeline,
            version=version,
            cron=cron.text,
            time_zone=cron.time_zone,
            max_concurrency=int(self.run.max_concurrency),
            catch_up=not self.run.no_catchup,
            paused=not self.is_enabled,
            place=place | ({"service_account": account} if account else {}),
            parameters=chosen_parameters(self.mark.pipeline, self.run.runtime_config.parameters),
        )

    def since(self) -> datetime:
        """The moment that its times are after."""
        start: datetime = self.run.trigger.cron_schedule.start_time or self.run.created_at
        return start


@dataclass(frozen=True)
class Chain:
    """All recurring runs of one schedule."""

    generations: tuple[Generation, ...]  # newest first
    notes: tuple[Generation, ...]  # of replacements

    @property
    def newest(self) -> Generation:
        """The one that counts."""
        return self.generations[0]

    @property
    def state(self) -> tuple[tuple[str, bool], ...]:
        """What tells it from later: each one's id, and whether it fires."""
        return tuple((each.id, each.is_enabled) for each in (*self.generations, *self.notes))

    def without(self, note: str) -> Self:
        """The same without one of its notes."""
        return replace(self, notes=tuple(each for each in self.notes if each.id != note))

    @property
    def is_broken_off(self) -> bool:
        """Whether a replacement was begun and not done; its note says so.

        An older one that somebody switched on, beside the newest, is set right in the same way.
        """
        begun = any(note.number > self.newest.number for note in self.notes)
        return begun or any(each.is_enabled for each in self.generations[1:])


def chains(runs: list[Any]) -> Mapping[str, Chain]:
    """The schedules among all recurring runs that there are, by name."""
    found: dict[str, list[Generation]] = {}
    for run in runs:
        mark = Mark.read(run.description)
        is_whole = run.trigger and run.pipeline_version_reference and run.runtime_config
        if mark and is_whole and run.trigger.cron_schedule:
            found.setdefault(mark.name, []).append(Generation(mark, run))
    by_name = {}
    for name, each in sorted(found.items()):
        ordered = sorted(each, key=lambda one: one.order)
        generations = tuple(one for one in ordered if not one.mark.is_replacing)
        notes = tuple(one for one in ordered if one.mark.is_replacing)
        if generations:
            by_name[name] = Chain(generations, notes)
    return by_name


def tells_time(run: Any) -> bool:
    """Whether a run says which time it is for; in releases up to 2.17, when it was made."""
    return bool(run and run.scheduled_at and NEVER < run.scheduled_at != run.created_at)


def fired_at(run: Any) -> datetime:
    """The time that a run is for or, where that is not told, when it was made."""
    moment: datetime = run.scheduled_at if tells_time(run) else run.created_at
    return moment


def newest_time(cron: Cron, since: datetime, until: datetime) -> datetime | None:
    """The last of its times after one moment and up to another; None without one."""
    after = (until.replace(microsecond=0) + timedelta(seconds=1)).astimezone(UTC)
    last: datetime = next(CronSim(cron.text, after, reverse=True))  # all are in UTC
    return last if last > since else None


def has_more_times(cron: Cron, since: datetime, until: datetime, number: int) -> bool:
    """Whether there are more than so many of its times in between."""
    times = list(itertools.islice(cron.after(since), number + 1))
    return len(times) > number and times[-1] <= until
