"""The record of a run: begun and completed the same way whatever it runs on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from components.common.scores import SCORES
from pipelines.runs import Run, RunFolder, Step, now
from pipelines.specs import FILLED_IN, step_names

_ERROR = re.compile(r"^(?P<type>[\w.]*(?:Error|Exception|Interrupt|Exit))(?:: (?P<message>.*))?$")


def begin(folder: RunFolder, pipeline: str, target: str, arguments: Mapping[str, Any]) -> Run:
    """Make the record of a run whose steps all wait, and save it.

    Args:
        folder: Of the run.
        pipeline: Name of the pipeline, e.g. "train_and_push".
        target: Name of the target.
        arguments: Value of each input of the pipeline.
    """
    run = Run(
        run_id=folder.path.name,
        pipeline=pipeline,
        target=target,
        started_at=now(),
        parameters={key: value for key, value in arguments.items() if key not in FILLED_IN},
        steps=[Step(name=name) for name in step_names(pipeline)],
    )
    folder.save(run)
    return run


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


def add_findings(run: Run, report: Mapping[str, Any]) -> None:
    """Record how much was found in the photos, as the data report tells of it."""
    severities = Counter(finding["severity"] for finding in report["findings"])
    run.findings = {name: severities[name] for name in ("error", "warning", "note")}


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
