"""Runs on Kubeflow and Vertex AI whose follower was killed: followed again, not run twice."""

import pytest

from components.common.errors import PawpetalError
from pipelines.runs import Run, RunFolder, list_runs
from pipelines.schedules.local import runner
from pipelines.schedules.local.elsewhere import NOT_THERE, ask_how_it_goes
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.vertex import VertexTarget
from tests.pipelines.kubeflow.conftest import make_arguments
from tests.pipelines.kubeflow.server import FakeServer, Fault
from tests.pipelines.schedules.local.conftest import finish, make_settings, put, tick_until
from tests.pipelines.vertex.conftest import arguments, moment

RUN_ID = "nightly-20261123-120100"


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def place(server):
    return {"on": "kubeflow", "host": server.url}


def begin(server, *, noted: bool = True) -> Run:
    """Start a run in the cluster, and leave what its follower leaves when it is killed."""
    target = KubeflowTarget(host=server.url, wait=False)
    execution = target.start("train_and_push", make_arguments(), run_id=RUN_ID)
    list(execution.follow())
    run = execution.run
    run.status, run.remote_id = "running", run.remote_id if noted else None
    folder = RunFolder(execution._folder.path)
    folder.save(run)
    execution._folder.release()
    return folder.load()


def ask_to_the_end(place, run) -> str:
    for _ in range(100):
        if end := ask_how_it_goes(place, run):
            return end
    raise AssertionError("it does not end")


def test_a_run_in_the_cluster_is_found_by_its_id(server, place):
    run = begin(server)

    assert run.status == "submitted"
    assert ask_how_it_goes(place, run) == ""
    assert ask_to_the_end(place, run) == "succeeded"


def test_a_run_in_the_cluster_whose_id_was_not_noted_is_found_by_its_name(server, place):
    run = begin(server, noted=False)

    assert run.status == "killed"
    assert ask_to_the_end(place, run) == "succeeded"


def test_a_run_that_never_reached_the_cluster_is_not_there(server, place):
    run = Run(run_id=RUN_ID, pipeline="retrain", target="kubeflow")

    assert ask_how_it_goes(place, run) == NOT_THERE


def test_a_run_that_somebody_deleted_in_the_cluster_is_cancelled(server, place):
    run = begin(server)
    server.store.runs.clear()

    assert ask_how_it_goes(place, run) == "cancelled"


def test_a_cluster_that_does_not_answer_is_an_error_and_no_end(server, place):
    run = begin(server)
    server.faults = [Fault(path="GET .*/runs/", times=9, status=503)]

    with pytest.raises(PawpetalError, match="said 503"):
        ask_how_it_goes(place, run)


def test_runs_on_vertex_ai_are_asked_about_and_missed(google, gcs, bucket):
    google.jobs.plans["pipelineJobs"] = [moment("RUNNING"), moment("FAILED")]
    place = {"on": "vertex", "project": "acme", "region": "us-central1", "bucket": bucket.name}
    settings = {name: value for name, value in place.items() if name != "on"}
    target = VertexTarget(**settings, wait=False, ask_first=False)
    execution = target.start("train_and_push", arguments(), run_id=RUN_ID)
    list(execution.follow())

    assert ask_to_the_end(place, execution.run) == "failed"
    never_sent = Run(
        run_id=RUN_ID,
        pipeline="retrain",
        target="vertex",
        remote_id="projects/acme/locations/us-central1/pipelineJobs/other",
    )
    assert ask_how_it_goes(place, never_sent) == NOT_THERE
    never_sent.remote_id = None
    assert ask_how_it_goes(place, never_sent) == NOT_THERE


def test_the_service_follows_a_run_whose_follower_was_killed(
    server, place, make_service, store, clock, monkeypatch, capsys
):
    monkeypatch.setattr(runner, "POLL_S", 0.05)
    begin(server)
    put(store, make_settings(place=place))
    clock.pass_time(minutes=1)
    held = store.find("nightly")
    store.claim(held, clock.now, clock.now)
    store.start(*store.open_firings(), RUN_ID, held.settings, clock.now)
    server.faults = [Fault(path="GET .*/runs/", times=1, status=503)]

    (firing,) = finish(make_service(), store)

    assert (firing.status, firing.run_id, firing.starts) == ("succeeded", RUN_ID, 1)
    assert len(server.store.runs) == 1
    said = capsys.readouterr().out
    assert f"run {RUN_ID} goes on there, and is followed again" in said
    assert f"cannot ask how run {RUN_ID} goes" in said


def test_the_service_starts_again_what_never_reached_the_cluster(
    server, place, make_service, store, clock
):
    put(store, make_settings(place=place))
    clock.pass_time(minutes=1)
    held = store.find("nightly")
    store.claim(held, clock.now, clock.now)
    store.start(*store.open_firings(), RUN_ID, held.settings, clock.now)
    folder = RunFolder.create("retrain", RUN_ID)
    folder.save(Run(run_id=RUN_ID, pipeline="retrain", target="kubeflow"))
    folder.release()
    service = make_service()

    tick_until(service, lambda: len(list(list_runs())) == 2, "the second start")

    (firing,) = finish(service, store)
    assert (firing.status, firing.run_id) == ("succeeded", f"{RUN_ID}-2")
