"""The pipeline: photos in, a judged and registered model out."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from pipelines import steps
from pipelines.parameters import (
    AUGMENTATION,
    NETWORK,
    PHOTOS,
    REGISTRY,
    SPLIT,
    TRAINING,
    Adapt,
    Steps,
    pipeline,
)

NAME = "train-and-push"


class Outputs(NamedTuple):
    """What every run leaves, whether or not the model passed the gate."""

    accuracy: float
    evaluation: dsl.Artifact
    report: dsl.HTML
    data_report: dsl.HTML
    findings: dsl.Artifact
    preview: dsl.HTML
    model: dsl.Model


def build(adapt: Adapt = lambda task: task, *, num_workers: int = 1) -> GraphComponent:
    """Build the graph for one target.

    Args:
        adapt: Called with each task, to set what only that target has.
        num_workers: Tasks that share the work of ingest; with more than one the graph has a loop
            before ingest, which then joins the shares.
    """

    @pipeline(
        NAME,
        *(PHOTOS, SPLIT, AUGMENTATION, NETWORK, TRAINING, REGISTRY),
        adapt=adapt,
        outputs=Outputs,
    )
    def train_and_push(step: Steps) -> Outputs:
        """Train a classifier on labelled photos, judge it, and register it if it is good enough."""
        ingested = steps.ingest_photos(step, num_workers=num_workers)
        parts = steps.split_photos(step, ingested)
        augmented, trained = steps.train_on(step, parts)
        evaluated = steps.judge(step, trained.outputs["model"], parts)
        with dsl.If(evaluated.outputs["Output"] >= step["min_accuracy"], name="gate"):
            steps.register(step, trained.outputs["model"], evaluated)
        return Outputs(
            accuracy=evaluated.outputs["Output"],
            evaluation=evaluated.outputs["evaluation"],
            report=evaluated.outputs["report"],
            data_report=ingested.outputs["data_report"],
            findings=ingested.outputs["findings"],
            preview=augmented.outputs["preview"],
            model=trained.outputs["model"],
        )

    return train_and_push
