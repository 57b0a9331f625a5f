"""How Vertex AI tells of a run's steps, read into ours.

Each task of the run says its name, its state, its times, and the artifacts that it left. A task
that took its outputs from the cache is SKIPPED, and one behind a gate that stayed closed is
NOT_TRIGGERED. A loop, and a gate, are tasks of their own, which have the tasks within as children.

Reference:
    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.runs import CANCELLED, FAILED, RUNNING, SUCCEEDED
from pipelines.targets.remote import WAITING

ENDS = {
    "PIPELINE_STATE_SUCCEEDED": SUCCEEDED,
    "PIPELINE_STATE_FAILED": FAILED,
    "PIPELINE_STATE_CANCELLED": CANCELLED,
}
_STATUS = {
    "PENDING": RUNNING,
    "RUNNING": RUNNING,
    "CANCEL_PENDING": RUNNING,
    "CANCELLING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "SKIPPED": SUCCEEDED,
    "CANCELLED": CANCELLED,
    "FAILED": FAILED,
}
_URGENCY = {"FAILED": 0, "CANCELLED": 1, "RUNNING": 2, "PENDING": 3, "SUCCEEDED": 4}


class Tasks:
    """The tasks of one run, at one time."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        """Take them from a PipelineJob."""
        self._details: list[Mapping[str, Any]] = job.get("jobDetail", {}).get("taskDetails", [])
        self.end = ENDS.get(job.get("state", ""), "")
        self.error = _line(job.get("error", {}).get("message", ""))

    def status(self, name: str) -> str:
        """Status of a step, as our records say it."""
        return _STATUS.get(self._named(name).get("state", ""), WAITING)

    def is_cached(self, name: str) -> bool:
        """Whether a step that succeeded took its outputs from the cache."""
        return bool(self._named(name).get("state") == "SKIPPED")

    def seconds(self, name: str) -> float:
        """How long a step took, or takes so far."""
        task = self._named(name)
        if "startTime" not in task:
            return 0.0
        end = _time(task["endTime"]) if "endTime" in task else datetime.now(UTC)
        return max(0.0, round((end - _time(task["startTime"])).total_seconds(), 1))

    def is_pending(self, name: str) -> bool:
        """Whether a step waits for its machine."""
        return bool(self._named(name).get("state") == "PENDING")

    def error_of(self, name: str) -> str:
        """Why a step failed."""
        return _line(self._named(name).get("error", {}).get("message", ""))

    def job_of(self, name: str) -> str:
        """Number of the custom job that a step ran as; empty where there is none."""
        detail = self._named(name).get("executorDetail", {}).get("containerDetail", {})
        jobs = [detail.get("mainJob", ""), *detail.get("failedMainJobs", [])]
        return str(jobs[0] or jobs[-1]).rpartition("/")[2]

    def artifacts(self) -> dict[str, dict[str, str]]:
        """The newest gs:// URI of each output of each step."""
        found: dict[str, dict[str, str]] = {}
        for task in self._details:
            for output, listed in task.get("outputs", {}).items():
                for artifact in listed.get("artifacts", []):
                    found.setdefault(task["taskName"], {})[output] = artifact["uri"]
        return found

    def _named(self, name: str) -> Mapping[str, Any]:
        """The task of that name; of a loop's turns the one that most needs to be looked at."""
        turns = [task for task in self._details if task.get("taskName") == name]
        return min(
            turns, key=lambda task: _URGENCY.get(task.get("state", ""), len(_URGENCY)), default={}
        )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _line(said: str) -> str:
    return " ".join(said.split())
