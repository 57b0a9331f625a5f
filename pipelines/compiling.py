"""Compile each graph into one spec a target; those with the usual settings are committed."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kfp import compiler
from kfp.dsl.pipeline_task import PipelineTask

from components.common.errors import InputError
from pipelines import curriculum, retrain, sweep, train_and_push
from pipelines.accelerators import NONE, Accelerator
from pipelines.images import reference
from pipelines.specs import FOLDER, KUBEFLOW, PLAIN, spec_path
from pipelines.targets import kubernetes

GRAPHS = {
    "train_and_push": train_and_push,
    "retrain": retrain,
    "sweep": sweep,
    "curriculum": curriculum,
}
# Two specs, since the Vertex client cannot read the second document that Kubernetes settings add.
MOST_WORKERS = 100
# kfp starts a step from a shell, which passes no signal on where it is a container's first process.
# Python takes its place: it saves the state of training when SIGTERM asks it to end.
FROM_SHELL, IN_ITS_PLACE = "_KFP_RUNTIME=true python3", "exec env _KFP_RUNTIME=true python3"
COMMITTED = tuple((pipeline, target) for pipeline in GRAPHS for target in (KUBEFLOW, PLAIN))


@dataclass(frozen=True, kw_only=True)
class SpecSettings:
    """What is fixed when a spec is compiled."""

    image_registry: str = ""  # where images are pulled from; empty: the machine has them
    accelerator: Accelerator = NONE
    cpus: float = 0.0  # of each step, at most; 0 takes the usual. Kubernetes only
    memory: str = ""  # e.g. "4Gi"; empty takes the usual. Kubernetes only
    num_workers: int = 1  # tasks that share the work of ingest
    digests: Mapping[str, str] = field(default_factory=dict)  # of images, by name; else their tag
    # What is deployed is started by schedules and in UIs, where nobody says that photos changed
    # behind the same URI. What follows ingest would not know either: Kubeflow and Vertex AI tell
    # outputs of another run from those of this one by their ids alone.
    use_cache: bool = True

    def __post_init__(self) -> None:
        """Refuse a number of workers that there cannot be."""
        if not 1 <= self.num_workers <= MOST_WORKERS:
            raise InputError(
                f"`num_workers` must be from 1 to {MOST_WORKERS}. Received: {self.num_workers}"
            )


USUAL = SpecSettings()


def compile_spec(pipeline: str, target: str, path: Path, settings: SpecSettings = USUAL) -> None:
    """Write the spec of one pipeline for one target.

    Args:
        pipeline: Name of the pipeline, e.g. "train_and_push".
        target: "kubeflow" or "vertex".
        path: Where to write it.
        settings: What is fixed in it.
    """

    def adapt(task: PipelineTask) -> None:
        image = settings.accelerator.image if task.name == "train" else task.container_spec.image
        task.set_container_image(reference(image, settings.image_registry, settings.digests))
        if not settings.use_cache:
            task.set_caching_options(enable_caching=False)
        container = task.container_spec
        container.command = [_in_its_place(part) for part in container.command]
        if target == KUBEFLOW:
            kubernetes.adapt(task, settings.accelerator, cpus=settings.cpus, memory=settings.memory)

    graph = GRAPHS[pipeline].build(adapt, num_workers=settings.num_workers)
    compiler.Compiler().compile(graph, str(path))


def _in_its_place(part: str) -> str:
    return part if IN_ITS_PLACE in part else part.replace(FROM_SHELL, IN_ITS_PLACE)


def compile_specs(folder: Path = FOLDER, settings: SpecSettings = USUAL) -> list[Path]:
    """Write every spec, and say where.

    With an accelerator only those for Kubeflow: the plain one has no place to ask for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for pipeline, target in COMMITTED:
        if settings.accelerator.resource and target != KUBEFLOW:
            continue
        path = folder / spec_path(pipeline, target).name
        compile_spec(pipeline, target, path, settings)
        paths.append(path)
    return paths


def stale_specs() -> dict[Path, str]:
    """Find specs that compiling now would change.

    Returns:
        By path of the committed spec, what would change, as a diff.
    """
    stale = {}
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        for fresh in compile_specs(Path(scratch)):
            committed = FOLDER / fresh.name
            before = committed.read_text() if committed.exists() else ""
            if before != fresh.read_text():
                stale[committed] = _diff(before, fresh.read_text(), committed)
    return stale


def _diff(before: str, after: str, path: Path) -> str:
    name = str(path.relative_to(FOLDER.parent.parent))
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (committed)", f"{name} (compiled)", n=1
    )
    return "\n".join(lines)
