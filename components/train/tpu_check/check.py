"""The check: compile, and where it does not fit, find the largest batch that does."""

from __future__ import annotations

from components.common.progress import report
from components.train.tpu_check.compile_step import DoesNotFitError, StepCompiler
from components.train.tpu_check.report import GIB, MOST_BATCH, Finding, Request, StepCost
from components.train.tpu_check.search import find_largest_batch


def check(request: Request) -> Finding:
    """Compile the train step, and say what it needs.

    Args:
        request: The step.
    """
    compiler = StepCompiler(request)
    available = request.slice.chip.hbm_gib * GIB
    costs: dict[int, StepCost] = {}  # of batches that fit

    def measure(batch: int) -> float:
        report(f"compiling for {request.topology}, {batch:,} photos a step")
        try:
            cost = compiler.compile(batch)
        except DoesNotFitError as error:
            return error.needed_bytes
        if cost.hbm_bytes <= available:
            costs[batch] = cost
        return cost.hbm_bytes

    asked = request.global_batch
    needed = measure(asked)
    largest, too_large = None, None
    if request.largest_batch or asked not in costs:
        largest, too_large = find_largest_batch(
            measure,
            {0: compiler.state_bytes, asked: needed},
            available=available,
            step=request.slice.num_chips,
            most=max(asked, MOST_BATCH),
        )
    return Finding(
        request=request,
        num_parameters=compiler.model.count_params(),
        cost=costs.get(asked),
        needed_gib=needed / GIB,
        largest_batch=largest,
        too_large=too_large,
    )
