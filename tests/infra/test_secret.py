import base64

import pytest
import yaml

from infra.kind.secret import VARIABLES, manifest
from infra.kind.settings import SPEC
from tests.infra.test_kind_files import kubernetes_minor


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_secret_holds_what_is_set_and_nothing_else(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret ü\n")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")

    data = manifest()["data"]

    assert {name: base64.b64decode(text).decode() for name, text in data.items()} == {
        "MLFLOW_TRACKING_TOKEN": "s3cret ü\n"
    }


def test_secret_is_made_empty_where_nothing_is_set():
    assert manifest()["data"] == {}


def test_secret_fits_the_schema(monkeypatch):
    validator = pytest.importorskip("kubernetes_validate")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "x")

    validator.validate(manifest(), kubernetes_minor(), strict=True)


def test_the_steps_read_each_of_its_keys_from_the_secret_of_that_name():
    _, platform = yaml.safe_load_all(SPEC.read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    (read,) = executors["exec-push"]["secretAsEnv"]

    assert read["secretName"] == manifest()["metadata"]["name"]
    assert read["optional"] is True
    assert set(VARIABLES) <= {key["secretKey"] for key in read["keyToEnv"]}
