"""One setting for what trains: `none`, `gpu:nvidia-l4:1` or `tpu:v5e:2x2`, on every target."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common import images
from components.common.errors import InputError

# Slices that one host holds, since a step is one pod on one host: topology to chips.
TOPOLOGIES = {"1x1": 1, "2x2": 4, "2x4": 8}
# As GKE labels the nodes that have them.
TPUS = {"v5e": "tpu-v5-lite-podslice", "v6e": "tpu-v6e-slice"}
ANY = "any"  # a GPU of whatever type the cluster has

_GPU = re.compile(r"gpu:(?P<type>[a-z0-9-]+):(?P<count>[1-9]\d?)")
_TPU = re.compile(r"tpu:(?P<generation>\w+):(?P<topology>\d+x\d+)")


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """What a step that trains asks for."""

    image: str  # which of ours runs on it
    resource: str = ""  # Kubernetes' name of it; empty for none
    count: int = 0
    type: str = ""  # e.g. "nvidia-l4" or "v5e"; empty for any
    topology: str = ""  # of TPU chips


NONE = Accelerator(image=images.CPU)


# What each image trains on: nobody pays for an accelerator that waits while the CPU trains.
DEVICES = {
    images.CPU: ("auto", "cpu"),
    images.GPU: ("auto", "gpu"),
    images.TPU: ("auto", "tpu"),
}


def check_device_of(accelerator: Accelerator, arguments: Mapping[str, Any]) -> None:
    """Refuse a device that the image of the training step cannot have.

    Args:
        accelerator: What the step asks for.
        arguments: Value of each input of the pipeline.

    Raises:
        InputError: If they contradict each other.
    """
    device, num_replicas = arguments["device"], arguments["num_replicas"]
    most_replicas = accelerator.count if accelerator.image == images.TPU else 1
    if device not in DEVICES[accelerator.image] or num_replicas > most_replicas:
        raise InputError(
            f"`device` {device} with `num_replicas` {num_replicas} must be what `accelerator`"
            f" gives. Received: an accelerator that takes the image {accelerator.image}. Leave both"
            " out, or pass e.g. --accelerator tpu:v5e:2x2 on a cluster."
        )


def parse_accelerator(setting: str) -> Accelerator:
    """Read the setting.

    Args:
        setting: `none`, `gpu:TYPE:COUNT` (TYPE as GKE and Vertex AI name it, or `any`) or
            `tpu:GENERATION:TOPOLOGY`.

    Raises:
        InputError: If it has another form, or names a TPU slice that one host does not hold.
    """
    if setting == "none":
        return NONE
    if match := _GPU.fullmatch(setting):
        kind = "" if match["type"] == ANY else match["type"]
        return Accelerator(
            image=images.GPU, resource="nvidia.com/gpu", count=int(match["count"]), type=kind
        )
    if match := _TPU.fullmatch(setting):
        return _tpu(match["generation"], match["topology"])
    raise InputError(
        "`accelerator` must be none, gpu:TYPE:COUNT (e.g. gpu:nvidia-l4:1, or gpu:any:1) or"
        f" tpu:GENERATION:TOPOLOGY (e.g. tpu:v5e:2x2). Received: '{setting}'"
    )


def _tpu(generation: str, topology: str) -> Accelerator:
    if generation not in TPUS:
        raise InputError(
            f"`accelerator` must name a TPU generation of {', '.join(TPUS)}."
            f" Received: '{generation}'"
        )
    if topology not in TOPOLOGIES:
        chips = math.prod(int(side) for side in topology.split("x"))
        raise InputError(
            f"`accelerator` must name a slice that one host holds, {', '.join(TOPOLOGIES)}, since a"
            f" step is one pod. Received: '{topology}', {chips} chips"
        )
    return Accelerator(
        image=images.TPU,
        resource="google.com/tpu",
        count=TOPOLOGIES[topology],
        type=generation,
        topology=topology,
    )
