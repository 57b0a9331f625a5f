"""Batches of photos with class and place; places move as augmentation moves the photos."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import Augmenter
from components.augment.warp import warp_mask
from components.common.affine import IDENTITY
from components.common.errors import DataError
from components.common.photos import PhotoSet
from components.train.batches import Batches, FindTruth, Rows
from components.train.material import Material, augmented_batches, plain_batches
from components.train.places.head import BOX

Places = NDArray[np.float32]  # boxes (n, 4) or masks (n, cells, cells, 1); NaN where there is none
FindPlaces = Callable[[Rows, int], Places]  # of some rows, given the rows and the epoch


def placed_batches(
    material: Material, *, place: str, cells: int, channels: int, batch_size: int, seed: int
) -> tuple[Batches, Batches]:
    """Batches to learn from, and batches to choose the epoch by.

    Args:
        material: The photos; its policy mixes none.
        place: What is said of the place, "box" or "mask".
        cells: Height and width of masks.
        channels: What the network sees: 3 (RGB) or 1 (gray).
        batch_size: Photos a step.
        seed: Of order and augmentation.

    Raises:
        DataError: If there is no place at all to learn or to choose by.
    """
    for name, photos in (("training", material.train), ("validation", material.validation)):
        _check_places(photos, place, name)
    moved = Augmenter(policy=material.policy, seed=seed)
    train = augmented_batches(
        material,
        channels=channels,
        batch_size=batch_size,
        seed=seed,
        find_truth=_find_truth(material.train, find_places(material.train, place, cells, moved)),
    )
    validation = plain_batches(
        material,
        channels=channels,
        batch_size=batch_size,
        find_truth=_find_truth(material.validation, find_places(material.validation, place, cells)),
    )
    return train, validation


def find_places(
    photos: PhotoSet, place: str, cells: int, augmenter: Augmenter | None = None
) -> FindPlaces:
    """The places of photos, as the network is to say them.

    Args:
        photos: All photos.
        place: "box" or "mask".
        cells: Height and width of masks.
        augmenter: What moves the photos; None leaves them as they are.

    Returns:
        A function from rows and an epoch to boxes `(n, 4)`, or to masks `(n, cells, cells, 1)`:
        the share of each cell that is the object. NaN where none is known or it has left the photo.
    """
    size = photos.images.shape[1]

    def find_boxes(rows: Rows, epoch: int) -> Places:
        boxes = photos.boxes[rows]
        return augmenter.boxes(boxes, rows, epoch, size) if augmenter else boxes

    def find_mask(row: int, epoch: int) -> Places:
        mask = photos.mask(row)
        moved = augmenter.moved(row, epoch, size, size) if augmenter else IDENTITY
        warped = None if mask is None else warp_mask(mask, moved, size, size)
        if warped is None or not warped.any():
            return np.full((cells, cells), np.nan, np.float32)
        shares: Places = cv2.resize(
            warped.astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA
        )
        return shares

    def find_masks(rows: Rows, epoch: int) -> Places:
        return np.stack([find_mask(row, epoch) for row in rows.tolist()])[..., None]

    return find_boxes if place == BOX else find_masks


def _find_truth(photos: PhotoSet, find: FindPlaces) -> FindTruth:
    return lambda rows, epoch: {"class": photos.labels[rows], "place": find(rows, epoch)}


def _check_places(photos: PhotoSet, place: str, name: str) -> None:
    if place == BOX:
        num_known = int(np.count_nonzero(~np.isnan(photos.boxes).any(axis=1)))
    else:
        num_known = sum(mask is not None for mask in photos.encoded_masks)
    if not num_known:
        plural = "boxes" if place == BOX else "masks"
        raise DataError(
            f"An architecture that says the place needs {plural}, and none of the {len(photos)}"
            f" {name} photos has one. Ingest a dataset with {plural} (sample:pets has some),"
            " pass another `place`, or take an architecture that says the class alone."
        )
