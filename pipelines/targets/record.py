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


def next_step(run: Run, name: str) -> Step:
    """The step of that name that begins now.

    The steps of a loop are named once in the spec; from its second turn on each is a new step of
    the record, named "train-2" and so on, after those that the loop had before.
    """
    turns = [step for step in run.steps if re.fullmatch(rf"{re.escape(name)}(-\d+)?", step.name)]
    if turns[-1].status == "waiting":
        return turns[-1]
    step = Step(name=f"{name}-{len(turns) + 1}")
    run.steps.insert(run.steps.index(_last_of_loop(run)) + 1, step)
    return step


def _last_of_loop(run: Run) -> Step:
    """The step that was begun last."""
    return next(step for step in reversed(run.steps) if step.status != "waiting")


def add_scores(run: Run, scores: Mapping[str, Any]) -> None:
    """Record the scores of the test photos, and what the gates said to them.

    Args:
        run: Its parameters hold `min_accuracy` and, where the champion must be beaten, `min_gain`.
        scores: What evaluate found; `SCORES`, `num_photos` and `gain` are taken.
    """
    run.metrics = {name: scores[name] for name in (*SCORES, "num_photos")}
    minimum = run.parameters["min_accuracy"]
    run.gate = {
        "min_accuracy": minimum,
        "accuracy": scores["accuracy"],
        "passed": scores["accuracy"] >= minimum,
    }
    if "min_gain" in run.parameters:
        least, gain = run.parameters["min_gain"], scores["gain"]
        run.gate |= {"min_gain": least, "gain": gain}
        run.gate["passed"] = run.gate["passed"] and gain >= least


def add_findings(run: Run, reports: Iterable[Mapping[str, Any]]) -> None:
    """Record how much was found in the photos, as the data reports tell of it."""
    severities = Counter(
        finding["severity"] for report in reports for finding in report["findings"]
    )
    run.findings = {name: severities[name] for name in ("error", "warning", "note")}


def add_best(run: Run, best: Mapping[str, Any], num_candidates: int) -> None:
    """Record which candidate a sweep chose.

    Args:
        run: Of a sweep.
        best: Its name and its accuracy on the validation photos.
        num_candidates: That it was chosen from.
    """
    run.best = {
        "name": best["name"],
        "validation_accuracy": best["accuracy"],
        "num_candidates": num_candidates,
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
