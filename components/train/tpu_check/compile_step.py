"""The train step, compiled for chips that are not here.

Import it only in a process that `__main__` has prepared. No weight is made: shapes are enough.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental import topologies

from components.train.fitting import build_optimizer
from components.train.loop.jax_steps import (
    build_metrics,
    describe,
    jit_train_step,
    make_mesh,
    replicate,
    share_rows,
    state_variables,
)
from components.train.loss_weighting import PacedAdamW, build_weighting
from components.train.settings import TrainSettings
from components.train.tpu_check.report import GIB, Request, StepCost
from components.train.tpu_check.topology import Topology
from components.train.train import start_network
from components.train.two_output import TrainingModel

# Compiling for speed takes four times as long; FLOPs stay the same, and memory nearly so.
OPTIONS = {"exec_time_optimization_effort": -1.0}
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
NUM_STEPS = 1000  # of the schedule; any number gives the same program
# "... temporaries (49.62G) exceeds available HBM (15.75G)", "Used 20.12G of 15.75G hbm"
NEEDED = re.compile(r"([\d.]+)([KMGT])\)? (?:exceeds available HBM|of [\d.]+[KMGT] hbm)")


class DoesNotFitError(Exception):
    """Memory does not hold the step."""

    def __init__(self, needed_bytes: float) -> None:
        super().__init__(f"{needed_bytes / GIB:.2f} GiB")
        self.needed_bytes = needed_bytes


class StepCompiler:
    """Compiles the train step of one architecture, for any batch."""

    def __init__(self, request: Request) -> None:
        """Build the model, all of it to be trained, its optimizer and metrics.

        Args:
            request: Its global batch does not matter.
        """
        self._request = request
        self._mesh = make_mesh(find_devices(request.slice))
        self.model = build_model(request)
        with _without_values():
            build_metrics(self.model, make_batch(request, 1))

    @property
    def state_bytes(self) -> int:
        """Weights, moments and metrics, which each chip holds whole."""
        variables = [variable for part in state_variables(self.model) for variable in part]
        return sum(
            int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
            for variable in variables
        )

    def compile(self, global_batch: int) -> StepCost:
        """Compile it.

        Args:
            global_batch: Photos a step, a multiple of the chips.

        Raises:
            DoesNotFitError: If HBM does not hold the program.
        """
        step = jit_train_step(self.model, self._mesh)
        with _without_values():
            lowered = step.lower(self._describe_state(), self._describe_batch(global_batch))
        try:
            compiled = lowered.compile(compiler_options=OPTIONS)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise DoesNotFitError(_needed(str(error))) from error
        cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
        return StepCost(
            flops=float(cost["flops"]),
            bytes_accessed=float(cost["bytes accessed"]),
            hbm_bytes=(
                memory.argument_size_in_bytes
                + memory.output_size_in_bytes
                - memory.alias_size_in_bytes  # outputs that lie where their arguments were
                + memory.temp_size_in_bytes
                + memory.generated_code_size_in_bytes
            ),
        )

    def _describe_state(self) -> tuple[list[Any], ...]:
        sharding = replicate(self._mesh)
        return tuple(
            [describe(variable.shape, variable.dtype, sharding) for variable in part]
            for part in state_variables(self.model)
        )

    def _describe_batch(self, global_batch: int) -> Any:
        sharding = share_rows(self._mesh, global_batch)
        return jax.tree.map(
            lambda row: describe((global_batch, *row.shape[1:]), row.dtype, sharding),
            make_batch(self._request, 1),
        )


def find_devices(topology: Topology) -> list[Any]:
    """The chips of a slice, as the compiler knows them."""
    described = topologies.get_topology_desc(
        platform="tpu",
        topology_name=topology.name,
        chips_per_host_bounds=[*topology.sides, 1],
    )
    return list(described.devices)


def build_model(request: Request) -> keras.Model:
    """Build the model as the train step does on a TPU, with its optimizer.

    Args:
        request: Which.
    """
    settings = TrainSettings(
        architecture=request.architecture,
        weights="none",  # all of it is trained
        image_size=request.image_size,
        max_memory_gib=0,
    ).resolved(num_replicas=request.slice.num_chips, on_tpu=True)
    classes = tuple(f"class {number}" for number in range(request.num_classes))
    fitted = settings.fit_settings(epochs=1, learning_rate=settings.learning_rate)
    has_place = settings.find_architecture().has_place
    optimizer = build_optimizer(
        fitted, num_steps=NUM_STEPS, made_by=PacedAdamW if has_place else None
    )
    with _without_values():
        network, _ = start_network(settings, classes)
        model = network.assemble(mirror_averaging=False)
        if has_place:
            weighting = build_weighting(settings.loss_weighting, settings.alpha)
            model = TrainingModel(model, weighting)
            model.compile(optimizer)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy()
            model.compile(optimizer, loss=loss, metrics=["accuracy"])
        optimizer.build(model.trainable_variables)
    return model


def make_batch(request: Request, num_rows: int) -> tuple[Any, ...]:
    """A batch of the shapes and types that training has.

    Args:
        request: Which network.
        num_rows: Photos.
    """
    settings = TrainSettings(architecture=request.architecture)
    size = request.image_size
    photos = np.zeros((num_rows, size, size, 3), np.float32)
    labels = np.zeros(num_rows, np.int32)
    if settings.find_architecture().has_place:
        return photos, {"class": labels, "place": np.zeros((num_rows, 4), np.float32)}
    return photos, labels


def _without_values() -> AbstractContextManager[Any]:
    """Make variables without values: computing them would take longer than all else."""
    scope: AbstractContextManager[Any] = keras.StatelessScope(initialize_variables=False)
    return scope


def _needed(message: str) -> float:
    """Bytes that a program needs, as the compiler says where they are too many."""
    found = NEEDED.search(message)
    return float(found[1]) * UNITS[found[2]] if found else float("inf")
