"""How a network is trained: whole, or frozen with a new head and then tuned at its top."""

from __future__ import annotations

from dataclasses import replace

from components.train.features import frozen_parts
from components.train.fine_tune import fine_tune
from components.train.fitting import fit
from components.train.frozen import fit_head
from components.train.loop.loop import Fit
from components.train.loop.phases import Phase, Phases
from components.train.material import Material, augmented_batches, plain_batches
from components.train.network import Network
from components.train.settings import TrainSettings
from components.train.two_output import fit_two_outputs


def train_network(
    network: Network,
    material: Material,
    settings: TrainSettings,
    phases: Phases | None = None,
) -> tuple[Network, Fit]:
    """Train a network the way its architecture and its start ask for.

    Args:
        network: With the weights that it starts from; changed in place.
        material: What to learn from.
        settings: Resolved.
        phases: Where each keeps its state; None keeps none.

    Returns:
        The trained network (a frozen one gets another head), and how training went.
    """
    phases = phases or Phases()
    if settings.is_frozen:
        return _train_frozen(network, material, settings, phases)
    phase = phases.start("whole")
    if settings.find_architecture().has_place:
        return network, fit_two_outputs(network, material, settings, phase)
    return network, _train_whole(network, material, settings, phase)


def _train_whole(
    network: Network, material: Material, settings: TrainSettings, phase: Phase
) -> Fit:
    return fit(
        network.assemble(mirror_averaging=False),
        augmented_batches(
            material,
            channels=settings.channels,
            batch_size=settings.batch_size,
            seed=settings.seed,
        ),
        plain_batches(material, channels=settings.channels, batch_size=settings.batch_size),
        settings.fit_settings(epochs=settings.epochs, learning_rate=settings.learning_rate),
        phase=phase,
    )


def _train_frozen(
    network: Network, material: Material, settings: TrainSettings, phases: Phases
) -> tuple[Network, Fit]:
    with frozen_parts(
        network.backbone,
        material.train,
        material.validation,
        material.policy,
        seed=settings.seed,
        copies=material.copies,
        blocks=settings.fine_tune_blocks if settings.fine_tune_epochs else 0,
        cache=settings.feature_cache,
    ) as parts:
        head, fitted = fit_head(
            parts,
            settings.fit_settings(epochs=settings.epochs, learning_rate=settings.learning_rate),
            seed=settings.seed,
            phase=phases.start("head"),
        )
        if settings.fine_tune_epochs:
            fitted = fine_tune(
                parts,
                head,
                fitted,
                settings.fit_settings(
                    epochs=settings.fine_tune_epochs,
                    learning_rate=settings.fine_tune_learning_rate,
                ),
                seed=settings.seed,
                phase=phases.start("top"),
            )
    return replace(network, head=head), fitted
