"""A page that shows what an augmentation policy does to photos. Knows no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from components.common.errors import InputError
from components.common.pages import render_page, thumbnail

NO_POLICY = "none"
THUMBNAIL_SIZE = 256  # pixels: twice what the page shows, for sharp screens

# In the words of somebody who looks at the pictures.
EXPLANATIONS = {
    "rotation_degrees": "Turned, by up to {value:g}° to either side.",
    "width_shift": "Moved left or right, by up to {percent} of the width.",
    "height_shift": "Moved up or down, by up to {percent} of the height.",
    "shear_degrees": "Slanted, by up to {value:.3g}° to either side.",
    "zoom": "Shrunk or enlarged, by up to {percent}; width and height each on its own.",
    "horizontal_flip": "Every second photo, by chance, is mirrored left to right.",
}
LEFT_OUT = "Left out."


def render_preview(
    originals: np.ndarray,
    labels: Sequence[str],
    augment: Callable[[np.ndarray, int], np.ndarray],
    *,
    policy_name: str,
    policy: Mapping[str, object],
    copies: int = 6,
) -> str:
    """Write a page with a row for each photo: the original, then what training sees of it.

    Args:
        originals: RGB, uint8, shape `(num_photos, height, width, 3)`.
        labels: Class names, one a photo.
        augment: Given the photos and an epoch, counted from 0 as training does, returns them as
            augmented in that epoch, same shape and type. Not called for the policy "none".
        policy_name: The headline.
        policy: The policy's settings; those in `EXPLANATIONS` are explained.
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
    batches = [_augmented(augment, originals, epoch) for epoch in epochs]
    return render_page(
        "augment/preview.html.j2",
        title=f"Policy “{policy_name}”",
        eyebrow="Augmentation preview",
        untouched=untouched,
        # A policy that is named and does nothing is a mistake that the eye may miss.
        no_effect=bool(batches) and all(np.array_equal(batch, originals) for batch in batches),
        epochs=[epoch + 1 for epoch in epochs],
        rows=[
            (label, [thumbnail(photo, size=THUMBNAIL_SIZE) for photo in photos])
            for label, *photos in zip(labels, originals, *batches, strict=True)
        ],
        settings=[(_label(key), *_explain(key, value)) for key, value in policy.items()],
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
    augment: Callable[[np.ndarray, int], np.ndarray], originals: np.ndarray, epoch: int
) -> np.ndarray:
    # A copy goes in: were it changed in place, the page would show no original.
    photos = np.asarray(augment(originals.copy(), epoch))
    if photos.dtype != originals.dtype or photos.shape != originals.shape:
        raise InputError(
            f"`augment` must return uint8 of shape {originals.shape}, like the originals. "
            f"Received: dtype={photos.dtype}, shape={photos.shape}"
        )
    return photos


def _label(key: str) -> str:
    words = key.removesuffix("_degrees").replace("_", " ")
    return words[:1].upper() + words[1:]


def _explain(key: str, value: object) -> tuple[bool, str]:
    """Say whether a setting does something, and what."""
    if not value:
        return False, LEFT_OUT
    if key in EXPLANATIONS and isinstance(value, bool | int | float):
        percent = f"{100 * value:g}\N{NO-BREAK SPACE}%"
        return True, EXPLANATIONS[key].format(value=value, percent=percent)
    return True, str(value)
