"""Schedules of Vertex AI that run what is deployed; those of Kubeflow are in `test_deploy`."""

import pytest

from components.common.errors import CloudError, InputError
from pipelines.deploy.deploy import deploy, roll_back
from pipelines.schedules.vertex import VertexScheduler
from tests.google_cloud.project import SPECS
from tests.pipelines.deploy.conftest import add_schedule, changed


@pytest.fixture
def schedules(vertex):
    return VertexScheduler(vertex)


def run_by(google):
    """What the one schedule of the project would run."""
    [schedule] = google.schedules.all.values()
    return schedule["createPipelineJobRequest"]["pipelineJob"]["templateUri"]


def test_schedules_of_vertex_ai_follow_each_deployment_and_rollback(
    google, google_place, schedules, for_vertex
):
    deploy(google_place, schedules, for_vertex, say=lambda _: None)
    add_schedule(schedules, google_place)
    first = google_place.current()

    outcome = deploy(google_place, schedules, changed(for_vertex, "v2"), say=lambda _: None)

    assert [change.name for change in outcome.repointed] == ["nightly"]
    assert run_by(google) == outcome.deployment.spec("retrain").reference

    roll_back(google_place, schedules, by="ann", say=lambda _: None)

    assert run_by(google) == first.spec("retrain").reference


def test_rollback_that_broke_off_before_the_tag_moved_is_finished_by_the_next(
    google, google_place, schedules, for_vertex
):
    for tag in ("v1", "v2"):
        deploy(google_place, schedules, changed(for_vertex, tag), say=lambda _: None)
    google.fail("artifactregistry PATCH .*/tags/deployed", 403)
    with pytest.raises(CloudError):
        roll_back(google_place, schedules, by="ann", say=lambda _: None)

    outcome = roll_back(google_place, schedules, by="ann", say=lambda _: None)

    assert not outcome.is_new
    assert [each.tag for each in google_place.history()] == ["v1", "v2", "v1"]
    tags = google.project.repositories[SPECS]["retrain"]
    assert tags["deployed"] == tags["v1"]
    with pytest.raises(InputError, match="There is nothing to roll back to"):
        roll_back(google_place, schedules, by="ann", say=lambda _: None)
