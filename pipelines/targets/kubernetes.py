"""What only a Kubernetes cluster has. Running there comes with the cluster targets."""

from kfp import kubernetes
from kfp.dsl.pipeline_task import PipelineTask


def adapt(task: PipelineTask) -> None:
    """Set what Kubernetes needs to know of a task."""
    # Images loaded into a node are used as they are; tags never move, so nothing is stale.
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
