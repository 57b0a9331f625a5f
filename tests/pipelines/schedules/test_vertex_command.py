"""`pawpetal schedule` for Vertex AI as people type it, against the doubles of Google Cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from pipelines.cli import cli
from pipelines.deploy.deployments import Release
from pipelines.deploy.vertex import VertexDeployments
from tests.google_cloud.double import GoogleDouble
from tests.pipelines.deploy.conftest import _own_home, for_vertex, google_place, vertex
from tests.pipelines.vertex.conftest import BUCKET

__all__ = ["_own_home", "for_vertex", "google_place", "vertex"]

PLACE = {"project": "acme", "region": "us-central1", "bucket": BUCKET}
NIGHTLY = {
    "name": "nightly",
    "pipeline": "retrain",
    "cron": "0 3 * * mon-fri",
    "time_zone": "Europe/Berlin",
    "target": "vertex",
    "parameters": {"dataset": "sample:pets"},
}


@pytest.fixture
def file(tmp_path: Path, google_place: VertexDeployments, for_vertex: Release) -> Path:
    google_place.deploy(for_vertex)
    path = tmp_path / "schedules.yaml"
    path.write_text(yaml.safe_dump({"targets": {"vertex": PLACE}, "schedules": [NIGHTLY]}))
    return path


def pawpetal(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["schedule", *map(str, arguments)], catch_exceptions=False)


def test_a_dry_run_prints_the_request_and_makes_nothing(file, google: GoogleDouble):
    shown = pawpetal("apply", "--file", file, "--dry-run")

    (request,) = json.loads(shown.stdout)
    job = request["body"]["createPipelineJobRequest"]["pipelineJob"]
    assert request["method"] == "POST"
    assert request["url"].endswith("/v1/projects/acme/locations/us-central1/schedules")
    assert request["body"]["cron"] == "TZ=Europe/Berlin 0 3 * * 1,2,3,4,5"
    assert job["runtimeConfig"]["parameterValues"]["dataset"] == "sample:pets"
    assert job["templateUri"].startswith("https://us-central1-kfp.pkg.dev/acme/pawpetal-specs/")
    assert google.asked("POST", "aiplatform", "/schedules$") == []


def test_apply_makes_it_once_and_an_edit_changes_it_in_place(file, google: GoogleDouble):
    first = pawpetal("apply", "--file", file, "--yes")
    again = pawpetal("apply", "--file", file, "--yes")
    file.write_text(file.read_text().replace("0 3 * * mon-fri", "0 4 * * *"))
    shown = pawpetal("diff", "--file", file)
    edited = pawpetal("apply", "--file", file, "--yes")

    assert "created nightly" in first.stdout
    assert "Nothing to change: 1 as in the file." in again.stdout
    assert "cron: '0 3 * * mon-fri' -> '0 4 * * *'" in shown.stdout
    assert "updated nightly" in edited.stdout
    assert len(google.asked("POST", "aiplatform", "/schedules$")) == 1
    assert pawpetal("diff", "--file", file).exit_code == 0
