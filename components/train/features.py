"""What frozen layers make of photos: computed once and kept, or anew whenever it is asked for."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import NO_POLICY, Augmenter
from components.augment.policies import Policy
from components.common.errors import InputError
from components.common.photos import PhotoSet, as_input
from components.common.progress import Meter, report
from components.train.batches import Rows
from components.train.cut import cut

BATCH = 8  # photos at once: their activations stay in the processor's cache, 1.6 times faster
AUGMENTED_COPIES = 1  # beside the originals; a second one costs as much and adds little

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (images, rows) -> images
View = tuple[PhotoSet, Change]
Floats = NDArray[np.float32]


class Views:
    """Photos one after another, some of them as they are and some augmented, always the same."""

    def __init__(self, views: Sequence[View], channels: int) -> None:
        """Prepare.

        Args:
            views: Photos, and what is done to them.
            channels: What the network sees: 3 (RGB) or 1 (gray).
        """
        self._views = views
        self._channels = channels
        self._ends = np.cumsum([len(photos) for photos, _ in views])
        self.labels = np.concatenate([photos.labels for photos, _ in views])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Rows) -> Floats:
        """Some of them, as a network takes them: shape `(rows, size, size, channels)`."""
        size = self._views[0][0].images.shape[1]
        images = np.empty((len(rows), size, size, self._channels), np.float32)
        owners = np.searchsorted(self._ends, rows, side="right")
        for owner in np.unique(owners):
            photos, change = self._views[owner]
            chosen = owners == owner
            own = rows[chosen] - (self._ends[owner] - len(photos))
            images[chosen] = as_input(change(photos.images[own], own), self._channels)
        return images


class Computed:
    """What a model makes of views, computed whenever it is asked for; indexed as an array is."""

    def __init__(self, model: keras.Model, views: Views) -> None:
        self._model, self._views = model, views

    def __getitem__(self, rows: Rows) -> Floats:
        """Of some views: shape `(rows, ...)`."""
        batches = np.split(rows, range(BATCH, len(rows), BATCH))
        return np.concatenate([self._model.predict_on_batch(self._views[some]) for some in batches])


@dataclass(frozen=True, kw_only=True)
class Part:
    """What the frozen layers make of the photos of one split; one row a view."""

    labels: NDArray[np.int32]
    features: Floats | Computed  # (n, num_features), for a head
    activations: Floats | Computed  # (n, ...), for the top blocks; (n, 0) where none is tuned


@dataclass(frozen=True, kw_only=True)
class FrozenParts:
    """All that training on top of frozen layers takes."""

    train: Part
    validation: Part
    classes: tuple[str, ...]
    num_features: int
    top: keras.Model | None  # from activations to features, layers shared with the backbone


@contextmanager
def frozen_parts(
    backbone: keras.Model,
    train: PhotoSet,
    validation: PhotoSet,
    policy: Policy,
    *,
    seed: int,
    copies: PhotoSet | None = None,
    blocks: int = 0,
    cache: bool = True,
) -> Iterator[FrozenParts]:
    """Send all photos through the frozen layers, once.

    The activations below the top blocks go to a file, which the system pages in and out as memory
    allows; where the disk is too small for it they are computed whenever they are needed. What is
    computed is the same.

    Args:
        backbone: From photos to features `(n, num_features)`.
        train: Photos to learn from: as they are and, but for the policy "none", augmented.
        validation: Photos to choose the epoch by, as they are.
        policy: What may be done to training photos.
        seed: Of the warps.
        copies: The augmented photos, any number of each; None makes one of each on the way.
        blocks: How many top blocks of the backbone are tuned later.
        cache: Keep what is computed; otherwise every epoch computes it again.

    Yields:
        What a head and the top blocks learn from; the file behind it is gone after the block.

    Raises:
        InputError: If `copies` has other classes than `train`, or the backbone has fewer blocks.
    """
    _check_copies(train, copies)
    bottom, top = cut(backbone, blocks) if blocks else (None, None)
    channels = backbone.input_shape[-1]
    learned = Views(_training_views(train, policy, seed, copies), channels)
    held_out = Views([(validation, _as_is)], channels)
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        layers = _Layers(backbone=backbone, bottom=bottom, top=top)
        if cache:
            total = len(learned) + len(held_out)
            folder = Path(scratch) if layers.fit_into(scratch, total) else None
            meter = Meter("computed features of", total)
            parts = [
                layers.compute(learned, folder, meter, done=0),
                layers.compute(held_out, folder, meter, done=len(learned)),
            ]
        else:
            parts = [layers.compute_later(views) for views in (learned, held_out)]
        yield FrozenParts(
            train=parts[0],
            validation=parts[1],
            classes=train.classes,
            num_features=backbone.output_shape[-1],
            top=top,
        )


@dataclass(frozen=True, kw_only=True)
class _Layers:
    """A backbone, and its two parts where its top blocks are tuned later."""

    backbone: keras.Model
    bottom: keras.Model | None
    top: keras.Model | None

    def fit_into(self, folder: str, num_views: int) -> bool:
        """Whether activations fit; a mapped file grows as it is written, and a full disk kills."""
        if self.bottom is None:
            return False
        needed: int = 4 * num_views * math.prod(self.bottom.output_shape[1:])
        free = shutil.disk_usage(folder).free
        if needed > free:
            report(
                f"{needed / 2**30:.1f} GiB of activations do not fit into '{folder}': they are"
                " computed in every epoch"
            )
        return needed <= free

    def compute_later(self, views: Views) -> Part:
        """Nothing now."""
        none = np.empty((len(views), 0), np.float32)
        return Part(
            labels=views.labels,
            features=Computed(self.backbone, views),
            activations=Computed(self.bottom, views) if self.bottom else none,
        )

    def compute(self, views: Views, folder: Path | None, meter: Meter, *, done: int) -> Part:
        """Compute the features, and in the same pass the activations where there is a folder."""
        later = self.compute_later(views)
        features = np.empty((len(views), self.backbone.output_shape[-1]), np.float32)
        if self.bottom is None or self.top is None or folder is None:
            _compute(self.backbone, views, [features], meter, done)
            return replace(later, features=features)
        shape = (len(views), *self.bottom.output_shape[1:])
        activations = np.memmap(folder / f"activations-{done}", np.float32, "w+", shape=shape)
        outputs = [self.bottom.output, self.top(self.bottom.output)]
        both = keras.Model(self.bottom.input, outputs)
        _compute(both, views, [activations, features], meter, done)
        return replace(later, features=features, activations=activations)


def _compute(
    model: keras.Model, views: Views, kept: Sequence[Floats], meter: Meter, done: int
) -> None:
    """Write each output of a model into an array of its own."""
    for start in range(0, len(views), BATCH):
        rows = np.arange(start, min(start + BATCH, len(views)))
        outputs = keras.tree.flatten(model.predict_on_batch(views[rows]))
        for array, output in zip(kept, outputs, strict=True):
            array[rows] = output
        meter.show(done + start + len(rows))


def _check_copies(train: PhotoSet, copies: PhotoSet | None) -> None:
    if copies is not None and copies.classes != train.classes:
        raise InputError(
            f"`copies` must have the classes of `train`, {train.classes}."
            f" Received: {copies.classes}"
        )


def _training_views(
    train: PhotoSet, policy: Policy, seed: int, copies: PhotoSet | None
) -> list[View]:
    views: list[View] = [(train, _as_is)]
    if copies is not None:
        return [*views, (copies, _as_is)]
    if policy.name != NO_POLICY:
        augmenter = Augmenter(policy=policy, seed=seed)
        views += [(train, partial(augmenter, epoch=epoch)) for epoch in range(AUGMENTED_COPIES)]
    return views


def _as_is(images: np.ndarray, rows: np.ndarray) -> np.ndarray:  # noqa: ARG001  # as any `Change`
    return images
