"""What a custom job is made from: all but what only the pipeline knows once it runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from components.common.errors import InputError
from components.common.google_cloud import location

# Stands for what the pipeline tells the step; its own sign for that, {{$}}, it would fill in here.
EXECUTOR_INPUT = "EXECUTOR_INPUT"
TASK_LABEL = "pawpetal-task"  # says whose a job is, should its recorded name be lost
LONGEST_NAME = 128  # of a job, for people
MOUNT, SCHEME = "/gcs/", "gs://"  # how steps see buckets, and how the API does


@dataclass(frozen=True, kw_only=True)
class JobTemplate:
    """A job of one place, written into the spec of a pipeline."""

    project: str
    region: str
    job: dict[str, Any]  # CustomJob of the API; an argument of its container is EXECUTOR_INPUT

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> JobTemplate:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))

    @property
    def parent(self) -> str:
        """What jobs are created under."""
        return location(self.project, self.region)

    def fill_in(self, task: Task) -> dict[str, Any]:
        """The job of one task, as the API takes it."""
        [pool] = self.job["jobSpec"]["workerPoolSpecs"]
        container = pool["containerSpec"]
        arguments = [task.said if each == EXECUTOR_INPUT else each for each in container["args"]]
        filled = {**pool, "containerSpec": {**container, "args": arguments}}
        return {
            **self.job,
            "displayName": f"{self.job['displayName']} of {task.place}"[:LONGEST_NAME],
            "labels": {**self.job.get("labels", {}), TASK_LABEL: task.label},
            "jobSpec": {**self.job["jobSpec"], "workerPoolSpecs": [filled]},
        }


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of one pipeline run."""

    said: str  # what the pipeline tells the step: kfp's executor input, JSON
    output_file: str  # gs:// URI that the step reports its outputs to; no other task has it

    @classmethod
    def read(cls, executor_input: str) -> Task:
        """Read what the pipeline says.

        Raises:
            InputError: If it is none of kfp's executor inputs.
        """
        try:
            file = json.loads(executor_input)["outputs"]["outputFile"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "`--executor-input` must be the JSON that Kubeflow Pipelines writes for {{$}}, with"
                f" outputs.outputFile. Received: '{executor_input[:80]}'"
            ) from error
        if file.startswith(MOUNT):
            file = f"{SCHEME}{file.removeprefix(MOUNT)}"
        return cls(said=executor_input, output_file=file)

    @property
    def place(self) -> str:
        """Run and task, as Vertex AI names the folders of outputs."""
        return "/".join(self.output_file.split("/")[-3:-1])

    @property
    def record(self) -> str:
        """Where the name of its job is kept."""
        return f"{self.output_file.rpartition('/')[0]}/custom_job.json"

    @property
    def label(self) -> str:
        """Tells it from all others, in letters that a label may have."""
        return hashlib.sha256(self.output_file.encode()).hexdigest()[:32]
