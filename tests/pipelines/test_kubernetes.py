"""What the Kubeflow spec tells Kubernetes, read back through the types of kfp's backend."""

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb2

from pipelines.accelerators import NONE, parse_accelerator
from pipelines.compiling import SpecSettings, compile_spec
from pipelines.specs import KUBEFLOW, PLAIN, spec_path
from pipelines.targets.kubernetes import RESOURCES

STEPS = ("ingest", "split", "augment", "train", "evaluate", "push")


def compiled(tmp_path, target=KUBEFLOW, **settings):
    path = tmp_path / "spec.yaml"
    compile_spec("train_and_push", target, path, SpecSettings(**settings))
    return list(yaml.safe_load_all(path.read_text()))


def container(documents, step):
    return documents[0]["deploymentSpec"]["executors"][f"exec-{step}"]["container"]


def on_kubernetes(documents, step):
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    message = kubernetes_pb2.KubernetesExecutorConfig()
    return json_format.ParseDict(executors[f"exec-{step}"], message)  # refuses unknown fields


@pytest.fixture(scope="module")
def committed():
    return list(yaml.safe_load_all(spec_path("train_and_push", KUBEFLOW).read_text()))


@pytest.mark.parametrize("step", STEPS)
def test_every_step_has_requests_and_limits(committed, step):
    resources = container(committed, step)["resources"]

    assert 0 < resources["cpuRequest"] <= resources["cpuLimit"]
    assert 0 < resources["memoryRequest"] <= resources["memoryLimit"]


@pytest.mark.parametrize("step", STEPS)
def test_an_image_that_the_node_has_is_used(committed, step):
    assert on_kubernetes(committed, step).image_pull_policy == "IfNotPresent"


@pytest.mark.parametrize("step", STEPS)
def test_every_step_sees_credentials_for_buckets_and_none_needs_them(committed, step):
    settings = on_kubernetes(committed, step)
    secrets = [*settings.secret_as_env, *settings.secret_as_volume]

    assert secrets
    assert all(secret.optional for secret in secrets)


def test_cpus_and_memory_given_are_the_limits_of_every_step(tmp_path):
    documents = compiled(tmp_path, cpus=3.0, memory="6Gi")

    for step in STEPS:
        resources = container(documents, step)["resources"]
        assert (resources["cpuLimit"], resources["memoryLimit"]) == (3, 6 * 2**30 / 1e9)


def test_no_request_is_above_a_given_limit(tmp_path):
    resources = container(compiled(tmp_path, cpus=0.5, memory="1Gi"), "train")["resources"]

    assert RESOURCES["train"][:2] == (1.0, 2048)
    assert resources["cpuRequest"] == resources["cpuLimit"] == 0.5
    assert resources["memoryRequest"] == resources["memoryLimit"]


def test_a_high_limit_does_not_make_small_steps_ask_for_more(tmp_path):
    resources = container(compiled(tmp_path, cpus=4.0, memory="12Gi"), "push")["resources"]

    assert (resources["cpuRequest"], resources["cpuLimit"]) == (0.25, 4)
    assert resources["memoryRequest"] < 1


def test_a_tpu_slice_is_asked_for_by_the_train_step_alone(tmp_path):
    documents = compiled(tmp_path, accelerator=parse_accelerator("tpu:v5e:2x2"))

    assert container(documents, "train")["resources"]["accelerator"] == {
        "resourceType": "google.com/tpu",
        "resourceCount": "4",
        "type": "google.com/tpu",
        "count": "4",
    }
    assert "/pawpetal-tpu:" in "/" + container(documents, "train")["image"]
    settings = on_kubernetes(documents, "train")
    assert dict(settings.node_selector.labels) == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x2",
    }
    (toleration,) = settings.tolerations
    assert (toleration.key, toleration.operator, toleration.effect) == (
        "google.com/tpu",
        "Exists",
        "NoSchedule",
    )
    environment = {one["name"]: one["value"] for one in container(documents, "train")["env"]}
    assert environment["JAX_PLATFORMS"] == "tpu,cpu"  # fails where there is no TPU
    for step in set(STEPS) - {"train"}:
        assert "accelerator" not in container(documents, step)["resources"]
        assert not on_kubernetes(documents, step).tolerations


def test_a_named_gpu_chooses_its_nodes_and_any_gpu_does_not(tmp_path):
    named = compiled(tmp_path, accelerator=parse_accelerator("gpu:nvidia-l4:1"))
    unnamed = compiled(tmp_path, accelerator=parse_accelerator("gpu:any:1"))

    assert dict(on_kubernetes(named, "train").node_selector.labels) == {
        "cloud.google.com/gke-accelerator": "nvidia-l4"
    }
    assert not on_kubernetes(unnamed, "train").node_selector.labels
    for documents in (named, unnamed):
        accelerator = container(documents, "train")["resources"]["accelerator"]
        assert accelerator["resourceType"] == "nvidia.com/gpu"


def test_the_plain_spec_has_nothing_of_kubernetes(tmp_path):
    documents = compiled(tmp_path, PLAIN, accelerator=NONE)

    assert len(documents) == 1
    assert all("resources" not in container(documents, step) for step in STEPS)
