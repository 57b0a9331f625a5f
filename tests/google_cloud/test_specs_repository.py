"""The double of the repository of pipelines, as kfp's own client of it sees it."""

import json
from pathlib import Path

import kfp.registry
import pytest
import requests
from kfp.registry import ApiAuth, RegistryClient

from pipelines.specs import PLAIN, spec_path
from tests.google_cloud.project import SPECS

ADDRESSES = Path(kfp.registry.__file__).parent / "context" / "kfp_pkg_dev.json"


@pytest.fixture
def client(google, tmp_path) -> RegistryClient:
    """kfp's client with its own addresses, but for the hosts."""
    host = f"{google.url}/kfp/acme/pawpetal-specs"
    parts = {"project_id": "acme", "location": "us-central1", "repo_id": "pawpetal-specs"}
    text = ADDRESSES.read_text().replace(
        "https://artifactregistry.googleapis.com", f"{google.url}/artifactregistry"
    )
    for name, value in parts.items():
        text = text.replace(f"{{{name}}}", value)
    file = tmp_path / "context.json"
    file.write_text(json.dumps({**json.loads(text), "host": host}))
    return RegistryClient(host, auth=ApiAuth("token"), config_file=str(file))


def test_kfps_client_uploads_tags_and_downloads(google, client, tmp_path):
    spec = spec_path("retrain", PLAIN)

    package, version = client.upload_pipeline(str(spec), tags=["v1", "latest"])

    assert package == "retrain"
    assert google.project.repositories[SPECS]["retrain"] == {"v1": version, "latest": version}
    assert client.get_tag("retrain", "v1")["version"].endswith(f"/retrain/versions/{version}")
    client.create_tag("retrain", version, "v2")
    client.update_tag("retrain", version, "latest")
    copy = client.download_pipeline("retrain", version=version, file_name=str(tmp_path / "copy"))
    assert Path(copy).read_bytes() == spec.read_bytes()


def test_what_is_no_pipeline_or_there_already_is_refused(client, tmp_path):
    (tmp_path / "pipeline.yaml").write_text("a: 1\n")
    with pytest.raises(requests.HTTPError, match="400"):
        client.upload_pipeline(str(tmp_path / "pipeline.yaml"))

    client.upload_pipeline(str(spec_path("retrain", PLAIN)))
    with pytest.raises(requests.HTTPError, match="409"):
        client.upload_pipeline(str(spec_path("retrain", PLAIN)))


def test_a_tag_names_only_what_is_there(client):
    _, version = client.upload_pipeline(str(spec_path("retrain", PLAIN)), tags="v1")

    with pytest.raises(requests.HTTPError, match="404"):
        client.update_tag("retrain", version, "v2")
    with pytest.raises(requests.HTTPError, match="409"):
        client.create_tag("retrain", version, "v1")
    with pytest.raises(requests.HTTPError, match="404"):
        client.create_tag("retrain", f"sha256:{64 * '0'}", "v2")
