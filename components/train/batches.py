"""Batches for training: a new order each epoch, inputs made on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.parallel import map_in_order
from components.train.loop.steps import Batch

Rows = NDArray[np.intp]
Take = Callable[[Rows, int], np.ndarray]
FindTruth = Callable[[Rows, int], Any]


class Batches:
    """Batches of inputs and of what is to be said of them, the same in every run with one seed.

    Batch k of epoch e depends on nothing that came before: so training can go on anywhere.
    """

    def __init__(
        self,
        labels: NDArray[np.int32],
        take: Take,
        *,
        batch_size: int,
        seed: int | None,
        num_threads: int = 1,
        find_truth: FindTruth | None = None,
        at_once: int = 1,
    ) -> None:
        """Prepare the batches.

        Args:
            labels: Label of every row, shape `(n,)`.
            take: Makes the inputs of some rows, given the rows and the epoch.
            batch_size: Rows a batch; the last batch of an epoch may be smaller.
            seed: Of the order; None keeps the rows in place.
            num_threads: Threads that make batches ahead of the network.
            find_truth: Makes what is to be said of some rows, given the rows and the epoch, where
                that is not their labels: shares of each class `(n, classes)`, or several outputs
                by name.
            at_once: Batches that go into the network by one call: many where they are small.
        """
        self.labels = labels
        self.batch_size = batch_size
        self._take = take
        self._find_truth = find_truth
        self._seed = seed
        self._num_threads = num_threads
        self.at_once = at_once
        self._class_weights: NDArray[np.float32] | None = None

    @property
    def num_images(self) -> int:
        """Images an epoch."""
        return len(self.labels)

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.labels) / self.batch_size)

    @property
    def is_soft(self) -> bool:
        """Whether labels are shares of each class."""
        return self._find_truth is not None

    def weigh(self, class_weights: NDArray[np.float32]) -> None:
        """Let classes count differently from now on.

        Args:
            class_weights: Of each class, shape `(classes,)`.
        """
        self._class_weights = class_weights

    def soften(self, num_classes: int) -> None:
        """Write labels as shares of each class from now on.

        Args:
            num_classes: Shares a label.
        """
        of_class = np.eye(num_classes, dtype=np.float32)
        self._find_truth = lambda rows, _: of_class[self.labels[rows]]

    def example(self) -> Batch:
        """The smallest batch that there is: one row."""
        return self._batch(self._order(0)[:1], 0)

    def epoch(self, epoch: int, *, first: int = 0) -> Iterator[list[Batch]]:
        """The batches of an epoch, made ahead, as many at once as go into one call.

        Args:
            epoch: From 0.
            first: The batch to begin with.

        Yields:
            Batches of one size: inputs `(n, ...)`, the truth and, where classes count differently,
            weights `(n,)`.
        """
        order = self._order(epoch)
        full = len(order) // self.batch_size
        # The last batch, if smaller, goes alone: the others of its call are stacked.
        starts = [*range(first, full, self.at_once), *range(max(first, full), self.num_batches)]

        def make(start: int) -> list[Batch]:
            end = min(start + self.at_once, full) if start < full else start + 1
            return [
                self._batch(order[index * self.batch_size : (index + 1) * self.batch_size], epoch)
                for index in range(start, end)
            ]

        with ThreadPoolExecutor(self._num_threads, "batches") as pool:
            ahead = 1 if self.at_once > 1 else max(8, 2 * self._num_threads)
            yield from map_in_order(pool, make, starts, ahead=ahead)

    def _batch(self, rows: Rows, epoch: int) -> Batch:
        inputs = self._take(rows, epoch)
        truth = self._find_truth(rows, epoch) if self._find_truth else self.labels[rows]
        if self._class_weights is None:
            return inputs, truth
        weights = truth @ self._class_weights if self.is_soft else self._class_weights[truth]
        return inputs, truth, weights

    def _order(self, epoch: int) -> Rows:
        if self._seed is None:
            return np.arange(len(self.labels))
        return np.random.default_rng((self._seed, epoch)).permutation(len(self.labels))
