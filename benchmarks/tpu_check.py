"""Make the table of docs/tpu.md: what a train step of each network needs of a TPU that is not here.

`python -m benchmarks.tpu_check` compiles for v5e:2x2, one network at a time, in hours on two cores;
`--results FILE` keeps what was found, so that it can be stopped and go on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from components.common.progress import shown_by
from components.train.architectures import ARCHITECTURES
from components.train.tpu_check.process import check_elsewhere
from components.train.tpu_check.report import Finding, Request, load_finding

COLUMNS = (
    "network",
    "pixels",
    "parameters",
    "GFLOP a step",
    "GB moved a step",
    "HBM a chip, GiB",
    "images/s at most, FLOPs",
    "images/s, HBM",
    "largest batch",
)


def row(finding: Finding) -> str:
    """One line of the table; totals are of all chips."""
    request, cost = finding.request, finding.cost
    cells = [f"`{request.architecture}`", f"{request.image_size}", f"{finding.num_parameters:,}"]
    if cost:
        chips = request.slice.num_chips
        cells += [f"{cost.flops * chips / 1e9:,.1f}", f"{cost.bytes_accessed * chips / 1e9:,.1f}"]
        cells += [f"{finding.needed_gib:.2f}"]
        bounds = finding.flops_bound, finding.bandwidth_bound
        cells += [f"{float(f'{bound:.3g}'):,.0f}" for bound in bounds]
    else:
        cells += ["", "", f"does not fit ({finding.needed_gib:.1f})", "", ""]
    more = "" if finding.too_large else "at least "
    largest = finding.largest_batch or (request.global_batch if finding.fits else 0)
    cells += [f"{more}{largest:,}" if largest else "none"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="What train steps need of a TPU.")
    parser.add_argument("--topology", default="v5e:2x2")
    parser.add_argument("--global-batch", type=int, default=256)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--no-search", action="store_true", help="for no larger batches that fit")
    parser.add_argument("--results", type=Path, help="a file that keeps what was found, as JSON")
    options = parser.parse_args()
    kept = options.results
    lines = kept.read_text().splitlines() if kept and kept.is_file() else []
    known = {found.request: found for found in map(load_finding, map(json.loads, lines))}
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    for name in ARCHITECTURES:
        if options.only not in name:
            continue
        request = Request(
            architecture=name,
            global_batch=options.global_batch,
            topology=options.topology,
            largest_batch=not options.no_search,
        )
        if request not in known:
            with shown_by(lambda _: None):
                known[request] = check_elsewhere(request)
            if kept:
                with kept.open("a") as file:
                    file.write(json.dumps(known[request].plain()) + "\n")
        print(row(known[request]), flush=True)


if __name__ == "__main__":
    main()
