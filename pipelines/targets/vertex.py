"""Runs on Vertex AI Pipelines, in a project of Google Cloud.

The request is built and checked here, the place that it names is checked before it is sent, and the
run is followed from here. What its steps leave is read from its bucket.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import yaml

from components.common.errors import CloudError, InputError, PawpetalError
from components.common.google_cloud import GoogleCloud
from components.common.progress import MARK
from pipelines.accelerators import NONE, Accelerator, check_device_of
from pipelines.compiling import SpecSettings, compile_spec
from pipelines.google_cloud.checks import check_vertex
from pipelines.google_cloud.logs import TRAINING, read_log
from pipelines.google_cloud.machines import Machine, check_region, machine_of
from pipelines.google_cloud.place import VertexPlace, images_of
from pipelines.google_cloud.requests import (
    Submission,
    build_job,
    build_spec,
    build_submission,
    service_types,
)
from pipelines.images import code_version
from pipelines.runs import CANCELLED, FAILED, SUCCEEDED, Step
from pipelines.specs import PLAIN
from pipelines.targets.reach import check_reach
from pipelines.targets.record import last_error, skip_waiting_steps
from pipelines.targets.remote import Pace, RemoteRun
from pipelines.targets.results import add_results
from pipelines.targets.vertex_tasks import Tasks

VERTEX = "vertex"
FOLDER = "pawpetal"  # of the bucket
SERVICE = "aiplatform"
ARRIVING_S = 10.0  # how long a request that was interrupted may still be on its way
LOG_EVERY_S = 30.0  # Cloud Logging answers 60 questions a minute, to all of a project
UNASKED = ("credentials", "reach")  # checks before any question is asked


@dataclass(frozen=True, kw_only=True)
class VertexTarget:
    """A project on Google Cloud."""

    project: str
    region: str
    bucket: str  # that the steps write to
    service_account: str = ""  # e-mail, of the steps; empty for pawpetal-runner of the project
    network: str = ""
    image_registry: str = ""  # empty for the repository `pawpetal` of the project
    accelerator: Accelerator = NONE
    spot: bool = False  # train on machines that may be taken away, for less
    num_workers: int = 1  # tasks that share the work of ingest
    ask_first: bool = True  # whether the place is ready; not all roles can be seen
    wait: bool = True
    poll_s: float = 10.0
    give_up_s: float = 600.0
    runs_here: ClassVar[bool] = False

    @cached_property
    def place(self) -> VertexPlace:
        """Where runs run."""
        registry = self.image_registry or f"{self.region}-docker.pkg.dev/{self.project}/pawpetal"
        return VertexPlace(
            project=self.project,
            region=self.region,
            bucket=self.bucket.removeprefix("gs://").rstrip("/"),
            service_account=self.service_account
            or f"pawpetal-runner@{self.project}.iam.gserviceaccount.com",
            network=self.network,
            accelerator=self.accelerator,
            spot=self.spot,
            image_registry=registry,
            images=images_of(self.accelerator, registry),
        )

    @property
    def machine(self) -> Machine:
        """That trains."""
        return machine_of(self.accelerator, self.region)

    def usual_storage(self) -> str:
        """Photos and checkpoints go to the bucket."""
        return f"gs://{self.place.bucket}/{FOLDER}"

    def usual_registry(self) -> str:
        """Vertex AI's own."""
        check_region(self.place.region)
        return f"vertex:{self.project}/{self.region}"

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse what Vertex AI could not run; nothing is asked of Google yet.

        Raises:
            InputError: If an argument or a setting cannot work there.
        """
        _ = self.machine, self.place  # refuse what there is not
        service_types()
        check_reach(arguments)
        check_device_of(self.accelerator, arguments)

    def check_place(self, *, is_needed: bool = True, place: VertexPlace | None = None) -> str:
        """Refuse a place that is not ready: project, bucket, accounts, roles, quota, images.

        Args:
            is_needed: Refuse where Google Cloud cannot be asked, too.
            place: Another one than this target's, e.g. with other images.

        Returns:
            What was not asked, and why; empty where all was.

        Raises:
            InputError: With all that is wrong, and the commands that mend it.
        """
        if not self.ask_first:
            return "--no-ask was given"
        checks = list(check_vertex(GoogleCloud(), place or self.place))
        failed = [check for check in checks if check.status == "fail"]
        if not failed:
            skipped = [f"{check.name} ({check.said})" for check in checks if check.status == "skip"]
            return "; ".join(skipped)
        if not is_needed and failed[0].name in UNASKED:
            return f"{failed[0].said} ({failed[0].mend})"
        wrong = "".join(f"\n  {check.said}\n    {check.mend}" for check in failed)
        raise InputError(f"Vertex AI is not ready for this run:{wrong}\nOr pass --no-ask.")

    def code_version(self) -> str:
        """Of the images, which carry the code that runs there."""
        return code_version()

    def submission(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        run_id: str,
        use_cache: bool = True,
        spec: Mapping[str, Any] | None = None,
    ) -> Submission:
        """Build and check the requests of a run.

        Args:
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            run_id: Its name.
            use_cache: As of `start`.
            spec: As of `VertexRun`.
        """
        root = f"{self.usual_storage()}/runs"
        if spec:
            job = build_job(spec, arguments, self.place, name=run_id, root=root)
            submission = Submission(place=self.place, run_id=run_id, job=job)
        else:
            submission = build_submission(
                self._compiled(pipeline, self.spec_settings()),
                arguments,
                self.place,
                self.machine,
                run_id=run_id,
                root=root,
                use_cache=use_cache,
            )
        submission.check()
        return submission

    def spec_settings(self) -> SpecSettings:
        """What is fixed in the specs that run there."""
        return SpecSettings(
            image_registry=self.place.image_registry,
            accelerator=self.accelerator,
            num_workers=self.num_workers,
        )

    def build_spec(self, pipeline: str, settings: SpecSettings) -> dict[str, Any]:
        """The spec of a pipeline as Vertex AI runs it.

        Args:
            pipeline: Name of the pipeline, e.g. "train_and_push".
            settings: What is fixed in it.
        """
        compiled = self._compiled(pipeline, settings)
        return build_spec(compiled, self.place, self.machine, settings.digests)

    def _compiled(self, pipeline: str, settings: SpecSettings) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
            file = Path(scratch, "pipeline.yaml")
            compile_spec(pipeline, PLAIN, file, settings)
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster
            return dict(yaml.load(file.read_text(), loader))  # noqa: S506  # both are safe ones

    def start(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
    ) -> VertexRun:
        """Check the place, and prepare a run; nothing is sent before it is followed."""
        self.check_place()
        return VertexRun(self, pipeline, arguments, use_cache=use_cache, run_id=run_id)


class VertexRun(RemoteRun[Tasks]):
    """One run of a pipeline on Vertex AI."""

    where = "on Vertex AI"

    def __init__(
        self,
        target: VertexTarget,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
        spec: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare the run's folder and record.

        Args:
            target: Where it runs.
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            use_cache: Take a step's outputs from an earlier run with the same inputs and code.
            run_id: Name of the run; empty for one of the pipeline and the time.
            spec: To run as it is; None for what this code compiles to.
        """
        pace = Pace(wait=target.wait, poll_s=target.poll_s, give_up_s=target.give_up_s)
        super().__init__(VERTEX, pipeline, arguments, pace=pace, run_id=run_id)
        self._cloud = GoogleCloud()
        self._project, self._region = target.project, target.region
        self._is_sent = False
        self._read_at: dict[str, float] = {}  # when a step's log was read last, monotonic
        self._submission = target.submission(
            pipeline, arguments, run_id=self.run.run_id, use_cache=use_cache, spec=spec
        )

    def _submit(self) -> None:
        submission = self._submission
        # Before it is sent: a run whose answer is lost may go on, and costs.
        self.run.remote_id, self.run.url = submission.name, submission.page
        self._folder.save(self.run)
        self._is_sent = True
        try:
            self._cloud.ask(
                SERVICE,
                f"{submission.parent}/pipelineJobs",
                submission.job,
                region=self._region,
                pipelineJobId=submission.run_id,  # so it counts once, however often it is sent
            )
        except CloudError as error:
            if error.status == HTTPStatus.CONFLICT:  # an earlier try came through
                return
            if not error.is_passing or self._is_unknown():
                self.run.remote_id = None  # there is no such run
            raise

    def _is_unknown(self) -> bool:
        """Whether Vertex AI says that there is no such run."""
        try:
            self._look()
        except CloudError as error:
            return error.status == HTTPStatus.NOT_FOUND
        return False

    def _look(self) -> Tasks:
        return Tasks(self._cloud.get(SERVICE, str(self.run.remote_id), region=self._region))

    def _is_passing(self, error: PawpetalError) -> bool:
        return isinstance(error, CloudError) and error.is_passing

    def _tell(self, step: Step, state: Tasks) -> str:
        now = time.monotonic()
        if state.is_pending(step.name):
            return "waits for its machine"
        if now - self._read_at.get(step.name, -math.inf) < LOG_EVERY_S:
            return ""
        self._read_at[step.name] = now
        lines = self._read_log(step, state)
        said = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
        return said[-1] if said else ""

    def _read_log(self, step: Step, state: Tasks) -> list[str]:
        """The last lines of a step, or of the training that it follows; none if we may not."""
        job = state.job_of(step.name)
        if not job:
            return []
        try:
            lines = read_log(self._cloud, self._project, job)
            followed = [match["job"] for line in lines if (match := TRAINING.search(line))]
            if followed:
                lines = read_log(self._cloud, self._project, followed[-1]) or lines
        except CloudError:
            return []
        return lines

    def _summarise(self, state: Tasks) -> None:
        """Gather scores, verdict, version and pages from the bucket, or why there are none."""
        self.run.status = state.end
        skip_waiting_steps(self.run)
        try:
            add_results(self.run, state.artifacts(), self._folder.path)
        except (PawpetalError, OSError) as error:  # the run itself is done
            self.run.warning = f"some of what it left could not be read: {error}"
        if state.end != SUCCEEDED:
            self._explain(state)

    def _keep_log(self, step: Step, state: Tasks) -> None:
        """Save the log of a step that failed."""
        lines = self._read_log(step, state) if step.status == FAILED else []
        if lines:
            path = self._folder.path / f"{step.name}.log"
            path.write_text("".join(f"{line}\n" for line in lines))
            step.log = str(path)

    def _explain(self, state: Tasks) -> None:
        failed = next((step for step in self.run.steps if step.status == FAILED), None)
        if self.run.status == CANCELLED:
            message = "the run was ended on Vertex AI"
        elif failed is None:
            message = state.error or "no step of it failed; see its page"
        else:
            lines = Path(failed.log).read_text().splitlines() if failed.log else []
            message = last_error(lines) or state.error_of(failed.name) or state.error
            message = message or "see its page"
        self.run.error = {
            "step": failed.name if failed else "start",
            "message": message,
            "log": (failed.log if failed else "") or str(self.run.url),
        }

    def _end(self) -> None:
        if not self._is_sent:
            return
        deadline = time.monotonic() + ARRIVING_S
        while True:
            try:
                self._cloud.ask(SERVICE, f"{self.run.remote_id}:cancel", region=self._region)
            except CloudError as error:
                # What was just sent may arrive after the question to end it.
                if error.status == HTTPStatus.NOT_FOUND and time.monotonic() < deadline:
                    time.sleep(1)
                    continue
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
            return
