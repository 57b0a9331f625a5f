"""What happens in which order, with schedules and runs on a double of Kubeflow."""

import dataclasses
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.common.errors import ClusterError, InputError
from pipelines.deploy import documents
from pipelines.deploy.deploy import deploy, roll_back
from pipelines.deploy.kubeflow import KubeflowDeployments
from pipelines.deploy.smoke import MODEL, smoke_arguments, start
from pipelines.schedules.kubeflow import KubeflowScheduler
from tests.pipelines.deploy.conftest import REGISTRY, add_schedule, changed
from tests.pipelines.kubeflow.conftest import make_target
from tests.pipelines.kubeflow.workflow import Outcome


@pytest.fixture
def said():
    return []


@pytest.fixture
def do(kubeflow, scheduler, said):
    """Deploys a release: `do(release)`, with `smoke_run=` where it is to be tried."""

    def run(release, **settings):
        return deploy(kubeflow, scheduler, release, say=said.append, **settings)

    return run


@pytest.fixture
def smoke(server):
    """A smoke run on the server."""
    target = make_target(server)

    def run(release):
        execution = start(target, release, smoke_arguments(target, REGISTRY, ""))
        list(execution.follow())
        return execution.run

    return run


def fired_versions(server, kubeflow):
    """By schedule that is enabled, the tag of what it would run."""
    tags = {
        spec.reference.partition("/")[2]: deployment.tag
        for deployment in kubeflow.history()
        for spec in deployment.specs
    }
    return {
        each.display_name: tags[_version_id(each)]
        for each in server.store.recurring
        if each.status == "ENABLED"
    }


def _version_id(recurring):
    reference = recurring.pipeline_version_reference
    if isinstance(reference, dict):
        return reference["pipeline_version_id"]
    return reference.pipeline_version_id


def runs(server):
    return [stored.run for stored in server.store.runs.values()]


def test_the_same_content_is_deployed_once(server, do, said, for_kubeflow):
    first = do(for_kubeflow)
    again = do(dataclasses.replace(for_kubeflow, tag="v1.0.1"))

    assert (first.is_new, again.is_new) == (True, False)
    assert again.deployment == first.deployment
    assert len(server.store.versions) == 4
    assert said[-1].startswith("Nothing to deploy: v1 (")


def test_schedules_run_the_new_version_from_then_on(
    server, kubeflow, scheduler, do, said, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    add_schedule(scheduler, kubeflow, "weekly", "sweep")

    outcome = do(changed(for_kubeflow, "v2"))

    live = {each.settings.name: each.settings for each in scheduler.live()}
    current = kubeflow.current()
    assert live["nightly"].version == current.spec("retrain").version
    assert live["weekly"].version == current.spec("sweep").version
    assert live["nightly"].parameters["epochs"] == 2
    assert [change.name for change in outcome.repointed] == ["nightly", "weekly"]
    assert any(line.startswith("  schedule nightly runs retrain v2-") for line in said)


def test_schedules_that_are_paused_stay_so_on_the_new_version(
    kubeflow, scheduler, do, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow, paused=True)

    do(changed(for_kubeflow, "v2"))

    [live] = scheduler.live()
    assert live.settings.paused
    assert live.settings.version == kubeflow.current().spec("retrain").version


def test_schedule_with_a_parameter_that_is_gone_is_named_before_anything_is_uploaded(
    server, kubeflow, scheduler, do, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    [plain, kubernetes] = documents.read(for_kubeflow.specs["retrain"])
    del plain["root"]["inputDefinitions"]["parameters"]["epochs"]
    specs = {**for_kubeflow.specs, "retrain": documents.write([plain, kubernetes])}

    with pytest.raises(InputError, match=r"Schedule 'nightly' gives 'retrain' .*: epochs\. Take"):
        do(dataclasses.replace(for_kubeflow, specs=specs))

    assert len(server.store.versions) == 4


def test_schedule_of_a_pipeline_that_is_gone_is_refused(kubeflow, scheduler, do, for_kubeflow):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    specs = {name: spec for name, spec in for_kubeflow.specs.items() if name != "retrain"}

    with pytest.raises(InputError, match="Schedule 'nightly' runs 'retrain', which is not among"):
        do(dataclasses.replace(for_kubeflow, specs=specs))


def test_smoke_run_carries_the_very_spec_and_has_a_model_of_its_own(server, do, smoke, for_smoke):
    outcome = do(for_smoke, smoke_run=smoke)

    [run] = runs(server)
    assert run.pipeline_version_reference is None
    plain, kubernetes = documents.read(for_smoke.specs["train_and_push"])
    assert run.pipeline_spec == {"pipeline_spec": plain, "platform_spec": kubernetes}
    assert run.runtime_config.parameters["model_name"] == MODEL
    assert run.runtime_config.parameters["dataset"] == "sample:flowers?photos=40"
    assert outcome.smoke_run.status == "succeeded"
    assert not outcome.failure
    assert len(server.store.versions) == 4  # nothing else was uploaded for it


def test_nothing_is_uploaded_before_the_smoke_run_has_succeeded(
    server, kubeflow, scheduler, do, smoke, for_smoke
):
    do(for_smoke)
    add_schedule(scheduler, kubeflow)
    meanwhile = []

    def watched(release):
        run = smoke(release)
        fired = list(fired_versions(server, kubeflow).values())
        meanwhile.append((fired, len(server.store.versions)))
        return run

    do(changed(for_smoke, "v2"), smoke_run=watched)

    assert meanwhile == [(["v1"], 4)]
    assert list(fired_versions(server, kubeflow).values()) == ["v2"]


def test_where_the_smoke_run_fails_nothing_is_deployed(
    server, kubeflow, scheduler, do, said, smoke, for_smoke
):
    do(for_smoke)
    add_schedule(scheduler, kubeflow)
    server.outcomes["train"] = Outcome(fails=True, log="ValueError: no such layer\n")

    outcome = do(changed(for_smoke, "v2"), smoke_run=smoke)

    assert said[-1] == outcome.failure
    assert re.match("The smoke run of v2 .* nothing was deployed: .*no such layer", said[-1])
    assert outcome.deployment.tag == "v1"
    assert [each.tag for each in kubeflow.history()] == ["v1"]
    assert len(server.store.versions) == 4
    assert list(fired_versions(server, kubeflow).values()) == ["v1"]


def test_where_the_smoke_run_of_the_first_deployment_fails_nothing_is_there(
    kubeflow, server, do, smoke, for_smoke
):
    server.outcomes["ingest"] = Outcome(fails=True, log="DataError: no photos\n")

    outcome = do(for_smoke, smoke_run=smoke)

    assert outcome.deployment is None
    assert kubeflow.history() == []


def test_smoke_run_that_fails_leaves_the_same_content_in_production(
    server, kubeflow, do, smoke, for_smoke
):
    current = do(for_smoke).deployment
    server.outcomes["train"] = Outcome(fails=True, log="OSError: no space\n")

    outcome = do(for_smoke, smoke_run=smoke)

    assert "The same is current already, as v1 (" in outcome.failure
    assert [*kubeflow.history()] == [current]


def test_schedule_that_was_made_during_the_smoke_run_is_looked_at_too(
    server, kubeflow, scheduler, do, smoke, for_smoke
):
    do(for_smoke)
    [plain, kubernetes] = documents.read(for_smoke.specs["retrain"])
    del plain["root"]["inputDefinitions"]["parameters"]["epochs"]
    specs = {**for_smoke.specs, "retrain": documents.write([plain, kubernetes])}

    def slow(release):
        add_schedule(scheduler, kubeflow)
        return smoke(release)

    with pytest.raises(InputError, match=r"Schedule 'nightly' gives 'retrain' .*: epochs\. Take"):
        do(dataclasses.replace(for_smoke, specs=specs), smoke_run=slow)

    assert len(server.store.versions) == 4


def test_smoke_run_on_kubeflow_needs_a_registry(server):
    with pytest.raises(InputError, match="`registry` must be given for a smoke run"):
        smoke_arguments(make_target(server), "", "")


def drop_new_recurring_runs(seen):
    if seen.method == "POST" and seen.path.endswith("/recurringruns"):
        raise ConnectionError


def test_killed_between_upload_and_schedules_the_next_try_points_them(
    server, kubeflow, scheduler, do, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    server.before = drop_new_recurring_runs
    with pytest.raises(ClusterError):
        do(changed(for_kubeflow, "v2"))
    server.before = None
    assert list(fired_versions(server, kubeflow).values()) == ["v1"]

    outcome = do(changed(for_kubeflow, "v2"))

    assert not outcome.is_new
    assert list(fired_versions(server, kubeflow).values()) == ["v2"]


def test_rollback_that_broke_off_before_the_schedules_is_finished_by_the_next(
    server, kubeflow, scheduler, do, said, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    do(changed(for_kubeflow, "v2"))
    server.before = drop_new_recurring_runs
    with pytest.raises(ClusterError):
        roll_back(kubeflow, scheduler, by="ann", say=said.append)
    server.before = None
    assert list(fired_versions(server, kubeflow).values()) == ["v2"]

    outcome = roll_back(kubeflow, scheduler, by="ann", say=said.append)

    assert any(line.startswith("Finishing the rollback of Kubeflow at http") for line in said)
    assert not outcome.is_new
    assert [each.tag for each in kubeflow.history()] == ["v1", "v2", "v1"]
    [live] = scheduler.live()
    assert live.settings.version == kubeflow.current().spec("retrain").version
    with pytest.raises(InputError, match="There is nothing to roll back to"):
        roll_back(kubeflow, scheduler, by="ann", say=said.append)


def test_schedule_that_somebody_pauses_while_others_are_pointed_stays_paused(
    server, kubeflow, scheduler, do, for_kubeflow
):
    do(for_kubeflow)
    for name in ("hourly", "nightly"):
        add_schedule(scheduler, kubeflow, name)
    somebody = KubeflowScheduler(make_target(server), sleep=lambda _: None)

    def pause_nightly(seen):  # as soon as the first one is pointed, all having been read
        if seen.method == "POST" and seen.path.endswith("/recurringruns"):
            server.before = None
            [nightly] = [each for each in somebody.live() if each.settings.name == "nightly"]
            somebody.pause(nightly)

    server.before = pause_nightly
    outcome = do(changed(for_kubeflow, "v2"))

    live = {each.settings.name: each.settings for each in scheduler.live()}
    assert {name: each.paused for name, each in live.items()} == {"hourly": False, "nightly": True}
    assert {each.version for each in live.values()} == {kubeflow.current().spec("sweep").version}
    assert [change.name for change in outcome.repointed] == ["hourly", "nightly"]


def test_rollback_points_schedules_back(server, kubeflow, scheduler, do, said, for_kubeflow):
    do(for_kubeflow)
    do(changed(for_kubeflow, "v2"))
    add_schedule(scheduler, kubeflow)

    outcome = roll_back(kubeflow, scheduler, by="ann", say=said.append)

    assert (outcome.deployment.tag, outcome.deployment.by) == ("v1", "ann")
    [live] = scheduler.live()
    assert live.settings.version == kubeflow.current().spec("retrain").version
    assert [change.name for change in outcome.repointed] == ["nightly"]


def test_rollback_with_nothing_before_is_refused(kubeflow, scheduler, do, said, for_kubeflow):
    with pytest.raises(InputError, match="There is nothing to roll back to: nothing was deployed"):
        roll_back(kubeflow, scheduler, by="ann", say=said.append)
    do(for_kubeflow)
    with pytest.raises(InputError, match=r"only v1 \(.* was deployed at Kubeflow at http"):
        roll_back(kubeflow, scheduler, by="ann", say=said.append)


def test_rollback_to_what_a_schedule_could_not_run_is_refused(
    server, kubeflow, scheduler, do, said, for_kubeflow
):
    [plain, kubernetes] = documents.read(for_kubeflow.specs["retrain"])
    del plain["root"]["inputDefinitions"]["parameters"]["epochs"]
    specs = {**for_kubeflow.specs, "retrain": documents.write([plain, kubernetes])}
    do(dataclasses.replace(for_kubeflow, specs=specs))
    do(changed(for_kubeflow, "v2"))
    add_schedule(scheduler, kubeflow)

    with pytest.raises(InputError, match=r"Schedule 'nightly' gives 'retrain' .*: epochs\."):
        roll_back(kubeflow, scheduler, by="ann", say=said.append)

    assert len(server.store.versions) == 8


def test_after_two_deployed_at_once_schedules_run_the_current_one_and_the_other_is_told(
    server, kubeflow, scheduler, do, for_kubeflow
):
    do(for_kubeflow)
    add_schedule(scheduler, kubeflow)
    barrier = threading.Barrier(2, timeout=20)
    waiting = [1, 1]

    def wait_for_the_other(seen):
        if seen.path.endswith("/upload_version") and waiting:
            waiting.pop()
            barrier.wait()

    server.before = wait_for_the_other

    def deploy_from_elsewhere(release):
        target = make_target(server)
        place = KubeflowDeployments(target.connect())
        other = KubeflowScheduler(target, sleep=lambda _: None)
        return deploy(place, other, release, say=lambda _: None)

    releases = [changed(for_kubeflow, tag) for tag in ("v2", "v3")]
    with ThreadPoolExecutor() as pool:
        outcomes = dict(zip(("v2", "v3"), pool.map(deploy_from_elsewhere, releases), strict=True))

    [live] = scheduler.live()
    current = kubeflow.current()
    assert live.settings.version == current.spec("retrain").version
    [other] = {"v2", "v3"} - {current.tag}
    # Whoever looked before the other had uploaded all, could not know; the last one does.
    told = [outcome.failure for outcome in outcomes.values() if outcome.failure]
    assert all(re.match(rf"{other} .* is not current: meanwhile {current.tag} \(", t) for t in told)


def test_whoever_was_overtaken_is_told(server, kubeflow, do, said, for_kubeflow):
    newer = dataclasses.replace(changed(for_kubeflow, "v2"), by="bob")

    def deploy_meanwhile(seen):
        if seen.path.endswith("/versions") and server.count("POST", "/upload_version$") == 4:
            server.before = None
            kubeflow.deploy(newer)

    server.before = deploy_meanwhile
    outcome = do(for_kubeflow)

    wanted = r"v1 \(.*\) is not current: meanwhile v2 \(.*\) was deployed by bob, and schedules run"
    assert re.match(wanted, outcome.failure)
    assert said[-1] == outcome.failure
    assert outcome.deployment.tag == "v2"


def test_outcome_can_be_written_as_json(do, smoke, for_smoke):
    outcome = do(for_smoke, smoke_run=smoke)

    assert json.loads(json.dumps(dataclasses.asdict(outcome.deployment)))["tag"] == "v1"
