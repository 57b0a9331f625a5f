"""How Kubeflow Pipelines 2.17 tells of a run's steps, read into ours.

Its task details are the nodes of the Argo workflow that runs the pipeline. For a step `train` there
are `train-driver`, which looks into the cache; `train`, which spans the step; and within `train` an
`executor`, whose pod runs our code, or which is skipped where the cache has the outputs. Nodes say
the ids of their children, not their own; nodes that were left out have no state; nodes that have
not ended have an end in the year 1. A branch that is not taken leaves no nodes of its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.runs import CANCELLED, FAILED, RUNNING, SUCCEEDED
from pipelines.targets.remote import WAITING

EXECUTOR = "executor"
POD_TEMPLATE = "system-container-impl"  # part of the names of pods that run steps
SKIPPED = "skipped"
DONE = {"SUCCEEDED": SUCCEEDED, "SKIPPED": SUCCEEDED, "FAILED": FAILED, "CANCELED": CANCELLED}

_STATUS = {
    "PENDING": RUNNING,
    "RUNNING": RUNNING,
    "PAUSED": RUNNING,
    "CANCELING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "FAILED": FAILED,
    "CANCELED": CANCELLED,
    "SKIPPED": SKIPPED,
}
_URGENCY = {"FAILED": 0, "CANCELED": 1, "RUNNING": 2, "PENDING": 3, "SUCCEEDED": 4}


class Tasks:
    """The task details of one run, at one time."""

    def __init__(self, run: Any) -> None:
        """Take them from what the API tells of a run."""
        details = run.run_details.task_details if run.run_details else None
        self._details: Sequence[Any] = details or ()
        self.end = DONE.get(run.state, "")  # as our records say it; empty while it runs
        self.error: str = run.error.message if run.error else ""

    def status(self, name: str) -> str:
        """Status of a step, as our records say it."""
        step, driver = self._named(name), self._named(f"{name}-driver")
        if step is not None and step.state:
            return _STATUS.get(step.state, WAITING)
        if driver is not None and driver.state in ("PENDING", "RUNNING", "FAILED"):
            return _STATUS[driver.state]
        return WAITING

    def is_cached(self, name: str) -> bool:
        """Whether a step that succeeded took its outputs from the cache."""
        executor = self._executor(name)
        return executor is not None and executor.state == SKIPPED.upper()

    def is_pending(self, name: str) -> bool:
        """Whether a step waits for its pod to start."""
        executor = self._executor(name)
        return executor is not None and executor.state == "PENDING"

    def seconds(self, name: str) -> float:
        """How long a step took, or takes so far."""
        step = self._named(name)
        if step is None or step.start_time is None:
            return 0.0
        end = step.end_time if _has_ended(step) else datetime.now(UTC)
        return max(0.0, round(float((end - step.start_time).total_seconds()), 1))

    def pod(self, name: str) -> str | None:
        """Name of the pod that runs a step; None while there is none."""
        step = self._named(name)
        if step is None or not step.state:  # left out: its children are the steps after it
            return None
        for child in step.child_tasks or ():
            # Argo's id of a node is WORKFLOW-NUMBER, and its pod's name WORKFLOW-TEMPLATE-NUMBER.
            workflow, _, number = (child.pod_name or "").rpartition("-")
            if workflow:
                return f"{workflow}-{POD_TEMPLATE}-{number}"
        return None

    def _named(self, name: str) -> Any:
        """The task of that name; of a loop's turns the one that most needs to be looked at."""
        turns = [task for task in self._details if task.display_name == name]
        return min(turns, key=lambda task: _URGENCY.get(task.state, len(_URGENCY)), default=None)

    def _executor(self, name: str) -> Any:
        """The executor of a step: the first that started no earlier than the step did."""
        step = self._named(name)
        if step is None or not step.state:
            return None
        later = (
            task
            for task in self._details
            if task.display_name == EXECUTOR and task.start_time >= step.start_time
        )
        return min(later, key=lambda task: task.start_time, default=None)


def _has_ended(task: Any) -> bool:
    return task.end_time is not None and task.end_time >= task.start_time
