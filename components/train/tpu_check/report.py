"""What a check is asked, and what it finds. Light."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from components.common.errors import InputError
from components.train.architectures import check_image_size, find_architecture
from components.train.tpu_check.topology import Topology, parse_topology

GIB = 2**30
MOST_BATCH = 4096  # that the train step takes; a larger one is looked for where it was asked for


@dataclass(frozen=True, kw_only=True)
class Request:
    """The train step that is asked for."""

    architecture: str
    global_batch: int  # photos a step, all chips together
    topology: str  # e.g. "v5e:2x2"
    image_size: int = 0  # pixels; 0 takes the usual
    num_classes: int = 5
    largest_batch: bool = False  # look for it where the one asked for fits, too

    def __post_init__(self) -> None:
        """Refuse what could not be compiled."""
        architecture = find_architecture(self.architecture)
        if not self.image_size:
            object.__setattr__(self, "image_size", architecture.image_size)
        check_image_size(architecture, self.image_size)
        num_chips = self.slice.num_chips
        if self.global_batch < 1 or self.global_batch % num_chips:
            raise InputError(
                f"`global_batch` must be a multiple of {num_chips}, the chips of {self.topology}:"
                f" each takes as many photos. Received: {self.global_batch}"
            )
        if self.num_classes < 2:
            raise InputError(f"`num_classes` must be at least 2. Received: {self.num_classes}")

    @property
    def slice(self) -> Topology:
        """The TPU."""
        return parse_topology(self.topology)


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What the compiler says of one step, a chip."""

    flops: float
    bytes_accessed: float  # read and written by all operations
    hbm_bytes: float  # that the program needs


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    request: Request
    num_parameters: int
    cost: StepCost | None  # None where the step does not fit
    needed_gib: float  # of HBM a chip; as far as the compiler came where it does not fit
    largest_batch: int | None = None  # that fits, where it was looked for
    too_large: int | None = None  # the smallest that was found not to

    @property
    def fits(self) -> bool:
        """Whether memory holds the step."""
        return self.cost is not None

    @property
    def flops_bound(self) -> float:
        """Images/s that no step exceeds, were arithmetic all that it did."""
        chip = self.request.slice.chip
        return self._images_per_s(self.cost.flops / chip.peak_flops) if self.cost else 0.0

    @property
    def bandwidth_bound(self) -> float:
        """Images/s, were moving all operands to and from HBM all that it did."""
        chip = self.request.slice.chip
        seconds = self.cost.bytes_accessed / chip.hbm_bytes_per_s if self.cost else 1.0
        return self._images_per_s(seconds) if self.cost else 0.0

    def _images_per_s(self, seconds_a_step: float) -> float:
        return self.request.global_batch / seconds_a_step

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it; `load_finding` reads it."""
        return asdict(self)


def load_finding(plain: dict[str, Any]) -> Finding:
    """Read what `Finding.plain` wrote."""
    cost = plain["cost"]
    return Finding(
        **{
            **plain,
            "request": Request(**plain["request"]),
            "cost": StepCost(**cost) if cost else None,
        }
    )
