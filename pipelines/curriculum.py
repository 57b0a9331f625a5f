"""A curriculum: one model trained on easy photos first, then on harder ones, round by round."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from components.join.component import join, list_datasets
from pipelines import steps
from pipelines.parameters import (
    AUGMENTATION,
    CURRICULUM,
    NETWORK,
    PHOTOS,
    REGISTRY,
    SPLIT,
    TRAINING,
    Adapt,
    Steps,
    pipeline,
)

NAME = "curriculum"


class Outputs(NamedTuple):
    """What every run leaves, whether or not the model passed the gate.

    What was found in the photos stays with each ingest: a loop has as many pages as datasets.
    """

    accuracy: float
    evaluation: dsl.Artifact
    report: dsl.HTML
    preview: dsl.HTML
    model: dsl.Model


def build(adapt: Adapt = lambda task: task, *, num_workers: int = 1) -> GraphComponent:
    """Build the graph for one target.

    Args:
        adapt: Called with each task, to set what only that target has.
        num_workers: Tasks that share the work of each ingest.
    """

    @pipeline(
        NAME,
        *(CURRICULUM, PHOTOS, SPLIT, AUGMENTATION, NETWORK, TRAINING, REGISTRY),
        adapt=adapt,
        outputs=Outputs,
        without=["dataset"],
    )
    def curriculum(step: Steps) -> Outputs:
        """Train on datasets from easy to hard, each round from the model of the last, and judge."""
        datasets = step(list_datasets)
        # Only a task's one result can be looped over on every target.
        with dsl.ParallelFor(datasets.output, name="datasets") as dataset:
            ingested = steps.ingest_photos(step, num_workers=num_workers, dataset=dataset)
            parts = steps.split_photos(step, ingested)
        joined = step(
            join,
            datasets=datasets.output,
            trains=dsl.Collected(parts.outputs["train"]),
            validations=dsl.Collected(parts.outputs["validation"]),
            tests=dsl.Collected(parts.outputs["test"]),
        )
        augmented, trained = steps.train_on(step, joined)
        evaluated = steps.judge(step, trained.outputs["model"], joined)
        with dsl.If(evaluated.outputs["Output"] >= step["min_accuracy"], name="gate"):
            steps.register(step, trained.outputs["model"], evaluated)
        return Outputs(
            accuracy=evaluated.outputs["Output"],
            evaluation=evaluated.outputs["evaluation"],
            report=evaluated.outputs["report"],
            preview=augmented.outputs["preview"],
            model=trained.outputs["model"],
        )

    return curriculum
