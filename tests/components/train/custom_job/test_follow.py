import json
import os
import signal
import subprocess
import sys
import time

import pytest

from components.common.errors import CloudError, InputError, TrainingError
from components.common.google_cloud import GoogleCloud
from components.train.custom_job.follow import Follower
from components.train.custom_job.template import EXECUTOR_INPUT, TASK_LABEL, JobTemplate, Task
from tests.google_cloud.double import GoogleDouble

RUNNING, SUCCEEDED, FAILED = (
    {"state": f"JOB_STATE_{state}"} for state in ("RUNNING", "SUCCEEDED", "FAILED")
)
TEMPLATE = JobTemplate(
    project="acme",
    region="us-central1",
    job={
        "displayName": "train",
        "labels": {"made-by": "pawpetal"},
        "jobSpec": {
            "workerPoolSpecs": [
                {
                    "machineSpec": {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "2x2"},
                    "replicaCount": "1",
                    "containerSpec": {
                        "imageUri": "pawpetal-tpu:1",
                        "command": ["python"],
                        "args": ["--executor_input", EXECUTOR_INPUT],
                    },
                }
            ]
        },
    },
)


@pytest.fixture
def task(bucket) -> Task:
    file = f"/gcs/{bucket.name}/runs/17/train_99/executor_output.json"
    return Task.read(json.dumps({"outputs": {"outputFile": file}}))


def follow(task: Task) -> None:
    Follower(GoogleCloud(), TEMPLATE, task, poll_s=0.01).run()


def created(google: GoogleDouble) -> list:
    return google.asked("POST", "aiplatform", r"customJobs$")


def test_job_gets_what_the_pipeline_tells_the_step_and_is_followed_to_its_end(google, task, capsys):
    google.jobs.plans["customJobs"] = [RUNNING, SUCCEEDED]

    follow(task)

    [job] = google.jobs.all("customJobs")
    [pool] = job["jobSpec"]["workerPoolSpecs"]
    assert pool["containerSpec"]["args"] == ["--executor_input", task.said]
    assert pool["machineSpec"] == {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "2x2"}
    assert job["labels"] == {"made-by": "pawpetal", TASK_LABEL: task.label}
    assert "the custom job trains" in capsys.readouterr().out


def test_second_launcher_goes_on_following_the_job_of_the_first(google, task):
    google.jobs.plans["customJobs"] = [RUNNING]
    first = launch(google, task)
    wait_for_question(google)
    first.kill()
    first.communicate()
    google.jobs.then(google.jobs.all("customJobs")[0]["name"], RUNNING, SUCCEEDED)

    follow(task)

    assert len(created(google)) == 1
    assert not google.asked("POST", "aiplatform", ":cancel$")


def test_job_whose_record_was_lost_is_found_by_its_label(google, task, bucket):
    google.jobs.plans["customJobs"] = [RUNNING, SUCCEEDED]
    follow(task)
    bucket.blob(task.record.removeprefix(f"gs://{bucket.name}/")).delete()

    follow(task)

    assert len(created(google)) == 1


def test_job_whose_answer_was_lost_is_not_created_twice(google, task):
    google.jobs.plans["customJobs"] = [RUNNING, SUCCEEDED]
    body = TEMPLATE.fill_in(task)
    parent = "projects/123456789/locations/us-central1"
    google.jobs.create("customJobs", parent, body, {})  # it came through,
    google.fail("POST .*customJobs$", 503)  # and this is what came back
    follower = Follower(GoogleCloud(), TEMPLATE, task, poll_s=0.01)

    job = follower._create()

    assert job["name"] == google.jobs.all("customJobs")[0]["name"]
    assert len(google.jobs.all("customJobs")) == 1


def test_step_that_is_tried_again_after_a_failure_makes_a_new_job(google, task):
    google.jobs.plans["customJobs"] = [RUNNING, {**FAILED, "error": {"message": "out of HBM"}}]
    with pytest.raises(TrainingError, match=r"is failed: out of HBM\. Its log: https://console"):
        follow(task)
    google.jobs.plans["customJobs"] = [SUCCEEDED]

    follow(task)

    assert len(created(google)) == 2


def test_connection_that_is_lost_for_a_while_does_not_end_the_step(google, task):
    google.jobs.plans["customJobs"] = [RUNNING, SUCCEEDED]
    google.fail("GET .*customJobs/", 0, times=2)
    google.fail("GET .*customJobs/", 503, times=2)

    follow(task)


def test_refusal_is_told_as_google_tells_it(google, task):
    google.fail("POST .*customJobs$", 429, times=9, message="quota exceeded for v5e")
    with pytest.raises(CloudError, match="quota exceeded for v5e"):
        follow(task)


def test_sigterm_ends_the_job_with_the_step(google, task, gcs_server):
    google.jobs.plans["customJobs"] = [RUNNING]
    launcher = launch(google, task)
    wait_for_question(google)
    google.fail("POST .*:cancel$", 503)  # it is worth a second try: it costs until then

    launcher.send_signal(signal.SIGTERM)

    assert launcher.wait(30) == 143
    assert google.jobs.all("customJobs")[0]["state"].endswith("_CANCELLING")
    said, refused = launcher.communicate()
    assert "ended the custom job" in said
    assert "The step was ended." in refused


def test_launcher_that_fails_itself_leaves_no_job_that_is_paid_for(google, task):
    google.jobs.plans["customJobs"] = [RUNNING]
    google.fail("GET .*customJobs/", 403)

    with pytest.raises(CloudError, match="403"):
        follow(task)

    assert google.jobs.all("customJobs")[0]["state"].endswith("_CANCELLING")


def test_job_that_could_not_be_ended_is_said_to_be_paid_for(google, task, monkeypatch, capsys):
    monkeypatch.setattr("components.common.google_cloud.GIVE_UP_S", 0.1)
    google.jobs.plans["customJobs"] = [RUNNING]
    google.fail("GET .*customJobs/", 403)
    google.fail("POST .*:cancel$", 503, times=99)

    with pytest.raises(CloudError, match="403"):
        follow(task)

    said = capsys.readouterr().out
    assert "could not be ended, and is paid for" in said
    assert "ended the custom job" not in said


def test_step_that_is_ended_before_its_job_is_made_makes_none(google, task):
    follower = Follower(GoogleCloud(), TEMPLATE, task, poll_s=0.01)
    follower.stop.set()

    with pytest.raises(InputError, match="before its custom job was made"):
        follower.run()

    assert not created(google)


def test_newest_job_of_a_task_is_the_one_that_counts(google, task, bucket):
    google.jobs.plans["customJobs"] = [FAILED]
    with pytest.raises(TrainingError):
        follow(task)
    google.jobs.plans["customJobs"] = [RUNNING, SUCCEEDED]
    follow(task)
    bucket.blob(task.record.removeprefix(f"gs://{bucket.name}/")).delete()

    follow(task)  # of the two that have its label, the second one

    assert len(created(google)) == 2


def launch(google: GoogleDouble, task: Task) -> subprocess.Popen:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "components.train.custom_job", "--poll-s", "0.05"),
            *("--job", TEMPLATE.to_json(), "--executor-input", task.said),
        ],
        env={**os.environ, **google.variables()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_question(google: GoogleDouble) -> None:
    deadline = time.monotonic() + 30
    while not google.asked("GET", "aiplatform", r"customJobs/\d"):
        assert time.monotonic() < deadline, "the launcher asks nothing"
        time.sleep(0.05)


def test_executor_input_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"must be the JSON that Kubeflow Pipelines writes"):
        Task.read("{}")
