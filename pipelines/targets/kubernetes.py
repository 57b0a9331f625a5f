"""What only Kubernetes has to know of a task: resources, nodes, secrets, pull policy."""

from __future__ import annotations

from kfp import kubernetes
from kfp.dsl.pipeline_task import PipelineTask

from pipelines.accelerators import TPUS, Accelerator
from pipelines.targets.limits import mebibytes

# CPUs and MiB of memory asked for, and at most. They fit a cluster of 4 CPUs and 12 GiB, where one
# step runs at a time.
RESOURCES = {
    "push": (0.25, 512, 1.0, 2048),
    "train": (1.0, 2048, 4.0, 8192),
}
OTHERS = (0.5, 1024, 2.0, 4096)

SECRET = "pawpetal-credentials"  # noqa: S105  # its name; optional, and so is each of its keys
SECRET_KEYS = (
    "GOOGLE_APPLICATION_CREDENTIALS",  # a path below SECRET_FOLDER
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
)
SECRET_FOLDER = "/var/run/secrets/pawpetal"  # noqa: S105  # where the secret's keys are files


def adapt(
    task: PipelineTask, accelerator: Accelerator, *, cpus: float = 0.0, memory: str = ""
) -> None:
    """Set what Kubernetes needs to know of a task.

    Args:
        task: One task of the graph.
        accelerator: What the train step asks for.
        cpus: Of each step, at most; 0 takes the usual.
        memory: Of each step, at most, e.g. "4Gi"; empty takes the usual.
    """
    # Images loaded into a node are used as they are; tags never move, so nothing is stale.
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    # Every step reaches buckets, where the photos are.
    kubernetes.use_secret_as_env(task, SECRET, {key: key for key in SECRET_KEYS}, optional=True)
    kubernetes.use_secret_as_volume(task, SECRET, mount_path=SECRET_FOLDER, optional=True)
    least_cpus, least_mib, usual_cpus, usual_mib = RESOURCES.get(task.name, OTHERS)
    most_cpus, most_mib = cpus or usual_cpus, mebibytes(memory) or usual_mib
    task.set_cpu_limit(_cpus(most_cpus)).set_memory_limit(f"{most_mib}Mi")
    # A request may not be above its limit.
    task.set_cpu_request(_cpus(min(least_cpus, most_cpus)))
    task.set_memory_request(f"{min(least_mib, most_mib)}Mi")
    # The scores reach the summary by this step's log, which a cached step does not have; and the
    # champion that it compares with may have changed.
    if task.name == "evaluate":
        task.set_caching_options(enable_caching=False)
    if task.name == "train" and accelerator.resource:
        _accelerate(task, accelerator)


def _cpus(number: float) -> str:
    return f"{round(number * 1000)}m"


def _accelerate(task: PipelineTask, accelerator: Accelerator) -> None:
    # The backend takes the accelerator's type as the name of the Kubernetes resource.
    task.set_accelerator_type(accelerator.resource).set_accelerator_limit(accelerator.count)
    kubernetes.add_toleration(
        task, key=accelerator.resource, operator="Exists", effect="NoSchedule"
    )
    if accelerator.topology:
        # Left to itself, JAX trains on the CPU where it finds no TPU.
        task.set_env_variable("JAX_PLATFORMS", "tpu,cpu")
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
