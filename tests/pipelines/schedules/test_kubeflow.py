"""Schedules as Kubeflow's recurring runs: held as wanted, replaced without losing a time."""

import contextlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from kfp_server_api import models

from components.common.errors import ClusterError, ConflictError, InputError
from components.common.home import VARIABLE
from pipelines.deploy.deployments import Release
from pipelines.deploy.kubeflow import KubeflowDeployments
from pipelines.schedules import Settings
from pipelines.schedules.cron import Cron
from pipelines.schedules.kubeflow import KubeflowScheduler
from pipelines.schedules.plan import SAME, UPDATE, plan
from pipelines.schedules.schedule import Schedule
from pipelines.specs import KUBEFLOW, spec_path
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.kubeflow_client import GoneError, LoginError, UnreachableError
from tests.pipelines.kubeflow.controller import Trigger
from tests.pipelines.kubeflow.server import FakeServer, Fault

START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # a Monday
REGISTRY = "mlflow:http://mlflow.mlflow:5000"
PIPELINES = ("retrain", "train_and_push")


def deploy(server, tag="v1.0.0", namespace="", **changed):
    """Deploy the committed specs, or others in their place."""
    specs = {name: spec_path(name, KUBEFLOW).read_bytes() for name in PIPELINES}
    target = KubeflowTarget(host=server.url, namespace=namespace)
    release = Release(
        tag=tag,
        code_version=f"0.1.0+{tag}",
        commit="",
        by="ann",
        specs={**specs, **changed},
    )
    return KubeflowDeployments(target.connect()).deploy(release)


def make_scheduler(server, **settings):
    """A scheduler for which time passes in the cluster while it sleeps."""
    return KubeflowScheduler(
        KubeflowTarget(host=server.url, **settings),
        clock=server.time,
        sleep=lambda seconds: server.pass_time(server.time() + timedelta(seconds=seconds)),
    )


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))


@pytest.fixture
def server():
    """A cluster where v1.0.0 is deployed, and whose clock a test turns."""
    fake = FakeServer()
    fake.now = START
    deploy(fake)
    yield fake
    fake.close()


@pytest.fixture
def scheduler(server):
    return make_scheduler(server)


def settings(server, **changed):
    """Settings as `prepare` gives them."""
    version = server.store.versions[0].name
    wanted = Settings(
        name="nightly",
        pipeline="retrain",
        version=version,
        cron="0 3 * * mon-fri",
        place={"on": "kubeflow", "experiment": "pawpetal"},
        parameters={"registry": REGISTRY, "dataset": "gs://acme/photos", "epochs": 3},
    )
    return replace(wanted, **changed)


def only(scheduler):
    [live] = scheduler.live()
    return live


def writes(server):
    """What was asked that changes something."""
    return [f"{each.method} {each.path}" for each in server.seen if each.method != "GET"]


def add_copy(server, recurring_id, description):
    """Somebody else's recurring run, which differs from our first in its description alone."""
    copy = {**server.store.recurring[0].to_dict(), "recurring_run_id": recurring_id}
    server.store.recurring.append(
        models.V2beta1RecurringRun(**{**copy, "description": description})
    )
    server.store.triggers[recurring_id] = Trigger()


# What is held


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"name": "a-2"},
        {"pipeline": "train_and_push"},
        {"cron": "*/15 8-18 1,15 * *"},
        {"cron": "0 12 13 * 5-7"},
        {"time_zone": "Etc/UTC"},
        {"max_concurrency": 10},
        {"catch_up": True},
        {"paused": True},
        {"place": {"on": "kubeflow", "experiment": "the night's"}},
        {"place": {"on": "kubeflow", "experiment": "x", "service_account": "trainer"}},
        {"parameters": {}},
        {"parameters": {"learning_rate": 1.0, "min_gain": 0.0, "epochs": 0, "dataset": 'a "b"'}},
    ],
    ids=str,
)
def test_what_was_made_is_read_back_as_it_was_wanted(server, scheduler, changed):
    wanted = settings(server, **changed)

    scheduler.create(wanted)

    found = only(scheduler)
    assert found.settings == wanted
    types = {name: type(value) for name, value in found.settings.parameters.items()}
    assert types == {name: type(value) for name, value in wanted.parameters.items()}


def test_a_second_apply_changes_nothing(server, scheduler):
    scheduler.create(settings(server))
    done = writes(server)

    scheduler.update(only(scheduler), settings(server))
    scheduler.create(settings(server))  # somebody else was first

    assert writes(server) == done
    assert [change.kind for change in plan([settings(server)], scheduler.live())] == [SAME]


@pytest.mark.parametrize(
    "changed",
    [
        {"pipeline": "train_and_push"},
        {"cron": "0 4 * * *"},
        {"max_concurrency": 2},
        {"catch_up": True},
        {"place": {"on": "kubeflow", "experiment": "y"}},
        {"parameters": {"registry": REGISTRY}},
        {"cron": "0 4 * * *", "paused": True},
    ],
    ids=str,
)
def test_an_update_replaces_and_keeps_the_old_one(server, scheduler, changed):
    scheduler.create(settings(server))
    before, wanted = only(scheduler), settings(server, **changed)

    scheduler.update(before, wanted)

    after = only(scheduler)
    assert after.settings == wanted
    assert after.id != before.id
    old, new = server.store.recurring  # and no note is left
    assert (old.recurring_run_id, old.status) == (before.id, "DISABLED")
    assert new.display_name == "nightly (2)"


def test_where_only_paused_differs_the_recurring_run_stays(server, scheduler):
    scheduler.create(settings(server))
    before = only(scheduler)

    scheduler.update(before, settings(server, paused=True))
    paused = only(scheduler)
    scheduler.update(paused, settings(server))

    assert paused.settings.paused
    assert only(scheduler) == before
    assert writes(server)[-2:] == [
        f"POST /apis/v2beta1/recurringruns/{before.id}:disable",
        f"POST /apis/v2beta1/recurringruns/{before.id}:enable",
    ]


def test_runs_get_the_code_version_and_no_fingerprints(server, scheduler):
    scheduler.create(settings(server))

    [recurring] = server.store.recurring
    assert recurring.runtime_config["parameters"] == {
        "registry": REGISTRY,
        "dataset": "gs://acme/photos",
        "epochs": 3,
        "code_version": "0.1.0+v1.0.0",
        "dataset_fingerprint": "",
        "weights_fingerprint": "",
    }


def test_a_release_points_a_schedule_to_its_spec(server, scheduler):
    scheduler.create(settings(server))
    server.pass_time(START + timedelta(days=1))
    changed = spec_path("retrain", KUBEFLOW).read_text().replace("pawpetal-light:", "pawpetal-x:")
    second = deploy(server, "v1.1.0", retrain=changed.encode())
    live = only(scheduler)

    scheduler.update(live, replace(live.settings, version=second.spec("retrain").version))

    assert only(scheduler).settings.version == second.spec("retrain").version
    new = server.store.recurring[-1]
    reference = new.pipeline_version_reference
    assert f"{reference['pipeline_id']}/{reference['pipeline_version_id']}" == (
        second.spec("retrain").reference
    )
    assert new.runtime_config["parameters"]["code_version"] == "0.1.0+v1.1.0"


def test_a_version_that_was_never_deployed_is_refused(server, scheduler):
    with pytest.raises(InputError, match=r"that was deployed. Received: 'v9'"):
        scheduler.create(settings(server, version="v9"))


def test_history_stays_over_replacements(server, scheduler):
    scheduler.create(settings(server, cron="0 8 * * *"))
    server.pass_time(START + timedelta(hours=2))
    scheduler.update(only(scheduler), settings(server, cron="0 9 1 1 *"))

    live = only(scheduler)

    assert live.last == START + timedelta(hours=1)
    assert live.last_status == "succeeded"
    assert live.url == f"{server.url}/#/recurringrun/details/{live.id}"


def test_recurring_runs_of_others_are_left_alone(server, scheduler):
    scheduler.create(settings(server))
    others = (None, "nightly", '{"pawpetal":"x"}', "[1]", '{"made_by":"us"}', '"pawpetal"')
    for number, description in enumerate(others):
        add_copy(server, f"other-{number}", description)
    theirs = {each.recurring_run_id for each in server.store.recurring[1:]}

    scheduler.update(only(scheduler), settings(server, cron="0 4 * * *"))
    scheduler.delete(only(scheduler))

    assert {each.recurring_run_id for each in server.store.recurring} == theirs
    assert {each.status for each in server.store.recurring} == {"ENABLED"}


def test_what_was_deleted_beside_it_shows(server, scheduler):
    scheduler.create(settings(server))
    version, experiment = server.store.versions[0], server.store.experiments[0]
    server.store.versions.remove(version)
    server.store.experiments.clear()

    found = only(make_scheduler(server)).settings

    assert found.version == f"{version.pipeline_version_id} (deleted)"
    assert found.place["experiment"] == f"{experiment.experiment_id} (deleted)"


def test_all_pages_of_recurring_runs_are_read(server, scheduler):
    scheduler.create(settings(server))
    for number in range(110):
        add_copy(server, f"other-{number}", None)
    scheduler.create(settings(server, name="weekly"))

    found = scheduler.live()

    assert [live.settings.name for live in found] == ["nightly", "weekly"]
    assert server.count("GET", "recurringruns$") > 4


def test_each_user_has_schedules_of_their_own(server):
    server.users = {"ann", "bob"}
    schedulers = {}
    for name in ("ann", "bob"):
        deploy(server, namespace=name)
        schedulers[name] = make_scheduler(server, namespace=name)
        schedulers[name].create(
            settings(
                server, version=server.store.versions[-1].name, parameters={"model_name": name}
            )
        )

    found = {name: only(each).settings.parameters for name, each in schedulers.items()}

    assert found == {"ann": {"model_name": "ann"}, "bob": {"model_name": "bob"}}
    schedulers["ann"].delete(only(schedulers["ann"]))
    assert only(schedulers["bob"])


# What is refused


def schedule(**changed):
    return Schedule(
        **{
            "name": "nightly",
            "pipeline": "train_and_push",  # which does not ask the registry for a champion
            "cron": Cron("0 3 * * mon"),
            "on": "kubeflow",
            "parameters": {"registry": REGISTRY, "dataset": "sample:flowers", "epochs": 3},
            **changed,
        }
    )


def test_prepared_settings_say_what_was_given_and_the_version(server, scheduler):
    prepared = scheduler.prepare(schedule(catch_up=True, paused=True, max_concurrency=2))

    assert prepared == settings(
        server,
        pipeline="train_and_push",
        cron="0 3 * * mon",
        catch_up=True,
        paused=True,
        max_concurrency=2,
        # The dataset is the usual one, and stays where another release has another.
        parameters={"registry": REGISTRY, "dataset": "sample:flowers", "epochs": 3},
    )
    scheduler.create(prepared)
    assert only(scheduler).settings == prepared
    assert scheduler.prepare(schedule(catch_up=True, paused=True, max_concurrency=2)) == prepared


def test_the_champion_is_found_anew_by_each_run(scheduler):
    prepared = scheduler.prepare(schedule(pipeline="retrain"))

    assert prepared.parameters.get("warm_start", "champion") == "champion"


def test_settings_of_the_target_are_the_place(server):
    scheduler = make_scheduler(server, experiment="x", service_account="trainer")

    prepared = scheduler.prepare(schedule())

    place = {"on": "kubeflow", "experiment": "x", "service_account": "trainer"}
    assert prepared.place == place


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cron": Cron("0 3 * * *", "Europe/Berlin")}, "`time_zone` must be UTC"),
        ({"cron": None, "on_new_data": "gs://acme/photos"}, "`fired_by` must be scheduler"),
        ({"on_new_data": "gs://acme/photos"}, "`fired_by` must be scheduler"),
        ({"parameters": {"registry": REGISTRY, "epochs": -1}}, "`epochs` must be from 0"),
        ({"parameters": {"registry": "", "dataset": "sample:flowers"}}, "`registry`"),
        ({"parameters": {"registry": REGISTRY, "dataset": "folder:/photos"}}, "`dataset`"),
        ({"pipeline": "sweep"}, "one that is deployed: retrain, train_and_push. Received: 'sweep'"),
        (
            {"cron": Cron(",".join(map(str, range(60))) + " " + "0,1,2,3," * 12 + "4 * * *")},
            "short",
        ),
    ],
)
def test_what_cannot_work_there_is_refused(server, scheduler, changed, message):
    with pytest.raises(InputError, match=message):
        scheduler.prepare(schedule(**changed))

    assert not server.store.recurring


def test_an_input_that_the_deployed_spec_lacks_is_refused(server, scheduler):
    older = spec_path("train_and_push", KUBEFLOW).read_text()
    older = older.replace("checkpoint_seconds", "check_s")
    deploy(server, "v0.9", train_and_push=older.encode())

    with pytest.raises(InputError, match="`checkpoint_seconds` is no input of the train_and_push"):
        scheduler.prepare(schedule(parameters={"registry": REGISTRY, "checkpoint_seconds": 5.0}))


def test_without_a_deployment_it_says_what_to_do():
    server = FakeServer()
    try:
        with pytest.raises(
            InputError, match=r"Nothing is deployed at .*pawpetal deploy --on kubeflow"
        ):
            make_scheduler(server).prepare(schedule())
    finally:
        server.close()


# Faults


@pytest.mark.parametrize(
    ("status", "kind"), [(401, LoginError), (403, LoginError), (429, UnreachableError)]
)
def test_refusals_are_told_in_one_line(server, scheduler, status, kind):
    server.faults = [Fault("GET /apis/v2beta1/recurringruns", times=1, status=status)]

    with pytest.raises(kind, match=f"asked for the recurring runs, said {status}"):
        scheduler.live()


@pytest.mark.parametrize("status", [0, 503])
def test_a_schedule_whose_answer_was_lost_is_made_once(server, scheduler, status):
    server.faults = [Fault("POST .*recurringruns$", times=1, status=status, after=True, body=b"")]

    scheduler.create(settings(server))

    assert len(server.store.recurring) == 1
    assert only(scheduler).settings == settings(server)


def test_a_schedule_that_somebody_deleted_is_left_so(server, scheduler):
    scheduler.create(settings(server))
    live = only(scheduler)
    server.store.recurring.clear()

    with pytest.raises(ConflictError, match="'nightly' was deleted by somebody else meanwhile"):
        scheduler.update(live, settings(server, cron="0 4 * * *"))

    assert scheduler.live() == []
    for act in (scheduler.pause, scheduler.resume, scheduler.run_now, scheduler.delete):
        with pytest.raises(GoneError, match="There is no schedule 'nightly' at"):
            act(live)


# Others who change it meanwhile


def interfere(server, act, *, method="POST", path="", skips=0):
    """Let somebody else act right before a request of ours is answered, once."""
    left = skips

    def before(seen):
        nonlocal left
        if seen.method == method and path in seen.path:
            left -= 1
            if left < 0:
                server.before = None
                act()

    server.before = before


@pytest.mark.parametrize("changed", [{"paused": True}, {"cron": "0 5 * * *"}, {"parameters": {}}])
def test_what_somebody_changed_since_it_was_read_is_not_taken_back(server, scheduler, changed):
    scheduler.create(settings(server))
    live = only(scheduler)
    make_scheduler(server).update(live, settings(server, **changed))
    done = writes(server)

    with pytest.raises(ConflictError, match="'nightly' was changed by somebody else meanwhile"):
        scheduler.update(live, settings(server, cron="0 4 * * *"))

    assert writes(server) == done
    assert only(scheduler).settings == settings(server, **changed)


def test_one_that_is_as_wanted_by_now_is_no_conflict(server, scheduler):
    scheduler.create(settings(server))
    live, wanted = only(scheduler), settings(server, cron="0 4 * * *")
    scheduler.update(live, wanted)
    done = writes(server)

    scheduler.update(live, wanted)  # whose answer was lost

    assert writes(server) == done


def test_one_that_is_paused_while_it_is_waited_for_a_time_stays_paused(server, scheduler):
    wanted = settings(server, cron="0 * * * *")
    scheduler.create(wanted)
    server.pass_time(START + timedelta(minutes=59, seconds=55))
    live, other = only(scheduler), make_scheduler(server)

    def pause_and_sleep(seconds):
        other.pause(live)
        server.pass_time(server.time() + timedelta(seconds=seconds))

    waiting = replace(scheduler, sleep=pause_and_sleep)
    with pytest.raises(ConflictError):
        waiting.update(live, replace(wanted, parameters={}))

    assert only(scheduler).settings == replace(wanted, paused=True)
    assert len(server.store.recurring) == 1


# A replacement: note, look, disable, look, make, look, delete the note.
@pytest.mark.parametrize(
    ("method", "path", "skips"),
    [
        ("POST", "recurringruns", 0),
        ("GET", "recurringruns", 0),
        ("POST", ":disable", 0),
        ("GET", "recurringruns", 1),
        ("GET", "recurringruns", 2),
        ("DELETE", "recurringruns", 0),
    ],
)
def test_one_that_is_paused_at_any_moment_of_a_replacement_is_paused(
    server, scheduler, method, path, skips
):
    scheduler.create(settings(server))
    live, other = only(scheduler), make_scheduler(server)

    def begin():  # with the note, after all that is read before it
        interfere(server, lambda: other.pause(live), method=method, path=path, skips=skips)
        server.before(server.seen[-1])

    interfere(server, begin, path="recurringruns")
    with contextlib.suppress(ConflictError):
        scheduler.update(live, settings(server, cron="0 4 * * *"))

    assert server.before is None
    found = only(scheduler).settings
    assert found.paused
    assert found.cron in ("0 3 * * mon-fri", "0 4 * * *")
    assert {each.status for each in server.store.recurring} == {"DISABLED"}


def test_one_that_is_deleted_while_it_is_replaced_is_not_made_again(server, scheduler):
    scheduler.create(settings(server))
    live, other = only(scheduler), make_scheduler(server)
    interfere(server, lambda: other.delete(live), path=":disable")

    with pytest.raises(ConflictError):
        scheduler.update(live, settings(server, cron="0 4 * * *"))

    assert server.store.recurring == []


def test_of_two_who_replace_at_once_one_is_refused(server, scheduler):
    scheduler.create(settings(server))
    live, other = only(scheduler), make_scheduler(server)
    refused = []

    def update():
        with pytest.raises(ConflictError) as error:
            other.update(live, settings(server, cron="0 5 * * *"))
        refused.append(error)

    interfere(server, update, path=":disable")
    scheduler.update(live, settings(server, cron="0 4 * * *"))

    assert refused
    assert only(scheduler).settings == settings(server, cron="0 4 * * *")
    assert [each.status for each in server.store.recurring] == ["DISABLED", "ENABLED"]


def test_what_is_deployed_is_read_once(server, scheduler):
    read = server.count("GET", "/versions$")
    for name in ("a", "b", "c"):
        scheduler.create(scheduler.prepare(schedule(name=name)))

    assert server.count("GET", "/versions$") - read == len(PIPELINES)


# Deleting, pausing and running now


def test_deleting_takes_all_generations_but_no_run(server, scheduler):
    scheduler.create(settings(server, cron="*/10 * * * *"))
    server.pass_time(START + timedelta(minutes=15))
    scheduler.update(only(scheduler), settings(server))
    server.run_length = timedelta(0)
    server.pass_time(START + timedelta(minutes=20))

    scheduler.delete(only(scheduler))

    assert scheduler.live() == server.store.recurring == []
    assert [stored.run.state for stored in server.store.runs.values()] == ["SUCCEEDED"]


def test_a_schedule_is_not_deleted_while_its_run_runs(server, scheduler):
    server.run_length = timedelta(hours=1)
    scheduler.create(settings(server, cron="*/10 * * * *"))
    server.pass_time(START + timedelta(minutes=15))
    live = only(scheduler)

    with pytest.raises(
        ClusterError, match="has a run that still runs, and would end with it: http"
    ):
        scheduler.delete(live)

    assert [stored.run.state for stored in server.store.runs.values()] == ["PENDING"]
    assert only(scheduler) == live


def test_pausing_and_resuming_switch_it(server, scheduler):
    scheduler.create(settings(server, cron="*/10 * * * *"))

    scheduler.pause(only(scheduler))
    assert only(scheduler).settings.paused
    server.pass_time(START + timedelta(minutes=25))
    assert server.fired == []
    scheduler.resume(only(scheduler))
    server.pass_time(START + timedelta(minutes=29))

    # One run makes up for both times that were missed.
    assert [time for _, time in server.fired] == [START + timedelta(minutes=20)]


def test_a_run_now_is_one_of_the_deployed_version(server, scheduler):
    scheduler.create(settings(server, paused=True))

    url = scheduler.run_now(only(scheduler))
    scheduler.run_now(only(scheduler))

    run, _ = (stored.run for stored in server.store.runs.values())
    [recurring] = server.store.recurring
    assert url == f"{server.url}/#/runs/details/{run.run_id}"
    assert run.display_name.startswith("nightly-now-20261123-0700")
    assert run.experiment_id == recurring.experiment_id
    parameters = json.loads(json.dumps(run.runtime_config.parameters))
    assert parameters == recurring.runtime_config["parameters"]
    assert run.recurring_run_id is None  # so it is beside its times


# Dry runs


def test_requests_are_those_that_are_sent(server, scheduler):
    wanted = settings(server)
    told = list(scheduler.requests(None, wanted))
    assert [each["method"] for each in told] == ["POST"]
    assert told[0]["body"]["experiment_id"] == "ID-OF-pawpetal"
    assert told[0]["body"]["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1,2,3,4,5"}}
    assert server.store.experiments == server.store.recurring == []

    scheduler.create(wanted)
    live = only(scheduler)
    before = len(server.seen)
    told = list(scheduler.requests(live, settings(server, cron="0 4 * * *")))
    assert all(each.method == "GET" for each in server.seen[before:])
    scheduler.update(live, settings(server, cron="0 4 * * *"))

    sent = [each for each in server.seen[before:] if each.method != "GET"]
    assert [each["method"] for each in told] == [each.method for each in sent]
    assert [each["url"].partition("/apis")[2] for each in told[:3]] == [
        each.path.partition("/apis")[2] for each in sent[:3]
    ]
    [pause] = scheduler.requests(only(scheduler), settings(server, cron="0 4 * * *", paused=True))
    assert pause["url"].endswith(":disable")


# Times around a replacement

EVERY = timedelta(minutes=2)
EDIT = START + timedelta(minutes=10)


def edit(server, scheduler, wanted):
    """Apply until it is done, however often something breaks off."""
    for _ in range(5):
        try:
            [change] = plan([wanted], scheduler.live())
            if change.kind == UPDATE:
                scheduler.update(change.live, wanted)
            return
        except ClusterError:
            server.faults.clear()
    pytest.fail("not done after five tries")


def due_times(until):
    return [START + EVERY * number for number in range(1, (until - START) // EVERY + 1)]


def fired_around_an_edit(
    offset_s, *, fault="", after=0, catch_up=False, tells=False, down_s=0, **world
):
    """The times that were fired from long before an edit until long after it.

    Args:
        offset_s: When the edit begins, after EDIT.
        fault: Request at which the edit is killed; it is done again after `down_s`.
        after: So many of these requests.
        catch_up: Of the schedule.
        tells: Whether Kubeflow tells which time a run is for.
        down_s: Seconds.
        world: Attributes of the server.
    """
    server = FakeServer()
    try:
        server.now, server.tells_due_times = START, tells
        for name, value in world.items():
            setattr(server, name, value)
        deploy(server)
        scheduler = make_scheduler(server)
        old = settings(server, cron="*/2 * * * *", catch_up=catch_up)
        scheduler.create(old)
        server.pass_time(EDIT + timedelta(seconds=offset_s))
        # Each request takes a second, in which the controller goes on.
        server.before = lambda seen: server.pass_time(server.time() + timedelta(seconds=1))
        if fault:
            server.faults = [Fault(fault, times=99, status=0, skips=after)]
            with pytest.raises(ClusterError):
                scheduler.update(scheduler.live()[0], replace(old, parameters={"epochs": 9}))
            server.faults.clear()
            server.pass_time(server.time() + timedelta(seconds=down_s))
        edit(server, scheduler, replace(old, parameters={"epochs": 9}))
        server.before = None
        assert only(scheduler).settings == replace(old, parameters={"epochs": 9})
        end = server.time() + timedelta(minutes=10)
        server.pass_time(end)
        assert sum(each.status == "ENABLED" for each in server.store.recurring) == 1
        return [time for _, time in server.fired], end
    finally:
        server.close()


@pytest.mark.parametrize("offset_s", range(0, 120, 5))
def test_no_time_is_lost_or_fired_twice_whenever_it_is_replaced(offset_s):
    fired, end = fired_around_an_edit(offset_s)

    assert sorted(fired) == due_times(end)[: len(fired)]
    assert end - fired[-1] < 2 * EVERY
    assert max(Counter(fired).values()) == 1


@pytest.mark.parametrize("offset_s", [0, 20, 45, 70, 100, 115])
@pytest.mark.parametrize("tells", [False, True])
def test_nor_where_it_catches_up(offset_s, tells):
    fired, end = fired_around_an_edit(offset_s, catch_up=True, tells=tells)

    assert fired == due_times(end)[: len(fired)]
    assert end - fired[-1] < 2 * EVERY


@pytest.mark.parametrize("offset_s", [0, 20, 45, 70, 100, 115])
@pytest.mark.parametrize("fault", [":disable", "POST .*recurringruns$", "DELETE"])
def test_nor_where_the_edit_is_killed_and_done_again_soon(offset_s, fault):
    fired, end = fired_around_an_edit(offset_s, fault=fault)

    assert fired == due_times(end)[: len(fired)]
    assert end - fired[-1] < 2 * EVERY


def test_of_times_that_came_while_it_was_broken_off_one_run_makes_up():
    fired, end = fired_around_an_edit(30, fault="POST .*recurringruns$", after=1, down_s=600)

    missed = [time for time in due_times(end - EVERY) if time not in fired]
    # Killed at 7:10:40 or so, done again ten minutes later: the time of 7:20 is made up for.
    assert missed == [START + timedelta(minutes=each) for each in (12, 14, 16, 18)]
    assert max(Counter(fired).values()) == 1


@pytest.mark.parametrize("offset_s", [0, 30, 55])
def test_other_times_begin_with_the_edit(server, scheduler, offset_s):
    scheduler.create(settings(server, cron="*/10 * * * *"))
    server.pass_time(START + timedelta(minutes=50, seconds=offset_s))

    # Weekly on Mondays at 7:00: today's is over, and is not made up for.
    scheduler.update(only(scheduler), settings(server, cron="0 7 * * mon"))
    server.looks_every = timedelta(minutes=10)
    server.pass_time(START + timedelta(days=8))

    tens = [START + timedelta(minutes=10 * number) for number in range(1, 6)]
    assert [time for _, time in server.fired] == [*tens, START + timedelta(days=7)]


def test_one_that_was_broken_off_is_not_taken_for_paused(server, scheduler):
    scheduler.create(settings(server))
    live = only(scheduler)
    server.faults = [Fault("POST .*recurringruns$", times=9, status=0, skips=1)]
    with pytest.raises(ClusterError):
        scheduler.update(live, settings(server, cron="0 4 * * *"))
    server.faults.clear()

    broken_off = only(scheduler).settings

    assert not broken_off.paused
    assert broken_off.version.endswith(" (being replaced)")
    # It differs even from what it was, should the edit be taken back; and a release completes it.
    assert [change.kind for change in plan([settings(server)], scheduler.live())] == [UPDATE]
    scheduler.update(only(scheduler), replace(broken_off, version=settings(server).version))
    assert only(scheduler).settings == settings(server)
    assert [each.status for each in server.store.recurring] == ["DISABLED", "ENABLED"]


@pytest.mark.parametrize("paused", [False, True])
def test_a_note_that_a_kill_left_behind_is_swept_by_the_next_apply(server, scheduler, paused):
    scheduler.create(settings(server))
    wanted = settings(server, cron="0 4 * * *", paused=paused)
    server.faults = [Fault("DELETE", times=9, status=0)]
    with pytest.raises(ClusterError):
        scheduler.update(only(scheduler), wanted)
    server.faults.clear()
    assert [each.display_name for each in server.store.recurring] == [
        "nightly",
        "nightly (2): being made",
        "nightly (2)",
    ]

    [change] = plan([wanted], scheduler.live())
    [told] = scheduler.requests(change.live, wanted)
    scheduler.update(change.live, change.wanted)

    assert [each.field for each in change.differences] == ["version"]
    assert told["method"] == "DELETE"
    assert only(scheduler).settings == wanted
    assert [each.display_name for each in server.store.recurring] == ["nightly", "nightly (2)"]


def test_a_time_that_waits_for_a_run_is_handed_on():
    """A run takes five minutes, and times come every two."""
    fired, _ = fired_around_an_edit(30, run_length=timedelta(minutes=5))

    assert max(Counter(fired).values()) == 1
    assert max(later - earlier for earlier, later in pairwise(fired)) <= timedelta(minutes=6)


def test_what_kubeflow_does_not_tell_is_not_guessed(server, scheduler):
    server.run_length = timedelta(minutes=5)
    wanted = settings(server, cron="*/2 * * * *", catch_up=True)
    scheduler.create(wanted)
    server.pass_time(EDIT)
    live, done = only(scheduler), writes(server)

    with pytest.raises(ClusterError, match="catches up on times that it missed while a run of it"):
        scheduler.update(live, replace(wanted, max_concurrency=2))

    assert writes(server) == done
    assert only(scheduler).settings == wanted


def test_an_older_one_that_somebody_switched_on_is_switched_off(server, scheduler):
    scheduler.create(settings(server))
    scheduler.update(only(scheduler), settings(server, cron="0 4 * * *"))
    server.store.recurring[0].status = "ENABLED"

    [change] = plan([settings(server, cron="0 4 * * *")], scheduler.live())
    scheduler.update(change.live, change.wanted)

    assert change.kind == UPDATE
    assert [each.status for each in server.store.recurring] == ["DISABLED", "DISABLED", "ENABLED"]


def test_without_any_run_left_a_year_is_not_caught_up_on(server, scheduler):
    wanted = settings(server, cron="0 * * * *", catch_up=True, paused=True)
    scheduler.create(wanted)
    server.looks_every = timedelta(minutes=1)
    server.pass_time(START + timedelta(days=2))

    scheduler.update(only(scheduler), replace(wanted, paused=False, parameters={}))
    server.pass_time(server.time() + timedelta(minutes=90))

    assert [time for _, time in server.fired] == [START + timedelta(days=2, hours=1)]
