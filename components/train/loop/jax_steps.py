"""Steps under JAX: data parallelism over all devices of the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from components.train.loop.steps import Batch

AXIS = "batch"  # of the mesh: the devices share the rows of each batch
State = tuple[list[Any], ...]  # variables that are trained, others, the optimizer's, the metrics'


def make_mesh(devices: Sequence[Any]) -> Mesh:
    """Put devices in one row.

    Args:
        devices: Of JAX, or of a TPU topology that is not here.
    """
    return Mesh(np.array(devices), (AXIS,))


def replicate(mesh: Mesh) -> NamedSharding:
    """How variables lie: all on each device."""
    return NamedSharding(mesh, _split())


def share_rows(mesh: Mesh, num_rows: int) -> NamedSharding:
    """How a batch lies: each device has as many rows, or, where they don't divide, all of them.

    Args:
        mesh: The devices.
        num_rows: Of the batch.
    """
    return NamedSharding(mesh, _split(AXIS) if num_rows % mesh.size == 0 else _split())


def _split(*axes: str) -> PartitionSpec:
    return PartitionSpec(*axes)  # type: ignore[no-untyped-call]  # of JAX


def jit_train_step(model: keras.Model, mesh: Mesh) -> Any:
    """The step that trains, to be called, or lowered for devices that are not here.

    Args:
        model: Compiled and built, its optimizer too.
        mesh: The devices.

    Returns:
        A jitted function of the state (trained variables, others, the optimizer's, the metrics',
        each a list of arrays) and a batch to the next state. The buffers of the state are donated.
    """

    def step(state: State, batch: Any) -> Any:
        return model.train_step(state, batch)[1]

    return jax.jit(step, donate_argnums=0, out_shardings=replicate(mesh))


def build_metrics(model: keras.Model, batch: Any) -> None:
    """Make the variables of the metrics, which Keras makes when it first sees a batch.

    Nothing is computed of the network itself: its output is ones of the right shape.

    Args:
        model: Compiled.
        batch: Inputs and labels, and weights where there are; one row does.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if not model.built:
        model.build(x.shape)
    state = (_shapes(model.trainable_variables), _shapes(model.non_trainable_variables))
    predicted, _ = jax.eval_shape(model.stateless_call, *state, x)
    ones = jax.tree.map(lambda one: np.ones(one.shape, one.dtype), predicted)
    model.compute_loss(x=x, y=y, y_pred=ones, sample_weight=weights)
    model.compute_metrics(x, y, ones, sample_weight=weights)
    model.reset_metrics()


class JaxSteps:
    """Steps under JAX; the state lives on the devices, all of it on each.

    Each device computes its rows of a batch; sums over the batch (loss, gradients, the statistics
    of batch normalisation, metrics) are over all rows, so that results do not depend on the number
    of devices. A batch that they don't divide is computed whole by each of them: exact, too, at the
    price of one more compilation for that size, and of no gain from the devices.

    While the state lives there, the variables of the model hold a copy on the host as of the last
    `pull` or `push`: readable at any time, and no weight of a TPU's memory.
    """

    def __init__(self, model: keras.Model) -> None:
        """Put the state on the devices.

        Args:
            model: Compiled; its optimizer and metrics are built.
        """
        self._model = model
        self._mesh = make_mesh(jax.devices())
        self._host = jax.local_devices(backend="cpu")[0]
        self._train = jit_train_step(model, self._mesh)
        self._evaluate = jax.jit(
            lambda state, batch: model.test_step(state, batch)[1],
            donate_argnums=0,
            out_shardings=replicate(self._mesh),
        )
        self._state: State = ()
        self.push()

    def train(self, batches: Sequence[Batch]) -> None:
        """Take one step a batch."""
        for batch in batches:
            self._state = self._train(self._state, self._place(batch))

    def evaluate(self, batch: Batch) -> None:
        """Add a batch to the metrics."""
        trained, others, optimizer, metrics = self._state
        trained, others, metrics = self._evaluate((trained, others, metrics), self._place(batch))
        self._state = (trained, others, optimizer, metrics)

    def metrics(self) -> dict[str, float]:
        """The metrics so far."""
        self._read(self._model.metrics_variables, self._state[-1])
        return {name: float(value) for name, value in self._model.get_metrics_result().items()}

    def reset_metrics(self) -> None:
        """Forget them."""
        self._model.reset_metrics()
        self._state = (*self._state[:-1], self._write(self._model.metrics_variables))

    def pull(self) -> None:
        """Bring the state into the variables of the model."""
        for variables, values in zip(state_variables(self._model), self._state, strict=True):
            self._read(variables, values)

    def push(self) -> None:
        """Take the state from the variables of the model."""
        self._state = tuple(map(self._write, state_variables(self._model)))

    def _place(self, batch: Batch) -> Any:
        num_rows = len(jax.tree.leaves(batch)[0])
        return jax.device_put(batch, share_rows(self._mesh, num_rows))

    def _write(self, variables: list[keras.Variable]) -> list[jax.Array]:
        """Copy variables to the devices, and leave what they hold on the host."""
        state = []
        for variable in variables:
            value = np.array(variable.value)
            self._assign(variable, value)
            # Copies, since a donated buffer dies: none may be shared with a variable.
            state.append(jax.device_put(value, replicate(self._mesh), may_alias=False))
        return state

    def _read(self, variables: list[keras.Variable], values: list[jax.Array]) -> None:
        for variable, value in zip(variables, values, strict=True):
            self._assign(variable, np.array(value))

    def _assign(self, variable: keras.Variable, value: np.ndarray) -> None:
        with jax.default_device(self._host):
            variable.assign(value)


def state_variables(model: keras.Model) -> tuple[list[keras.Variable], ...]:
    """The variables of a model's state, in the order that its steps take them.

    Args:
        model: Compiled; its optimizer and metrics are built.
    """
    return (
        model.trainable_variables,
        model.non_trainable_variables,  # the states of random generators among them
        model.optimizer.variables,
        model.metrics_variables,
    )


def describe(shape: tuple[int, ...], dtype: Any, sharding: NamedSharding | None = None) -> Any:
    """An array without its values, for lowering."""
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)  # type: ignore[no-untyped-call]


def _shapes(variables: list[keras.Variable]) -> list[Any]:
    return [describe(variable.shape, variable.dtype) for variable in variables]
