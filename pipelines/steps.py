"""Stretches of a graph that several pipelines have in common."""

from __future__ import annotations

from typing import Any

from kfp import dsl
from kfp.dsl.pipeline_task import PipelineTask

from components.augment.component import augment
from components.evaluate.component import evaluate
from components.ingest.component import ingest, ingest_share
from components.push.component import push
from components.split.component import split
from components.train.component import train
from pipelines.parameters import Steps


def ingest_photos(step: Steps, *, num_workers: int = 1, **given: Any) -> PipelineTask:
    """Ingest a dataset, by several tasks where there is more than one worker."""
    shares = {}
    if num_workers > 1:
        with dsl.ParallelFor(list(range(num_workers)), name="shares") as worker:
            share = step(ingest_share, worker=worker, num_workers=num_workers, **given)
            share.set_retry(num_retries=2)
        shares = {"shares": dsl.Collected(share.output)}
    return step(ingest, **given, **shares)


def split_photos(step: Steps, ingested: PipelineTask) -> PipelineTask:
    """Split what was ingested into train, validation and test."""
    return step(split, photos=ingested.outputs["photos"])


def train_on(step: Steps, parts: PipelineTask, **given: Any) -> tuple[PipelineTask, PipelineTask]:
    """Augment and train.

    Args:
        step: Makes the tasks.
        parts: A task with the outputs train and validation.
        given: What differs from the pipeline's inputs.

    Returns:
        The tasks augment and train.
    """
    wanted = augment.component_spec.inputs
    augmented = step(
        augment,
        train=parts.outputs["train"],
        **{name: value for name, value in given.items() if name in wanted},
    )
    trained = step(
        train,
        train=parts.outputs["train"],
        validation=parts.outputs["validation"],
        policy=augmented.outputs["policy"],
        copies=augmented.outputs["copies"],
        **{name: value for name, value in given.items() if name in train.component_spec.inputs},
    )
    return augmented, trained


def judge(step: Steps, model: Any, parts: PipelineTask) -> PipelineTask:
    """Evaluate a model on the test photos of a split."""
    return step(evaluate, model=model, test=parts.outputs["test"])


def register(step: Steps, model: Any, evaluated: PipelineTask) -> PipelineTask:
    """Push a model that passed the gate; called within it."""
    pushed = step(push, model=model, evaluation=evaluated.outputs["evaluation"])
    # A registry may have been emptied since; push itself finds what is registered already.
    pushed.set_caching_options(enable_caching=False)
    return pushed
