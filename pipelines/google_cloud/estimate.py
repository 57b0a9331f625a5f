"""What a run on Vertex AI takes, in time and money: an estimate before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.common.errors import InputError, unknown_name
from pipelines.google_cloud.durations import CPU_SHARE, UTILISATION
from pipelines.google_cloud.machines import STEP_MACHINES, Machine
from pipelines.google_cloud.prices import Prices, load_prices
from pipelines.google_cloud.tasks import Chain, Task, count_photos, find_stages
from pipelines.specs import parameters, pipeline_names

# Of each step and of the custom job, for a machine and its image; assumed. The job in Google's
# example starts 228 s after it was created (.../machine-learning/training/use-spot-vms).
STARTUP_S = 240.0
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run that is to be estimated."""

    pipeline: str
    arguments: Mapping[str, Any]  # of the pipeline; those left out take their default
    machine: Machine  # that trains
    region: str
    spot: bool = False  # whether that machine is a spot one
    num_photos: int = 0  # of all datasets together; 0: what is known of them
    num_workers: int = 1  # tasks that share the work of each ingest

    def __post_init__(self) -> None:
        """Refuse fewer photos than none.

        Raises:
            InputError: If `num_photos` is below 0.
        """
        if self.num_photos < 0:
            raise InputError(
                "`num_photos` must be 0 or more, 0 for what is known of the datasets. Received:"
                f" {self.num_photos}"
            )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of step."""

    step: str
    machine: str
    seconds: float  # that are paid for, of all of its kind together
    usd: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The steps of a run, and what was assumed."""

    rows: tuple[Row, ...]
    total_seconds: float  # from start to end: less than the sum where steps run side by side
    total_usd: float
    assumptions: tuple[str, ...]


@dataclass(kw_only=True)
class _Bill:
    """Adds tasks up, those of one name in one row."""

    request: Request
    prices: Prices
    rows: dict[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, task: Task) -> None:
        seconds = STARTUP_S + task.seconds
        if task.trains:
            self._add("train, launcher", STEP_MACHINES["train"], STARTUP_S + seconds)
            self._add(task.step, self.request.machine, seconds, spot=self.request.spot)
        else:
            self._add(task.step, STEP_MACHINES[task.step], seconds)

    def _add(self, step: str, machine: Machine, seconds: float, *, spot: bool = False) -> None:
        rate = self.prices.hour(machine, self.request.region, spot=spot)
        self.notes += [note for note in rate.notes if note not in self.notes]
        before = self.rows.get(step)
        self.rows[step] = Row(
            step=step,
            machine=_describe(machine, spot=spot),
            seconds=seconds + (before.seconds if before else 0),
            usd=seconds / HOUR * rate.usd + (before.usd if before else 0),
        )


def estimate(request: Request, prices: Prices | None = None) -> Estimate:
    """Estimate a run.

    Args:
        request: The run.
        prices: `load_prices()` where not given.

    Raises:
        InputError: If the pipeline is unknown, an argument cannot work, or a machine has no price.
    """
    prices = prices or load_prices()
    pipeline = request.pipeline.replace("-", "_")
    if pipeline not in pipeline_names():
        raise unknown_name("pipeline", request.pipeline, pipeline_names())
    defaults = {parameter.name: parameter.default for parameter in parameters(pipeline)}
    arguments = defaults | dict(request.arguments)
    counts, said = count_photos(arguments, request.num_photos)
    stages = find_stages(
        pipeline, arguments, counts, request.machine, num_workers=request.num_workers
    )
    bill = _Bill(request=request, prices=prices)
    for stage in stages:
        for chain in stage:
            for task in chain:
                bill.add(task)
    rows = (
        *bill.rows.values(),
        Row(step="pipeline run", machine="", seconds=0, usd=prices.pipeline_run),
    )
    return Estimate(
        rows=rows,
        total_seconds=sum(max(map(_elapsed, stage)) for stage in stages),
        total_usd=sum(row.usd for row in rows),
        assumptions=(*said, *_assumptions(request, prices), *bill.notes),
    )


def render(estimated: Estimate) -> list[str]:
    """Lay an estimate out for a terminal: a line a row, a total, and what was assumed."""
    total = ("in all", "", _duration(estimated.total_seconds), _usd(estimated.total_usd))
    table = [
        ("step", "machine", "time", "USD"),
        *((row.step, row.machine, _duration(row.seconds), _usd(row.usd)) for row in estimated.rows),
        total,
    ]
    first, second, third, fourth = (max(map(len, column)) for column in zip(*table, strict=True))
    lines = [
        f"{step:<{first}}  {machine:<{second}}  {time:>{third}}  {usd:>{fourth}}"
        for step, machine, time, usd in table
    ]
    return [
        *lines,
        "",
        "Estimated, not measured:",
        *(f"- {text}" for text in estimated.assumptions),
    ]


def _assumptions(request: Request, prices: Prices) -> list[str]:
    machine = request.machine
    said = [f"Each step, and the custom job, starts for {STARTUP_S:g} s, and all of it is paid."]
    if machine.accelerator_type or machine.tpu_topology:
        said.append(
            f"Training was never measured there: {UTILISATION:.0%} of the bound by arithmetic and"
            " memory, and not faster than its CPUs prepare photos."
        )
    else:
        said.append(
            "Training takes the core seconds measured on 2 cores of an AMD EPYC, on"
            f" {CPU_SHARE:.0%} of {machine.cpus} vCPUs."
        )
    if machine.accelerator_count > 1:
        said.append(f"One of {machine.accelerator_count} GPUs trains; all of them are paid for.")
    if request.spot:
        said.append("No time is lost to machines that are taken away.")
    said.append("No step comes from the cache, fails, or waits for a free machine or quota.")
    said.append(
        "Photos come as fast as from a bucket that was emulated here: no download is counted."
    )
    said.append(f"Prices: {prices.read}, without Cloud Storage, network, logs, registry and taxes.")
    return said


def _elapsed(chain: Chain) -> float:
    return sum(STARTUP_S * (2 if task.trains else 1) + task.seconds for task in chain)


def _describe(machine: Machine, *, spot: bool) -> str:
    parts = [machine.machine_type]
    if machine.accelerator_type:
        parts.append(f"{machine.accelerator_count} x {machine.accelerator_type}")
    if machine.tpu_topology:
        parts.append(machine.tpu_topology)
    return ", ".join([*parts, "spot"] if spot else parts)


def _duration(seconds: float) -> str:
    """E.g. "42 s", "12 min" or "3 h 05 min"; nothing for nothing."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s" if seconds else ""
    minutes = round(seconds / MINUTE)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _usd(usd: float) -> str:
    return f"{usd:,.2f}"
