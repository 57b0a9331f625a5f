from __future__ import annotations

import json
from typing import Any

import pytest

from infra.kind import wait as waiting


def deployment(name: str, *, ready: int, replicas: int = 1) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 1, "updatedReplicas": replicas, "readyReplicas": ready},
    }


def pod(reason: str, image: str) -> dict[str, Any]:
    status = {"containerStatuses": [{"image": image, "state": {"waiting": {"reason": reason}}}]}
    return {"kind": "Pod", "metadata": {"name": "some-pod"}, "status": status}


def test_wait_says_what_it_waits_for_and_ends_when_all_is_there(capsys):
    answers = [["mysql", "mlflow"], ["mlflow"], []]

    assert waiting.wait(lambda: answers.pop(0), timeout_s=5, interval_s=0.01)

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("waiting for ")[2] for line in lines] == ["mysql, mlflow", "mlflow"]


def test_wait_gives_up_when_the_time_is_over():
    assert not waiting.wait(lambda: ["mysql"], timeout_s=0.03, interval_s=0.01)


def test_deployments_are_unready_until_all_replicas_run():
    items = [deployment("a", ready=1), deployment("b", ready=1, replicas=2)]

    assert waiting.unready_deployments(items) == ["b"]
    assert waiting.unready_deployments(items[:1]) == []


def test_a_deployment_whose_new_version_was_not_seen_yet_is_unready():
    changed = deployment("a", ready=1)
    changed["metadata"]["generation"] = 2

    assert waiting.unready_deployments([changed]) == ["a"]


def test_a_deployment_scaled_to_nothing_is_ready():
    assert waiting.unready_deployments([deployment("a", ready=0, replicas=0)]) == []


def test_no_deployments_at_all_is_not_ready():
    assert waiting.unready_deployments([]) == ["deployments to appear"]


def test_why_pods_do_not_start_is_said_but_not_what_passes_by_itself():
    items = [
        deployment("a", ready=0),
        pod("ImagePullBackOff", "ghcr.io/x:1"),
        pod("ContainerCreating", "ghcr.io/y:1"),
    ]

    assert waiting.unready_deployments(items) == ["a", "(ImagePullBackOff: ghcr.io/x:1)"]


def test_nodes_are_unready_until_kubernetes_says_ready():
    def node(status: str) -> dict[str, Any]:
        conditions = [{"type": "Ready", "status": status}]
        return {"metadata": {"name": "n"}, "status": {"conditions": conditions}}

    assert waiting.unready_nodes([node("True")]) == []
    assert waiting.unready_nodes([node("False")]) == ["n"]
    assert waiting.unready_nodes([]) == ["a node to appear"]


def test_time_over_names_the_command_to_look_further(monkeypatch, tmp_path, capsys):
    kubectl = tmp_path / "kubectl"
    items = json.dumps({"items": [deployment("mysql", ready=0)]})
    kubectl.write_text(f"#!/bin/sh\necho '{items}'\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert waiting.main(["deployments", "--timeout", "0"]) == 1

    said = capsys.readouterr()
    assert "waiting for mysql" in said.out
    assert "kubectl --context kind-pawpetal --namespace kubeflow describe pod" in said.err


@pytest.mark.parametrize("what", ["nodes", "deployments"])
def test_a_cluster_that_does_not_answer_is_waited_for(monkeypatch, tmp_path, capsys, what):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho connection refused >&2; exit 1\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert waiting.main([what, "--timeout", "0"]) == 1
    assert "the cluster to answer (connection refused)" in capsys.readouterr().out
