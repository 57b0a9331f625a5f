"""`pawpetal run --on vertex`, as a process, against the double."""

import json
import os
import re

import pytest

from tests.pipelines.command import finish, pawpetal, records, wait_for
from tests.pipelines.vertex.conftest import BUCKET, moment

PLACE = ("--project", "acme", "--region", "us-central1", "--bucket", BUCKET)
RUN = (
    "run",
    "--on",
    "vertex",
    "--dataset",
    "sample:flowers",
    "--registry",
    "mlflow:https://mlflow.acme.example",
)


def test_dry_run_prints_valid_requests_and_an_estimate_and_sends_nothing(google, tmp_path):
    command = ("run", "--on", "vertex", "--dataset", "sample:flowers", *PLACE, "--dry-run")
    code, out, err = finish(pawpetal(tmp_path, *command))

    assert code == 0, err
    assert '"registry": "vertex:acme/us-central1"' in out
    assert f'"storage": "gs://{BUCKET}/pawpetal"' in out
    assert "POST http://127.0.0.1" in out
    assert '"machineType": "e2-standard-8"' in out
    assert "Google Cloud is ready for it." in out
    assert re.search(r"^in all .* \d+\.\d\d$", out, re.MULTILINE)
    assert "Nothing was sent." in out
    assert not google.asked("POST", "aiplatform")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("accelerator", "region"), [("gpu:nvidia-l4:1", "us-central1"), ("tpu:v5e:2x2", "us-west4")]
)
def test_dry_run_as_json_holds_all_that_would_be_sent(google, tmp_path, accelerator, region):
    google.project.buckets[BUCKET]["location"] = region.upper()
    place = ("--project", "acme", "--region", region, "--bucket", BUCKET)
    images = ("--image-registry", "us-central1-docker.pkg.dev/acme/pawpetal")
    command = (*RUN, *place, *images, "--accelerator", accelerator, "--dry-run", "--json", "--spot")

    code, out, err = finish(pawpetal(tmp_path, *command))

    assert code == 0, err
    said = json.loads(out)
    assert said["request"]["body"]["pipelineSpec"]["pipelineInfo"]["name"] == "train-and-push"
    assert said["training"][0]["jobSpec"]["scheduling"]["strategy"] == "SPOT"
    assert said["estimate"]["total_usd"] > 0


def test_dry_run_without_credentials_says_what_was_not_asked(tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    code, out, err = finish(pawpetal(tmp_path, *RUN, *PLACE, "--dry-run"))

    assert code == 0, err
    assert "Not asked of Google Cloud: none" in out
    assert "gcloud auth application-default login" in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--region", "us-centrall1"), "Did you mean 'us-central1'?"),
        (
            ("--accelerator", "tpu:v5e:2x2", "--region", "us-south1"),
            "`region` must be one where Vertex AI trains with v5e",
        ),
        (("--accelerator", "tpu:v3:2x2"), "`accelerator` must name a TPU generation of v5e, v6e"),
        (("--accelerator", "gpu:any:1"), "`accelerator` must name the type on Vertex AI"),
        (("--project", "acme "), "`project` must be a project's id"),
        (("--num-photos", "-1"), "Invalid value for '--num-photos'"),
        (("--accelerator", "gpu:nvidia-l4:1", "--device", "cpu"), "`device` cpu with"),
        (("--bucket", "gs://acme/x"), "`bucket` must be a bucket's name"),
        (("--registry", "mlflow:http://localhost:5000"), "the step's own machine"),
        (("--dataset", "folder:photos"), "`dataset` must be where the steps can read it"),
        (
            ("--device", "tpu"),
            "`device` tpu with `num_replicas` 0 must be what `accelerator` gives",
        ),
        (("--host", "http://h"), "--host goes with --on kubeflow"),
    ],
)
def test_what_cannot_work_is_refused_before_google_cloud_is_asked(google, tmp_path, given, said):
    (tmp_path / "photos").mkdir()
    code, _, err = finish(pawpetal(tmp_path, *RUN, *PLACE, *given, "--dry-run"))

    assert code == 2
    assert said in err
    assert not google.seen


def spoil_bucket(project):
    project.buckets[BUCKET]["location"] = "EUROPE-WEST4"


def spoil_role(project):
    member = "serviceAccount:pawpetal-runner@acme.iam.gserviceaccount.com"
    for policy in project.policies.values():
        for binding in policy:
            if binding["role"] == "roles/aiplatform.user" and member in binding["members"]:
                binding["members"].remove(member)


@pytest.mark.parametrize("options", [("--dry-run",), ()])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_bucket, "is in europe-west4, and the run would be in us-central1"),
        (spoil_role, "--role=roles/aiplatform.user"),
        (None, "pass --network projects/123456789/global/networks/default"),
    ],
)
def test_place_that_is_not_ready_is_refused_with_what_mends_it(
    google, tmp_path, spoil, said, options
):
    if spoil:
        spoil(google.project)
    else:
        options = (*options, "--network", "default")

    code, _, err = finish(pawpetal(tmp_path, *RUN, *PLACE, *options))

    assert code == 2
    assert "Vertex AI is not ready for this run:" in err
    assert said in err
    assert not google.asked("POST", "aiplatform")


def test_run_whose_follower_was_killed_is_said_to_go_on(google, gcs_server, tmp_path):
    google.jobs.plans["pipelineJobs"] = [moment("RUNNING", running="ingest")]
    process = pawpetal(tmp_path, *RUN, *PLACE)
    wait_for(lambda: google.asked("GET", "aiplatform", "pipelineJobs/"), "the first question")
    process.kill()
    finish(process)

    code, out, _ = finish(pawpetal(tmp_path, "runs", "list"))

    assert code == 0
    assert "submitted" in out
    assert not google.asked("POST", "aiplatform", ":cancel$")
    assert records(tmp_path)[0]["remote_id"]


def test_dry_run_imports_no_tensorflow(google, tmp_path):
    os.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    try:
        code, _, err = finish(pawpetal(tmp_path, *RUN, *PLACE, "--dry-run"))
    finally:
        del os.environ["PYTHONPROFILEIMPORTTIME"]

    assert code == 0
    assert "| tensorflow" not in err
