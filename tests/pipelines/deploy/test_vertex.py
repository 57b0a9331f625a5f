"""Deployments on Vertex AI, against the double of Artifact Registry and an emulated bucket."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.common.errors import CloudError, InputError
from pipelines.deploy.deployments import previous
from pipelines.deploy.vertex import VertexDeployments
from pipelines.specs import pipeline_names
from tests.google_cloud.project import SPECS
from tests.pipelines.deploy.conftest import COMMIT, changed, mark
from tests.pipelines.vertex.conftest import BUCKET

UPLOAD = "acme/pawpetal-specs$"


def tags(google, package="retrain"):
    return google.project.repositories[SPECS][package]


def roll_back(place):
    back = place.roll_back(previous(place.history()), "ann")
    place.settle()
    return back


def test_deploying_uploads_each_spec_and_tags_it(google, google_place, for_vertex):
    deployment = google_place.deploy(for_vertex)
    google_place.settle()

    spec = deployment.spec("retrain")
    assert spec.version.startswith("sha256:")
    assert spec.reference == (
        f"https://us-central1-kfp.pkg.dev/acme/pawpetal-specs/retrain/{spec.version}"
    )
    assert [each.pipeline for each in deployment.specs] == list(pipeline_names())
    assert google.specs["retrain", spec.version] == for_vertex.specs["retrain"]
    named = {tag: version for tag, version in tags(google).items() if "content-" not in tag}
    version_tag = for_vertex.code_version.replace("+", "-")
    assert named == dict.fromkeys(("v1", version_tag, "deployed"), spec.version)


def test_log_holds_one_object_a_deployment(google_place, for_vertex, gcs):
    google_place.deploy(for_vertex)
    google_place.deploy(changed(for_vertex, "v2"))

    blobs = gcs.list_blobs(BUCKET, prefix="pawpetal/deployments/us-central1/")
    entries = {blob.name.rpartition("/")[2]: json.loads(blob.download_as_bytes()) for blob in blobs}
    assert list(entries) == ["000001.json", "000002.json"]
    assert (entries["000001.json"]["tag"], entries["000002.json"]["tag"]) == ("v1", "v2")
    assert entries["000001.json"]["commit"] == COMMIT


def test_what_is_deployed_is_what_vertex_ai_runs_whose_training_is_a_custom_job(
    google_place, for_vertex
):
    spec = google_place.read_spec(google_place.deploy(for_vertex).spec("retrain"))

    executors = spec["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["command"] == [
        "python",
        "-m",
        "components.train.custom_job",
    ]


def test_newest_entry_is_current_and_the_tag_follows_it(google, google_place, for_vertex):
    google_place.deploy(for_vertex)
    google_place.settle()
    google_place.deploy(changed(for_vertex, "v2"))
    google_place.settle()

    current = google_place.current()
    assert [each.tag for each in google_place.history()] == ["v2", "v1"]
    assert tags(google)["deployed"] == tags(google)["v2"] == current.spec("retrain").version
    assert mark(google_place.read_spec(current.spec("retrain"))) == "v2"


def test_rolling_back_twice_goes_back_two_and_moves_the_tag_each_time(
    google, google_place, for_vertex
):
    for tag in ("v1", "v2", "v3"):
        google_place.deploy(changed(for_vertex, tag))
    google_place.settle()

    for tag in ("v2", "v1"):
        back = roll_back(google_place)
        assert google_place.current() == back
        assert (back.tag, back.is_rollback, back.by) == (tag, True, "ann")
        assert tags(google)["deployed"] == tags(google)[tag] == back.spec("retrain").version

    assert previous(google_place.history()) is None
    assert len(google.asked("POST", "kfp")) == 3 * 4  # a rollback uploads nothing


def test_deployment_that_broke_off_does_not_count_and_the_next_try_completes_it(
    google, google_place, for_vertex
):
    google_place.deploy(for_vertex)
    google.fail("artifactregistry GET .*/packages/sweep/", 403)  # after two of four uploads
    second = changed(for_vertex, "v2")
    with pytest.raises(CloudError):
        google_place.deploy(second)

    assert google_place.current().tag == "v1"
    assert len(google.specs) == 4 + 2
    assert google_place.deploy(second).number == 2
    assert len(google.specs) == 4 + 4


def test_it_is_settled_once_the_tag_names_what_is_current(google_place, for_vertex):
    assert not google_place.is_settled(google_place.deploy(for_vertex))
    google_place.settle()
    assert google_place.is_settled(google_place.current())

    google_place.deploy(changed(for_vertex, "v2"))
    assert not google_place.is_settled(google_place.current())


def test_specs_that_are_there_are_not_sent_again(google, google_place, for_vertex):
    google_place.deploy(for_vertex)
    google_place.deploy(changed(for_vertex, "v2"))

    again = google_place.deploy(for_vertex)

    assert again.number == 3
    assert len(google.asked("POST", "kfp")) == 2 * 4


def test_upload_whose_answer_was_lost_is_found_by_its_content(google, google_place, for_vertex):
    google.fail(f"kfp POST {UPLOAD}", 0, is_done=True)

    deployment = google_place.deploy(for_vertex)

    assert len(google.specs) == 4
    assert ("curriculum", deployment.spec("curriculum").version) in google.specs


def test_two_that_deploy_at_once_take_one_number_each(google, vertex, for_vertex):
    releases = [changed(for_vertex, f"v{number}") for number in range(4)]

    def deploy(release):
        place = VertexDeployments("acme", "us-central1", BUCKET)
        deployment = place.deploy(release)
        place.settle()
        return deployment

    with ThreadPoolExecutor() as pool:
        made = list(pool.map(deploy, releases))

    place = VertexDeployments("acme", "us-central1", BUCKET)
    assert sorted(each.number for each in made) == [1, 2, 3, 4]
    current = place.current()
    assert current == max(made, key=lambda each: each.number)
    assert tags(google)["deployed"] == current.spec("retrain").version


def test_two_that_deploy_the_same_at_once_make_one_entry(google, vertex, for_vertex):
    places = [VertexDeployments("acme", "us-central1", BUCKET) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda place: place.deploy(for_vertex), places))

    assert made[0] == made[1] == made[2]
    assert len(places[0].history()) == 1


def test_missing_repository_is_said_with_the_command_that_makes_it(
    google, google_place, for_vertex
):
    del google.project.repositories[SPECS]

    with pytest.raises(InputError, match="gcloud artifacts repositories create pawpetal-specs"):
        google_place.deploy(for_vertex)


def test_spec_that_the_repository_deleted_is_said_to_be_gone(google, google_place, for_vertex):
    spec = google_place.deploy(for_vertex).spec("retrain")
    del google.specs["retrain", spec.version]

    with pytest.raises(InputError, match="is not there any more; the repository deletes old specs"):
        google_place.read_spec(spec)


def test_caller_without_the_right_to_upload_is_told_which(google, google_place, for_vertex):
    google.project.policies[SPECS].clear()

    with pytest.raises(CloudError, match=r"artifactregistry\.tags\.get"):
        google_place.deploy(for_vertex)


def test_nothing_deployed_is_said_with_the_command_that_does(google_place):
    with pytest.raises(InputError, match=r"Nothing is deployed at acme, us-central1: run"):
        google_place.current()
