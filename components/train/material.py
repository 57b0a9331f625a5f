"""What a training learns from, and how it becomes batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import Augmenter
from components.augment.mixing import Mixer
from components.augment.policies import Policy
from components.common.parallel import num_cores
from components.common.photos import PhotoSet, as_input
from components.train.batches import Batches, FindTruth, Rows


@dataclass(frozen=True, kw_only=True)
class Material:
    """Photos to learn from, photos to choose the epoch by, and what may be done to the former."""

    train: PhotoSet
    validation: PhotoSet
    policy: Policy
    copies: PhotoSet | None = None  # augmented ones of `train`, where they were written beforehand


def augmented_batches(
    material: Material,
    *,
    channels: int,
    batch_size: int,
    seed: int,
    find_truth: FindTruth | None = None,
) -> Batches:
    """Batches of training photos, changed anew in every epoch.

    Args:
        material: What to learn from.
        channels: What the network sees: 3 (RGB) or 1 (gray).
        batch_size: Photos a step.
        seed: Of order and augmentation.
        find_truth: What is to be said of some rows in an epoch; None: their labels, which are
            shares where the policy mixes photos.
    """
    photos, policy = material.train, material.policy
    augmenter = Augmenter(policy=policy, seed=seed)
    size = photos.images.shape[1]
    mixer = Mixer(augmenter=augmenter, num_photos=len(photos), size=size)

    def take(rows: Rows, epoch: int) -> NDArray[np.float32]:
        if policy.mixes:
            return as_input(mixer.photos(photos.images, rows, epoch), channels)
        return as_input(augmenter(photos.images[rows], rows, epoch), channels)

    def soften(rows: Rows, epoch: int) -> NDArray[np.float32]:
        return mixer.labels(photos.labels, len(photos.classes), rows, epoch)

    return Batches(
        photos.labels,
        take,
        batch_size=batch_size,
        seed=seed,
        num_threads=num_cores(),
        find_truth=find_truth or (soften if policy.mixes else None),
    )


def plain_batches(
    material: Material, *, channels: int, batch_size: int, find_truth: FindTruth | None = None
) -> Batches:
    """Batches of the validation photos, as they are; see `augmented_batches`."""
    photos = material.validation
    batches = Batches(
        photos.labels,
        lambda rows, _: as_input(photos.images[rows], channels),
        batch_size=batch_size,
        seed=None,
        find_truth=find_truth,
    )
    if material.policy.mixes:  # one loss judges both, so labels are written as in training
        batches.soften(len(photos.classes))
    return batches
