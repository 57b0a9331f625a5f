"""Schedules that Kubeflow Pipelines fires: its recurring runs.

One cannot be edited, so an update replaces it, in an order in which a kill loses nothing and fires
nothing twice: write a note (a recurring run that never fires), disable the old one, make the new
one where the old one left off, delete the note. What a kill leaves, the next update completes. The
old one stays, disabled: deleting it would take the workflows of its runs along.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import kfp_server_api

from components.common.errors import ClusterError
from pipelines.schedules import Live, Settings
from pipelines.schedules.deployed import Catalog, conflict, prepare_settings, sent_parameters
from pipelines.schedules.handover import NOT_ENDED
from pipelines.schedules.recurring_runs import Body, Chain, Generation, Mark, chains, fired_at
from pipelines.schedules.replacement import Replacement, disable, make_generation
from pipelines.schedules.schedule import Schedule
from pipelines.targets.kubeflow_client import GoneError, Server

if TYPE_CHECKING:
    from pipelines.targets.kubeflow import KubeflowTarget

MOST_GENERATIONS = 99_999
MOST_LOOKS = 5  # at a schedule that others change
REPLACED = "being replaced"  # instead of a version, where a replacement was broken off
PATH = "/apis/v2beta1/recurringruns"


@dataclass(frozen=True)
class KubeflowScheduler:
    """Kubeflow's own, at one address; see `pipelines.schedules.Scheduler`."""

    target: KubeflowTarget
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), kw_only=True)
    sleep: Callable[[float], None] = field(default=time.sleep, kw_only=True)
    kind: ClassVar[str] = "kubeflow"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Kubeflow at {self.target.host}"

    @cached_property
    def _server(self) -> Server:
        return self.target.connect()

    @cached_property
    def _catalog(self) -> Catalog:
        from pipelines.deploy.kubeflow import KubeflowDeployments

        return Catalog(KubeflowDeployments(self._server))

    def prepare(self, schedule: Schedule) -> Settings:
        """Check a schedule, and work out how it would be held; changes nothing."""
        account = self.target.service_account
        place = {"on": self.kind, "experiment": self.target.experiment}
        place |= {"service_account": account} if account else {}
        if schedule.cron:
            schedule.cron.for_kubeflow()  # refuses what is not told in UTC
        settings = prepare_settings(schedule, self.target, self._catalog, place)
        Mark.of(settings, MOST_GENERATIONS, is_note=True).to_text()  # refuses what is too long
        return settings

    def live(self) -> list[Live]:
        """The schedules of pawpetal's that are there, by name."""
        return [self._live(chain) for chain in self._chains().values()]

    def create(self, wanted: Settings) -> None:
        """Make it; one that is there already is made so."""
        chain = self._chains().get(wanted.name)
        if chain:
            self._make_so(self._settings(chain), wanted)
        else:
            make_generation(self._server, self._body(wanted), 1)

    def update(self, live: Live, wanted: Settings) -> None:
        """Make the one that is there so, if it is as `live` says."""
        self._make_so(live.settings, wanted)

    def delete(self, live: Live) -> None:
        """Delete all its generations; refused while a run of it runs, which would go with it.

        Raises:
            ClusterError: If one runs.
        """
        chain = self._chain(live)
        for each in chain.generations:
            self._check_idle(each, "")
        for each in chain.generations:
            disable(self._server, each)
        for each in chain.generations:  # a time may have come in between
            self._check_idle(each, " It is paused now.")
        for each in (*chain.notes, *reversed(chain.generations)):
            self._server.delete_recurring_run(each.id)

    def pause(self, live: Live) -> None:
        """Disable it."""
        self._settle(live, is_enabled=False)

    def resume(self, live: Live) -> None:
        """Enable it; Kubeflow then makes up for what it missed."""
        self._settle(live, is_enabled=True)

    def run_now(self, live: Live) -> str:
        """Start a run as it would start one now; gives its page."""
        run = self._chain(live).newest.run
        reference = run.pipeline_version_reference
        run_id = self._server.start(
            f"{live.settings.name}-now-{self.clock():%Y%m%d-%H%M%S-%f}",
            run.experiment_id,
            params=run.runtime_config.parameters,
            pipeline_id=reference.pipeline_id,
            version_id=reference.pipeline_version_id,
            service_account=run.service_account,
        )
        return self._server.run_url(run_id)

    def requests(self, live: Live | None, wanted: Settings) -> Iterator[Mapping[str, Any]]:
        """What would be sent to create or update it; nothing is sent."""
        url = f"{self.target.host.rstrip('/')}{PATH}"
        chain = self._chains().get(live.settings.name) if live else None
        if chain and not self._is_replaced(chain, wanted):
            if chain.newest.is_enabled == wanted.paused:
                verb = "disable" if wanted.paused else "enable"
                yield {"method": "POST", "url": f"{url}/{chain.newest.id}:{verb}", "body": {}}
            for note in chain.notes:
                yield {"method": "DELETE", "url": f"{url}/{note.id}", "body": {}}
            return
        body = self._body(wanted, is_dry=True)
        number = chain.newest.number + 1 if chain else 1
        if chain and chain.newest.is_enabled:
            yield {"method": "POST", "url": url, "body": _json(body.make(number, is_note=True))}
            yield {"method": "POST", "url": f"{url}/{chain.newest.id}:disable", "body": {}}
        yield {"method": "POST", "url": url, "body": _json(body.make(number))}
        if chain and chain.newest.is_enabled:
            yield {"method": "DELETE", "url": f"{url}/ID-OF-THE-FIRST", "body": {}}

    # What is there

    def _chains(self) -> Mapping[str, Chain]:
        return chains(self._server.recurring_runs())

    def _chain(self, live: Live) -> Chain:
        chain = self._chains().get(live.settings.name)
        if chain is None:
            raise GoneError(f"There is no schedule '{live.settings.name}' at {self.target.host}.")
        return chain

    def _live(self, chain: Chain) -> Live:
        newest = chain.newest
        runs = (self._server.newest_run_of(each.id) for each in chain.generations)
        run = next((run for run in runs if run), None)
        return Live(
            settings=self._settings(chain),
            id=newest.id,
            last=fired_at(run) if run else None,
            last_status=str(run.state or "").lower() if run else "",
            url=self._server.recurring_run_url(newest.id),
        )

    def _settings(self, chain: Chain) -> Settings:
        """What it holds; something else than anybody wants, where a replacement is not done."""
        held = self._held(chain)
        if not (chain.is_broken_off or chain.notes):
            return held
        paused = held.paused and not chain.is_broken_off
        return replace(held, paused=paused, version=f"{held.version} ({REPLACED})")

    def _held(self, chain: Chain) -> Settings:
        """What its newest generation holds."""
        run = chain.newest.run
        experiment = self._name_of(self._server.experiment_name, run.experiment_id)
        reference = run.pipeline_version_reference
        version = self._name_of(
            self._server.version_name, reference.pipeline_id, reference.pipeline_version_id
        )
        return chain.newest.settings(version, experiment)

    def _name_of(self, ask: Callable[..., str], *ids: str) -> str:
        """What an id stands for, asked once: names stay."""
        if ids not in self._names:
            try:
                self._names[ids] = ask(*ids)
            except GoneError:
                return f"{ids[-1]} (deleted)"
        return self._names[ids]

    @cached_property
    def _names(self) -> dict[tuple[str, ...], str]:
        return {}

    # Changing it

    def _make_so(self, live: Settings, wanted: Settings) -> None:
        chain = self._unchanged(live, wanted)
        if self._is_replaced(chain, wanted):
            body = self._body(wanted)
            self._replacement(chain).wait()
            chain = self._unchanged(live, wanted)
            if self._is_replaced(chain, wanted):
                self._replacement(chain).make(body)
        elif chain.newest.is_enabled == wanted.paused:
            self._switch(chain.newest, is_enabled=not wanted.paused)
        self._delete_notes(chain)

    def _unchanged(self, live: Settings, wanted: Settings) -> Chain:
        """What is there now.

        Raises:
            ConflictError: If it is neither what was there, nor what is wanted.
        """
        chain = self._chains().get(live.name)
        if chain is None:
            raise conflict(live.name, "deleted")
        is_done = self._held(chain) == wanted and not chain.is_broken_off
        if self._settings(chain) != live and not is_done:
            raise conflict(live.name, "changed")
        return chain

    def _is_replaced(self, chain: Chain, wanted: Settings) -> bool:
        """Whether switching it on or off would not do."""
        return replace(self._held(chain), paused=wanted.paused) != wanted or chain.is_broken_off

    def _replacement(self, chain: Chain) -> Replacement:
        return Replacement(server=self._server, chain=chain, clock=self.clock, sleep=self.sleep)

    def _body(self, wanted: Settings, *, is_dry: bool = False) -> Body:
        deployment, spec = self._catalog.find(wanted)
        pipeline_id, _, version_id = spec.reference.partition("/")
        experiment = str(wanted.place["experiment"])
        found = self._server.find_experiment if is_dry else self._server.experiment
        return Body(
            settings=wanted,
            version=kfp_server_api.V2beta1PipelineVersionReference(
                pipeline_id=pipeline_id, pipeline_version_id=version_id
            ),
            parameters=sent_parameters(wanted, deployment),
            experiment_id=found(experiment) or f"ID-OF-{experiment}",
        )

    def _switch(self, generation: Generation, *, is_enabled: bool) -> None:
        self._server.switch_recurring_run(generation.id, is_enabled=is_enabled)

    def _settle(self, live: Live, *, is_enabled: bool) -> None:
        """Switch it until a look finds it so: a replacement that goes on may add another.

        Raises:
            ConflictError: If others change it all the time.
        """
        for _ in range(MOST_LOOKS):
            chain = self._chain(live)
            wrong = [each for each in chain.generations[1:] if each.is_enabled]
            wrong += [chain.newest] if chain.newest.is_enabled != is_enabled else []
            if not (wrong or chain.notes):
                return
            for each in wrong:
                self._switch(each, is_enabled=not each.is_enabled)
            self._delete_notes(chain)
        raise conflict(live.settings.name, "changed")

    def _delete_notes(self, chain: Chain) -> None:
        for note in chain.notes:
            self._server.delete_recurring_run(note.id)

    def _check_idle(self, generation: Generation, done: str) -> None:
        run = self._server.newest_run_of(generation.id, states=NOT_ENDED)
        if run:
            raise ClusterError(
                f"Schedule '{generation.mark.name}' has a run that still runs, and would end with"
                f" it: {self._server.run_url(run.run_id)}.{done} Try again when it has ended."
            )


def _json(model: Any) -> dict[str, Any]:
    """As it goes over the wire."""
    return dict(kfp_server_api.ApiClient().sanitize_for_serialization(model))
