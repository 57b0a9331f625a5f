"""The double refuses what Google would, and moves jobs only as a test says."""

from collections.abc import Iterator

import pytest

from components.common.errors import CloudError
from components.common.google_cloud import GoogleCloud
from pipelines.specs import spec_path
from tests.google_cloud.double import GoogleDouble
from tests.google_cloud.project import BUCKET, RUNNER, SUBMITTER

PARENT = "projects/acme/locations/us-central1"
FULL_PARENT = "projects/123456789/locations/us-central1"
CUSTOM = {
    "displayName": "train",
    "labels": {"run": "one"},
    "jobSpec": {
        "workerPoolSpecs": [
            {
                "machineSpec": {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "2x2"},
                "replicaCount": "1",
                "containerSpec": {"imageUri": "image"},
            }
        ]
    },
}


@pytest.fixture
def google() -> Iterator[GoogleDouble]:
    with GoogleDouble() as double:
        yield double


def create(kind, body, **query):
    return GoogleCloud().post("aiplatform", f"{PARENT}/{kind}", body, **query)


def ask(name):
    return GoogleCloud().get("aiplatform", name)


@pytest.fixture(scope="session")
def pipeline_job():
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    spec = yaml.load(spec_path("train_and_push", "vertex").read_text(), loader)  # noqa: S506
    return {
        "displayName": "flowers",
        "pipelineSpec": spec,
        "runtimeConfig": {
            "gcsOutputDirectory": f"gs://{BUCKET}/pawpetal/runs",
            "parameterValues": {"epochs": 3},
        },
        "serviceAccount": RUNNER,
    }


def test_a_pipeline_job_moves_as_it_is_told(google, pipeline_job):
    google.jobs.plans["pipelineJobs"] = [{"state": "PIPELINE_STATE_RUNNING"}]

    made = create("pipelineJobs", pipeline_job, pipelineJobId="run-1")
    states = [ask(made["name"])["state"] for _ in range(2)]
    google.jobs.advance(
        "run-1",
        state="PIPELINE_STATE_SUCCEEDED",
        jobDetail={"taskDetails": [{"taskName": "ingest", "state": "SUCCEEDED"}]},
    )
    ended = ask(made["name"])

    assert made["name"] == f"{FULL_PARENT}/pipelineJobs/run-1"
    assert made["state"] == "PIPELINE_STATE_PENDING"
    assert states == ["PIPELINE_STATE_RUNNING"] * 2
    assert ended["jobDetail"] == {"taskDetails": [{"taskName": "ingest", "state": "SUCCEEDED"}]}
    assert ended["startTime"] < ended["endTime"]
    assert google.asked("POST", "aiplatform")[0].body == pipeline_job


@pytest.mark.parametrize(
    ("changed", "query", "message"),
    [
        ({"colour": "red"}, {}, 'no field named "colour"'),
        ({"pipelineSpec": {"root": {"dagg": {}}}}, {}, "Invalid pipeline_spec"),
        ({"runtimeConfig": {}}, {}, "gcs_output_directory"),
        (
            {"runtimeConfig": {"gcsOutputDirectory": "gs://b", "parameterValues": {"eggs": 1}}},
            {},
            "not required by pipeline: eggs",
        ),
        ({}, {"pipelineJobId": "Run_1"}, "Invalid PipelineJob ID"),
        ({"serviceAccount": "other@acme.iam.gserviceaccount.com"}, {}, "permission to act as"),
    ],
)
def test_a_pipeline_job_that_google_would_not_take_is_refused(
    google, pipeline_job, changed, query, message
):
    with pytest.raises(CloudError, match=message):
        create("pipelineJobs", {**pipeline_job, **changed}, **query)


def test_the_same_id_is_taken_once(google, pipeline_job):
    create("pipelineJobs", pipeline_job, pipelineJobId="run-1")

    with pytest.raises(CloudError, match="already exists") as caught:
        create("pipelineJobs", pipeline_job, pipelineJobId="run-1")

    assert caught.value.status == 409


def test_a_custom_job_is_cancelled_by_the_next_question(google):
    name = create("customJobs", CUSTOM)["name"]

    GoogleCloud().post("aiplatform", f"{name}:cancel")

    assert google.jobs.all("customJobs")[0]["state"] == "JOB_STATE_CANCELLING"
    assert ask(name)["state"] == "JOB_STATE_CANCELLED"
    with pytest.raises(CloudError, match="JOB_STATE_CANCELLED"):
        GoogleCloud().post("aiplatform", f"{name}:cancel")


def test_jobs_are_found_by_labels_names_and_states(google):
    first = create("customJobs", CUSTOM)
    second = create("customJobs", {**CUSTOM, "labels": {"run": "two"}})
    google.jobs.advance(second["name"], state="JOB_STATE_RUNNING")

    def found(wanted):
        listed = GoogleCloud().list(
            "aiplatform", f"{PARENT}/customJobs", "customJobs", filter=wanted
        )
        return [job["name"] for job in listed]

    assert found("") == [second["name"], first["name"]]
    assert found('labels.run="one"') == [first["name"]]
    assert found('display_name="train" AND state="JOB_STATE_RUNNING"') == [second["name"]]
    with pytest.raises(CloudError, match="Invalid filter"):
        found("labels.run")


def test_a_custom_job_needs_a_machine(google):
    pool = {"containerSpec": {"imageUri": "image"}, "replicaCount": 1}

    with pytest.raises(CloudError, match="machine_type is required"):
        create("customJobs", {**CUSTOM, "jobSpec": {"workerPoolSpecs": [pool]}})


def test_who_has_no_role_gets_nothing(google):
    google.project.caller = "user:eve@acme.example"

    with pytest.raises(CloudError, match=r"aiplatform.customJobs.create' denied") as caught:
        create("customJobs", CUSTOM)

    assert (caught.value.status, caught.value.reason) == (403, "IAM_PERMISSION_DENIED")


def test_a_role_under_a_condition_gives_nothing(google):
    google.project.revoke("projects/acme", "roles/aiplatform.user", SUBMITTER)
    google.project.grant("projects/acme", "roles/aiplatform.user", SUBMITTER, condition="false")

    with pytest.raises(CloudError, match="denied"):
        create("customJobs", CUSTOM)


def test_permissions_are_told_as_policies_have_them(google):
    permissions = ["storage.objects.list", "storage.objects.delete"]

    answer = GoogleCloud().get(
        "storage", f"b/{BUCKET}/iam/testPermissions", permissions=permissions
    )

    assert answer["permissions"] == ["storage.objects.list"]


def test_a_path_that_no_api_has_is_not_found(google):
    with pytest.raises(CloudError, match="404"):
        GoogleCloud().get("iam", "projects/acme/keys")
