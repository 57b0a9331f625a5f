"""What an hour of a machine costs on Vertex AI, from a table with its sources.

The table is `prices.yaml`; a file of the same form replaces what it names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import InputError, unknown_name
from pipelines.google_cloud.machines import Machine, regions

TABLE = Path(__file__).with_name("prices.yaml")
FALLBACK = "us-central1"  # whose prices stand in for those of regions without an entry
HOURLY = ("machines", "accelerators")  # blocks of prices by name and region
NUMBERS = {  # the other blocks, and the one number that each holds
    "spot": "share",
    "management_fee": "share",
    "pipeline_run": "usd",
    "boot_disk": "usd_an_hour",
}
SAID = ("source", "read")  # by every block
MOST_LETTERS = 80  # of a file's content that an error repeats

Pair = tuple[float, float | None]  # an hour on demand, and spot where that is known
ByRegion = Mapping[str, Pair]


@dataclass(frozen=True, kw_only=True)
class Rate:
    """An hour of a machine, and what was assumed for it."""

    usd: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The table, all amounts in USD."""

    machines: Mapping[str, ByRegion]
    accelerators: Mapping[str, ByRegion]
    spot_share: float
    management_fee: float
    pipeline_run: float
    boot_disk: float  # an hour
    read: str  # when, and in which file if not in ours

    def hour(self, machine: Machine, region: str, *, spot: bool = False) -> Rate:
        """What an hour of a machine costs, its accelerators, disk and Vertex AI's fee included.

        Args:
            machine: With its accelerators.
            region: Where it runs.
            spot: Whether it is a spot machine; the fee is that of one on demand.

        Raises:
            InputError: If the machine has no price anywhere.
        """
        parts = [(_find("machines", machine.machine_type, self.machines), 1)]
        if machine.accelerator_type in self.accelerators:
            attached = self.accelerators[machine.accelerator_type]
            parts.append((attached, machine.accelerator_count))
        pairs = [(by_region.get(region, by_region[FALLBACK]), count) for by_region, count in parts]
        on_demand = sum(pair[0] * count for pair, count in pairs)
        paid = sum(self._spot(pair) * count for pair, count in pairs) if spot else on_demand
        fee = self.management_fee * (on_demand + self.boot_disk)
        notes = []
        if any(region not in by_region for by_region, _ in parts):
            notes.append(f"has no price for {region}: {FALLBACK}'s is taken.")
        if spot and any(pair[1] is None for pair, _ in pairs):
            share = f"{self.spot_share:.0%} of its price on demand is taken."
            notes.append(f"has no known spot price: {share}")
        return Rate(
            usd=paid + self.boot_disk + fee,
            notes=tuple(f"{machine.machine_type} {note}" for note in notes),
        )

    def _spot(self, pair: Pair) -> float:
        on_demand, spot = pair
        return self.spot_share * on_demand if spot is None else spot


def load_prices(path: str = "") -> Prices:
    """Read the prices.

    Args:
        path: File of the same form as `prices.yaml`, with the blocks and entries that differ from
            it; empty takes the table as it is.

    Raises:
        InputError: If the file cannot be read, or has another form.
    """
    table = _check(_read(TABLE), TABLE.name)
    read = f"read {table['machines']['read']}"
    if path:
        table = _merge(table, _check(_read(Path(path)), path))
        read = f"{read}, replaced by {path} where it names one"
    for block in HOURLY:
        for name, by_region in table[block]["prices"].items():
            if FALLBACK not in by_region:
                raise _refuse(path, f"{block}.prices.{name}", f"have {FALLBACK}", list(by_region))
    return Prices(
        **{block: table[block]["prices"] for block in HOURLY},
        spot_share=table["spot"]["share"],
        management_fee=table["management_fee"]["share"],
        pipeline_run=table["pipeline_run"]["usd"],
        boot_disk=table["boot_disk"]["usd_an_hour"],
        read=read,
    )


def _find(block: str, name: str, known: Mapping[str, ByRegion]) -> ByRegion:
    if name not in known:
        raise InputError(
            f"`prices` must have every machine of the run in its block {block}. Received: none for"
            f" '{name}'. Pass --prices FILE with one."
        )
    return known[name]


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(
            f"`prices` must be a file that can be read. Received: '{path}': {error.strerror}"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise InputError(f"`prices` must be YAML. Received: '{path}': {reason}") from error


def _merge(table: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The table with what another has instead, entry by entry."""
    merged = dict(table)
    for key, value in other.items():
        inner = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if inner else value
    return merged


def _check(table: Any, path: str) -> dict[str, Any]:
    """The table, with each price as a pair, if it has the form of ours."""
    if not isinstance(table, dict):
        raise _refuse(path, "the file", f"be blocks of {', '.join((*HOURLY, *NUMBERS))}", table)
    return {block: _check_block(block, content, path) for block, content in table.items()}


def _check_block(block: str, content: Any, path: str) -> dict[str, Any]:
    if block not in (*HOURLY, *NUMBERS):
        raise unknown_name(f"block of prices in {path}", block, (*HOURLY, *NUMBERS))
    held = NUMBERS.get(block, "prices")
    if not isinstance(content, dict) or set(content) != {*SAID, held}:
        received = sorted(content) if isinstance(content, dict) else content
        raise _refuse(path, block, f"have {', '.join((*SAID, held))}", received)
    if block in NUMBERS:
        return {**content, held: _amount(content[held], f"{block}.{held}", path)}
    if not isinstance(content[held], dict):
        raise _refuse(path, f"{block}.{held}", "name machines or accelerators", content[held])
    prices = {
        name: _by_region(by_region, f"{block}.{held}.{name}", path)
        for name, by_region in content[held].items()
    }
    return {**content, held: prices}


def _by_region(by_region: Any, place: str, path: str) -> dict[str, Pair]:
    if not isinstance(by_region, dict) or not by_region:
        raise _refuse(path, place, "be prices by region", by_region)
    for region in by_region:
        if region not in regions():
            raise unknown_name(f"{place} in {path}", region, regions())
    return {region: _pair(pair, f"{place}.{region}", path) for region, pair in by_region.items()}


def _pair(pair: Any, place: str, path: str) -> Pair:
    if not isinstance(pair, list) or len(pair) != 2:
        raise _refuse(path, place, "be [on demand, spot], spot null where it is not known", pair)
    on_demand, spot = pair
    return _amount(on_demand, place, path), None if spot is None else _amount(spot, place, path)


def _amount(value: Any, place: str, path: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and value >= 0):
        raise _refuse(path, place, "be 0 or more", value)
    return float(value)


def _refuse(path: str, place: str, wanted: str, received: Any) -> InputError:
    said = str(received)
    if len(said) > MOST_LETTERS:
        said = f"{said[:MOST_LETTERS]}..."
    return InputError(f"`prices` in {path}: {place} must {wanted}. Received: {said}")
