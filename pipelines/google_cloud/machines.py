"""Which machine of Vertex AI an accelerator means, and whether the region has it.

The table is `machines.yaml`, with its sources. Light: nothing is asked of Google.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.common import images
from components.common.errors import InputError, unknown_name
from pipelines.accelerators import Accelerator

Row = Mapping[str, Any]  # of the table: an accelerator

TABLE = Path(__file__).with_name("machines.yaml")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A worker, in the words of Vertex AI's `MachineSpec`."""

    machine_type: str
    accelerator_type: str = ""  # of AcceleratorType, e.g. "NVIDIA_L4"; TPUs have none
    accelerator_count: int = 0
    tpu_topology: str = ""
    cpus: int
    memory_gib: float


def regions() -> tuple[str, ...]:
    """The regions with both custom training and pipelines, sorted."""
    return tuple(sorted(_table()["regions"]["names"]))


def check_region(region: str) -> None:
    """Refuse a region that trains nothing.

    Raises:
        InputError: If it is in no table, with the nearest one that is.
    """
    if region not in regions():
        raise unknown_name("region", region, regions())


def machine_of(accelerator: Accelerator, region: str) -> Machine:
    """Find the machine that trains.

    Args:
        accelerator: What training asks for.
        region: E.g. "us-central1".

    Raises:
        InputError: If Vertex AI does not know the region, does not offer the accelerator there or
            anywhere, or has no machine with as many.
    """
    check_region(region)
    if accelerator.image == images.TPU:
        return _tpu(accelerator, region)
    if accelerator.image == images.GPU:
        return _gpu(accelerator, region)
    return _machine(_table()["defaults"]["train"]["machine_type"])


def _tpu(accelerator: Accelerator, region: str) -> Machine:
    row = _offered("tpus", accelerator.type, region)
    machine_type = _of_size(row, accelerator.topology, f"TPU {accelerator.type}")
    return _machine(machine_type, tpu_topology=accelerator.topology)


def _gpu(accelerator: Accelerator, region: str) -> Machine:
    if not accelerator.type:
        raise InputError(
            "`accelerator` must name the type on Vertex AI, one of"
            f" {', '.join(_table()['accelerators']['gpus'])}. Received: a GPU of any type. Pass"
            " e.g. --accelerator gpu:nvidia-l4:1."
        )
    row = _offered("gpus", accelerator.type, region)
    machine_type = _of_size(row, accelerator.count, accelerator.type)
    return _machine(machine_type, accelerator_type=row["name"], accelerator_count=accelerator.count)


def _offered(kind: str, name: str, region: str) -> Row:
    """The row of an accelerator, if the region trains with it."""
    known: Mapping[str, Row] = _table()["accelerators"][kind]
    if name not in known:
        raise unknown_name("accelerator", name, known)
    row = known[name]
    if region not in row["regions"]:
        raise InputError(
            f"`region` must be one where Vertex AI trains with {name}: {', '.join(row['regions'])}."
            f" Received: '{region}', which has {_listed(_accelerators_in(region))}"
        )
    return row


def _accelerators_in(region: str) -> list[str]:
    table = _table()["accelerators"]
    gpus = [name for name, row in table["gpus"].items() if region in row["regions"]]
    return gpus + [f"TPU {name}" for name, row in table["tpus"].items() if region in row["regions"]]


def _of_size(row: Row, size: int | str, name: str) -> str:
    """The machine type that holds so many GPUs, or such a slice of a TPU."""
    machines: Mapping[int | str, str] = row["machines"]
    if size not in machines:
        raise InputError(
            f"`accelerator` must ask for {_listed(map(str, machines), 'or')} of {name}, which is"
            f" what machines of Vertex AI hold. Received: {size}"
        )
    return machines[size]


def _machine(machine_type: str, **accelerators: Any) -> Machine:
    size = _table()["machine_types"]["sizes"][machine_type]
    return Machine(machine_type=machine_type, **size, **accelerators)


def _listed(names: Iterable[str], word: str = "and") -> str:
    *others, last = list(names) or ["no accelerator"]
    return f"{', '.join(others)} {word} {last}" if others else last


@cache
def _table() -> Any:
    return yaml.safe_load(TABLE.read_text())


# What the steps run on, since they set no limits: Vertex AI's default. `train` is the launcher,
# which waits for the custom job.
STEP_MACHINES: Mapping[str, Machine] = dict.fromkeys(
    (
        "list_datasets",
        "ingest",
        "ingest_share",
        "split",
        "plan",
        "join",
        "augment",
        "train",
        "compare",
        "evaluate",
        "push",
    ),
    _machine(_table()["defaults"]["step"]["machine_type"]),
)
