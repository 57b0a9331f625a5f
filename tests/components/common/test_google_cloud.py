"""One session with Google's APIs: patience, pages, refusals and who is asked with a token."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common import google_cloud
from components.common.errors import CloudError
from components.common.google_cloud import CREDENTIALS_HINT, OVERRIDE, GoogleCloud, endpoint
from pipelines.specs import PLAIN, spec_path
from tests.google_cloud.double import GoogleDouble
from tests.google_cloud.project import RUNNER, SPECS
from tests.google_cloud.tokens import TokenServer

JOBS = "projects/acme/locations/us-central1/customJobs"
JOB = {
    "displayName": "train",
    "jobSpec": {
        "workerPoolSpecs": [
            {
                "machineSpec": {"machineType": "e2-standard-8"},
                "replicaCount": 1,
                "containerSpec": {"imageUri": "image"},
            }
        ]
    },
}


@pytest.fixture
def google() -> Iterator[GoogleDouble]:
    with GoogleDouble() as double:
        yield double


@pytest.fixture
def cloud(google: GoogleDouble) -> GoogleCloud:
    return GoogleCloud()


def test_what_fails_for_a_moment_is_asked_again(google, cloud):
    google.fail("GET v3/projects/acme", 503)
    google.fail("GET v3/projects/acme", 0)  # the connection is lost

    assert cloud.get("cloudresourcemanager", "projects/acme")["projectId"] == "acme"
    assert len(google.asked("GET", "cloudresourcemanager")) == 3


def test_a_refusal_is_asked_for_once_and_tells_status_and_reason(google, cloud):
    google.project.apis.remove("iam.googleapis.com")

    with pytest.raises(CloudError) as caught:
        cloud.get("iam", f"projects/-/serviceAccounts/{RUNNER}")

    assert (caught.value.status, caught.value.reason) == (403, "SERVICE_DISABLED")
    assert str(caught.value).startswith(
        "Google Cloud answered 403 to GET projects/-/serviceAccounts/"
    )
    assert "\n" not in str(caught.value)
    assert len(google.asked("GET", "iam")) == 1


def test_cloud_storage_refuses_in_a_form_of_its_own(google, cloud):
    with pytest.raises(CloudError, match="404 to GET b/none: The specified bucket does") as caught:
        cloud.get("storage", "b/none")

    assert (caught.value.status, caught.value.reason) == (404, "")


def test_what_stays_broken_is_given_up_with_its_own_error(google, cloud, monkeypatch):
    monkeypatch.setattr(google_cloud, "GIVE_UP_S", 1.0)
    google.fail("GET v3/projects/acme", 503, times=1000)

    with pytest.raises(CloudError, match=r"503 .*currently unavailable") as caught:
        cloud.get("cloudresourcemanager", "projects/acme")

    assert caught.value.status == 503
    assert len(google.asked("GET", "cloudresourcemanager")) >= 2


def test_what_changes_something_is_sent_once(google, cloud):
    google.fail("aiplatform POST", 503)

    with pytest.raises(CloudError, match="503"):
        cloud.post("aiplatform", JOBS, JOB, region="us-central1")

    assert len(google.asked("POST", "aiplatform")) == 1


def test_a_list_is_read_to_its_last_page(google, cloud):
    made = [cloud.post("aiplatform", JOBS, JOB, region="us-central1") for _ in range(5)]

    listed = cloud.list("aiplatform", JOBS, "customJobs", region="us-central1", pageSize=2)

    assert [job["name"] for job in listed] == [job["name"] for job in reversed(made)]
    pages = google.asked("GET", "aiplatform")
    assert [page.query.get("pageToken") for page in pages] == [None, ["2"], ["4"]]
    assert all(page.query["pageSize"] == ["2"] for page in pages)


def test_an_empty_list_has_no_key(google, cloud):
    assert list(cloud.list("aiplatform", JOBS, "customJobs", region="us-central1")) == []


def test_a_double_on_this_machine_sees_no_token(google, cloud, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")

    cloud.get("cloudresourcemanager", "projects/acme")

    assert "authorization" not in google.seen[0].headers


def test_nobody_answering_is_told_with_the_address(monkeypatch):
    monkeypatch.setattr(google_cloud, "GIVE_UP_S", 0.1)
    monkeypatch.setenv(f"{OVERRIDE}IAM", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    with pytest.raises(CloudError, match=r"http://127.0.0.1:1 could not be reached") as caught:
        GoogleCloud().get("iam", "roles/viewer")

    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("service", "region", "expected"),
    [
        ("iam", "", "https://iam.googleapis.com"),
        ("iam", "us-central1", "https://iam.googleapis.com"),
        ("aiplatform", "us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("serviceusage.quotas", "", "https://serviceusage.googleapis.com"),
    ],
)
def test_an_endpoint_is_of_its_service_and_region(service, region, expected, monkeypatch):
    monkeypatch.delenv(f"{OVERRIDE}{service.partition('.')[0].upper()}", raising=False)

    assert endpoint(service, region) == expected


def test_an_override_replaces_the_endpoint_of_every_region(monkeypatch):
    monkeypatch.setenv(f"{OVERRIDE}AIPLATFORM", "https://vertex.internal.example/")

    assert endpoint("aiplatform", "us-central1") == "https://vertex.internal.example"


def upload(cloud: GoogleCloud) -> str:
    content = spec_path("retrain", PLAIN).read_bytes()
    fields = {"tags": "v1"}
    return cloud.upload("kfp", "acme/pawpetal-specs", content, region="us-central1", **fields)


def test_a_file_is_uploaded_as_a_form_and_comes_back_as_it_was(google, cloud):
    package, _, version = upload(cloud).partition("/")

    assert package == "retrain"
    path = f"acme/pawpetal-specs/retrain/{version}"
    content = cloud.download("kfp", path, region="us-central1")
    assert content == spec_path("retrain", PLAIN).read_bytes()
    assert google.asked("POST", "kfp")[0].body["tags"] == "v1"


def test_pipelines_are_at_an_address_of_their_own(monkeypatch):
    monkeypatch.delenv(f"{OVERRIDE}KFP", raising=False)

    assert endpoint("kfp", "us-central1") == "https://us-central1-kfp.pkg.dev"


def test_what_does_the_same_twice_is_asked_again(google, cloud):
    version = upload(cloud).partition("/")[2]
    google.fail("artifactregistry PATCH .*/tags/v1", 503)
    google.fail("artifactregistry PATCH .*/tags/v1", 0, is_done=True)  # the answer is lost
    name = f"{SPECS}/packages/retrain"

    body = {"version": f"{name}/versions/{version}"}
    answer = cloud.patch("artifactregistry", f"{name}/tags/v1", body, updateMask="version")

    assert answer["version"] == body["version"]
    assert len(google.asked("PATCH", "artifactregistry")) == 3


def test_deleting_is_asked_again_and_what_is_not_there_is_said(google, cloud):
    google.fail("artifactregistry DELETE .*", 503)

    with pytest.raises(CloudError) as caught:
        cloud.delete("artifactregistry", f"{SPECS}/packages/retrain")

    assert caught.value.status == 404
    assert len(google.asked("DELETE", "artifactregistry")) == 2


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    if sys.platform != "linux":
        pytest.skip("no address of this machine that is none by name")
    with TokenServer(tmp_path) as server:
        monkeypatch.setenv(f"{OVERRIDE}IAM", server.url)
        yield server


def test_no_token_goes_out_in_clear(elsewhere):
    cloud = GoogleCloud()

    with pytest.raises(CloudError, match="must be https"):
        cloud.get("iam", "roles/viewer")

    assert elsewhere.seen == []
    assert cloud.account() == RUNNER


def test_credentials_that_are_refused_say_how_to_renew_them(elsewhere, monkeypatch):
    elsewhere.refuses = True
    monkeypatch.setenv(f"{OVERRIDE}IAM", "https://127.0.0.1:9")  # asked with a token, if there were

    with pytest.raises(CloudError, match="Account not found") as caught:
        GoogleCloud().get("iam", "roles/viewer")

    assert str(caught.value).endswith(CREDENTIALS_HINT)
    assert elsewhere.seen == []


def test_without_credentials_it_is_said_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv(f"{OVERRIDE}IAM", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    with pytest.raises(CloudError, match="gcloud auth application-default login") as caught:
        GoogleCloud().get("iam", "roles/viewer")

    assert caught.value.status == 0
