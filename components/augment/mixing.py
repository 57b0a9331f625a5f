"""Mixtures of two photos and of their labels: mixup and CutMix."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import Augmenter, Photos
from components.augment.draws import MIXTURES, PARTNERS, numbers
from components.augment.erasing import Rectangle, area
from components.common.photos import Images
from components.common.pixels import Photo


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How a photo is mixed with its partner."""

    share: float  # of the photo in its label; the rest is the partner's
    patch: Rectangle | None  # where the partner stands; None: it shines through everywhere


@dataclass(frozen=True, kw_only=True)
class Mixer:
    """Mixes each photo with another one of the dataset, both augmented first.

    Partners are a permutation of all photos, drawn anew in every epoch, and mixtures come from
    (seed, epoch, index), so that neither depends on the batch that a photo stands in.
    """

    augmenter: Augmenter
    num_photos: int
    size: int  # height and width of the photos, pixels

    def photos(self, images: Images, rows: NDArray[np.integer], epoch: int) -> Photos:
        """Mixed photos.

        Args:
            images: All photos.
            rows: Those to augment and mix, shape `(n,)`.
            epoch: Counts from 0.

        Returns:
            Shape `(n, size, size, 3)`, uint8.
        """
        partners = self.partners(epoch)[rows]
        mixed = self.augmenter(images[rows], rows, epoch)
        others = self.augmenter(images[partners], partners, epoch)
        for place, row in enumerate(rows.tolist()):
            mixed[place] = mix(mixed[place], others[place], self.mixture(row, epoch))
        return mixed

    def labels(
        self, labels: NDArray[np.integer], num_classes: int, rows: NDArray[np.integer], epoch: int
    ) -> NDArray[np.float32]:
        """The labels of mixed photos: the share of each class.

        Args:
            labels: Of all photos, shape `(num_photos,)`.
            num_classes: How many classes there are.
            rows: As for `photos`.
            epoch: As for `photos`.

        Returns:
            Shape `(n, num_classes)`; each row sums to 1.
        """
        shares = np.array([self.mixture(row, epoch).share for row in rows.tolist()], np.float32)
        of_class = np.eye(num_classes, dtype=np.float32)
        partners = self.partners(epoch)[rows]
        own, other = of_class[labels[rows]], of_class[labels[partners]]
        return np.asarray(shares[:, None] * own + (1 - shares[:, None]) * other)

    def partners(self, epoch: int) -> NDArray[np.intp]:
        """The partner of every photo in an epoch, shape `(num_photos,)`."""
        return _partners(self.augmenter.seed, epoch, self.num_photos)

    def mixture(self, row: int, epoch: int) -> Mixture:
        """How one photo is mixed in an epoch."""
        rng = numbers(self.augmenter.seed, epoch, row, MIXTURES)
        policy = self.augmenter.policy
        if not policy.cutmix_alpha:
            share = float(rng.beta(policy.mixup_alpha, policy.mixup_alpha))
            # The larger share is the photo's, so that an epoch shows each photo once. Over all
            # pairs the mixtures are the same.
            return Mixture(share=max(share, 1 - share), patch=None)
        share = float(rng.beta(policy.cutmix_alpha, policy.cutmix_alpha))
        patch = draw_patch(1 - share, self.size, rng)
        return Mixture(share=1 - area(patch) / self.size**2, patch=patch)


def mix(photo: Photo, partner: Photo, mixture: Mixture) -> Photo:
    """Mix two photos of one size.

    Reference:
        Zhang et al., 2018, "mixup"; Yun et al., 2019, "CutMix".
    """
    if mixture.patch is None:
        blend: Photo = cv2.addWeighted(photo, mixture.share, partner, 1 - mixture.share, 0.0)
        return blend
    mixed = photo.copy()
    mixed[mixture.patch] = partner[mixture.patch]
    return mixed


def draw_patch(share: float, size: int, rng: np.random.Generator) -> Rectangle:
    """A square of some share of the area, with its centre anywhere; cut off at the edges."""
    half = size * math.sqrt(share) / 2
    centres = rng.uniform(0, size, 2).tolist()
    top, left = (slice(round(max(0, c - half)), round(min(size, c + half))) for c in centres)
    return top, left


@functools.lru_cache(maxsize=2)  # threads may be at the end of one epoch and the start of the next
def _partners(seed: int, epoch: int, num_photos: int) -> NDArray[np.intp]:
    return numbers(seed, epoch, 0, PARTNERS).permutation(num_photos)
