"""Schedules of Vertex AI: held as wanted, edited in place, and read by the service's own types."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from components.common.errors import CloudError, ConflictError, InputError
from components.common.home import VARIABLE
from pipelines.deploy.deployments import Release
from pipelines.deploy.vertex import VertexDeployments
from pipelines.google_cloud.requests import build_spec
from pipelines.schedules import Settings
from pipelines.schedules.cron import Cron
from pipelines.schedules.plan import SAME, UPDATE, plan
from pipelines.schedules.schedule import Schedule
from pipelines.schedules.vertex import VertexScheduler
from pipelines.specs import PLAIN, spec_path
from pipelines.targets.vertex import VertexTarget
from tests.google_cloud import project

BUCKET = "acme-pawpetal"
RUNNER = "pawpetal-runner@acme.iam.gserviceaccount.com"
START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # a Monday
PIPELINES = ("retrain", "train_and_push")
MASK = (
    "cron,maxConcurrentRunCount,maxConcurrentActiveRunCount,allowQueueing,createPipelineJobRequest"
)


@pytest.fixture(scope="module")
def specs():
    """The committed specs, as Vertex AI runs them."""
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET)
    plain = {name: yaml.safe_load(spec_path(name, PLAIN).read_text()) for name in PIPELINES}
    return {
        name: yaml.safe_dump(build_spec(each, target.place, target.machine)).encode()
        for name, each in plain.items()
    }


@pytest.fixture
def vertex(google, gcs, tmp_path, monkeypatch):
    """A project whose bucket is there, and empty, and whose clock a test turns."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    bucket = gcs.bucket(BUCKET)
    if bucket.exists():
        bucket.delete_blobs(list(bucket.list_blobs()))
    else:
        bucket.create()
    google.schedules.now = START
    google.project.buckets["others"] = project.bucket("others")
    runner = f"serviceAccount:{RUNNER}"
    google.project.grant("buckets/others", "roles/storage.objectUser", runner)
    google.project.grant("buckets/others", "roles/storage.objectViewer", project.SUBMITTER)
    return google


def deploy(specs, tag="v1.0.0", **changed):
    release = Release(
        tag=tag, code_version=f"0.1.0+{tag}", commit="", by="ann", specs={**specs, **changed}
    )
    return VertexDeployments("acme", "us-central1", BUCKET).deploy(release)


@pytest.fixture(scope="module")
def uploaded():
    """What the first deployment left: uploading takes a second, and leaves the same each time."""
    return {}


@pytest.fixture
def deployed(vertex, gcs, specs, uploaded):
    """The deployment v1.0.0."""
    bucket = gcs.bucket(BUCKET)
    if not uploaded:
        uploaded["deployment"] = deploy(specs)
        uploaded["specs"] = dict(vertex.specs)
        uploaded["repositories"] = copy.deepcopy(vertex.project.repositories)
        blobs = bucket.list_blobs()
        uploaded["log"] = {blob.name: blob.download_as_bytes() for blob in blobs}
        return uploaded["deployment"]
    vertex.specs.update(uploaded["specs"])
    vertex.project.repositories = copy.deepcopy(uploaded["repositories"])
    for name, content in uploaded["log"].items():
        bucket.blob(name).upload_from_string(content)
    return uploaded["deployment"]


def make_scheduler(google, **given):
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET, **given)

    def sleep(seconds):
        google.schedules.pass_time(google, google.schedules.time() + timedelta(seconds=seconds))

    return VertexScheduler(target, clock=google.schedules.time, sleep=sleep)


@pytest.fixture
def scheduler(vertex):
    return make_scheduler(vertex, ask_first=False)


def settings(deployed, **changed):
    """Settings as `prepare` gives them."""
    wanted = Settings(
        name="nightly",
        pipeline="retrain",
        version=deployed.spec(changed.get("pipeline", "retrain")).version,
        cron="0 3 * * *",
        time_zone="Europe/Berlin",
        place={"on": "vertex", "bucket": BUCKET, "service_account": RUNNER},
        parameters={"dataset": "gs://acme/photos", "epochs": 3},
    )
    return replace(wanted, **changed)


def only(scheduler):
    [live] = scheduler.live()
    return live


def writes(google):
    """What was asked of Vertex AI that changes something."""
    asked = [each for each in google.seen if each.service == "aiplatform" and each.method != "GET"]
    return [f"{each.method} {each.path.partition('us-central1/')[2]}" for each in asked]


# What is held


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"name": "a-2"},
        {"pipeline": "train_and_push"},
        {"cron": "*/15 8-18 1,15 * *"},
        {"cron": "0 12 13 * 5-7"},
        {"cron": "0 12 * * mon,wed-fri"},
        {"cron": "0 12 * * */2"},
        {"cron": "0 12 * * mon-fri/2,7"},
        {"cron": "0 12 * * 1"},
        {"time_zone": "UTC"},
        {"time_zone": "America/Argentina/Buenos_Aires"},
        {"max_concurrency": 10},
        {"catch_up": True},
        {"paused": True},
        {
            "place": {
                "on": "vertex",
                "bucket": "others",
                "service_account": RUNNER,
                "network": "projects/123456789/global/networks/default",
            }
        },
        {"parameters": {}},
        {"parameters": {"learning_rate": 1.0, "min_gain": 0.0, "epochs": 0, "dataset": 'a "b"'}},
    ],
    ids=str,
)
def test_what_was_made_is_read_back_as_it_was_wanted(deployed, scheduler, changed):
    wanted = settings(deployed, **changed)

    scheduler.create(wanted)

    found = only(scheduler)
    assert found.settings == wanted
    types = {name: type(value) for name, value in found.settings.parameters.items()}
    assert types == {name: type(value) for name, value in wanted.parameters.items()}


def test_the_request_names_the_deployed_spec_and_holds_it(vertex, deployed, scheduler, specs):
    scheduler.create(settings(deployed, max_concurrency=2))

    [request] = vertex.asked("POST", "aiplatform", "schedules$")
    assert request.body["cron"] == "TZ=Europe/Berlin 0 3 * * *"
    # What is limited is runs that run, and not requests that are being sent.
    assert request.body["maxConcurrentActiveRunCount"] == "2"
    assert request.body["allowQueueing"] is False
    assert not {"startTime", "endTime", "maxRunCount"} & set(request.body)
    job = request.body["createPipelineJobRequest"]["pipelineJob"]
    assert job["templateUri"] == deployed.spec("retrain").reference
    assert job["pipelineSpec"] == yaml.safe_load(specs["retrain"])
    assert job["labels"] == {"made-by": "pawpetal", "pipeline": "retrain", "schedule": "nightly"}
    assert job["serviceAccount"] == RUNNER
    assert job["runtimeConfig"] == {
        "gcsOutputDirectory": f"gs://{BUCKET}/pawpetal/runs",
        "parameterValues": {
            "dataset": "gs://acme/photos",
            "epochs": 3,
            "code_version": "0.1.0+v1.0.0",
            "dataset_fingerprint": "",
            "weights_fingerprint": "",
        },
    }


def test_a_second_apply_changes_nothing(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    done = writes(vertex)

    scheduler.update(only(scheduler), settings(deployed))
    scheduler.create(settings(deployed))  # somebody else was first

    assert writes(vertex) == done
    assert [change.kind for change in plan([settings(deployed)], scheduler.live())] == [SAME]


@pytest.mark.parametrize(
    "changed",
    [
        {"pipeline": "train_and_push"},
        {"cron": "0 4 * * *"},
        {"cron": "0 4 * * fri"},
        {"time_zone": "UTC"},
        {"max_concurrency": 2},
        {"catch_up": True},
        {"parameters": {}},
        {"cron": "0 4 * * *", "paused": True},
    ],
    ids=str,
)
def test_it_is_edited_in_place(vertex, deployed, scheduler, changed):
    scheduler.create(settings(deployed))
    before, wanted = only(scheduler), settings(deployed, **changed)

    scheduler.update(before, wanted)
    scheduler.update(only(scheduler), wanted)

    assert only(scheduler) == replace(before, settings=wanted)
    [patch] = vertex.asked("PATCH", "aiplatform")
    assert patch.query == {"updateMask": [MASK]}
    # And back, as far as fields that are no longer wanted go.
    scheduler.update(only(scheduler), settings(deployed))
    assert only(scheduler) == before


def test_where_only_paused_differs_it_is_paused_and_resumed(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, catch_up=True))
    there = only(scheduler).id.partition("us-central1/")[2]
    done = writes(vertex)

    scheduler.update(only(scheduler), settings(deployed, catch_up=True, paused=True))
    scheduler.update(only(scheduler), settings(deployed, catch_up=True))

    assert writes(vertex)[len(done) :] == [f"POST {there}:pause", f"POST {there}:resume"]
    [resumed] = vertex.asked("POST", "aiplatform", ":resume$")
    assert resumed.body == {"catchUp": True}


def test_one_that_is_made_paused_does_not_fire_before_it_is_paused(vertex, deployed, scheduler):
    vertex.schedules.now = START + timedelta(seconds=59)
    wanted = settings(deployed, cron="* * * * *", paused=True)
    vertex.fail("aiplatform POST .*:pause$", 403)
    with pytest.raises(CloudError, match="403"):
        scheduler.create(wanted)

    [created] = vertex.asked("POST", "aiplatform", "schedules$")
    assert created.body["startTime"] == "2026-11-23T08:00:59Z"
    vertex.schedules.pass_time(vertex, START + timedelta(hours=1))
    assert [change.kind for change in plan([wanted], scheduler.live())] == [UPDATE]
    scheduler.update(only(scheduler), wanted)
    vertex.schedules.pass_time(vertex, START + timedelta(hours=9))
    assert vertex.schedules.fired == []


def test_a_field_that_vertex_does_not_unset_is_told(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, catch_up=True))
    vertex.schedules.unsets = False

    with pytest.raises(CloudError, match=r"left `catch_up` of 'nightly' as before.*prune"):
        scheduler.update(only(scheduler), settings(deployed, cron="0 4 * * *"))

    assert only(scheduler).settings == settings(deployed, cron="0 4 * * *", catch_up=True)


@pytest.mark.parametrize("changed", [{"paused": True}, {"cron": "0 5 * * *"}, {"parameters": {}}])
def test_what_somebody_changed_since_it_was_read_is_not_taken_back(
    vertex, deployed, scheduler, changed
):
    scheduler.create(settings(deployed))
    live = only(scheduler)
    make_scheduler(vertex, ask_first=False).update(live, settings(deployed, **changed))
    done = writes(vertex)

    with pytest.raises(ConflictError, match="'nightly' was changed by somebody else meanwhile"):
        scheduler.update(live, settings(deployed, cron="0 4 * * *"))

    assert writes(vertex) == done
    assert only(scheduler).settings == settings(deployed, **changed)


def test_one_that_is_as_wanted_by_now_is_no_conflict(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    live, wanted = only(scheduler), settings(deployed, cron="0 4 * * *")
    scheduler.update(live, wanted)
    done = writes(vertex)

    scheduler.update(live, wanted)  # whose answer was lost

    assert writes(vertex) == done


def test_one_that_is_paused_while_it_is_waited_for_a_time_stays_paused(vertex, deployed, scheduler):
    wanted = settings(deployed, cron="0 * * * *")
    scheduler.create(wanted)
    vertex.schedules.pass_time(vertex, START + timedelta(minutes=59, seconds=55))
    live, other = only(scheduler), make_scheduler(vertex)

    def pause_and_sleep(seconds):
        other.pause(live)
        until = vertex.schedules.time() + timedelta(seconds=seconds)
        vertex.schedules.pass_time(vertex, until)

    with pytest.raises(ConflictError):
        replace(scheduler, sleep=pause_and_sleep).update(live, replace(wanted, parameters={}))

    assert only(scheduler).settings == replace(wanted, paused=True)


def test_a_release_points_a_schedule_to_its_spec_and_leaves_the_rest(
    vertex, deployed, scheduler, specs
):
    place = {"on": "vertex", "bucket": "others", "service_account": RUNNER}
    scheduler.create(settings(deployed, place=place))
    changed = specs["retrain"].replace(b"pawpetal-light:", b"pawpetal-x:")
    second = deploy(specs, "v1.1.0", retrain=changed)
    live = only(scheduler)
    wanted = replace(live.settings, version=second.spec("retrain").version)

    scheduler.update(live, wanted)

    assert only(scheduler).settings == wanted
    assert wanted.version != live.settings.version
    [patch] = vertex.asked("PATCH", "aiplatform")
    job = patch.body["createPipelineJobRequest"]["pipelineJob"]
    assert job["pipelineSpec"] == yaml.safe_load(changed)
    assert job["runtimeConfig"]["parameterValues"]["code_version"] == "0.1.0+v1.1.0"


def test_it_tells_when_it_fired_last_and_how_that_goes(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    assert (only(scheduler).last, only(scheduler).last_status) == (None, "")

    vertex.schedules.pass_time(vertex, START + timedelta(hours=20))

    live = only(scheduler)
    assert live.last == datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # 3:00 in Berlin
    assert live.last_status == "pending"
    assert live.url.startswith("https://console.cloud.google.com/vertex-ai/pipelines/schedules/")


def test_schedules_of_others_are_left_alone(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    [ours] = vertex.schedules.all.values()
    job = ours["createPipelineJobRequest"]["pipelineJob"]
    for number, labels in enumerate(
        [
            {},
            {"made-by": "pawpetal"},
            {**job["labels"], "schedule": "x"},
            {**job["labels"], "pipeline": "x"},
        ]
    ):
        request = {"parent": "p", "pipelineJob": {**job, "labels": labels}}
        vertex.schedules.all[f"{ours['name']}{number}"] = {
            **ours,
            "name": f"{ours['name']}{number}",
            "createPipelineJobRequest": request,
        }
    theirs = dict(list(vertex.schedules.all.items())[1:])

    scheduler.update(only(scheduler), settings(deployed, cron="0 4 * * *"))
    scheduler.delete(only(scheduler))

    assert vertex.schedules.all == theirs


def test_all_pages_are_read(vertex, deployed, scheduler):
    for number in range(110):
        other = {"displayName": "x", "cron": "* * * * *", "maxConcurrentRunCount": 1}
        request = {"parent": "p", "pipelineJob": {}}
        vertex.schedules.create(
            "projects/123456789/locations/us-central1",
            {**other, "createPipelineJobRequest": request},
        )
        if number == 1:
            scheduler.create(settings(deployed))

    assert only(scheduler).settings == settings(deployed)
    assert len(vertex.asked("GET", "aiplatform", "schedules$")) > 3


def test_what_somebody_edited_by_hand_shows(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, cron="0 3 * * mon"))
    [there] = vertex.schedules.all.values()

    for sent, cron, zone in [
        ("TZ=Europe/Berlin 0 3 * * 2", "0 3 * * 2", "Europe/Berlin"),
        ("CRON_TZ=Asia/Tokyo 0 3 * * 1", "0 3 * * 1", "Asia/Tokyo"),
        ("5/15 3 * * *", "5/15 3 * * *", "UTC"),
    ]:
        there["cron"] = sent
        found = only(scheduler).settings
        assert (found.cron, found.time_zone) == (cron, zone)
    there["state"] = "COMPLETED"
    assert only(scheduler).settings.paused


# Preparing


def schedule(**changed):
    return Schedule(
        **{
            "name": "nightly",
            "pipeline": "train_and_push",
            "cron": Cron("0 3 * * mon", "Europe/Berlin"),
            "on": "vertex",
            "parameters": {"dataset": "sample:flowers", "epochs": 3},
            **changed,
        }
    )


def test_prepared_settings_have_the_registry_and_storage_of_the_project(deployed, scheduler):
    prepared = scheduler.prepare(schedule())

    assert prepared == settings(
        deployed,
        pipeline="train_and_push",
        cron="0 3 * * mon",
        parameters={
            "dataset": "sample:flowers",
            "epochs": 3,
            "registry": "vertex:acme/us-central1",
            "storage": f"gs://{BUCKET}/pawpetal",
        },
    )
    scheduler.create(prepared)
    assert only(scheduler).settings == prepared


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cron": None, "on_new_data": "gs://acme/photos"}, "`fired_by` must be scheduler"),
        ({"parameters": {"epochs": -1}}, "`epochs` must be from 0"),
        ({"pipeline": "sweep"}, "one that is deployed: retrain, train_and_push"),
        ({"cron": Cron(f"0 3 * * {'mon,tue,wed,' * 6}thu")}, "must have a shorter day of week"),
    ],
)
def test_what_cannot_work_is_refused(vertex, deployed, scheduler, changed, message):
    with pytest.raises(InputError, match=message):
        scheduler.prepare(schedule(**changed))

    assert not vertex.schedules.all


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"service_account": "other@acme.iam.gserviceaccount.com"}, "service_account"),
        ({"network": "projects/1/global/networks/x"}, "network"),
    ],
)
def test_another_place_than_that_of_the_deployed_training_is_refused(
    vertex, deployed, given, option
):
    scheduler = make_scheduler(vertex, ask_first=False, **given)

    with pytest.raises(InputError, match=f"`{option}` must be that of the deployed spec"):
        scheduler.prepare(schedule())


def test_what_is_deployed_is_read_once(vertex, deployed, scheduler):
    for name in ("a", "b", "c"):
        scheduler.create(scheduler.prepare(schedule(name=name)))

    assert len(vertex.asked("GET", "kfp")) == 1
    assert len(scheduler.live()) == 3


def test_without_a_deployment_it_says_what_to_do(scheduler):
    with pytest.raises(InputError, match="pawpetal deploy --on vertex"):
        scheduler.prepare(schedule())


def test_a_place_that_is_not_ready_is_told_before_anything_is_sent(vertex, deployed):
    scheduler = make_scheduler(vertex)
    vertex.project.repositories[project.REPOSITORY] = {}  # which held the images of this code
    scheduler.create(settings(deployed))
    live = only(scheduler)
    place = {**live.settings.place, "bucket": "no-such-bucket"}

    with pytest.raises(InputError, match="there is no gs://no-such-bucket"):
        scheduler.update(live, replace(live.settings, place=place))

    assert only(scheduler) == live


# Faults


@pytest.mark.parametrize("status", [403, 404, 429])
def test_refusals_are_told(vertex, scheduler, monkeypatch, status):
    monkeypatch.setattr("components.common.google_cloud.GIVE_UP_S", 0.2)
    vertex.fail("aiplatform GET .*schedules", status, times=99)

    with pytest.raises(CloudError, match=f"answered {status}"):
        scheduler.live()


def test_too_many_questions_are_asked_again(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    vertex.fail("aiplatform GET .*schedules", 429, times=1)
    vertex.fail("aiplatform PATCH ", 429, times=1)

    scheduler.update(only(scheduler), settings(deployed, cron="0 4 * * *"))

    assert only(scheduler).settings.cron == "0 4 * * *"


def test_who_may_not_make_schedules_is_told_so(vertex, deployed, scheduler):
    role = "roles/aiplatform.user"
    vertex.project.roles[role] = tuple(
        each for each in vertex.project.roles[role] if each != "aiplatform.schedules.create"
    )

    with pytest.raises(CloudError, match=r"answered 403.*aiplatform.schedules.create"):
        scheduler.create(settings(deployed))


@pytest.mark.parametrize("paused", [False, True])
def test_a_schedule_whose_answer_was_lost_is_made_once(vertex, deployed, scheduler, paused):
    vertex.fail("aiplatform POST .*schedules$", 0, is_done=True)
    vertex.fail("aiplatform POST .*:pause$", 0, is_done=True)

    scheduler.create(settings(deployed, paused=paused))

    assert only(scheduler).settings == settings(deployed, paused=paused)


def test_a_schedule_that_was_not_made_is_not_taken_for_one(vertex, deployed, scheduler):
    vertex.fail("aiplatform POST .*schedules$", 503)

    with pytest.raises(CloudError, match="503"):
        scheduler.create(settings(deployed))


def test_of_two_who_make_it_at_once_one_stays(vertex, deployed, scheduler):
    other, wanted = make_scheduler(vertex), settings(deployed)
    body = other._body(replace(wanted, cron="0 5 * * *"))
    real, is_first = vertex.answer, True

    def answer(seen):
        nonlocal is_first
        if is_first and (seen.method, seen.path[-9:]) == ("POST", "schedules"):
            is_first = False
            vertex.schedules.create("projects/123456789/locations/us-central1", body)
            vertex.schedules.now += timedelta(seconds=1)
        return real(seen)

    vertex.answer = answer
    scheduler.create(wanted)

    assert only(scheduler).settings.cron == "0 5 * * *"  # the older one; the next diff tells
    assert len(vertex.schedules.all) == 1


def test_a_schedule_that_somebody_deleted_is_left_so(vertex, deployed, scheduler):
    scheduler.create(settings(deployed))
    live = only(scheduler)
    vertex.schedules.all.clear()

    scheduler.delete(live)  # it is gone, as it should be
    for act in (scheduler.pause, scheduler.resume, scheduler.run_now):
        with pytest.raises(CloudError, match="404"):
            act(live)
    with pytest.raises(ConflictError, match="'nightly' was deleted by somebody else meanwhile"):
        scheduler.update(live, settings(deployed, cron="0 4 * * *"))

    assert scheduler.live() == []


# Firing


def test_an_edit_beside_its_time_waits_until_it_has_fired(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, cron="0 * * * *"))
    vertex.schedules.pass_time(vertex, START + timedelta(minutes=59, seconds=55))

    scheduler.update(only(scheduler), settings(deployed, cron="0 * * * *", parameters={}))
    [job] = vertex.jobs.all("pipelineJobs")
    vertex.jobs.advance(job["name"], state="PIPELINE_STATE_SUCCEEDED")
    vertex.schedules.pass_time(vertex, START + timedelta(hours=2, minutes=30))

    hours = [START + timedelta(hours=1), START + timedelta(hours=2)]
    assert vertex.schedules.fired == [("nightly", hour) for hour in hours]
    first, second = vertex.jobs.all("pipelineJobs")
    assert "epochs" in first["runtimeConfig"]["parameterValues"]
    assert "epochs" not in second["runtimeConfig"]["parameterValues"]


@pytest.mark.parametrize(("catch_up", "times"), [(False, 1), (True, 3)])
def test_times_that_come_while_a_run_runs_wait_or_are_skipped(
    vertex, deployed, scheduler, catch_up, times
):
    scheduler.create(settings(deployed, cron="0 * * * *", catch_up=catch_up))
    vertex.schedules.pass_time(vertex, START + timedelta(hours=3, minutes=1))
    assert len(vertex.schedules.fired) == 1  # the first still runs

    for hour in (1, 2, 3):
        for job in vertex.jobs.all("pipelineJobs"):
            vertex.jobs.advance(job["name"], state="PIPELINE_STATE_SUCCEEDED")
        vertex.schedules.pass_time(vertex, START + timedelta(hours=3, minutes=1 + hour))

    assert len(vertex.schedules.fired) == times


@pytest.mark.parametrize(("catch_up", "hours"), [(False, [4]), (True, [1, 2, 3, 4])])
def test_times_that_were_missed_while_it_was_paused(vertex, deployed, scheduler, catch_up, hours):
    scheduler.create(settings(deployed, cron="0 * * * *", catch_up=catch_up, max_concurrency=9))
    scheduler.pause(only(scheduler))
    scheduler.pause(only(scheduler))
    vertex.schedules.pass_time(vertex, START + timedelta(hours=3, minutes=30))

    scheduler.resume(only(scheduler))
    scheduler.resume(only(scheduler))
    vertex.schedules.pass_time(vertex, START + timedelta(hours=4, minutes=1))

    fired = [(time - START) // timedelta(hours=1) for _, time in vertex.schedules.fired]
    assert fired == hours


def test_deleting_leaves_its_runs(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, cron="0 * * * *"))
    vertex.schedules.pass_time(vertex, START + timedelta(hours=1))

    scheduler.delete(only(scheduler))

    assert scheduler.live() == []
    [job] = vertex.jobs.all("pipelineJobs")
    assert job["state"] == "PIPELINE_STATE_PENDING"


def test_a_run_now_is_a_job_of_its_own(vertex, deployed, scheduler):
    scheduler.create(settings(deployed, paused=True))

    page = scheduler.run_now(only(scheduler))

    [job] = vertex.jobs.all("pipelineJobs")
    run_id = job["name"].rpartition("/")[2]
    assert run_id.startswith("nightly-now-20261123-0700")
    assert f"/runs/{run_id}?project=acme" in page
    assert job["templateUri"] == deployed.spec("retrain").reference
    assert job["labels"]["schedule"] == "nightly"
    assert job["runtimeConfig"]["parameterValues"]["epochs"] == 3
    assert vertex.schedules.fired == []


# Dry runs


def test_requests_are_those_that_are_sent(vertex, deployed, scheduler):
    wanted = settings(deployed, paused=True)
    told = list(scheduler.requests(None, wanted))
    assert writes(vertex) == []
    scheduler.create(wanted)
    assert [each["method"] for each in told] == ["POST", "POST"]
    [created] = vertex.asked("POST", "aiplatform", "schedules$")
    assert told[0]["body"] == {
        key: each for key, each in created.body.items() if key != "startTime"
    }

    live, after = only(scheduler), settings(deployed, cron="0 4 * * *", catch_up=True)
    done = len(writes(vertex))
    told = list(scheduler.requests(live, after))
    assert len(writes(vertex)) == done
    scheduler.update(live, after)
    patch, resume = told
    [patched] = vertex.asked("PATCH", "aiplatform")
    [resumed] = vertex.asked("POST", "aiplatform", ":resume$")
    assert (patch["body"], resume["body"]) == (patched.body, resumed.body)
    assert patch["url"].endswith(f"{patched.path}?updateMask={MASK}")
    assert resume["url"].endswith(resumed.path)
    assert list(scheduler.requests(only(scheduler), after)) == []
