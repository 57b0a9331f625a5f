"""The sweep: several networks and settings, the best on validation photos judged and registered."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from components.compare.component import compare
from components.plan.component import plan
from pipelines import steps
from pipelines.parameters import (
    AUGMENTATION,
    NETWORK,
    PHOTOS,
    REGISTRY,
    SPLIT,
    SWEEP,
    TRAINING,
    Adapt,
    Steps,
    pipeline,
)

NAME = "sweep"


class Outputs(NamedTuple):
    """What every run leaves, whether or not the best model passed the gate."""

    accuracy: float
    evaluation: dsl.Artifact
    report: dsl.HTML
    comparison: dsl.HTML
    ranking: dsl.Artifact
    data_report: dsl.HTML
    findings: dsl.Artifact
    model: dsl.Model


def build(adapt: Adapt = lambda task: task, *, num_workers: int = 1) -> GraphComponent:
    """Build the graph for one target.

    Args:
        adapt: Called with each task, to set what only that target has.
        num_workers: Tasks that share the work of ingest.
    """

    @pipeline(
        NAME,
        *(SWEEP, PHOTOS, SPLIT, AUGMENTATION, NETWORK, TRAINING, REGISTRY),
        adapt=adapt,
        outputs=Outputs,
        without=("architecture", "augmentation", "image_size", "learning_rate"),
    )
    def sweep(step: Steps) -> Outputs:
        """Train several networks on the same photos, and register the best if it is good enough."""
        ingested = steps.ingest_photos(step, num_workers=num_workers)
        parts = steps.split_photos(step, ingested)
        planned = step(plan)
        with dsl.ParallelFor(planned.output, name="candidates") as candidate:
            _, trained = steps.train_on(
                step,
                parts,
                architecture=candidate.architecture,
                augmentation=candidate.augmentation,
                image_size=candidate.image_size,
                learning_rate=candidate.learning_rate,
            )
        compared = step(
            compare,
            models=dsl.Collected(trained.outputs["model"]),
            validation=parts.outputs["validation"],
        )
        evaluated = steps.judge(step, compared.outputs["best"], parts)
        with dsl.If(evaluated.outputs["Output"] >= step["min_accuracy"], name="gate"):
            steps.register(step, compared.outputs["best"], evaluated)
        return Outputs(
            accuracy=evaluated.outputs["Output"],
            evaluation=evaluated.outputs["evaluation"],
            report=evaluated.outputs["report"],
            comparison=compared.outputs["comparison"],
            ranking=compared.outputs["ranking"],
            data_report=ingested.outputs["data_report"],
            findings=ingested.outputs["findings"],
            model=compared.outputs["best"],
        )

    return sweep
