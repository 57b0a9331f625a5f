"""Steps of a compiled model: what the loop asks of the backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras

# Inputs (n, ...), the truth (an array, or several by name) and, where photos count differently,
# weights (n,).
Batch = tuple[Any, ...]


class Steps(Protocol):
    """Runs the steps of one compiled model. The state may live on devices between them."""

    def train(self, batches: Sequence[Batch]) -> None:
        """Take one step a batch.

        Args:
            batches: All of one size.
        """

    def evaluate(self, batch: Batch) -> None:
        """Add a batch to the metrics, without learning from it."""

    def metrics(self) -> dict[str, float]:
        """The metrics over all batches since they were reset; waits for the devices."""

    def reset_metrics(self) -> None:
        """Forget them."""

    def pull(self) -> None:
        """Bring the state into the variables of the model, to be read there."""

    def push(self) -> None:
        """Take the state from the variables of the model, after they were set."""


def make_steps(model: keras.Model, example: Batch, *, at_once: int) -> Steps:
    """The steps of a model, on the devices at hand.

    Args:
        model: Compiled. Every variable that a step would make is made now, those of the metrics
            and the optimizer too, so that a state can be put back before the first step.
        example: A batch of one row.
        at_once: Batches that may come by one call.
    """
    model.optimizer.build(model.trainable_variables)
    if keras.backend.backend() == "jax":
        from components.train.loop.jax_steps import JaxSteps, build_metrics

        build_metrics(model, example)
        return JaxSteps(model)
    from components.train.loop.tensorflow_steps import TensorFlowSteps

    model.test_step(example)
    model.reset_metrics()
    return TensorFlowSteps(model, at_once=at_once)
