"""A page that shows what an augmentation policy does to photos. Knows no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.common.errors import InputError
from components.common.pages import render_page, thumbnail

NO_POLICY = "none"
THUMBNAIL_SIZE = 256  # pixels: twice what the page shows, for sharp screens
STEP_SIZE = 192  # pixels, of the smaller ones

# In the words of somebody who looks at the pictures.
EXPLANATIONS = {
    "rotation_degrees": "Turned, by up to {value:g}° to either side.",
    "width_shift": "Moved left or right, by up to {percent} of the width.",
    "height_shift": "Moved up or down, by up to {percent} of the height.",
    "shear_degrees": "Slanted, by up to {value:.3g}° to either side.",
    "zoom": "Shrunk or enlarged, by up to {percent}; width and height each on its own.",
    "horizontal_flip": "Every second photo, by chance, is mirrored left to right.",
    "brightness": "Made darker or brighter, by up to {percent}.",
    "contrast": "Given less or more contrast, by up to {percent}.",
    "saturation": "Given paler or stronger colours, by up to {percent}.",
    "hue_degrees": "Colours turned on the colour circle, by up to {value:g}° to either side.",
    "random_operations": "{value:g} of these, drawn by chance for each photo.",
    "random_magnitude": "How strong those are: {value:g}, on a scale from 0 to 30.",
    "erasing": "In {percent} of the photos, by chance, noise covers a rectangle.",
    "mixup_alpha": "Another photo shines through, mostly faintly; the label is shared likewise.",
    "cutmix_alpha": "A part of another photo covers this one; the label is shared by area.",
}
NAMES = {
    "horizontal_flip": "Mirror",
    "random_operations": "RandAugment",
    "random_magnitude": "Its magnitude",
    "mixup_alpha": "Mixup",
    "cutmix_alpha": "CutMix",
}
OF_ANOTHER = "random_magnitude"  # says nothing where that other part is left out


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Photos as they enter training in one epoch."""

    photos: np.ndarray  # RGB, uint8, as the originals
    captions: Sequence[str]  # what stands below each; "" for nothing


def render_preview(
    originals: np.ndarray,
    labels: Sequence[str],
    augment: Callable[[np.ndarray, int], Copies],
    *,
    policy_name: str,
    policy: Mapping[str, object],
    strips: Mapping[str, Sequence[tuple[str, np.ndarray]]] | None = None,
    copies: int = 6,
) -> str:
    """Write a page: each part of the policy on one photo, then what training sees of several.

    Args:
        originals: RGB, uint8, shape `(num_photos, height, width, 3)`.
        labels: Class names, one a photo.
        augment: Given the photos and an epoch, counted from 0 as training does, returns them as
            they are in that epoch. Not called for the policy "none".
        policy_name: The headline.
        policy: The policy's settings; those in `EXPLANATIONS` are explained.
        strips: By setting, photos with captions from its one end to the other.
        copies: Augmented copies a row: the first epochs, which the page counts from 1.

    Returns:
        The HTML document.

    Raises:
        InputError: If the photos, the labels or `copies` are not as above, or `augment` returns
            another shape or type.
    """
    _check(originals, labels, copies)
    untouched = policy_name == NO_POLICY
    epochs = range(0 if untouched else copies)
    augmented = [_augmented(augment, originals, epoch) for epoch in epochs]
    parts = {key: value for key, value in policy.items() if not untouched and value}
    return render_page(
        "augment/preview.html.j2",
        title=f"Policy “{policy_name}”",
        eyebrow="Augmentation preview",
        untouched=untouched,
        mixes=any(key in parts for key in ("mixup_alpha", "cutmix_alpha")),
        # A policy that is named and does nothing is a mistake that the eye may miss.
        no_effect=bool(augmented)
        and all(np.array_equal(one.photos, originals) for one in augmented),
        epochs=[epoch + 1 for epoch in epochs],
        rows=_rows(originals, labels, augmented),
        parts=[
            (_name(key), _explain(key, value), _steps((strips or {}).get(key, ())))
            for key, value in parts.items()
        ],
        left_out=[_name(key) for key, value in policy.items() if not value and key != OF_ANOTHER],
    )


def _check(originals: np.ndarray, labels: Sequence[str], copies: int) -> None:
    if originals.dtype != np.uint8 or originals.ndim != 4 or originals.shape[3] != 3:
        raise InputError(
            "`originals` must be uint8 RGB, shape (num_photos, height, width, 3). "
            f"Received: dtype={originals.dtype}, shape={originals.shape}"
        )
    if len(labels) != len(originals) or not labels:
        raise InputError(
            "`labels` must name each of `originals`, at least 1. "
            f"Received: {len(labels)} labels, {len(originals)} photos"
        )
    if copies < 1:
        raise InputError(f"`copies` must be at least 1. Received: {copies}")


def _augmented(
    augment: Callable[[np.ndarray, int], Copies], originals: np.ndarray, epoch: int
) -> Copies:
    # A copy goes in: were it changed in place, the page would show no original.
    copies = augment(originals.copy(), epoch)
    photos = copies.photos
    if photos.dtype != originals.dtype or photos.shape != originals.shape:
        raise InputError(
            f"`augment` must return uint8 of shape {originals.shape}, like the originals. "
            f"Received: dtype={photos.dtype}, shape={photos.shape}"
        )
    return copies


def _rows(
    originals: np.ndarray, labels: Sequence[str], augmented: Sequence[Copies]
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Label, original, and each copy with its caption."""
    return [
        (
            label,
            thumbnail(originals[row], size=THUMBNAIL_SIZE),
            [
                (thumbnail(one.photos[row], size=THUMBNAIL_SIZE), one.captions[row])
                for one in augmented
            ],
        )
        for row, label in enumerate(labels)
    ]


def _steps(steps: Sequence[tuple[str, np.ndarray]]) -> list[tuple[str, str]]:
    return [(caption, thumbnail(photo, size=STEP_SIZE)) for caption, photo in steps]


def _name(key: str) -> str:
    words = key.removesuffix("_degrees").replace("_", " ")
    return NAMES.get(key, words[:1].upper() + words[1:])


def _explain(key: str, value: object) -> str:
    """Say in words what a setting does."""
    if key in EXPLANATIONS and isinstance(value, bool | int | float):
        percent = f"{100 * value:g}\N{NO-BREAK SPACE}%"
        return EXPLANATIONS[key].format(value=value, percent=percent)
    return str(value)
