"""The files of the cluster, looked at offline: schemas, pins, ports, rights."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.kind.settings import versions
from tests.infra.conftest import ADDONS, KIND, ROOT, tool

SCRIPTS = ("up", "down", "demo", "common.sh")
KUSTOMIZATIONS = sorted(KIND.glob("kustomize/*/kustomization.yaml"))
YAMLLINT = """
extends: default
rules: {document-start: disable, line-length: {max: 120}}
"""


def kubernetes_minor() -> str:
    found = re.search(r"node:v(\d+\.\d+)", versions()["NODE_IMAGE"])
    assert found
    return found[1]


def pod_specs(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]


def find(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(x for x in objects if (x["kind"], x["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("path", sorted(KIND.rglob("*.yaml")), ids=lambda path: path.stem)
def test_yaml_is_clean(path: Path):
    done = subprocess.run(
        [tool("yamllint"), "--strict", "--config-data", YAMLLINT, path],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_scripts_are_clean():
    done = subprocess.run(
        [tool("shellcheck"), "--external-sources", *(f"infra/kind/{name}" for name in SCRIPTS)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout


def test_scripts_can_be_started():
    assert all((KIND / name).stat().st_mode & 0o111 for name in ("up", "down", "demo"))


def test_addons_fit_the_schemas_of_the_clusters_kubernetes(addons):
    validator = pytest.importorskip("kubernetes_validate")

    for each in addons:
        validator.validate(each, kubernetes_minor(), strict=True)
    assert len(addons) == 5


def test_addons_render_to_what_the_files_hold_and_fit_the_schemas(addons, rendered_addons):
    validator = pytest.importorskip("kubernetes_validate")

    for each in rendered_addons:
        validator.validate(each, kubernetes_minor(), strict=True)
    key = lambda each: (each["kind"], each["metadata"]["name"])  # noqa: E731
    assert sorted(rendered_addons, key=key) == sorted(addons, key=key)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_resources_are_local_files_or_pinned_kubeflow(path: Path):
    pinned = re.compile(
        rf"github\.com/kubeflow/pipelines/manifests/kustomize/[a-z/-]+\?ref={versions()['KFP_VERSION']}"
    )

    for resource in yaml.safe_load(path.read_text())["resources"]:
        assert (path.parent / resource).is_file() or pinned.fullmatch(resource), resource


def test_only_the_kubeflow_kustomizations_need_the_network():
    remote = [path.parent.name for path in KUSTOMIZATIONS if "github.com" in path.read_text()]

    assert remote == ["kubeflow", "kubeflow-crds"]


def test_every_file_of_the_addons_is_used():
    listed = yaml.safe_load((ADDONS / "kustomization.yaml").read_text())["resources"]

    assert {path.name for path in ADDONS.iterdir()} == {"kustomization.yaml", *listed}


def test_the_node_is_pinned_by_digest_and_reached_from_this_machine_only():
    cluster, wanted = yaml.safe_load((KIND / "cluster.yaml").read_text()), versions()
    (node,) = cluster["nodes"]

    assert (cluster["kind"], cluster["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert cluster["name"] == wanted["CLUSTER"]
    assert cluster["networking"]["apiServerAddress"] == "127.0.0.1"
    assert node["image"] == wanted["NODE_IMAGE"]
    assert re.fullmatch(r"kindest/node:v[\d.]+@sha256:[0-9a-f]{64}", node["image"])
    assert {each["listenAddress"] for each in node["extraPortMappings"]} == {"127.0.0.1"}


def test_ports_lead_through_the_node_to_the_services(addons):
    (node,) = yaml.safe_load((KIND / "cluster.yaml").read_text())["nodes"]
    mapped = {each["hostPort"]: each["containerPort"] for each in node["extraPortMappings"]}

    def node_port(service: str) -> int:
        return find(addons, "Service", service)["spec"]["ports"][0]["nodePort"]

    assert mapped == {
        int(versions()["UI_PORT"]): node_port("pawpetal-kubeflow-ui"),
        int(versions()["MLFLOW_PORT"]): node_port("mlflow"),
    }


def test_mlflow_is_the_image_of_the_table_and_knows_its_own_names(addons):
    (container,) = pod_specs(addons)[0]["containers"]
    hosts = container["command"][container["command"].index("--allowed-hosts") + 1].split(",")
    service = find(addons, "Service", "mlflow")
    port = service["spec"]["ports"][0]["port"]
    address = f"mlflow.{service['metadata']['namespace']}.svc.cluster.local:{port}"

    assert container["image"] == versions()["MLFLOW_IMAGE"]
    assert address in hosts
    assert "*" not in hosts
    assert f"mlflow:http://{address}".replace("kubeflow", "$NAMESPACE") in (
        (KIND / "common.sh").read_text()
    )


def test_the_registry_that_tools_are_told_of_is_ours(addons):
    told = yaml.safe_load(
        find(addons, "ConfigMap", "local-registry-hosting")["data"]["localRegistryHosting.v1"]
    )

    assert told["host"] == f"localhost:{versions()['REGISTRY_PORT']}"


def test_pods_run_as_nobody_special_and_within_limits(addons):
    for pod in pod_specs(addons):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= container["resources"].keys()
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
            assert container["readinessProbe"]["httpGet"]["path"] == "/health"
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_no_image_floats():
    for name in ("NODE_IMAGE", "REGISTRY_IMAGE"):
        assert re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", versions()[name]), name
    for path in KIND.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert "latest" not in path.read_text(), path
