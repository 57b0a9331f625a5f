"""Write augmented copies of photos as a dataset, for networks that see each copy once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import NO_POLICY, Augmenter
from components.augment.policies import Policy
from components.augment.warp import warp_box, warp_mask
from components.common.dataset import (
    DatasetWriter,
    Part,
    find_dataset,
    part_location,
    read_photos,
    refer,
)
from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.parallel import map_in_order, num_cores
from components.common.photos import decode_mask, open_picture
from components.common.pixels import Photo
from components.common.progress import Meter
from components.common.records import PhotoRecord
from components.common.storage import write_atomically

RECIPE = 1  # raise it when the same order gives other copies: those that are kept would be stale
# Colours in full detail, 43 dB from the photo: less than what any resampling changes. Beside PNG,
# a third of the bytes and a sixth of the time.
_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


def materialize(
    train: Path, folder: Path, policy: Policy, *, copies: int, size: int, seed: int
) -> Manifest | None:
    """Write augmented copies of every training photo, boxes and masks moved with them.

    Copy k is what training's epoch k sees, but for one resampling less and what JPEG loses. The
    same arguments write the same bytes. Memory does not grow with the number of photos.

    Args:
        train: Dataset folder of the training photos.
        folder: Where the copies are written.
        policy: What is done to them.
        copies: Of each photo; 0 writes none.
        size: Height and width of the copies, pixels.
        seed: The seed that training augments with.

    Returns:
        The manifest of the copies, as a part of the same dataset; None where there are none.

    Raises:
        InputError: If `copies` is negative, or the policy changes nothing or mixes photos, whose
            labels then no longer are one class.
    """
    if not copies:
        # Launchers copy no empty folder, and the step after this one asks for it.
        write_atomically(folder / "none.txt", b"No augmented copies were asked for.\n")
        return None
    _check(policy, copies)
    source = Manifest.load(train)
    order = (RECIPE, source.digest, json.dumps(asdict(policy)), copies, size, seed)
    name = hashlib.sha256(repr(order).encode()).hexdigest()[:16]
    location = part_location(source, f"augmented-{name}")
    if kept := find_dataset(location):
        return refer(kept, kept, folder)
    writer = DatasetWriter(folder, source.classes, location=location)
    augmenter = Augmenter(policy=policy, seed=seed)
    meter = Meter("augmented", source.num_photos)

    def make(numbered: tuple[int, PhotoRecord]) -> list[PhotoRecord]:
        index, record = numbered
        return list(_copies(record, augmenter, index, copies=copies, size=size))

    with ThreadPoolExecutor(num_cores()) as pool:
        photos = enumerate(read_photos(train))
        batches = map_in_order(pool, make, photos, ahead=4 * num_cores())
        for done, batch in enumerate(batches, start=1):
            for copy in batch:
                writer.add(copy)
            meter.show(done)
    rule = f"{source.split_rule}; {copies} x {policy.name}, {size} px, seed {seed}"
    part = Part(split="train", dataset_digest=source.dataset_digest, rule=rule)
    return writer.finish(name=source.name, source=source.source, part=part)


def _check(policy: Policy, copies: int) -> None:
    if copies < 0:
        raise InputError(f"`augmented_copies` must be 0 or more. Received: {copies}")
    if policy.name == NO_POLICY:
        raise InputError(
            "`augmented_copies` must be 0 with `augmentation` none, which changes nothing."
            f" Received: {copies}"
        )
    if policy.mixes:
        raise InputError(
            f"`augmentation` '{policy.name}' mixes photos of several classes, which cannot be"
            " written as photos of one. Choose another, or train without copies."
        )


def _copies(
    record: PhotoRecord, augmenter: Augmenter, index: int, *, copies: int, size: int
) -> Iterator[PhotoRecord]:
    picture, mask = open_picture(record, size), decode_mask(record)
    name = PurePosixPath(record.filename)
    for epoch in range(copies):
        moved = augmenter.moved(index, epoch, size, size)
        encoded = _encode(augmenter.from_picture(picture, index, epoch, size))
        yield replace(
            record,
            encoded=encoded,
            format="jpeg",
            height=size,
            width=size,
            filename=str(name.with_name(f"{name.name}.{epoch}.jpg")),
            sha256=hashlib.sha256(encoded).hexdigest(),
            box=None if record.box is None else warp_box(record.box, moved, size, size),
            mask=None if mask is None else _encode_mask(warp_mask(mask, moved, size, size)),
        )


def _encode(photo: Photo) -> bytes:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), _JPEG)
    return bytes(encoded)


def _encode_mask(mask: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", mask)[1])
