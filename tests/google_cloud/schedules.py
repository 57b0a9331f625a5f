"""Vertex AI's schedules: `projects.locations.schedules`, as far as pawpetal asks.

Sources: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.schedules,
whose words stand in `google.cloud.aiplatform_v1`, too; bodies are read by its types. Nobody says
how close to its time a run starts: here, when a test lets time pass.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from google.protobuf import json_format

from tests.google_cloud.errors import ApiError
from tests.google_cloud.jobs import ENDED, PIPELINES
from tests.google_cloud.project import NUMBER, PROJECT_ID
from tests.google_cloud.routes import HERE, Seen, route
from tests.pipelines.kubeflow.controller import CronError, RobfigCron

if TYPE_CHECKING:
    from tests.google_cloud.double import GoogleDouble

PATH = rf"v1/projects/(?:{PROJECT_ID}|{NUMBER})/locations/([\w-]+)/schedules"
CRON = re.compile(r"(?:(?:CRON_)?TZ=(?P<zone>\S+) )?(?P<fields>.+)")
OUTPUT_ONLY = (
    "name",
    "startedRunCount",
    "state",
    "createTime",
    "updateTime",
    "nextRunTime",
    "lastPauseTime",
    "lastResumeTime",
    "catchUp",
    "lastScheduledRunResponse",
)
PAGE_SIZE = 100


class Schedules:
    """Schedules of one project, by full name, in the order of their creation."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}
        self.now: datetime | None = None  # as a test sets it; None: the real one
        self.fired: list[tuple[str, datetime]] = []  # display name, and the time that was due
        self.waiting: dict[str, list[datetime]] = {}  # times that were put off, by full name
        self.unsets = True  # whether a patch sets a field to its default; the reference denies it

    def time(self) -> datetime:
        """The time here."""
        return self.now or datetime.now(UTC)

    def create(self, parent: str, body: dict[str, Any]) -> dict[str, Any]:
        """As `create`."""
        schedule = _read({key: each for key, each in body.items() if key not in OUTPUT_ONLY})
        _check(schedule)
        now = self.time()
        start = schedule.setdefault("startTime", _written(now))
        if datetime.fromisoformat(start) < now - timedelta(seconds=1):
            raise ApiError(400, "start_time must not be in the past.")
        name = f"{parent}/schedules/{7_000_000_000_000_000_001 + len(self.all)}"
        self.all[name] = {
            **schedule,
            "name": name,
            "state": "ACTIVE",
            "createTime": _written(now),
            "updateTime": _written(now),
        }
        self._plan(name, now)
        return self.all[name]

    def patch(self, name: str, body: dict[str, Any], mask: str) -> dict[str, Any]:
        """As `patch`: what is due and was not started is skipped."""
        schedule = self.get(name)
        if not mask:
            raise ApiError(400, "update_mask is required.")
        if schedule["state"] == "COMPLETED":
            raise _precondition("A completed schedule cannot be updated.")
        given = _read(body)
        for path in mask.split(","):
            if path in OUTPUT_ONLY or path not in _fields():
                raise ApiError(400, f"Invalid update_mask: {path}")
            if path in given:
                schedule[path] = given[path]
            elif self.unsets:
                schedule.pop(path, None)  # the default is left out
        _check(schedule)
        schedule["updateTime"] = _written(self.time())
        self.waiting.pop(name, None)
        self._plan(name, self.time())
        return schedule

    def get(self, name: str) -> dict[str, Any]:
        """As `get`."""
        if name not in self.all:
            raise ApiError(404, f"The Schedule does not exist: {name}")
        return self.all[name]

    def list(self, parent: str, query: dict[str, str]) -> dict[str, Any]:
        """As `list`, newest first."""
        found = [each for name, each in self.all.items() if name.startswith(f"{parent}/")][::-1]
        start, size = int(query.get("pageToken", 0)), int(query.get("pageSize", PAGE_SIZE))
        page = {"schedules": found[start : start + size]} if found[start : start + size] else {}
        more = {"nextPageToken": str(start + size)} if len(found) > start + size else {}
        return {**page, **more}

    def pause(self, name: str) -> dict[str, Any]:
        """As `pause`."""
        self._expect(name, "ACTIVE")
        self.all[name] |= {"state": "PAUSED", "lastPauseTime": _written(self.time())}
        return {}

    def resume(self, name: str, catch_up: bool) -> dict[str, Any]:
        """As `resume`; times that were missed are made up for only where that is asked for."""
        self._expect(name, "PAUSED")
        schedule, now = self.all[name], self.time()
        if catch_up:
            times = self._times(schedule, datetime.fromisoformat(schedule["lastPauseTime"]), now)
            self.waiting.setdefault(name, []).extend(times)
        schedule |= {"state": "ACTIVE", "lastResumeTime": _written(now), "catchUp": catch_up}
        self._plan(name, now)
        return {}

    def delete(self, name: str) -> dict[str, Any]:
        """As `delete`: an operation that is done at once."""
        self.get(name)
        del self.all[name]
        return {"name": f"{name}/operations/1", "done": True}

    def pass_time(self, google: GoogleDouble, until: datetime) -> None:
        """Start what is due, time by time."""
        while due := [
            (datetime.fromisoformat(each["nextRunTime"]), name)
            for name, each in self.all.items()
            if each["state"] == "ACTIVE" and "nextRunTime" in each
        ]:
            moment, name = min(due)
            if moment > until:
                break
            self.now = max(moment, self.time())
            self.waiting.setdefault(name, []).append(moment)
            self._plan(name, moment)
            self._start(google, name)
        self.now = until
        for name in self.all:
            self._start(google, name)

    def _start(self, google: GoogleDouble, name: str) -> None:
        """Start runs of what waits, as far as there may be; the rest stays or is skipped."""
        schedule, waiting = self.all[name], self.waiting.get(name, [])
        jobs = [job for job in google.jobs.all(PIPELINES) if job.get("scheduleName") == name]
        active = [job for job in jobs if not ENDED.search(job["state"])]
        free = int(schedule.get("maxConcurrentActiveRunCount", 1000)) - len(active)
        for _ in range(min(max(free, 0), len(waiting))):
            self._run(google, schedule, waiting.pop(0))
        if not schedule.get("allowQueueing"):
            waiting.clear()

    def _run(self, google: GoogleDouble, schedule: dict[str, Any], due: datetime) -> None:
        request = schedule["createPipelineJobRequest"]
        parent = schedule["name"].partition("/schedules")[0]
        job = google.jobs.create(PIPELINES, parent, request["pipelineJob"], {})
        job["scheduleName"] = schedule["name"]
        self.fired.append((schedule["displayName"], due))
        schedule["startedRunCount"] = str(int(schedule.get("startedRunCount", 0)) + 1)
        schedule["lastScheduledRunResponse"] = {"scheduledRunTime": _written(due)}

    def _plan(self, name: str, now: datetime) -> None:
        schedule = self.all[name]
        start = datetime.fromisoformat(schedule["startTime"])
        [following] = self._times(schedule, max(start, now), None)
        schedule["nextRunTime"] = _written(following)

    def _times(
        self, schedule: dict[str, Any], after: datetime, until: datetime | None
    ) -> list[datetime]:
        """Times up to a moment; without one, the next."""
        zone, cron = _cron(schedule["cron"])
        found, times = cron.after(after.astimezone(zone)), []
        while found and (until is None or found <= until):
            times.append(found.astimezone(UTC))
            if until is None:
                break
            found = cron.after(found)
        return times

    def _expect(self, name: str, state: str) -> None:
        if self.get(name)["state"] != state:
            raise _precondition(f"The schedule is not {state}: {self.all[name]['state']}.")


def _fields() -> set[str]:
    from google.cloud.aiplatform_v1 import Schedule

    return {field.json_name for field in Schedule.pb().DESCRIPTOR.fields}


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """Read JSON by the API's types, and write it again as the API would."""
    from google.cloud.aiplatform_v1 import Schedule

    try:
        message = json_format.ParseDict(body, Schedule.pb(Schedule()))
    except json_format.ParseError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from error
    written: dict[str, Any] = json_format.MessageToDict(message)
    return written


def _check(schedule: dict[str, Any]) -> None:
    if not schedule.get("displayName") or int(schedule.get("maxConcurrentRunCount", 0)) < 1:
        raise ApiError(400, "display_name and max_concurrent_run_count are required.")
    if not schedule.get("createPipelineJobRequest", {}).get("parent"):
        raise ApiError(400, "create_pipeline_job_request.parent is required.")
    _cron(schedule.get("cron", ""))


def _cron(text: str) -> tuple[ZoneInfo, RobfigCron]:
    match = CRON.fullmatch(text)
    try:
        zone = ZoneInfo((match and match["zone"]) or "UTC")
        return zone, RobfigCron(f"0 {match['fields'] if match else ''}")
    except (CronError, OSError, ValueError) as error:
        raise ApiError(400, f"Invalid cron: {text}: {error}") from error


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _precondition(message: str) -> ApiError:
    return ApiError(400, message, code="FAILED_PRECONDITION")


def _parent(region: str) -> str:
    return f"projects/{NUMBER}/locations/{region}"


@route("aiplatform", "POST", PATH)
def _create(google: GoogleDouble, seen: Seen, region: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.create", HERE)
    job = seen.body.get("createPipelineJobRequest", {}).get("pipelineJob", {})
    google.jobs.check(job)
    return google.schedules.create(_parent(region), seen.body)


@route("aiplatform", "GET", PATH)
def _list(google: GoogleDouble, seen: Seen, region: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.list", HERE)
    query = {name: values[0] for name, values in seen.query.items()}
    return google.schedules.list(_parent(region), query)


@route("aiplatform", "GET", rf"{PATH}/([^/:]+)")
def _get(google: GoogleDouble, _: Seen, region: str, name: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.get", HERE)
    return google.schedules.get(f"{_parent(region)}/schedules/{name}")


@route("aiplatform", "PATCH", rf"{PATH}/([^/:]+)")
def _patch(google: GoogleDouble, seen: Seen, region: str, name: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.update", HERE)
    job = seen.body.get("createPipelineJobRequest", {}).get("pipelineJob", {})
    google.jobs.check(job)
    mask = seen.query.get("updateMask", [""])[0]
    return google.schedules.patch(f"{_parent(region)}/schedules/{name}", seen.body, mask)


@route("aiplatform", "DELETE", rf"{PATH}/([^/:]+)")
def _delete(google: GoogleDouble, _: Seen, region: str, name: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.delete", HERE)
    return google.schedules.delete(f"{_parent(region)}/schedules/{name}")


@route("aiplatform", "POST", rf"{PATH}/([^/:]+):pause")
def _pause(google: GoogleDouble, _: Seen, region: str, name: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.update", HERE)
    return google.schedules.pause(f"{_parent(region)}/schedules/{name}")


@route("aiplatform", "POST", rf"{PATH}/([^/:]+):resume")
def _resume(google: GoogleDouble, seen: Seen, region: str, name: str) -> dict[str, Any]:
    google.need("aiplatform.schedules.update", HERE)
    catch_up = bool((seen.body or {}).get("catchUp"))
    return google.schedules.resume(f"{_parent(region)}/schedules/{name}", catch_up)
