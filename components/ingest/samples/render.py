"""Draw a sample dataset, photo by photo."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from components.ingest.samples import CLASSES, DEFAULT_PHOTOS_PER_CLASS, flowers, pets
from components.ingest.samples.layer import Image
from components.ingest.samples.scene import Subject, photograph
from components.ingest.sources.photo import SourcePhoto

_SUBJECTS: dict[str, dict[str, Subject]] = {"flowers": flowers.SUBJECTS, "pets": pets.SUBJECTS}
_SIDE_PX = (96, 161)  # range of widths and of heights, the end not included


def render(
    name: str,
    *,
    photos_per_class: int | None = None,
    seed: int = 0,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[SourcePhoto]:
    """Draw a sample dataset, or a range of it, class by class.

    A photo depends on its sample, class, index and seed alone: more photos a class change none of
    those before.

    Args:
        name: One of `CLASSES`.
        photos_per_class: How many photos each class gets, by default `DEFAULT_PHOTOS_PER_CLASS`.
        seed: Another seed gives other photos.
        start: Place of the first photo to draw; those before cost nothing.
        stop: Place after that of the last one; None for all.

    Returns:
        The photos, encoded as JPEG, each with its mask and box.

    Raises:
        ValueError: If there is no sample `name`, or `photos_per_class` is below 1.

    Example:
        >>> next(render("flowers", photos_per_class=1)).filename
        'daisy/00000.jpg'
    """
    if name not in CLASSES:
        raise ValueError(f"`name` must be one of {sorted(CLASSES)}. Received: {name!r}")
    num_photos = DEFAULT_PHOTOS_PER_CLASS[name] if photos_per_class is None else photos_per_class
    if num_photos < 1:
        raise ValueError(f"`photos_per_class` must be at least 1. Received: {num_photos}")
    # a generator of its own, so that the checks above run at the call and not at the first photo
    return (
        _render_photo(name, CLASSES[name][place // num_photos], place % num_photos, seed)
        for place in range(len(CLASSES[name]) * num_photos)[start:stop]
    )


def _render_photo(name: str, class_name: str, index: int, seed: int) -> SourcePhoto:
    # the size is dealt by index alone, so that every class has just the same sizes
    width, height = _stream(name, "size", index, seed).integers(*_SIDE_PX, size=2).tolist()
    rng = _stream(name, class_name, index, seed)
    picture = photograph(rng, _SUBJECTS[name][class_name], width, height)
    bgr = np.ascontiguousarray(picture.rgb[..., ::-1])
    return SourcePhoto(
        filename=f"{class_name}/{index:05d}.jpg",
        class_name=class_name,
        encoded=_encode(".jpg", bgr, cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))),
        box=picture.box,
        mask=_encode(".png", picture.mask, cv2.IMWRITE_PNG_COMPRESSION, 6),
    )


def _stream(name: str, part: str, index: int, seed: int) -> np.random.Generator:
    """Make the generator of one photo; names count by checksum, as `hash` differs between runs."""
    words = (zlib.crc32(name.encode()), zlib.crc32(part.encode()), index, seed)
    return np.random.default_rng(np.random.SeedSequence(words))


def _encode(extension: str, image: Image, setting: int, value: int) -> bytes:
    done, encoded = cv2.imencode(extension, image, [setting, value])
    if not done:
        raise RuntimeError(f"OpenCV could not encode a {extension} of shape {image.shape}")
    return encoded.tobytes()
