"""Compiled specs, and the parameters that they declare. Light: imports neither kfp nor TensorFlow.

A pipeline's inputs are the one table of its parameters: the command line, the config file and the
UIs all read it from the compiled spec.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
KUBEFLOW, PLAIN = "kubeflow", "vertex"  # the plain one also runs on one machine
FILLED_IN = ("code_version", "dataset_fingerprint", "weights_fingerprint")  # by pawpetal itself

Value = str | int | float | bool

_TYPES: dict[str, type] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One input of a pipeline."""

    name: str
    type: type
    default: Value
    help: str

    def parse(self, value: object) -> Value:
        """Convert a value from a config file, without guessing.

        Raises:
            TypeError: If it has another type.
        """
        if self.type is float and type(value) is int:
            return float(value)
        if type(value) is not self.type:
            raise TypeError(
                f"`{self.name}` must be of type {self.type.__name__}. Received: {value!r}"
            )
        return value  # type: ignore[return-value]  # `type(value)` is one of `_TYPES`


def spec_path(pipeline: str, target: str) -> Path:
    """Where the compiled spec of a pipeline for a target is."""
    return FOLDER / f"{pipeline}.{target}.yaml"


def pipeline_names() -> tuple[str, ...]:
    """The pipelines that there are specs of, sorted."""
    suffix = f".{PLAIN}.yaml"
    return tuple(sorted(path.name.removesuffix(suffix) for path in FOLDER.glob(f"*{suffix}")))


@functools.cache
def parameters(pipeline: str) -> tuple[Parameter, ...]:
    """The inputs of a pipeline that people set, by name.

    Args:
        pipeline: Name of the pipeline, e.g. "train_and_push".
    """
    spec = _load(spec_path(pipeline, PLAIN))
    declared = spec["root"]["inputDefinitions"]["parameters"]
    read = {
        name: Parameter(
            name=name,
            type=_TYPES[fields["parameterType"]],
            default=_TYPES[fields["parameterType"]](fields["defaultValue"]),
            help=" ".join(fields["description"].split()),
        )
        for name, fields in declared.items()
        if name not in FILLED_IN
    }
    return tuple(read.values())


@functools.cache
def step_images(pipeline: str) -> tuple[str, ...]:
    """The images that the steps of a pipeline run in, sorted."""
    spec = _load(spec_path(pipeline, PLAIN))
    executors = spec["deploymentSpec"]["executors"].values()
    return tuple(sorted({executor["container"]["image"] for executor in executors}))


def step_names(pipeline: str) -> tuple[str, ...]:
    """The steps of a pipeline in an order in which they can run."""
    spec = _load(spec_path(pipeline, PLAIN))
    return tuple(_ordered_steps(spec, spec["root"]["dag"]["tasks"]))


def _ordered_steps(spec: dict[str, Any], tasks: dict[str, Any]) -> list[str]:
    waiting, ordered = dict(tasks), []
    while waiting:
        ready = next(
            name
            for name, task in waiting.items()
            if not set(task.get("dependentTasks", ())) & set(waiting)
        )
        component = spec["components"][waiting.pop(ready)["componentRef"]["name"]]
        inner = component.get("dag", {}).get("tasks")
        ordered += _ordered_steps(spec, inner) if inner else [ready]
    return ordered


def _load(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built
    return dict(yaml.load(path.read_text(), loader))  # noqa: S506  # both loaders are safe ones
