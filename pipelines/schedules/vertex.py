"""Schedules that Vertex AI fires, which can be edited in place.

What they hold is read back from the service. Two things are called differently there:
- `max_concurrency` is `maxConcurrentActiveRunCount`. `maxConcurrentRunCount`, which must be given,
  too, counts only requests that are just being sent.
- `catch_up` is `allowQueueing`: a time that comes while as many runs as may be still run waits, or
  is skipped. `Schedule.catchUp` cannot be written; it is told when a schedule is resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from components.common.errors import CloudError, InputError
from components.common.google_cloud import VERSIONS, GoogleCloud, endpoint, location
from pipelines.google_cloud.requests import Submission, build_job, service_types
from pipelines.schedules import Live, Settings
from pipelines.schedules.deployed import (
    LATE,
    SOON,
    Catalog,
    conflict,
    prepare_settings,
    sent_parameters,
    wait_while,
)
from pipelines.schedules.schedule import Schedule
from pipelines.schedules.vertex_schedules import (
    FIELDS,
    ROOT,
    build_schedule,
    check_training,
    is_ours,
    left_as_before,
    read_settings,
)

if TYPE_CHECKING:
    from pipelines.google_cloud.place import VertexPlace
    from pipelines.targets.vertex import VertexTarget

SERVICE = "aiplatform"
# One that is made paused is active for a moment; killed in it, until it is applied again.
BEFORE_FIRST = timedelta(hours=1)


@dataclass(frozen=True)
class VertexScheduler:
    """Vertex AI's own, in one region; see `pipelines.schedules.Scheduler`."""

    target: VertexTarget
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), kw_only=True)
    sleep: Callable[[float], None] = field(default=time.sleep, kw_only=True)
    kind: ClassVar[str] = "vertex"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Vertex AI in {self.target.project}, {self.target.region}"

    @cached_property
    def _cloud(self) -> GoogleCloud:
        return GoogleCloud()

    @cached_property
    def _catalog(self) -> Catalog:
        from pipelines.deploy.vertex import VertexDeployments

        place = self.target.place
        return Catalog(VertexDeployments(place.project, place.region, place.bucket))

    @property
    def _parent(self) -> str:
        return location(self.target.project, self.target.region)

    def prepare(self, schedule: Schedule) -> Settings:
        """Check a schedule, and work out how it would be held; changes nothing."""
        place = self.target.place
        network = {"network": place.network} if place.network else {}
        settings = prepare_settings(
            schedule,
            self.target,
            self._catalog,
            {
                "on": self.kind,
                "bucket": place.bucket,
                "service_account": place.service_account,
                **network,
            },
        )
        check_training(settings, self._catalog.read(self._catalog.find(settings)[1]))
        self._body(settings)  # refuses what no request can have
        return settings

    def live(self) -> list[Live]:
        """The schedules of pawpetal's that are there, by name."""
        found = sorted(self._ours(), key=_age)
        by_name = {each["displayName"]: each for each in reversed(found)}  # of two, the older one
        return [self._live(by_name[name]) for name in sorted(by_name)]

    def create(self, wanted: Settings) -> None:
        """Make it; one that is there already is made so."""
        if found := self._named(wanted.name):
            self.update(self._live(found[0]), wanted)
            return
        self._check_place(wanted)
        body = self._body(wanted)
        if wanted.paused:
            body["startTime"] = f"{self.clock() + BEFORE_FIRST:%Y-%m-%dT%H:%M:%SZ}"
        made = self._post(body)
        first, *twins = self._named(wanted.name) or [made]
        for twin in twins:  # of somebody else, in the same moment
            self._delete(twin["name"])
        if wanted.paused:
            self._switch(first["name"], "pause", "PAUSED")

    def update(self, live: Live, wanted: Settings) -> None:
        """Make the one that is there so, if it is as `live` says."""
        settings, body = self._unchanged(live, wanted), {}
        if replace(settings, paused=wanted.paused) != wanted:
            self._check_place(wanted)
            body = self._body(wanted)
            if not (settings.paused or wanted.paused):
                self._wait_between_times(live)
            settings = self._unchanged(live, wanted)
        if wanted.paused and not settings.paused:
            self._switch(live.id, "pause", "PAUSED")
        if body:
            self._patch(live.id, body, wanted)
        if settings.paused and not wanted.paused:
            self._switch(live.id, "resume", "ACTIVE", {"catchUp": wanted.catch_up})

    def delete(self, live: Live) -> None:
        """Delete it; runs that it started are jobs of their own, and go on."""
        for found in self._named(live.settings.name):
            self._delete(found["name"])

    def pause(self, live: Live) -> None:
        """Pause it."""
        self._switch(live.id, "pause", "PAUSED")

    def resume(self, live: Live) -> None:
        """Resume it; times that were missed are made up for where it catches up."""
        self._switch(live.id, "resume", "ACTIVE", {"catchUp": live.settings.catch_up})

    def run_now(self, live: Live) -> str:
        """Start a run as it would start one now; gives its page."""
        job = self._get(live.id)["createPipelineJobRequest"]["pipelineJob"]
        run_id = f"{live.settings.name}-now-{self.clock():%Y%m%d-%H%M%S-%f}"
        run = Submission(place=self.target.place, run_id=run_id, job={**job, "displayName": run_id})
        run.check()
        try:
            self._cloud.ask(
                SERVICE,
                f"{run.parent}/pipelineJobs",
                run.job,
                region=self.target.region,
                pipelineJobId=run_id,
            )
        except CloudError as error:
            if error.status != HTTPStatus.CONFLICT:  # an earlier try came through
                raise
        return run.page

    def requests(self, live: Live | None, wanted: Settings) -> Iterator[Mapping[str, Any]]:
        """What would be sent to create or update it; nothing is sent."""
        url = f"{endpoint(SERVICE, self.target.region)}/{VERSIONS[SERVICE]}"
        if live is None:
            new = f"{url}/{self._parent}/schedules"
            yield {"method": "POST", "url": new, "body": self._body(wanted)}
            if wanted.paused:
                yield {"method": "POST", "url": f"{new}/ID-OF-IT:pause", "body": {}}
            return
        there = f"{url}/{live.id}"
        if replace(live.settings, paused=wanted.paused) != wanted:
            patched = f"{there}?updateMask={','.join(FIELDS)}"
            yield {"method": "PATCH", "url": patched, "body": self._body(wanted)}
        if live.settings.paused != wanted.paused:
            verb = "pause" if wanted.paused else "resume"
            body = {} if wanted.paused else {"catchUp": wanted.catch_up}
            yield {"method": "POST", "url": f"{there}:{verb}", "body": body}

    # What is there

    def _ours(self) -> Iterator[dict[str, Any]]:
        listed = self._cloud.list(
            SERVICE,
            f"{self._parent}/schedules",
            "schedules",
            region=self.target.region,
            pageSize=100,
        )
        return (each for each in listed if is_ours(each))

    def _named(self, name: str) -> list[dict[str, Any]]:
        """Ours of a name, oldest first."""
        return sorted((each for each in self._ours() if each["displayName"] == name), key=_age)

    def _get(self, name: str) -> dict[str, Any]:
        return self._cloud.get(SERVICE, name, region=self.target.region)

    def _live(self, found: Mapping[str, Any]) -> Live:
        last = found.get("lastScheduledRunResponse", {}).get("scheduledRunTime")
        name = found["name"].rpartition("/")[2]
        return Live(
            settings=read_settings(found),
            id=found["name"],
            last=datetime.fromisoformat(last) if last else None,
            last_status=self._last_status(found["name"]) if last else "",
            url=(
                "https://console.cloud.google.com/vertex-ai/pipelines/schedules/locations/"
                f"{self.target.region}/schedules/{name}?project={self.target.project}"
            ),
        )

    def _last_status(self, name: str) -> str:
        """How the newest run of a schedule goes, or went."""
        jobs = self._cloud.get(
            SERVICE,
            f"{self._parent}/pipelineJobs",
            region=self.target.region,
            filter=f"schedule_name={name}",
            orderBy="create_time desc",
            pageSize=1,
            readMask="name,state",
        ).get("pipelineJobs", [{}])
        return str(jobs[0].get("state", "")).removeprefix("PIPELINE_STATE_").lower()

    # Changing it

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        path = f"{self._parent}/schedules"
        try:
            return self._cloud.post(SERVICE, path, body, region=self.target.region)
        except CloudError as error:
            found = self._named(body["displayName"]) if error.is_passing else []
            if not found:
                raise
            return found[0]  # the answer was lost

    def _unchanged(self, live: Live, wanted: Settings) -> Settings:
        """What is there now.

        Raises:
            ConflictError: If it is neither what was there, nor what is wanted.
        """
        try:
            settings = read_settings(self._get(live.id))
        except CloudError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise conflict(live.settings.name, "deleted") from error
        if settings not in (live.settings, wanted):
            raise conflict(live.settings.name, "changed")
        return settings

    def _patch(self, name: str, body: Mapping[str, Any], wanted: Settings) -> None:
        """Edit it in place.

        Raises:
            CloudError: If something is left as it was: "non-empty fields cannot be unset", says
                the reference, and false is sent as nothing.
        """
        mask, region = ",".join(FIELDS), self.target.region
        answer = self._cloud.patch(SERVICE, name, body, region=region, updateMask=mask)
        left = left_as_before(read_settings(answer), wanted)
        if left:
            raise CloudError(
                f"Vertex AI left `{'`, `'.join(left)}` of '{wanted.name}' as before. Take it out"
                " of the file, `pawpetal schedule prune`, put it back, and apply."
            )

    def _wait_between_times(self, live: Live) -> None:
        """Wait while a time is just coming: one that is due when it is edited is skipped."""

        def is_firing() -> bool:
            following = self._get(live.id).get("nextRunTime")
            if not following:
                return False
            return -LATE < datetime.fromisoformat(following) - self.clock() < SOON

        wait_while(is_firing, live.settings.name, self.clock, self.sleep)

    def _switch(self, name: str, verb: str, state: str, body: Any = None) -> None:
        """Pause or resume; one that is in that state already is left alone."""
        try:
            self._cloud.post(SERVICE, f"{name}:{verb}", body, region=self.target.region)
        except CloudError as error:
            if error.status == HTTPStatus.NOT_FOUND or self._get(name).get("state") != state:
                raise

    def _delete(self, name: str) -> None:
        try:
            self._cloud.delete(SERVICE, name, region=self.target.region)
        except CloudError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # somebody else did, or the answer was lost
                raise

    def _check_place(self, wanted: Settings) -> None:
        """Refuse a place that is not ready; each is asked once."""
        # Images of what is deployed were there then; this code may be another.
        place = replace(self._place(wanted), images=())
        if place not in self._ready:
            self.target.check_place(place=place)
            self._ready.add(place)

    @cached_property
    def _ready(self) -> set[VertexPlace]:
        return set()

    def _place(self, wanted: Settings) -> VertexPlace:
        given: dict[str, Any] = {key: value for key, value in wanted.place.items() if key != "on"}
        return replace(self.target.place, **{"network": "", **given})

    def _body(self, wanted: Settings) -> dict[str, Any]:
        from google.protobuf.json_format import ParseDict, ParseError

        deployment, spec = self._catalog.find(wanted)
        place = self._place(wanted)
        job = build_job(
            self._catalog.read(spec),
            sent_parameters(wanted, deployment),
            place,
            name=wanted.name,
            root=f"gs://{place.bucket}{ROOT}",
            template_uri=spec.reference,
        )
        body = build_schedule(wanted, job, self._parent)
        kind = service_types().Schedule
        try:
            ParseDict(body, kind.pb(kind()))
        except ParseError as error:
            raise InputError(f"The request is no Schedule: {error}") from error
        return body


def _age(found: Mapping[str, Any]) -> tuple[str, str]:
    return found["createTime"], found["name"]
