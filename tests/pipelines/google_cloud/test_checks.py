"""Each check of Google Cloud, on a project in order and on one with that thing spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.common.errors import InputError
from components.common.google_cloud import OVERRIDE, GoogleCloud
from pipelines.accelerators import parse_accelerator
from pipelines.doctor.check import Check
from pipelines.google_cloud.checks import check_vertex
from pipelines.google_cloud.permissions import APIS
from pipelines.google_cloud.place import VertexPlace, images_of
from pipelines.images import tag
from tests.google_cloud.double import GoogleDouble
from tests.google_cloud.project import (
    BUCKET,
    METRIC,
    REGION,
    REPOSITORY,
    RUNNER,
    SUBMITTER,
    Project,
    bucket,
)
from tests.google_cloud.tokens import TokenServer

REGISTRY = f"{REGION}-docker.pkg.dev/acme/pawpetal"
MEMBER = f"--member=serviceAccount:{RUNNER}"
YOU = 'user:"$(gcloud config get account)"'
DOCTOR = "projects/acme/roles/pawpetalDoctor"
NETWORK = "projects/123456789/global/networks/default"


@pytest.fixture
def google() -> Iterator[GoogleDouble]:
    with GoogleDouble() as double:
        yield double


def make_place(**changed: Any) -> VertexPlace:
    accelerator = parse_accelerator(changed.pop("accelerator", "none"))
    registry = changed.pop("image_registry", REGISTRY)
    settings = {
        "project": "acme",
        "region": REGION,
        "bucket": BUCKET,
        "service_account": RUNNER,
        "accelerator": accelerator,
        "image_registry": registry,
        "images": images_of(accelerator, registry),
    }
    return VertexPlace(**{**settings, **changed})


def examine(**changed: Any) -> list[Check]:
    return list(check_vertex(GoogleCloud(), make_place(**changed)))


def wrong(checks: list[Check]) -> dict[str, tuple[str, str, str]]:
    return {
        each.name: (each.status, each.said, each.mend) for each in checks if each.status != "ok"
    }


@pytest.mark.parametrize("accelerator", ["none", "gpu:nvidia-l4:1", "tpu:v5e:2x2"])
def test_a_project_in_order_is_ok_throughout(google, accelerator):
    checks = examine(accelerator=accelerator, network=NETWORK)

    assert wrong(checks) == {}
    names = [check.name for check in checks]
    assert names[:4] == ["region", "project", "APIs", "bucket"]
    assert {"runner", "runner, bucket", "you, account", "network", "quota"} <= set(names)
    assert f"{tag()} is sha256:aaaaaaaaaaaa" in [check.said for check in checks]


def test_nothing_is_changed_by_looking(google):
    examine(network=NETWORK)

    posts = [seen.path for seen in google.seen if seen.method == "POST"]
    assert posts
    assert all(path.endswith((":getIamPolicy", ":testIamPermissions")) for path in posts)


def _no_runner(project: Project) -> None:
    project.accounts.clear()


def _disabled_runner(project: Project) -> None:
    project.grant(f"accounts/{RUNNER}", "roles/iam.serviceAccountViewer", SUBMITTER)
    project.accounts[RUNNER]["disabled"] = True


def _revoked(on: str, role: str, member: str) -> Callable[[Project], None]:
    return lambda project: project.revoke(on, role, member)


def _only_sometimes(project: Project) -> None:
    member = f"serviceAccount:{RUNNER}"
    project.revoke("projects/acme", "roles/aiplatform.user", member)
    project.grant("projects/acme", "roles/aiplatform.user", member, condition="request.time < x")


def _reads_only(project: Project) -> None:
    member, on = f"serviceAccount:{RUNNER}", f"buckets/{BUCKET}"
    project.revoke(on, "roles/storage.objectUser", member)
    project.grant(on, "roles/storage.objectViewer", member)


@pytest.mark.parametrize(
    ("spoil", "name", "said", "mend"),
    [
        (
            _no_runner,
            "runner",
            f"there is no service account {RUNNER}",
            "gcloud iam service-accounts create pawpetal-runner --project=acme",
        ),
        (
            _disabled_runner,
            "runner",
            f"{RUNNER} is disabled",
            f"gcloud iam service-accounts enable {RUNNER} --project=acme",
        ),
        (
            _only_sometimes,
            "runner, project",
            f"{RUNNER} lacks aiplatform.customJobs.create and 9 more on project acme,"
            " for customJobs.create: the train step starts training",
            f"gcloud projects add-iam-policy-binding acme {MEMBER} --role=roles/aiplatform.user"
            " --condition=None",
        ),
        (
            _reads_only,
            "runner, bucket",
            f"{RUNNER} lacks storage.objects.create and 1 more on gs://{BUCKET}, for"
            " objects.insert: they write what they make, and checkpoints",
            f"gcloud storage buckets add-iam-policy-binding gs://{BUCKET} {MEMBER}"
            " --role=roles/storage.objectUser",
        ),
        (
            _revoked(
                f"accounts/{RUNNER}", "roles/iam.serviceAccountUser", f"serviceAccount:{RUNNER}"
            ),
            "runner, account",
            f"{RUNNER} lacks iam.serviceAccounts.actAs on itself, for customJobs.create: training"
            " runs as the runner, too",
            f"gcloud iam service-accounts add-iam-policy-binding {RUNNER} --project=acme {MEMBER}"
            " --role=roles/iam.serviceAccountUser",
        ),
        (
            _revoked(REPOSITORY, "roles/artifactregistry.reader", f"serviceAccount:{RUNNER}"),
            "runner, repository",
            f"{RUNNER} lacks artifactregistry.repositories.downloadArtifacts on repository"
            " pawpetal, for the pull of a step's image",
            "gcloud artifacts repositories add-iam-policy-binding pawpetal --project=acme"
            f" --location={REGION} {MEMBER} --role=roles/artifactregistry.reader",
        ),
        (
            _revoked("projects/acme", "roles/aiplatform.user", SUBMITTER),
            "you, project",
            "you lack aiplatform.pipelineJobs.create and 4 more on project acme, for"
            " pipelineJobs.create: starts a run",
            f"gcloud projects add-iam-policy-binding acme --member={YOU}"
            " --role=roles/aiplatform.user --condition=None",
        ),
        (
            _revoked(f"accounts/{RUNNER}", "roles/iam.serviceAccountUser", SUBMITTER),
            "you, account",
            f"you lack iam.serviceAccounts.actAs on {RUNNER}, for pipelineJobs.create: steps run"
            " as the runner",
            f"gcloud iam service-accounts add-iam-policy-binding {RUNNER} --project=acme"
            f" --member={YOU} --role=roles/iam.serviceAccountUser",
        ),
    ],
)
def test_a_missing_account_or_role_is_named_with_its_command(google, spoil, name, said, mend):
    google.project.grant("projects/acme", "roles/browser", SUBMITTER)  # projects.get, whatever goes
    spoil(google.project)

    assert wrong(examine())[name] == ("fail", said, mend)


def test_a_role_on_the_project_serves_for_all_in_it(google):
    runner = f"serviceAccount:{RUNNER}"
    google.project.revoke(f"buckets/{BUCKET}", "roles/storage.objectUser", runner)
    google.project.grant("projects/acme", "roles/storage.objectUser", runner)

    assert wrong(examine()) == {}


def test_roles_of_ones_own_count_by_what_they_hold(google):
    runner = f"serviceAccount:{RUNNER}"
    google.project.revoke(f"buckets/{BUCKET}", "roles/storage.objectUser", runner)
    google.project.roles["projects/acme/roles/writer"] = (
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
    )
    google.project.grant(f"buckets/{BUCKET}", "projects/acme/roles/writer", runner)

    assert wrong(examine()) == {}


@pytest.mark.parametrize(
    ("role", "status", "why"),
    [
        ("projects/acme/roles/writer", 403, "you lack iam.roles.get"),
        ("organizations/1/roles/writer", 404, "Google Cloud answered 404 to GET organizations/1"),
    ],
)
def test_rights_that_a_role_may_hold_that_one_may_not_read_are_skipped(google, role, status, why):
    runner = f"serviceAccount:{RUNNER}"
    google.project.revoke(f"buckets/{BUCKET}", "roles/storage.objectUser", runner)
    google.project.grant(f"buckets/{BUCKET}", role, runner)
    message = f"Permission 'iam.roles.get' denied on resource '{role}'"
    google.fail("iam GET .*roles/writer$", status, message=message)

    found = wrong(examine())

    assert set(found) == {"runner, bucket"}
    assert found["runner, bucket"][0] == "skip"
    assert found["runner, bucket"][1].startswith(f"not known, since {role} cannot be read: {why}")
    assert found["runner, bucket"][2].endswith(f"{MEMBER} --role=roles/storage.objectUser")


def test_a_role_that_one_may_not_read_does_not_hide_that_others_are_enough(google):
    google.project.grant("projects/acme", "organizations/1/roles/x", f"serviceAccount:{RUNNER}")

    assert wrong(examine()) == {}


@pytest.mark.parametrize("asked", ["getIamPolicy", "testIamPermissions"])
def test_what_only_looks_is_asked_again_where_it_fails_for_a_moment(google, asked):
    google.fail(f"(cloudresourcemanager|iam) POST .*:{asked}$", 503)

    assert wrong(examine()) == {}


def test_policies_that_one_may_not_read_are_skipped_and_say_so(google):
    google.project.revoke("projects/acme", DOCTOR, SUBMITTER)

    found = wrong(examine())

    assert found["runner, bucket"] == (
        "skip",
        "not known, since you lack storage.buckets.getIamPolicy",
        f"gcloud projects add-iam-policy-binding acme --member={YOU}"
        " --role=roles/iam.securityReviewer --condition=None",
    )
    assert {status for status, *_ in found.values()} == {"skip"}


def test_without_the_api_that_tells_of_roles_no_right_is_called_lacking(google):
    google.project.apis.remove("iam.googleapis.com")

    checks = examine()

    assert [each.name for each in checks if each.status == "fail"] == ["API"]
    runner = next(each for each in checks if each.name == "runner, project")
    assert (runner.status, runner.mend) == ("skip", "")


def test_each_api_that_is_not_enabled_has_a_line_and_hides_nothing_else(google):
    google.project.apis -= {"compute.googleapis.com", "artifactregistry.googleapis.com"}

    checks = examine()

    assert [(each.status, each.mend) for each in checks if each.name == "API"] == [
        ("fail", "gcloud services enable artifactregistry.googleapis.com --project=acme"),
        ("fail", "gcloud services enable compute.googleapis.com --project=acme"),
    ]
    assert {each.name: each.said for each in checks if each.status == "skip"} == dict.fromkeys(
        ("runner, repository", "pawpetal-cpu", "pawpetal-light"),
        "the API that knows is not enabled",
    )


def test_the_api_that_tells_of_others_is_named_itself(google):
    google.project.apis.remove("serviceusage.googleapis.com")

    check = next(each for each in examine() if each.name == "API")

    assert check.mend == "gcloud services enable serviceusage.googleapis.com --project=acme"


def test_without_the_first_api_all_are_enabled_by_one_command(google):
    google.project.apis.clear()

    found = wrong(examine())

    assert found["project"][2] == f"gcloud services enable {' '.join(APIS)} --project=acme"
    assert found["the rest"][0] == "skip"


def test_a_project_that_one_may_not_see_ends_the_looking(google):
    checks = examine(project="acme-other")

    assert [(each.name, each.status) for each in checks] == [
        ("region", "ok"),
        ("project", "fail"),
        ("the rest", "skip"),
    ]
    assert checks[1].said == "there is no acme-other, or you may not see it"


def test_a_project_that_is_being_deleted_is_brought_back_by_one_command(google):
    google.project.state = "DELETE_REQUESTED"

    assert wrong(examine())["project"] == (
        "fail",
        "acme is being deleted",
        "gcloud projects undelete acme",
    )


def test_a_login_that_counts_against_no_project_is_told_apart(google):
    google.fail(
        "cloudresourcemanager",
        403,
        message="The API requires a quota project, which is not set by default.",
        reason="SERVICE_DISABLED",
    )

    assert wrong(examine())["credentials"] == (
        "fail",
        "they name no project to count calls against",
        "gcloud auth application-default set-quota-project acme",
    )


MAKE = "--project=acme --location=us-central1 --uniform-bucket-level-access"


@pytest.mark.parametrize(
    ("location", "kind", "fits"),
    [
        ("US-CENTRAL1", "region", True),
        ("US-EAST1", "region", False),
        ("US", "multi-region", True),
        ("EU", "multi-region", False),
        ("NAM4", "dual-region", True),
        ("EUR4", "dual-region", False),
    ],
)
def test_a_bucket_must_keep_its_objects_in_the_region(google, location, kind, fits):
    google.project.buckets[BUCKET] = bucket(BUCKET, location, kind)

    found = wrong(examine())

    if fits:
        assert found == {}
    else:
        assert found["bucket"] == (
            "fail",
            f"gs://{BUCKET} is in {location.lower()}, and the run would be in us-central1",
            f"gcloud storage buckets create gs://{BUCKET}-us-central1 {MAKE}"
            f" --public-access-prevention  # then --bucket {BUCKET}-us-central1",
        )


def test_a_dual_region_of_ones_own_choice_names_its_regions(google):
    own = bucket(BUCKET, "US", "dual-region")
    own["customPlacementConfig"] = {"dataLocations": ["US-EAST4", "US-CENTRAL1"]}
    google.project.buckets[BUCKET] = own
    assert wrong(examine()) == {}

    own["customPlacementConfig"] = {"dataLocations": ["US-EAST4", "US-WEST1"]}
    assert wrong(examine())["bucket"][0] == "fail"


def test_london_is_not_in_the_multi_region_of_the_european_union(google):
    google.project.buckets[BUCKET] = bucket(BUCKET, "EU", "multi-region")

    assert wrong(examine(region="europe-west2"))["bucket"][0] == "fail"
    assert "bucket" not in wrong(examine(region="europe-west4"))


def test_a_bucket_that_is_not_there_is_made_by_one_command(google):
    google.project.buckets.clear()

    found = wrong(examine())

    assert found["bucket"] == (
        "fail",
        f"there is no gs://{BUCKET}",
        f"gcloud storage buckets create gs://{BUCKET} {MAKE} --public-access-prevention",
    )
    assert found["runner, bucket"][:2] == ("skip", "there is nothing to have rights on")
    assert found["you, bucket"][:2] == ("skip", "there is no bucket")


@pytest.mark.parametrize(
    ("accelerator", "spot", "metric", "limit", "said"),
    [
        ("tpu:v5e:2x2", False, "tpu_v5e", 1, "1 chips of TPU v5e in us-central1, and one training"),
        ("gpu:nvidia-l4:2", False, "nvidia_l4_gpus", 1, "1 GPUs nvidia-l4 in us-central1"),
        ("gpu:nvidia-l4:1", True, "preemptible_nvidia_l4_gpus", 0, "0 GPUs nvidia-l4"),
        ("none", False, "cpus", 7, "7 CPUs for training in us-central1, and one training takes 8"),
    ],
)
def test_too_little_quota_names_the_metric(google, accelerator, spot, metric, limit, said):
    google.project.quotas[METRIC + metric, REGION] = limit

    status, told, mend = wrong(examine(accelerator=accelerator, spot=spot))["quota"]

    assert status == "fail"
    assert told.startswith(said)
    assert f"{METRIC}{metric}" in told
    assert mend.startswith("https://console.cloud.google.com/iam-admin/quotas?project=acme")


def test_quota_of_another_region_does_not_count(google):
    google.project.quotas = {(f"{METRIC}tpu_v5e", "us-west1"): 16}

    assert wrong(examine(accelerator="tpu:v5e:2x2"))["quota"][0] == "fail"


def test_unlimited_quota_is_enough(google):
    google.project.quotas[f"{METRIC}cpus", REGION] = -1

    assert wrong(examine()) == {}


def test_a_metric_that_google_does_not_have_is_skipped(google):
    assert wrong(examine(accelerator="gpu:nvidia-tesla-v100:1"))["quota"][:2] == (
        "skip",
        f"Google has none named {METRIC}nvidia_v100_gpus",
    )


def test_a_region_without_the_accelerator_is_told_and_the_rest_looked_at(google):
    found = wrong(examine(region="us-central9"))

    assert found["region"][0] == "fail"
    assert "Did you mean 'us-central1'?" in found["region"][1]
    assert found["bucket"][0] == "fail"


def test_an_image_that_was_not_pushed_is_named_with_what_pushes_it(google):
    google.project.repositories[REPOSITORY]["pawpetal-light"] = {"0.1.0-old": "sha256:b"}

    image = f"{REGISTRY}/pawpetal-light:{tag()}"
    assert wrong(examine()) == {
        "pawpetal-light": (
            "fail",
            f"there is no {image}",
            f"make images IMAGES=light && gcloud auth configure-docker {REGION}-docker.pkg.dev"
            f" --quiet && docker tag pawpetal-light:{tag()} {image} && docker push {image}",
        )
    }


def test_images_of_a_registry_that_cannot_be_asked_are_skipped(google):
    found = wrong(examine(image_registry="registry.example/pawpetal"))

    assert found["pawpetal-cpu"][:2] == (
        "skip",
        "only Artifact Registry can be asked, not registry.example",
    )
    assert found["runner, repository"][0] == "skip"


def test_images_in_a_folder_of_a_repository_are_found(google):
    google.project.repositories[REPOSITORY] = {
        f"team/pawpetal-{name}": {tag(): "sha256:b"} for name in ("cpu", "light")
    }

    assert wrong(examine(image_registry=f"{REGISTRY}/team")) == {}


@pytest.mark.parametrize(
    ("network", "said", "mend"),
    [
        ("default", "'default' is not as Vertex AI wants it", f"pass --network {NETWORK}"),
        (
            "projects/acme/global/networks/default",
            "with the project's number",
            f"pass --network {NETWORK}",
        ),
        (
            "projects/123456789/global/networks/other",
            "there is no projects/123456789/global/networks/other",
            "gcloud compute networks create other --project=acme",
        ),
    ],
)
def test_a_network_must_be_there_and_named_by_number(google, network, said, mend):
    found = wrong(examine(network=network))["network"]

    assert found[0] == "fail"
    assert said in found[1]
    assert found[2] == mend


def test_a_network_must_be_peered(google):
    google.project.networks["default"]["peerings"] = []

    status, said, mend = wrong(examine(network=NETWORK))["network"]

    assert (status, said) == ("fail", f"{NETWORK} is not peered with Google's services")
    assert mend.startswith("gcloud services vpc-peerings connect --service=servicenetworking.")


def test_a_question_that_fails_for_another_reason_is_told(google):
    google.fail("storage GET storage/v1/b/acme-pawpetal$", 400, message="Bad things")

    status, said, _ = wrong(examine())["bucket"]

    assert (status, said) == (
        "fail",
        "Google Cloud answered 400 to GET b/acme-pawpetal: Bad things",
    )


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """An environment without credentials, asked the real endpoints."""
    monkeypatch.delenv(f"{OVERRIDE}CLOUDRESOURCEMANAGER", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    gcloud = tmp_path / "gcloud"
    gcloud.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return gcloud


def test_without_credentials_the_command_that_gets_them_is_named(nobody):
    assert wrong(examine()) == {
        "credentials": (
            "fail",
            "none: gcloud has left none here, GOOGLE_APPLICATION_CREDENTIALS is not set, and no"
            " machine of Google Cloud gives any",
            "gcloud auth application-default login --project=acme",
        ),
        "the rest": ("skip", "APIs, bucket, rights, quota and images were not asked for", ""),
    }


def test_without_gcloud_it_is_said_where_to_get_it(nobody):
    nobody.unlink()

    assert wrong(examine())["credentials"][2] == (
        "install gcloud (https://cloud.google.com/sdk/docs/install), then: gcloud auth"
        " application-default login --project=acme"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "which is not there"),
        ("{}", "Type is None"),
        ("no json", "not a valid json file"),
        ("[]", "it holds no credentials"),
    ],
)
def test_credentials_of_a_file_that_cannot_be_used_name_the_file(
    nobody, monkeypatch, tmp_path, content, said
):
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    _, told, mend = wrong(examine())["credentials"]

    assert told.startswith(f"GOOGLE_APPLICATION_CREDENTIALS names {file}")
    assert said in told
    assert mend.startswith("unset GOOGLE_APPLICATION_CREDENTIALS; gcloud auth")


def test_a_folder_in_place_of_credentials_is_told(nobody, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))

    status, told, mend = wrong(examine())["credentials"]

    assert (status, told) == (
        "fail",
        f"GOOGLE_APPLICATION_CREDENTIALS names {tmp_path}: Is a directory",
    )
    assert mend.startswith("unset GOOGLE_APPLICATION_CREDENTIALS; gcloud auth")


def test_this_machine_asked_by_https_needs_credentials_as_any_other(nobody, monkeypatch):
    monkeypatch.setenv(f"{OVERRIDE}CLOUDRESOURCEMANAGER", "https://localhost:1")

    assert wrong(examine())["credentials"][1].startswith("none: gcloud has left none here")


def test_credentials_that_are_refused_are_told_apart_from_none(google, tmp_path, monkeypatch):
    with TokenServer(tmp_path) as server:
        monkeypatch.setenv(f"{OVERRIDE}CLOUDRESOURCEMANAGER", "https://nowhere.invalid")
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # behind one, nobody can tell
        server.refuses = True
        checks = examine()

    assert [(each.name, each.status) for each in checks] == [
        ("region", "ok"),
        ("credentials", "fail"),
        ("the rest", "skip"),
    ]
    assert "Account not found" in checks[1].said


def test_a_network_without_google_is_told_before_minutes_of_patience(google, tmp_path, monkeypatch):
    with TokenServer(tmp_path):
        monkeypatch.setenv(f"{OVERRIDE}CLOUDRESOURCEMANAGER", "https://nowhere.invalid")
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.delenv("HTTPS_PROXY", raising=False)
        checks = examine()

    assert (checks[1].name, checks[1].said) == ("credentials", RUNNER)
    found = wrong(checks)
    assert found["reach"][1].startswith("nowhere.invalid cannot be reached: ")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"project": "123"}, "`project` must be a project's id"),
        ({"bucket": "gs://acme-pawpetal"}, "`bucket` must be a bucket's name, without gs://"),
        ({"service_account": "runner"}, "`service_account` must be an e-mail address"),
    ],
)
def test_names_that_there_cannot_be_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        make_place(**changed)
