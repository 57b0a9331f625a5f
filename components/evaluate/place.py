"""How well a model says where the object is: scores, and photos to look at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from components.common.errors import InputError
from components.common.photos import Mask, PhotoSet
from components.common.pixels import Photo
from components.evaluate.metrics import PlaceScore

FOUND = 0.5  # from this IoU on the object counts as found, as in PASCAL VOC
INSIDE = 0.5  # from this probability on a pixel counts as the object
DRAWN_SIZE = 288  # pixels: twice what the page shows, for sharp screens
TRUE_COLOUR, PREDICTED_COLOUR, RIM = (37, 99, 235), (251, 146, 60), (255, 255, 255)

Ious = NDArray[np.float64]  # (n,), in [0, 1]; NaN where the true place is not known
Places = NDArray[np.float32]  # boxes (n, 4) or masks of probabilities (n, cells, cells, 1)


@dataclass(frozen=True, kw_only=True)
class PlaceExample:
    """A photo with its true and its predicted place drawn on it."""

    photo: Photo
    filename: str
    iou: float


def judge_places(places: Places, photos: PhotoSet) -> Ious:
    """Compare predicted places with the true ones.

    Args:
        places: Boxes, or masks: these are brought to the photos' size first.
        photos: The photos.

    Raises:
        InputError: If there is not one place a photo.
    """
    if len(places) != len(photos) or places.ndim not in (2, 4):
        raise InputError(
            f"`places` must be boxes (n, 4) or masks (n, cells, cells, 1) of {len(photos)} photos."
            f" Received: shape={places.shape}"
        )
    if places.ndim == 2:
        return box_ious(photos.boxes, places)
    size = photos.images.shape[1]
    return np.array(
        [
            _mask_iou(_true_mask(photos, row, size), _inside(place, size))
            for row, place in enumerate(places)
        ]
    )


def score_places(places: Places, ious: Ious) -> PlaceScore | None:
    """Sum up what `judge_places` found; None where no true place is known."""
    known = ious[~np.isnan(ious)]
    if not len(known):
        return None
    return PlaceScore(
        kind="box" if places.ndim == 2 else "mask",
        num_photos=len(known),
        mean_iou=float(known.mean()),
        found=float((known >= FOUND).mean()),
    )


def box_ious(truth: np.ndarray, predicted: np.ndarray) -> Ious:
    """Intersection over union, box by box.

    Args:
        truth: Shape `(n, 4)`, (xmin, ymin, xmax, ymax); NaN where there is none.
        predicted: Same shape.

    Returns:
        NaN where there is no true box.
    """
    one, other = truth.astype(np.float64), predicted.astype(np.float64)
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    both = _areas(low, high)
    either = _areas(one[:, :2], one[:, 2:]) + _areas(other[:, :2], other[:, 2:]) - both
    return np.where(np.isnan(either), np.nan, both / np.maximum(either, 1e-12))


def draw_examples(places: Places, ious: Ious, photos: PhotoSet, *, most: int) -> list[PlaceExample]:
    """Draw true and predicted places on photos from the worst to the best, evenly apart.

    Args:
        places: As predicted.
        ious: As `judge_places` gives them.
        photos: The photos.
        most: Photos at most.
    """
    order = np.argsort(ious, kind="stable")[: np.count_nonzero(~np.isnan(ious))]  # NaN come last
    if not len(order):
        return []
    chosen = order[np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))]
    return [
        PlaceExample(
            photo=_draw(photos, row, places[row]),
            filename=photos.filenames[row],
            iou=float(ious[row]),
        )
        for row in chosen.tolist()
    ]


def _draw(photos: PhotoSet, row: int, place: np.ndarray) -> Photo:
    size = DRAWN_SIZE
    image = np.array(photos.images[row])
    photo: Photo = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    true_mask: Mask | None
    if place.ndim == 1:
        true_mask, predicted = _filled(photos.boxes[row], size), _filled(place, size)
    else:
        true_mask, predicted = _true_mask(photos, row, size), _inside(place, size)
    if true_mask is not None:
        _outline(photo, true_mask, TRUE_COLOUR)
    _outline(photo, predicted, PREDICTED_COLOUR)
    return photo


def _outline(photo: Photo, mask: Mask, colour: tuple[int, int, int]) -> None:
    """Draw the edge of a mask, with a light rim that shows on dark photos."""
    edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for tone, width in ((RIM, 5), (colour, 3)):
        cv2.drawContours(photo, edges, -1, tone, width, cv2.LINE_AA)


def _filled(box: np.ndarray, size: int) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    left, top, right, bottom = (box * size).round().astype(int).tolist()
    mask[top:bottom, left:right] = 1
    return mask


def _true_mask(photos: PhotoSet, row: int, size: int) -> Mask | None:
    mask = photos.mask(row)
    if mask is None:
        return None
    stretched: Mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    inside: Mask = np.minimum(stretched, 1)
    return inside


def _inside(place: np.ndarray, size: int) -> Mask:
    smooth = cv2.resize(place[:, :, 0], (size, size), interpolation=cv2.INTER_LINEAR)
    inside: Mask = (smooth >= INSIDE).astype(np.uint8)
    return inside


def _mask_iou(truth: Mask | None, predicted: Mask) -> float:
    if truth is None or not truth.any():
        return float("nan")
    return float((truth & predicted).sum() / (truth | predicted).sum())


def _areas(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    areas: np.ndarray = np.prod(np.maximum(high - low, 0), axis=1)
    return areas
