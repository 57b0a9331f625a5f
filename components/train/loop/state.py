"""The whole state of a model in training: what has to come back for training to go on as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from components.common.errors import TrainingError

STATE = "state"


def variables_of(model: keras.Model) -> list[keras.Variable]:
    """All that a step changes, each once, in an order that building the model again repeats.

    Weights, random seeds and metrics of the model; step count, learning rate and moments of the
    optimizer, and the moving average of the weights where it keeps one.
    """
    found = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return list({id(variable): variable for variable in found}.values())


def read_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Copy the state, one array a variable."""
    values = [keras.ops.convert_to_numpy(variable.value) for variable in variables_of(model)]
    return name_arrays(STATE, values)


def write_state(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put a state back.

    Raises:
        TrainingError: If it is of another model.
    """
    variables = variables_of(model)
    saved = arrays_named(STATE, arrays)
    if [array.shape for array in saved] != [tuple(variable.shape) for variable in variables]:
        raise TrainingError(
            f"The checkpoint must be of this very network. Received: {len(saved)} arrays for"
            f" {len(variables)} variables, or others. Delete it, and run again."
        )
    for variable, array in zip(variables, saved, strict=True):
        variable.assign(array)


def name_arrays(prefix: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Names that keep the order of arrays."""
    return {f"{prefix}/{number}": array for number, array in enumerate(arrays)}


def arrays_named(prefix: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays that were named so, in their order."""
    number = sum(name.startswith(f"{prefix}/") for name in arrays)
    return [arrays[f"{prefix}/{place}"] for place in range(number)]
