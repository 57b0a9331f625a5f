"""Batches of photos with class and place; places move as augmentation moves the photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import Augmenter
from components.augment.warp import warp_mask
from components.common.affine import IDENTITY
from components.common.errors import DataError
from components.common.photos import PhotoSet
from components.train.batches import Batches, Rows
from components.train.material import Material, augmented_batches, plain_batches
from components.train.places.head import BOX

Places = NDArray[np.float32]  # boxes (n, 4) or masks (n, cells, cells, 1); NaN where there is none
FindPlaces = Callable[[Rows, int], Places]  # of some rows, given the rows and the epoch


class PlacedBatches(keras.utils.PyDataset):
    """Batches of photos and, for each, its label and its place."""

    def __init__(self, photos: Batches, labels: NDArray[np.int32], find_places: FindPlaces) -> None:
        """Prepare the batches.

        Args:
            photos: Batches of photos and of their rows.
            labels: Label of every row, shape `(n,)`.
            find_places: Finds the places.
        """
        super().__init__(
            workers=photos.workers,
            use_multiprocessing=False,
            max_queue_size=photos.max_queue_size,
        )
        self._photos = photos
        self._labels = labels
        self._find_places = find_places
        self._epoch = 0

    @property
    def num_images(self) -> int:
        """Photos an epoch."""
        return self._photos.num_images

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self._photos.num_batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One batch: photos, and their "class" and "place"."""
        photos, rows = self._photos[index]
        return photos, {
            "class": self._labels[rows],
            "place": self._find_places(rows, self._epoch),
        }

    def on_epoch_end(self) -> None:
        """Move on to the next order; Keras calls this between epochs."""
        self._photos.on_epoch_end()
        self._epoch += 1


def placed_batches(
    material: Material, *, place: str, cells: int, channels: int, batch_size: int, seed: int
) -> tuple[PlacedBatches, PlacedBatches]:
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
    of_rows = replace(
        material, train=_with_rows(material.train), validation=_with_rows(material.validation)
    )
    train = PlacedBatches(
        augmented_batches(of_rows, channels=channels, batch_size=batch_size, seed=seed),
        material.train.labels,
        find_places(material.train, place, cells, Augmenter(policy=material.policy, seed=seed)),
    )
    validation = PlacedBatches(
        plain_batches(of_rows, channels=channels, batch_size=batch_size),
        material.validation.labels,
        find_places(material.validation, place, cells),
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


def _with_rows(photos: PhotoSet) -> PhotoSet:
    """The same with rows for labels, so that batches tell which photos are in them."""
    return replace(photos, labels=np.arange(len(photos), dtype=np.int32))


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
