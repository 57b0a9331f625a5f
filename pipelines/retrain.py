"""Retraining: new photos in, and a model out that goes on from the champion and must beat it."""

from kfp import dsl
from kfp.dsl.graph_component import GraphComponent

from pipelines import steps
from pipelines.parameters import (
    AUGMENTATION,
    GAIN,
    NETWORK,
    PHOTOS,
    REGISTRY,
    SPLIT,
    TRAINING,
    Adapt,
    Steps,
    pipeline,
)
from pipelines.train_and_push import Outputs

NAME = "retrain"


def build(adapt: Adapt = lambda task: task, *, num_workers: int = 1) -> GraphComponent:
    """Build the graph for one target.

    Args:
        adapt: Called with each task, to set what only that target has.
        num_workers: Tasks that share the work of ingest.
    """

    @pipeline(
        NAME,
        *(PHOTOS, SPLIT, AUGMENTATION, NETWORK, TRAINING, REGISTRY, GAIN),
        adapt=adapt,
        outputs=Outputs,
        defaults={"warm_start": "champion"},
    )
    def retrain(step: Steps) -> Outputs:
        """Go on from the champion on new photos, and register what is better than it.

        The first run, without a champion, starts anew; so schedules need no other pipeline.
        """
        ingested = steps.ingest_photos(step, num_workers=num_workers)
        parts = steps.split_photos(step, ingested)
        augmented, trained = steps.train_on(step, parts)
        evaluated = steps.judge(step, trained.outputs["model"], parts)
        # The gate asks for the champion of today, whom a cached step may not have met.
        evaluated.set_caching_options(enable_caching=False)
        # Two conditions, one in the other: kfp has no "and".
        with (
            dsl.If(evaluated.outputs["Output"] >= step["min_accuracy"], name="gate"),
            dsl.If(evaluated.outputs["gain"] >= step["min_gain"], name="gain-gate"),
        ):
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

    return retrain
