"""The requests, against the types of the service and what each accelerator needs."""

import json

import pytest

from components.common.errors import InputError
from pipelines.accelerators import parse_accelerator
from pipelines.google_cloud.requests import Submission
from pipelines.images import tag
from pipelines.specs import pipeline_names
from pipelines.targets.vertex import VertexTarget
from tests.pipelines.vertex.conftest import BUCKET, arguments

REGISTRY = "us-central1-docker.pkg.dev/acme/pawpetal"
NETWORK = "projects/123456789/global/networks/acme"


def submit(accelerator="none", pipeline="train_and_push", use_cache=True, **given) -> Submission:
    target = VertexTarget(
        project="acme",
        region="us-central1",
        bucket=BUCKET,
        accelerator=parse_accelerator(accelerator),
        **given,
    )
    return target.submission(
        pipeline, arguments(pipeline), run_id="run-1", use_cache=use_cache
    )  # checked against the types of the service


@pytest.mark.parametrize(
    ("accelerator", "machine", "image"),
    [
        ("none", {"machineType": "e2-standard-8"}, "cpu"),
        (
            "gpu:nvidia-l4:1",
            {
                "machineType": "g2-standard-12",
                "acceleratorType": "NVIDIA_L4",
                "acceleratorCount": 1,
            },
            "gpu",
        ),
        ("tpu:v5e:1x1", {"machineType": "ct5lp-hightpu-1t", "tpuTopology": "1x1"}, "tpu"),
        ("tpu:v5e:2x2", {"machineType": "ct5lp-hightpu-4t", "tpuTopology": "2x2"}, "tpu"),
        ("tpu:v5e:2x4", {"machineType": "ct5lp-hightpu-8t", "tpuTopology": "2x4"}, "tpu"),
    ],
)
def test_training_asks_for_the_machine_and_image_of_its_accelerator(accelerator, machine, image):
    [job] = submit(accelerator).training_jobs()

    [pool] = job["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"] == machine
    assert pool["containerSpec"]["imageUri"] == f"{REGISTRY}/pawpetal-{image}:{tag()}"
    platforms = [{"name": "JAX_PLATFORMS", "value": "tpu,cpu"}] if image == "tpu" else []
    assert pool["containerSpec"]["env"] == platforms


@pytest.mark.parametrize("pipeline", pipeline_names())
def test_each_pipeline_trains_in_custom_jobs_and_else_as_it_does_elsewhere(pipeline):
    submission = submit(pipeline=pipeline)

    executors = submission.job["pipelineSpec"]["deploymentSpec"]["executors"]
    for name, executor in executors.items():
        container = executor["container"]
        assert container["image"].startswith(f"{REGISTRY}/pawpetal-")
        # Vertex AI fills in what it tells a step wherever it finds the sign, also within JSON.
        assert sum(text.count("{{$}}") for text in container["args"]) == 1, name
        assert not any("{{$}}" in text for text in container["command"])
    launchers = [name for name in executors if name.startswith("exec-train")]
    assert len(list(submission.training_jobs())) == len(launchers) >= 1
    for name in launchers:
        assert executors[name]["container"]["image"].startswith(f"{REGISTRY}/pawpetal-light:")


def test_training_runs_the_very_command_of_the_step():
    [job] = submit().training_jobs()
    container = job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]

    assert "kfp.dsl.executor_main" in container["command"][2]
    assert "def train(" in container["command"][3]
    assert container["args"][:2] == ["--executor_input", "EXECUTOR_INPUT"]


def test_account_and_network_are_those_of_the_steps_and_of_training():
    account = "trainer@acme.iam.gserviceaccount.com"
    submission = submit(service_account=account, network=NETWORK)

    [job] = submission.training_jobs()
    for body in (submission.job, job["jobSpec"]):
        assert (body["serviceAccount"], body["network"]) == (account, NETWORK)


def test_steps_never_run_as_the_account_that_google_gives_everybody():
    assert submit().job["serviceAccount"] == "pawpetal-runner@acme.iam.gserviceaccount.com"


@pytest.mark.parametrize("spot", [True, False])
def test_training_that_lost_its_machine_is_started_again(spot):
    [job] = submit(spot=spot).training_jobs()

    scheduling = job["jobSpec"]["scheduling"]
    assert scheduling["timeout"] == "604800s"
    assert scheduling["restartJobOnWorkerRestart"]
    assert scheduling.get("strategy") == ("SPOT" if spot else None)


def test_without_the_cache_no_step_looks_for_earlier_outputs():
    def cached(submission):
        spec = submission.job["pipelineSpec"]
        parts = [spec["root"], *spec["components"].values()]
        tasks = [task for part in parts for task in part.get("dag", {}).get("tasks", {}).values()]
        return [task for task in tasks if task.get("cachingOptions")]

    assert cached(submit())
    assert not cached(submit(use_cache=False))


def test_two_runs_differ_in_no_step_so_that_the_cache_knows_training_too():
    one, other = (
        VertexTarget(project="acme", region="us-central1", bucket=BUCKET).submission(
            "train_and_push", arguments(), run_id=run_id
        )
        for run_id in ("run-1", "run-2")
    )

    assert one.job["pipelineSpec"] == other.job["pipelineSpec"]


def test_no_secret_is_in_a_request(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t")
    assert "s3cr3t" not in json.dumps(submit().job)


def test_request_with_a_field_that_the_service_does_not_know_is_refused():
    submission = submit()
    submission.job["serviceAcount"] = "x"

    with pytest.raises(InputError, match=r"The request is no PipelineJob: .*serviceAcount"):
        submission.check()
