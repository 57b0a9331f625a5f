"""The graph of a run as tasks with their durations, in the order in which they can run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.ingest.sources.sample import SampleSource
from components.plan.plan import SWEPT, plan_candidates
from components.train.settings import TrainSettings
from pipelines.google_cloud.durations import (
    FIXED_S,
    Training,
    augment_seconds,
    core_ms,
    ingest_seconds,
    judge_seconds,
    num_chips,
    train_seconds,
)
from pipelines.google_cloud.machines import STEP_MACHINES, Machine
from pipelines.places import datasets

UNKNOWN_PHOTOS = 10_000
TFDS_PHOTOS = {"tf_flowers": 3670, "cats_vs_dogs": 23_262, "oxford_iiit_pet": 7349}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One step of the graph, once it has started."""

    step: str
    seconds: float
    trains: bool = False  # in a custom job, for which the step itself waits


Chain = Sequence[Task]  # one after another
Stage = Sequence[Chain]  # side by side


def count_photos(arguments: Mapping[str, Any], told: int) -> tuple[list[float], list[str]]:
    """Count the photos of each dataset as far as they are known without looking.

    Args:
        arguments: Value of each input of the pipeline.
        told: Photos of all datasets together; 0 where nobody said.

    Returns:
        A number for each dataset, and where they come from, for people.
    """
    named = datasets(arguments)
    if told:
        return [told / len(named)] * len(named), [f"{told:,} photos, as was said."]
    counts = [_known(uri) for uri in named]
    said = [
        f"{uri}: {count or UNKNOWN_PHOTOS:,} photos{'' if count else ', for want of a number'}."
        for uri, count in zip(named, counts, strict=True)
    ]
    return [count or UNKNOWN_PHOTOS for count in counts], said


def find_stages(
    pipeline: str,
    arguments: Mapping[str, Any],
    counts: Sequence[float],
    machine: Machine,
    *,
    num_workers: int = 1,
) -> list[Stage]:
    """Lay the graph of a pipeline out as stages, which run one after another.

    Args:
        pipeline: Its name, e.g. "train_and_push".
        arguments: Value of each input of it.
        counts: Photos of each dataset.
        machine: That trains.
        num_workers: Tasks that share the work of each ingest.

    Raises:
        InputError: If an argument cannot work.
    """
    ingesting = _ingesting(counts, num_workers)
    stages: list[Stage] = []
    if pipeline == "curriculum":
        stages += [[[_fixed("list_datasets")]], *ingesting, [[_fixed("join")]]]
    else:
        stages += ingesting
    if pipeline == "sweep":
        stages += [[[_fixed("plan")]]]
    trainings = _trainings(pipeline, arguments, counts, machine)
    stages += [[_training_chain(rounds, machine) for rounds in trainings]]
    models = [rounds[-1] for rounds in trainings]
    if pipeline == "sweep":
        stages += [[[_judge("compare", [(model, model.num_validation) for model in models])]]]
    best = max(models, key=lambda model: core_ms(model.settings))  # the dearest, as it is not known
    tested = 2 * sum(counts) * arguments["test_fraction"]  # by the champion, too
    return [*stages, [[_judge("evaluate", [(best, tested)])]], [[_fixed("push")]]]


def _ingesting(counts: Sequence[float], num_workers: int) -> list[Stage]:
    """Each dataset ingested and split; before it the shares, where workers have them."""
    if num_workers == 1:
        return [[[_ingest("ingest", count), _fixed("split")] for count in counts]]
    shares = [count / num_workers for count in counts for _ in range(num_workers)]
    return [
        [[_ingest("ingest_share", share)] for share in shares],
        [[_ingest("ingest", 0), _fixed("split")] for _ in counts],  # finds its photos read
    ]


def _ingest(step: str, num_photos: float) -> Task:
    return Task(step=step, seconds=ingest_seconds(num_photos, STEP_MACHINES[step]))


def _judge(step: str, models: Sequence[tuple[Training, float]]) -> Task:
    """A step that lets models predict so many photos each."""
    machine = STEP_MACHINES[step]
    judged = (judge_seconds(model.settings, count, machine) for model, count in models)
    return Task(step=step, seconds=FIXED_S[step] + sum(judged))


def _training_chain(rounds: Sequence[Training], machine: Machine) -> Chain:
    settings = rounds[-1].settings
    seconds = sum(train_seconds(each, machine) for each in rounds)
    seconds -= (len(rounds) - 1) * FIXED_S["train"]  # one process trains all rounds
    name = f"train {settings.architecture.removeprefix('transfer:')}, {settings.image_size} px"
    return [
        Task(step="augment", seconds=augment_seconds(rounds[-1], STEP_MACHINES["augment"])),
        Task(step=name, seconds=seconds, trains=True),
    ]


def _trainings(
    pipeline: str, arguments: Mapping[str, Any], counts: Sequence[float], machine: Machine
) -> list[list[Training]]:
    """The trainings of a run, each of one round, or of several where it is a curriculum."""
    cumulated = [sum(counts[: place + 1]) for place in range(len(counts))]
    seen = cumulated if pipeline == "curriculum" else [sum(counts)]
    candidates: list[dict[str, Any]] = [{}]
    if pipeline == "sweep":
        planned = (*SWEPT, "augmented_copies", "weights", "warm_start")
        candidates = plan_candidates(**{name: arguments[name] for name in planned})
    return [
        [_training({**arguments, **candidate}, count, machine) for count in seen]
        for candidate in candidates
    ]


def _training(arguments: Mapping[str, Any], num_photos: float, machine: Machine) -> Training:
    known = TrainSettings.__dataclass_fields__
    settings = TrainSettings(**{key: arguments[key] for key in known if key in arguments})
    on_tpu = bool(machine.tpu_topology)
    return Training(
        settings=settings.resolved(num_replicas=num_chips(machine), on_tpu=on_tpu),
        augmentation=arguments["augmentation"],
        augmented_copies=arguments["augmented_copies"],
        num_train=num_photos * arguments["train_fraction"],
        num_validation=num_photos * arguments["validation_fraction"],
    )


def _known(uri: str) -> int:
    kind, _, name = uri.partition(":")
    if kind == "sample":
        return SampleSource(name).num_files
    return TFDS_PHOTOS.get(re.split("[:/]", name)[0], 0) if kind == "tfds" else 0


def _fixed(step: str) -> Task:
    return Task(step=step, seconds=FIXED_S[step])
