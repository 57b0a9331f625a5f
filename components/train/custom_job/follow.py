"""Creates the job of a task, or finds the one it has, and follows it to its end."""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from typing import Any

from components.common import storage
from components.common.errors import CloudError, InputError, TrainingError
from components.common.google_cloud import GoogleCloud
from components.common.progress import format_seconds, report
from components.train.custom_job.template import TASK_LABEL, JobTemplate, Task

POLL_S = 15.0
LOST_S = 3600.0  # how long it is asked in vain: training goes on meanwhile
TRIES = 3  # to create a job whose answer was lost
SERVICE = "aiplatform"

SUCCEEDED = "JOB_STATE_SUCCEEDED"
DEAD = ("JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED", "JOB_STATE_CANCELLING")
SAID = {
    "JOB_STATE_QUEUED": "waits for Vertex AI to take it",
    "JOB_STATE_PENDING": "waits for its machine",
    "JOB_STATE_RUNNING": "trains",
    "JOB_STATE_UPDATING": "restarts",
}


class Follower:
    """Follows the job of one task; a second one, after a restart, follows the same job."""

    def __init__(
        self, cloud: GoogleCloud, template: JobTemplate, task: Task, *, poll_s: float = POLL_S
    ) -> None:
        self._cloud, self._template, self._task = cloud, template, task
        self._poll_s = poll_s
        self.name = ""  # projects/NUMBER/locations/REGION/customJobs/ID, as soon as there is one
        self.stop = threading.Event()  # set to end the job

    def run(self) -> None:
        """Take the job to its end.

        Raises:
            TrainingError: If it failed, or was ended.
            CloudError: If Vertex AI refuses it, or cannot be reached for long.
        """
        job = self._find()
        if job is None or job["state"] in DEAD:  # that of an earlier try: the state it saved stays
            job = self._create()
            report(f"created {self._page(job)}")
        else:
            report(f"goes on following {self._page(job)}")
        self.name = job["name"]
        try:
            storage.write_bytes(self._task.record, json.dumps({"name": self.name}).encode())
            self._follow()
        except TrainingError:  # it has ended
            raise
        except BaseException:
            self._cancel()
            raise

    def _cancel(self) -> None:
        """End the job, so that nobody pays for what nobody waits for."""
        try:
            self._cloud.ask(SERVICE, f"{self.name}:cancel", region=self._template.region)
            report("ended the custom job")
        except CloudError as error:
            report(f"the custom job could not be ended, and is paid for: {error}")

    def _find(self) -> dict[str, Any] | None:
        """The job that this task has already: by its recorded name, else by its label."""
        if storage.exists(self._task.record):
            name = json.loads(storage.read_bytes(self._task.record))["name"]
            try:
                return self._get(name)
            except CloudError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
        labelled = self._cloud.list(
            SERVICE,
            f"{self._template.parent}/customJobs",
            "customJobs",
            region=self._template.region,
            filter=f'labels.{TASK_LABEL}="{self._task.label}"',
        )
        jobs = sorted(labelled, key=lambda job: str(job["createTime"]))
        return jobs[-1] if jobs else None

    def _create(self) -> dict[str, Any]:
        body = self._template.fill_in(self._task)
        tries = 1
        while True:
            if self.stop.is_set():
                raise InputError("The step was ended before its custom job was made.")
            try:
                return self._cloud.post(
                    SERVICE,
                    f"{self._template.parent}/customJobs",
                    body,
                    region=self._template.region,
                )
            except CloudError as error:
                if tries == TRIES or not error.is_passing:
                    raise
            tries += 1
            self.stop.wait(self._poll_s)
            job = self._find()  # the answer may be lost, and the job made
            if job is not None and job["state"] not in DEAD:
                return job

    def _follow(self) -> None:
        told, heard = "", time.monotonic()
        while True:
            try:
                job, heard = self._get(self.name), time.monotonic()
            except CloudError as error:
                if not error.is_passing or time.monotonic() - heard > LOST_S:
                    raise
                report(f"{error}; the job goes on, asking for {format_seconds(LOST_S)}")
            else:
                if job["state"] == SUCCEEDED:
                    return
                if job["state"] in DEAD:
                    raise TrainingError(self._explain(job))
                said = SAID.get(job["state"], job["state"])
                if said != told:
                    report(f"the custom job {said}")
                    told = said
            if self.stop.wait(self._poll_s):
                raise InputError("The step was ended. What became of its custom job is said above.")

    def _get(self, name: str) -> dict[str, Any]:
        return self._cloud.get(SERVICE, name, region=self._template.region)

    def _explain(self, job: dict[str, Any]) -> str:
        state = job["state"].removeprefix("JOB_STATE_").lower()
        said = job.get("error", {}).get("message", "no reason was given")
        return f"The custom job is {state}: {' '.join(said.split())}. Its log: {self._page(job)}"

    def _page(self, job: dict[str, Any]) -> str:
        number = job["name"].rpartition("/")[2]
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{self._template.region}"
            f"/training/{number}/cpu?project={self._template.project}"
        )
