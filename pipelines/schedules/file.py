"""`schedules.yaml`: which schedules people want.

    targets:
      kubeflow: {host: "http://127.0.0.1:8080", experiment: nightly}
    schedules:
      - name: nightly
        pipeline: retrain
        cron: "0 3 * * *"
        target: kubeflow
        parameters: {dataset: gs://acme/photos, warm_start: champion}

Paths in it are relative to the folder that it is in.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.errors import InputError, unknown_name
from pipelines.config import parse_inputs, read_yaml
from pipelines.places import absolute, absolute_dataset, datasets, with_absolute_paths
from pipelines.schedules.cron import Cron
from pipelines.schedules.schedule import SCHEDULER, TARGET, Schedule
from pipelines.specs import Value, parameters, pipeline_names
from pipelines.targets.options import LOCAL, OF_DRY_RUNS, OPTIONS, SCHEDULED

# Other triggers come in here: what must hold at a time of the cron for a run to start.
CONDITIONS = ("on_new_data",)
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")  # Vertex AI puts it into labels
MOST_AT_ONCE = 10  # what Kubeflow takes
NOT_OF_SCHEDULES = {*OF_DRY_RUNS, "wait", "ask_first"}
FILES = ("token_file", "cookie_file")  # settings that name one

_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "pipeline": (str,),
    "cron": (str,),
    "time_zone": (str,),
    "on_new_data": (str, bool),
    "max_concurrency": (int,),
    "catch_up": (bool,),
    "paused": (bool,),
    "target": (str,),
    "fired_by": (str,),
    "parameters": (dict,),
}


@dataclass(frozen=True, kw_only=True)
class ScheduleFile:
    """What a file holds."""

    schedules: tuple[Schedule, ...]
    places: Mapping[str, Mapping[str, Value]]  # settings of each target that it names


def read_schedules(
    path: Path, given: Mapping[str, Mapping[str, Value]] | None = None
) -> ScheduleFile:
    """Read and check the schedules in a file, without asking anybody.

    Args:
        path: The file.
        given: Settings that win over those of the file, by target, e.g. a host.

    Raises:
        InputError: If it cannot be read, or something in it cannot work.
    """
    read = read_yaml(path, "--file")
    for key in read:
        if key not in ("targets", "schedules"):
            raise unknown_name(f"{path}: entry", str(key), ("targets", "schedules"))
    entries = read.get("schedules") or []
    if not isinstance(entries, list):
        raise InputError(f"'{path}': `schedules` must be a list. Received: {entries!r}")
    with contextlib.chdir(path.absolute().parent):
        places = _read_places(path, read.get("targets") or {}, given or {})
        schedules = tuple(_read_schedule(path, entry, places) for entry in entries)
    for name, count in Counter(each.name for each in schedules).items():
        if count > 1:
            raise InputError(f"'{path}': `name` must be unique. Received: '{name}' {count} times")
    return ScheduleFile(schedules=schedules, places=places)


def _read_places(
    path: Path, targets: Any, given: Mapping[str, Mapping[str, Value]]
) -> dict[str, dict[str, Value]]:
    if not isinstance(targets, dict):
        raise InputError(f"'{path}': `targets` must be a mapping. Received: {targets!r}")
    places: dict[str, dict[str, Value]] = {on: {} for on in SCHEDULED}
    for on, settings in targets.items():
        if on not in SCHEDULED or on == LOCAL:
            raise unknown_name(
                f"{path}: target", str(on), [each for each in SCHEDULED if each != LOCAL]
            )
        if not isinstance(settings or {}, dict):
            raise InputError(f"'{path}': `{on}` must be a mapping. Received: {settings!r}")
        known = {name for name, (takers, _) in OPTIONS.items() if on in takers} - NOT_OF_SCHEDULES
        for key, value in (settings or {}).items():
            name = str(key).replace("-", "_")
            if name not in known:
                raise unknown_name(f"{path}: setting of {on}", str(key), known)
            if type(value) not in _types_of(name):
                types = " or ".join(kind.__name__ for kind in _types_of(name))
                raise InputError(
                    f"'{path}': `{name}` of {on} must be of type {types}. Received: {value!r}"
                )
            places[on][name] = absolute(str(value)) if name in FILES else value
    for on, settings in given.items():
        places[on] |= settings
    return places


def _types_of(option: str) -> tuple[type, ...]:
    """What YAML may give for an option of a target."""
    settings = OPTIONS[option][1]
    if "flag" in settings:
        return (bool,)
    return {float: (float, int), int: (int,)}.get(settings.get("type", str), (str,))


def _read_schedule(path: Path, entry: Any, places: Mapping[str, Mapping[str, Value]]) -> Schedule:
    if not isinstance(entry, dict):
        raise InputError(f"'{path}': a schedule must be a mapping. Received: {entry!r}")
    where = f"{path}: schedule '{entry.get('name', '?')}'"
    try:
        return _check(_typed(entry), places)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _typed(entry: Mapping[Any, Any]) -> dict[str, Any]:
    fields = {}
    for key, value in entry.items():
        name = str(key).replace("-", "_")
        if name not in _TYPES:
            raise unknown_name("entry", str(key), _TYPES)
        if type(value) not in _TYPES[name]:
            types = " or ".join(kind.__name__ for kind in _TYPES[name])
            raise InputError(f"`{name}` must be of type {types}. Received: {value!r}")
        fields[name] = value
    for name in ("name", "pipeline"):
        if name not in fields:
            raise InputError(f"`{name}` is missing.")
    return fields


def _check(fields: Mapping[str, Any], places: Mapping[str, Mapping[str, Value]]) -> Schedule:
    name, on = fields["name"], fields.get("target", LOCAL)
    if not NAME.fullmatch(name):
        raise InputError(
            "`name` must start with a letter, and hold only small letters, digits and dashes, 40 at"
            f" most. Received: '{name}'"
        )
    pipeline = fields["pipeline"].replace("-", "_")
    if pipeline not in pipeline_names():
        raise unknown_name("pipeline", pipeline, pipeline_names())
    if on not in SCHEDULED:
        raise unknown_name("target", on, SCHEDULED)
    at_once = fields.get("max_concurrency", 1)
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise InputError(f"`max_concurrency` must be from 1 to {MOST_AT_ONCE}. Received: {at_once}")
    given = parse_inputs(fields.get("parameters", {}), pipeline)
    new_data = _new_data(fields.get("on_new_data", False), pipeline, given)
    if new_data and fields.get("catch_up"):
        raise InputError(
            "`catch_up` must be false with `on_new_data`: one run takes all that is new."
        )
    return Schedule(
        name=name,
        pipeline=pipeline,
        cron=_cron(fields, new_data),
        on_new_data=new_data,
        max_concurrency=at_once,
        catch_up=fields.get("catch_up", False),
        paused=fields.get("paused", False),
        on=on,
        fired_by=_fired_by(fields, on, new_data),
        place=dict(places[on]),
        parameters=with_absolute_paths(given),
    )


def _cron(fields: Mapping[str, Any], new_data: str) -> Cron | None:
    if "cron" in fields:
        return Cron(fields["cron"], fields.get("time_zone", "UTC"))
    if not new_data:
        raise InputError(
            f"`cron` or one of {', '.join(CONDITIONS)} must say when it fires. Received: neither"
        )
    if "time_zone" in fields:
        raise InputError("`time_zone` goes with `cron`.")
    return None


def _new_data(wanted: str | bool, pipeline: str, given: Mapping[str, Value]) -> str:
    """URI of the photos to look at; empty for none."""
    if wanted is True:
        usual = {each.name: each.default for each in parameters(pipeline)}
        uris = datasets({**usual, **given})
        if len(uris) > 1:
            raise InputError(
                "`on_new_data` must be the URI of one dataset, since the parameters name"
                f" {len(uris)}. Received: true"
            )
        wanted = uris[0]
    uri = absolute_dataset(wanted) if wanted else ""
    if uri.startswith("sample:"):
        raise InputError(
            f"`on_new_data` must be a place where photos can be added. Received: '{uri}'"
        )
    return uri


def _fired_by(fields: Mapping[str, Any], on: str, new_data: str) -> str:
    """Who fires: other schedulers than our own cannot look at photos first."""
    fired_by = fields.get("fired_by", SCHEDULER if new_data else TARGET)
    if fired_by not in (TARGET, SCHEDULER):
        raise unknown_name("fired_by", str(fired_by), (TARGET, SCHEDULER))
    if fired_by == TARGET and new_data and on != LOCAL:
        raise InputError(
            f"`fired_by` must be {SCHEDULER} with `on_new_data`: {on} itself cannot look at photos"
            f" before it starts a run. Received: '{fired_by}'"
        )
    return str(fired_by)
