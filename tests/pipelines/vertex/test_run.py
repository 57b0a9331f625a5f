"""Runs on Vertex AI, from the request to the record, against the double."""

from pathlib import Path

import pytest

from components.common.errors import InputError
from pipelines.runs import find_run
from pipelines.targets import StepEnded, StepProgress
from pipelines.targets import vertex as vertex_module
from pipelines.targets.vertex import VertexTarget
from tests.pipelines.vertex.conftest import BUCKET, PUSHED, SCORES, arguments, leave, moment

FIRST, LAST = "ingest", "push"


def finish(target: VertexTarget, **given):
    execution = target.start("train_and_push", arguments(**given))
    return execution.run, list(execution.follow())


def test_record_of_a_run_is_that_of_any_target(google, vertex, gcs):
    outputs = leave(gcs.bucket(BUCKET))
    google.jobs.plans["pipelineJobs"] = [
        moment("PENDING"),
        moment("RUNNING", running=FIRST),
        moment("RUNNING", done="augment", running="train"),
        moment("SUCCEEDED", done=LAST, outputs=outputs),
    ]

    run, events = finish(vertex)

    assert (run.status, run.target, run.error) == ("succeeded", "vertex", None)
    assert run.metrics == SCORES
    assert run.gate["passed"]
    assert (run.model["name"], run.model["version"]) == ("flowers", PUSHED["version"])
    assert run.findings == {"error": 0, "warning": 0, "note": 0}
    assert Path(run.report).read_text() == "<p>report</p>"
    assert Path(run.data_report).read_text() == "<p>photos</p>"
    assert [step.status for step in run.steps] == ["succeeded"] * 6
    assert run.steps[0].seconds == 90.2  # 90.25, to the nearest even
    ended = [event.step.name for event in events if isinstance(event, StepEnded)]
    assert ended[-1] == LAST
    assert len(ended) == 6


def test_one_request_names_the_run_its_account_and_the_bucket(google, vertex):
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED")]

    run, _ = finish(vertex, epochs=3)

    [request] = google.asked("POST", "aiplatform", "pipelineJobs$")
    assert request.query == {"pipelineJobId": [run.run_id]}
    assert request.body["serviceAccount"] == "pawpetal-runner@acme.iam.gserviceaccount.com"
    runtime = request.body["runtimeConfig"]
    assert runtime["gcsOutputDirectory"] == f"gs://{BUCKET}/pawpetal/runs"
    assert runtime["parameterValues"]["epochs"] == 3
    assert run.url == (
        "https://console.cloud.google.com/vertex-ai/pipelines/locations/us-central1/runs/"
        f"{run.run_id}?project=acme"
    )


def test_gate_that_stays_closed_leaves_no_model(google, vertex, gcs):
    outputs = leave(gcs.bucket(BUCKET))
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED", done="evaluate", outputs=outputs)]

    run, _ = finish(vertex, min_accuracy=0.95)

    assert not run.gate["passed"]
    assert run.model is None
    assert run.steps[-1].status == "skipped"


def test_step_from_the_cache_is_said_to_be(google, vertex):
    details = [{"taskName": "ingest", "state": "SKIPPED"}]
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED", jobDetail={"taskDetails": details})]

    run, _ = finish(vertex)

    assert (run.steps[0].status, run.steps[0].cached) == ("succeeded", True)


def test_failed_step_is_told_with_its_reason(google, vertex):
    details = [{"taskName": "train", "state": "FAILED", "error": {"message": "out\nof HBM"}}]
    google.jobs.plans["pipelineJobs"] = [moment("FAILED", jobDetail={"taskDetails": details})]

    run, _ = finish(vertex)

    assert run.status == "failed"
    assert run.error == {"step": "train", "message": "out of HBM", "log": run.url}


PAGE = ".cloud.google.com/vertex-ai/locations/us-central1/training/72/cpu?project=acme"
FAILED = {
    "taskName": "train",
    "state": "FAILED",
    "error": {"message": "The replica workerpool0-0 exited with a non-zero status of 1."},
    "executorDetail": {
        "containerDetail": {"mainJob": "projects/123456789/locations/us-central1/customJobs/71"}
    },
}


def test_failed_training_is_told_as_its_own_log_tells_it(google, vertex):
    google.logs["71"] = [
        f"[progress] created https://console{PAGE}",
        "components.common.errors.TrainingError: The custom job is failed: exited with 1.",
    ]
    google.logs["72"] = [
        "Traceback (most recent call last):",
        "components.common.errors.TrainingError: The loss must stay finite. Received: nan.",
    ]
    google.jobs.plans["pipelineJobs"] = [moment("FAILED", jobDetail={"taskDetails": [FAILED]})]

    run, _ = finish(vertex)

    assert run.error["message"] == "The loss must stay finite. Received: nan."
    assert Path(run.error["log"]).read_text().splitlines() == google.logs["72"]


def test_progress_of_training_is_shown_from_its_log(google, vertex, monkeypatch):
    monkeypatch.setattr(vertex_module, "LOG_EVERY_S", 0.0)  # the clock alone
    google.logs["71"] = [f"[progress] goes on following https://console{PAGE}"]
    google.logs["72"] = ["[progress] epoch 1/3", "a warning of a library"]
    running = {**FAILED, "state": "RUNNING"}
    google.jobs.plans["pipelineJobs"] = [
        *[moment("RUNNING", jobDetail={"taskDetails": [running]})] * 2,
        moment("SUCCEEDED"),
    ]

    _, events = finish(vertex)

    assert "epoch 1/3" in [event.line for event in events if isinstance(event, StepProgress)]


def test_log_that_may_not_be_read_leaves_what_vertex_says(google, vertex):
    google.fail("logging POST", 403)
    google.jobs.plans["pipelineJobs"] = [moment("FAILED", jobDetail={"taskDetails": [FAILED]})]

    run, _ = finish(vertex)

    assert run.error["message"].startswith("The replica workerpool0-0 exited")
    assert run.error["log"] == run.url


def test_results_that_cannot_be_read_do_not_make_a_run_fail(google, vertex, gcs):
    outputs = leave(gcs.bucket(BUCKET))
    gcs.bucket(BUCKET).blob("pawpetal/runs/1/evaluate/evaluation/evaluation.json").delete()
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED", done=LAST, outputs=outputs)]

    run, _ = finish(vertex)

    assert run.status == "succeeded"
    assert "evaluation.json" in run.warning


def test_lost_connection_is_tried_again_and_the_run_is_followed_on(google, vertex):
    google.jobs.plans["pipelineJobs"] = [moment("RUNNING", running=FIRST), moment("SUCCEEDED")]
    google.fail("aiplatform GET .*pipelineJobs/", 0, times=3)

    run, _ = finish(vertex)

    assert run.status == "succeeded"


def test_answer_that_was_lost_does_not_lose_the_run(google, vertex, monkeypatch):
    """The request came through; only its answer did not."""
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED")]
    create = google.jobs.create

    def create_and_fall_silent(*given):
        create(*given)
        raise ConnectionAbortedError

    monkeypatch.setattr(google.jobs, "create", create_and_fall_silent)

    run, _ = finish(vertex)

    assert run.status == "succeeded"
    assert len(google.jobs.all("pipelineJobs")) == 1


def test_request_that_did_not_come_through_is_sent_again(google, vertex):
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED")]
    google.fail("aiplatform POST .*pipelineJobs$", 503, times=2)

    run, _ = finish(vertex)

    assert run.status == "succeeded"
    assert len(google.jobs.all("pipelineJobs")) == 1


def test_refused_request_is_told_as_google_tells_it_and_no_run_is_said_to_go_on(google, vertex):
    google.fail("POST .*pipelineJobs$", 400, message="Invalid pipeline spec.")

    run, _ = finish(vertex)

    assert run.status == "failed"
    assert run.error["step"] == "start"
    assert "Invalid pipeline spec" in run.error["message"]
    assert run.remote_id is None


def test_ctrl_c_ends_the_run_there_too(google, vertex):
    google.jobs.plans["pipelineJobs"] = [moment("RUNNING", running=FIRST)]
    execution = vertex.start("train_and_push", arguments())
    events = execution.follow()
    next(events)

    events.close()

    assert google.asked("POST", "aiplatform", ":cancel$")
    assert find_run(execution.run.run_id).status == "cancelled"


def test_run_that_could_not_be_ended_is_said_to_go_on(google, vertex, monkeypatch):
    monkeypatch.setattr("components.common.google_cloud.GIVE_UP_S", 0.1)
    google.jobs.plans["pipelineJobs"] = [moment("RUNNING", running=FIRST)]
    google.fail("POST .*:cancel$", 503, times=99)
    execution = vertex.start("train_and_push", arguments())
    events = execution.follow()
    next(events)

    events.close()

    assert execution.run.status == "submitted"
    assert "The run goes on on Vertex AI: follow it at https://" in execution.run.error["message"]


def test_request_that_vertex_never_took_is_not_said_to_go_on(google, vertex, monkeypatch):
    monkeypatch.setattr("components.common.google_cloud.GIVE_UP_S", 0.1)
    google.fail("aiplatform POST .*pipelineJobs$", 429, times=99, message="Quota exceeded.")

    run, _ = finish(vertex)

    assert (run.status, run.remote_id) == ("failed", None)
    assert "Quota exceeded" in run.error["message"]


def test_failed_run_without_a_reason_of_its_step_has_that_of_the_job(google, vertex):
    details = [{"taskName": "train", "state": "FAILED"}]
    google.jobs.plans["pipelineJobs"] = [
        moment("FAILED", jobDetail={"taskDetails": details}, error={"message": "no quota"})
    ]

    run, _ = finish(vertex)

    assert run.error["message"] == "no quota"


def test_run_that_nobody_waits_for_is_left_alone(google, vertex):
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET, wait=False)

    run, _ = finish(target)

    assert run.status == "submitted"
    assert not google.asked("GET", "aiplatform", "pipelineJobs/")


def test_place_that_is_not_ready_is_refused_before_anything_is_sent(google, vertex):
    google.project.apis.remove("aiplatform.googleapis.com")
    with pytest.raises(InputError, match=r"gcloud services enable aiplatform\.googleapis\.com"):
        vertex.start("train_and_push", arguments())
    assert not google.asked("POST", "aiplatform")
