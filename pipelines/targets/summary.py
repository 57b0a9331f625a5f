"""What came of a run, put into its record the same way whatever it ran on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from components.common.scores import SCORES
from pipelines.runs import Run

_ERROR = re.compile(r"^(?P<type>[\w.]*(?:Error|Exception|Interrupt|Exit))(?:: (?P<message>.*))?$")


def add_scores(run: Run, scores: Mapping[str, Any]) -> None:
    """Record the scores of the test photos, and what the gate said to them.

    Args:
        run: Its parameters hold `min_accuracy`.
        scores: What evaluate found; `SCORES` and `num_photos` are taken.
    """
    run.metrics = {name: scores[name] for name in (*SCORES, "num_photos")}
    minimum = run.parameters["min_accuracy"]
    run.gate = {
        "min_accuracy": minimum,
        "accuracy": scores["accuracy"],
        "passed": scores["accuracy"] >= minimum,
    }


def add_model(run: Run, pushed: Mapping[str, Any]) -> None:
    """Record the registered version, as push tells of it."""
    run.model = {"name": pushed["model_name"], **pushed}
    del run.model["model_name"]


def skip_waiting_steps(run: Run) -> None:
    """Mark the steps that a finished run did not reach."""
    for step in run.steps:
        if step.status == "waiting":
            step.status = "skipped"


def last_error(lines: Iterable[str]) -> str | None:
    """The message of the last exception in a log, its module left out; None without one."""
    for line in reversed(list(lines)):
        if match := _ERROR.match(line.strip()):
            name = match["type"].rsplit(".", 1)[-1]
            is_ours = match["type"].startswith("components.")
            return (match["message"] or name) if is_ours else f"{name}: {match['message'] or ''}"
    return None
