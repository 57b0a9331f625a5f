"""Smoke runs on Vertex AI; those on Kubeflow are in `test_deploy`."""

import pytest

from pipelines.deploy import documents
from pipelines.deploy.smoke import MODEL, smoke_arguments, start
from pipelines.google_cloud.requests import Submission
from tests.pipelines.vertex.conftest import moment


@pytest.fixture
def arguments(google, vertex):
    return smoke_arguments(vertex, "", "")


def test_registry_and_storage_are_the_usual_ones_of_the_project(arguments, vertex):
    assert arguments["registry"] == "vertex:acme/us-central1"
    assert arguments["storage"] == vertex.usual_storage()
    assert (arguments["model_name"], arguments["epochs"]) == (MODEL, 1)


def test_run_carries_the_very_spec_and_names_no_deployed_one(
    google, vertex, google_place, for_vertex, arguments
):
    google.jobs.plans["pipelineJobs"] = [moment("SUCCEEDED")]

    execution = start(vertex, for_vertex, arguments)
    list(execution.follow())

    assert execution.run.status == "succeeded"
    [request] = google.asked("POST", "aiplatform", "pipelineJobs$")
    [spec] = documents.read(for_vertex.specs["train_and_push"])
    assert "templateUri" not in request.body
    assert request.body["pipelineSpec"] == spec
    assert request.body["runtimeConfig"]["parameterValues"]["model_name"] == MODEL
    assert google_place.history() == []
    assert not google.specs


def test_what_is_deployed_trains_as_a_run_of_this_code_would(vertex, google_place, for_vertex):
    spec = google_place.read_spec(google_place.deploy(for_vertex).spec("retrain"))

    deployed = Submission(place=vertex.place, run_id="run-1", job={"pipelineSpec": spec})
    [job] = deployed.training_jobs()
    assert job["jobSpec"]["serviceAccount"] == vertex.place.service_account
