"""What only Kubernetes has to know of a task: resources, nodes, secrets, pull policy."""

from __future__ import annotations

from kfp import kubernetes
from kfp.dsl.pipeline_task import PipelineTask

from pipelines.accelerators import TPUS, Accelerator

# CPUs and memory: asked for, and at most. Together they fit a cluster of 4 CPUs and 12 GiB, where
# one step runs at a time.
RESOURCES = {
    "push": ("250m", "512Mi", "1", "2Gi"),
    "train": ("1", "2Gi", "4", "8Gi"),
}
OTHERS = ("500m", "1Gi", "2", "4Gi")

SECRET = "pawpetal-credentials"  # noqa: S105  # its name; optional, and so is each of its keys
SECRET_KEYS = (
    "GOOGLE_APPLICATION_CREDENTIALS",  # a path below SECRET_FOLDER
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
)
SECRET_STEPS = ("ingest", "train", "evaluate", "push")  # that reach buckets or the registry
SECRET_FOLDER = "/var/run/secrets/pawpetal"  # noqa: S105  # where the secret's keys are files


def adapt(
    task: PipelineTask, accelerator: Accelerator, *, cpus: str = "", memory: str = ""
) -> None:
    """Set what Kubernetes needs to know of a task.

    Args:
        task: One task of the graph.
        accelerator: What the train step asks for.
        cpus: Of each step, at most; empty takes the usual.
        memory: Of each step, at most, as Kubernetes writes it; empty takes the usual.
    """
    # Images loaded into a node are used as they are; tags never move, so nothing is stale.
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    if task.name in SECRET_STEPS:
        keys = {key: key for key in SECRET_KEYS}
        kubernetes.use_secret_as_env(task, SECRET, keys, optional=True)
        kubernetes.use_secret_as_volume(task, SECRET, mount_path=SECRET_FOLDER, optional=True)
    least_cpus, least_memory, most_cpus, most_memory = RESOURCES.get(task.name, OTHERS)
    # Where a limit was given, Kubernetes asks for as much: a request may not be above its limit.
    task.set_cpu_limit(cpus or most_cpus).set_memory_limit(memory or most_memory)
    if not cpus:
        task.set_cpu_request(least_cpus)
    if not memory:
        task.set_memory_request(least_memory)
    # The scores reach the summary by this step's log, which a cached step does not have; and the
    # champion that it compares with may have changed.
    if task.name == "evaluate":
        task.set_caching_options(enable_caching=False)
    if task.name == "train" and accelerator.resource:
        _accelerate(task, accelerator)


def _accelerate(task: PipelineTask, accelerator: Accelerator) -> None:
    # The backend takes the accelerator's type as the name of the Kubernetes resource.
    task.set_accelerator_type(accelerator.resource).set_accelerator_limit(accelerator.count)
    kubernetes.add_toleration(
        task, key=accelerator.resource, operator="Exists", effect="NoSchedule"
    )
    if accelerator.topology:
        labels = {
            "cloud.google.com/gke-tpu-accelerator": TPUS[accelerator.type],
            "cloud.google.com/gke-tpu-topology": accelerator.topology,
        }
    elif accelerator.type:
        labels = {"cloud.google.com/gke-accelerator": accelerator.type}
    else:
        labels = {}
    for key, value in labels.items():
        kubernetes.add_node_selector(task, key, value)
