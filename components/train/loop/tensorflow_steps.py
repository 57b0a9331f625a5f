"""Steps under TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.train.loop.steps import Batch


class TensorFlowSteps:
    """Steps under TensorFlow; the state lives in the variables of the model.

    Several batches go through one call, in a loop inside the graph: for a head on features the way
    into the graph takes ten times as long as the step itself.
    """

    def __init__(self, model: keras.Model, *, at_once: int) -> None:
        self._model = model
        # Not by how many come: the last bit may hang on the graph, wherever training goes on.
        self._in_loop = at_once > 1
        # XLA on a CPU makes these networks up to 20 times slower.
        use_xla = bool(tf.config.list_physical_devices("GPU"))
        self._train_one = tf.function(self._step, jit_compile=use_xla)
        self._train_many: Any = None  # until the first batches tell their shapes
        self._evaluate = tf.function(model.test_step, jit_compile=use_xla)

    def train(self, batches: Sequence[Batch]) -> None:
        """Take one step a batch, all of one size."""
        if not self._in_loop:
            for batch in batches:
                self._train_one(_tensors(batch))
            return
        stacked = _tensors(tf.nest.map_structure(_stack, *batches))
        if self._train_many is None:
            # Of any number of batches of any size: traced once, also for a smaller last batch.
            shapes = tf.nest.map_structure(_any_number, stacked)
            self._train_many = tf.function(self._loop, input_signature=[shapes])
        self._train_many(stacked)

    def evaluate(self, batch: Batch) -> None:
        """Add a batch to the metrics."""
        self._evaluate(_tensors(batch))

    def metrics(self) -> dict[str, float]:
        """The metrics so far."""
        return {name: float(value) for name, value in self._model.get_metrics_result().items()}

    def reset_metrics(self) -> None:
        """Forget them."""
        self._model.reset_metrics()

    def pull(self) -> None:
        """Nothing: the variables hold the state."""

    def push(self) -> None:
        """Nothing: the variables hold the state."""

    def _step(self, batch: Any) -> None:
        self._model.train_step(batch)

    def _loop(self, stacked: Any) -> None:
        for number in tf.range(tf.shape(stacked[0])[0]):
            self._model.train_step(tf.nest.map_structure(itemgetter(number), stacked))


def _stack(*arrays: np.ndarray) -> np.ndarray:
    return np.stack(arrays)


def _any_number(stacked: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None, None, *stacked.shape[2:]], stacked.dtype)


def _tensors(batch: Batch) -> Any:
    return tf.nest.map_structure(tf.convert_to_tensor, batch)
