"""Batches for training: a new order each epoch, inputs made on the way."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Take = Callable[[Rows, int], np.ndarray]
Soften = Callable[[Rows, int], NDArray[np.float32]]


class Batches(keras.utils.PyDataset):
    """Batches of inputs and labels, the same in every run with the same seed."""

    def __init__(
        self,
        labels: NDArray[np.int32],
        take: Take,
        *,
        batch_size: int,
        seed: int | None,
        num_threads: int = 1,
        soften: Soften | None = None,
    ) -> None:
        """Prepare the batches.

        Args:
            labels: Label of every row, shape `(n,)`.
            take: Makes the inputs of some rows, given the rows and the epoch.
            batch_size: Rows a batch; the last batch of an epoch may be smaller.
            seed: Of the order; None keeps the rows in place.
            num_threads: Threads that make batches ahead of the network.
            soften: Makes the labels of some rows, given the rows and the epoch, where they are
                shares of each class, shape `(n, classes)`; None takes `labels` as they are.
        """
        super().__init__(
            workers=num_threads, use_multiprocessing=False, max_queue_size=max(8, 2 * num_threads)
        )
        self._labels = labels
        self._take = take
        self._soften = soften
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._order = self._new_order()

    @property
    def num_images(self) -> int:
        """Images an epoch."""
        return len(self._labels)

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self._labels) / self._batch_size)

    @property
    def is_soft(self) -> bool:
        """Whether labels are shares of each class."""
        return self._soften is not None

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """One batch: inputs `(n, ...)` and labels, `(n,)` or, where soft, `(n, classes)`."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        labels = self._soften(rows, self._epoch) if self._soften else self._labels[rows]
        return self._take(rows, self._epoch), labels

    def on_epoch_end(self) -> None:
        """Move on to the next order; Keras calls this between epochs."""
        self._epoch += 1
        self._order = self._new_order()

    def _new_order(self) -> Rows:
        if self._seed is None:
            return np.arange(len(self._labels))
        return np.random.default_rng((self._seed, self._epoch)).permutation(len(self._labels))
