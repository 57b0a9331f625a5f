"""Training in rounds: on easy photos first, then on more and harder ones, from where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.common.manifest import Manifest
from components.common.photos import PhotoSet
from components.common.progress import report
from components.train.loop.loop import Fit
from components.train.loop.phases import Phases
from components.train.material import Material
from components.train.network import Network
from components.train.recipes import train_network
from components.train.settings import TrainSettings
from components.train.worst import predict_classes


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far one round may look: to the end of its dataset."""

    dataset: str
    num_photos: int  # for training, those of the rounds before included
    num_validation_photos: int


@dataclass(frozen=True, kw_only=True)
class RoundResult:
    """How the network did after one round."""

    round: int  # from 1
    dataset: str  # that came with it
    num_photos: int  # trained on
    epochs: int
    accuracy: dict[str, float]  # by dataset, on its own validation photos; later ones too


def find_stages(train: Path, validation: Path) -> tuple[Stage, ...]:
    """The rounds that two dataset folders were joined for; none where they were not joined."""
    pairs = zip(Manifest.load(train).rounds, Manifest.load(validation).rounds, strict=True)
    return tuple(
        Stage(dataset=one.name, num_photos=one.num_photos, num_validation_photos=other.num_photos)
        for one, other in pairs
    )


def train_rounds(
    network: Network,
    material: Material,
    settings: TrainSettings,
    stages: Sequence[Stage],
    phases: Phases | None = None,
) -> tuple[Network, Fit, list[RoundResult]]:
    """Train in rounds: each on all photos so far, from the weights that the one before has left.

    Every round is a training of its own, with all epochs, its own rise and fall of the learning
    rate, and the epoch that is best on the validation photos so far. A frozen backbone goes on as
    the round before has tuned it, and gets a new head.

    Args:
        network: With the weights that it starts from; changed in place.
        material: Photos of all rounds, in their order.
        settings: Resolved; `epochs` and `fine_tune_epochs` are of each round.
        stages: From easy to hard; none trains on all photos at once.
        phases: Where each keeps its state; None keeps none.

    Returns:
        The trained network, how training went over all rounds, one after the other, and how the
        network did after each. `best_epoch` is that of the last round, whose weights are kept.

    Reference:
        Bengio, Louradour, Collobert and Weston, 2009, "Curriculum Learning".
    """
    if not stages:
        return *train_network(network, material, settings, phases), []
    fits: list[Fit] = []
    results: list[RoundResult] = []
    for number, stage in enumerate(stages):
        report(f"round {number + 1}/{len(stages)}: {stage.num_photos} photos up to {stage.dataset}")
        network, fitted = train_network(
            network,
            _up_to(material, stage),
            _reseeded(settings, number),
            (phases or Phases()).of_round(number + 1),
        )
        fits.append(fitted)
        results.append(
            RoundResult(
                round=number + 1,
                dataset=stage.dataset,
                num_photos=stage.num_photos,
                epochs=len(fitted.history["loss"]),
                accuracy=_judge(network, material.validation, settings, stages),
            )
        )
    return network, _joined(fits), results


def _up_to(material: Material, stage: Stage) -> Material:
    """What there is to learn from in one round."""
    copies = material.copies
    if copies is not None:  # those of one photo stand together, as many for each
        copies = copies.first(stage.num_photos * (len(copies) // len(material.train)))
    return replace(
        material,
        train=material.train.first(stage.num_photos),
        validation=material.validation.first(stage.num_validation_photos),
        copies=copies,
    )


def _reseeded(settings: TrainSettings, number: int) -> TrainSettings:
    """Another order and other augmentation for each round; the first has those of any training."""
    return replace(settings, seed=(settings.seed + number) % 2**32)


def _judge(
    network: Network, photos: PhotoSet, settings: TrainSettings, stages: Sequence[Stage]
) -> dict[str, float]:
    """Accuracy on the validation photos that each dataset brought, if it brought any."""
    said = predict_classes(network, photos, mirror_averaging=settings.mirror_averaging)
    is_right = said.argmax(axis=1) == photos.labels
    accuracy, start = {}, 0
    for stage in stages:
        own = is_right[start : stage.num_validation_photos]
        start = stage.num_validation_photos
        if len(own):
            accuracy[stage.dataset] = float(own.mean())
    return accuracy


def _joined(fits: Sequence[Fit]) -> Fit:
    history = {
        name: [value for fitted in fits for value in fitted.history[name]]
        for name in fits[-1].history
    }
    before = sum(len(fitted.history["loss"]) for fitted in fits[:-1])
    return Fit(history=history, best_epoch=before + fits[-1].best_epoch)
