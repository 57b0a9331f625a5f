"""Apply a policy to photos: one warp, then colours; different in every epoch, the same always."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from components.augment import colour
from components.augment.draws import numbers
from components.augment.erasing import draw_rectangle, erase
from components.augment.policies import Policy
from components.augment.randaugment import draw_operations
from components.augment.warp import draw_warp, to_affine, warp_box
from components.common.affine import Affine
from components.common.photos import open_picture
from components.common.pixels import Photo, Picture, to_square, warp
from components.common.records import PhotoRecord

NO_POLICY = "none"
Photos = NDArray[np.uint8]  # (n, height, width, 3), RGB


@dataclass(frozen=True, kw_only=True)
class Augmenter:
    """Changes photos so that each is different in every epoch and the same in every run.

    A photo's numbers come from (seed, epoch, index) alone: not from the batch it stands in, the
    thread that works on it, or what was drawn before. So a run can stop and go on anywhere.
    """

    policy: Policy
    seed: int

    def __call__(self, photos: Photos, indices: NDArray[np.integer], epoch: int) -> Photos:
        """Augment a batch.

        Args:
            photos: Shape `(n, height, width, 3)`, uint8.
            indices: Place of each photo in its dataset, shape `(n,)`.
            epoch: Counts from 0.

        Returns:
            Same shape and type.
        """
        if self.policy.name == NO_POLICY:
            return photos
        height, width = photos.shape[1:3]
        augmented = np.empty_like(photos)
        for row, index in enumerate(indices.tolist()):
            plan = self._draw(index, epoch, height, width)
            augmented[row] = plan.recolour(warp(photos[row], plan.moved, height, width))
        return augmented

    def from_record(self, record: PhotoRecord, index: int, epoch: int, size: int) -> Photo:
        """Augment one photo as it is decoded: one resampling in all, and the faster way.

        Args:
            record: The photo.
            index: Its place in its dataset.
            epoch: Counts from 0.
            size: Height and width of the result, pixels.

        Returns:
            Shape `(size, size, 3)`; a little sharper than a decoded square that is then warped.
        """
        return self.from_picture(open_picture(record, size), index, epoch, size)

    def from_picture(self, picture: Picture, index: int, epoch: int, size: int) -> Photo:
        """The same from a photo that is decoded already, for several epochs of it."""
        if self.policy.name == NO_POLICY:
            return to_square(picture, size)
        plan = self._draw(index, epoch, size, size)
        return plan.recolour(to_square(picture, size, plan.moved))

    def moved(self, index: int, epoch: int, height: int, width: int) -> Affine:
        """From places in the augmented photo to places in the original; for boxes and masks."""
        return self._draw(index, epoch, height, width).moved

    def boxes(
        self, boxes: NDArray[np.float32], indices: NDArray[np.integer], epoch: int, size: int
    ) -> NDArray[np.float32]:
        """Where the boxes of photos are once the photos are augmented.

        Args:
            boxes: Shape `(n, 4)`, (xmin, ymin, xmax, ymax) in [0, 1]; NaN where there is none.
            indices: Place of each photo in its dataset, shape `(n,)`.
            epoch: Counts from 0.
            size: Height and width of the photos, pixels.

        Returns:
            Same shape; NaN too where a box has left the photo.
        """
        there = np.full_like(boxes, np.nan)
        for row, index in enumerate(indices.tolist()):
            xmin, ymin, xmax, ymax = boxes[row].tolist()
            if not np.isnan(xmin):
                moved = self.moved(index, epoch, size, size)
                there[row] = warp_box((xmin, ymin, xmax, ymax), moved, size, size) or np.nan
        return there

    def _draw(self, index: int, epoch: int, height: int, width: int) -> _Plan:
        policy, rng = self.policy, numbers(self.seed, epoch, index)
        moved = to_affine(draw_warp(policy, height, width, rng), height, width)
        recolours: list[colour.Recolour] = []
        if policy.random_operations:
            moves, recolours = draw_operations(
                policy.random_operations, policy.random_magnitude, height, width, rng
            )
            moved = moves.then(moved)
        if colour.has_jitter(policy):
            recolours.append(colour.draw_jitter(policy, rng))
        if policy.erasing and rng.random() < policy.erasing:
            recolours.append(partial(erase, rectangle=draw_rectangle(height, width, rng), rng=rng))
        return _Plan(moved=moved, recolours=tuple(recolours))


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """All that is done to one photo."""

    moved: Affine
    recolours: tuple[colour.Recolour, ...]

    def recolour(self, photo: Photo) -> Photo:
        for recolour in self.recolours:
            photo = recolour(photo)
        return photo
