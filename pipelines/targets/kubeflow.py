"""Runs on Kubeflow Pipelines, in a cluster of one's own.

The spec is compiled for the cluster, uploaded once for each code version and settings, and followed
from here. What only the cluster holds comes back by the steps' logs.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import kfp

from components.common import storage
from components.common.errors import ClusterError, InputError, PawpetalError
from components.common.progress import MARK, RESULT, format_seconds
from components.common.registry import MLFLOW
from components.train.architectures import IMAGENET
from components.train.architectures import NONE as NO_WEIGHTS
from components.train.settings import AUTO
from components.train.start import is_path
from pipelines.accelerators import NONE, Accelerator, check_device_of
from pipelines.compiling import GRAPHS, SpecSettings, compile_spec
from pipelines.images import reference, tag
from pipelines.places import datasets
from pipelines.runs import (
    CANCELLED,
    FAILED,
    RUNNING,
    SUBMITTED,
    SUCCEEDED,
    RunFolder,
    Step,
)
from pipelines.specs import KUBEFLOW
from pipelines.targets import Event, StepEnded, StepProgress, StepStarted
from pipelines.targets.kubeflow_client import Login, Server, UnreachableError
from pipelines.targets.kubeflow_tasks import DONE, WAITING, Tasks, running_step
from pipelines.targets.limits import check_limits
from pipelines.targets.record import (
    add_best,
    add_model,
    add_scores,
    begin,
    last_error,
    skip_waiting_steps,
)

LONGEST_PAUSE_S = 30.0  # between questions, while the connection is lost
DEFAULT_NAMESPACE = "kubeflow"  # where pods run, where Kubeflow has one user
HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  # refused, not listened on

_RELEASE = re.compile(r"\D*(?P<release>\d+\.\d+)\.")


@dataclass(frozen=True, kw_only=True)
class KubeflowTarget:
    """A cluster with Kubeflow Pipelines."""

    host: str  # address of its UI, or of its API
    namespace: str = ""  # of the runs, where Kubeflow has many users
    experiment: str = "pawpetal"  # that runs are shown under; made when new
    service_account: str = ""  # of the steps; empty for the cluster's usual
    token_file: str = ""
    cookie_file: str = ""
    iap_client_id: str = ""
    image_registry: str = ""
    accelerator: Accelerator = NONE
    cpus: float = 0.0  # of a step, at most; 0 for the usual
    memory: str = ""  # e.g. "4Gi"; empty for the usual
    num_workers: int = 1  # pods that share the work of ingest
    wait: bool = True  # follow runs to their end
    poll_s: float = 3.0  # between questions how a run goes
    give_up_s: float = 600.0  # how long a lost connection is tried again
    runs_here: ClassVar[bool] = False

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse where the cluster does not answer, or lacks what an argument names.

        Raises:
            InputError: If an argument or a setting cannot work there.
            ClusterError: If the cluster is not ready.
        """
        self._check_settings()
        _check_reach(arguments)
        check_device_of(self.accelerator, arguments)
        if self.num_workers > 1 and not arguments["storage"]:
            raise InputError(
                "`storage` must be a gs:// folder where `num_workers` is above 1: the workers leave"
                " their shards there. Received: ''"
            )
        self.login().check()
        health = Server(self.host, self.login()).health()
        if health.multi_user and not self.namespace:
            raise InputError(f"{self.host} has many users: say whose with `namespace`.")
        theirs, ours = _RELEASE.match(health.version), _RELEASE.match(kfp.__version__)
        if theirs and ours and theirs["release"] != ours["release"]:
            print(
                f"{self.host} runs Kubeflow Pipelines {health.version}; pawpetal was made for"
                f" {ours['release']}, and may misread its steps.",
                file=sys.stderr,
            )

    def code_version(self) -> str:
        """Of the images, which carry the code that runs there."""
        version, _, digest = tag().rpartition("-")
        return f"{version}+{digest}"

    def start(
        self, pipeline: str, arguments: Mapping[str, Any], *, use_cache: bool = True
    ) -> KubeflowRun:
        """Prepare a run; nothing is uploaded before it is followed."""
        return KubeflowRun(self, pipeline, arguments, use_cache=use_cache)

    def login(self) -> Login:
        """How to tell the cluster who asks."""
        return Login(
            token_file=self.token_file,
            cookie_file=self.cookie_file,
            iap_client_id=self.iap_client_id,
        )

    def connect(self) -> Server:
        """Prepare to ask, as one user where there are many."""
        server = Server(self.host, self.login())
        if server.health().multi_user:
            return Server(self.host, self.login(), self.namespace)
        return server

    def spec_settings(self) -> SpecSettings:
        """What is fixed in the specs that run there."""
        return SpecSettings(
            image_registry=self.image_registry,
            accelerator=self.accelerator,
            cpus=self.cpus,
            memory=self.memory,
            num_workers=self.num_workers,
        )

    def _check_settings(self) -> None:
        parts = urlsplit(self.host)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                "`host` must be the address of Kubeflow Pipelines, e.g. http://127.0.0.1:8080."
                f" Received: '{self.host}'"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InputError("`host` must hold no user name, password, query or fragment.")
        check_limits(self.cpus, self.memory)
        self.spec_settings()  # refuses what no spec can have
        reference(self.accelerator.image, self.image_registry)  # refuses what is no registry


def _check_reach(arguments: Mapping[str, Any]) -> None:
    """Refuse what names something of this machine, which a pod does not have."""
    for uri in datasets(arguments):
        kind, _, place = uri.partition(":")
        if kind in ("folder", "archive") and not storage.is_remote(place):
            raise InputError(
                f"`dataset` must be where the cluster can read it. Received: {kind} '{place}' of"
                " this machine. Copy it to a bucket, and pass gs://BUCKET/PREFIX"
            )
    if arguments["storage"] and not storage.is_remote(arguments["storage"]):
        raise InputError(
            "`storage` must be empty or a gs:// URI on a cluster. Received:"
            f" '{arguments['storage']}', a path of this machine"
        )
    weights = arguments["weights"]
    if weights not in (AUTO, IMAGENET, NO_WEIGHTS) and not storage.is_remote(weights):
        raise InputError(
            "`weights` must be auto, imagenet, none or a gs:// URI on a cluster. Received:"
            f" '{weights}', a path of this machine"
        )
    if is_path(arguments["warm_start"]):
        raise InputError(
            "`warm_start` must be champion, a version or a gs:// URI on a cluster. Received:"
            f" '{arguments['warm_start']}', a path of this machine"
        )
    if arguments["data_dir"] and not storage.is_remote(arguments["data_dir"]):
        raise InputError(
            "`data_dir` must be empty or a gs:// URI on a cluster. Received:"
            f" '{arguments['data_dir']}', a path of this machine"
        )
    _check_registry_reach(arguments["registry"])


def _check_registry_reach(registry: str) -> None:
    server = urlsplit(registry.removeprefix(MLFLOW))
    if server.scheme not in ("http", "https"):
        received = f"'{registry}'" if registry else "none, the one of this machine"
        raise InputError(
            "`registry` must be a server on a cluster, since a pod's own disk goes with the pod:"
            f" mlflow:http://HOST:PORT. Received: {received}"
        )
    if server.hostname in HERE:
        raise InputError(
            "`registry` must be an address that the cluster's pods reach; there,"
            f" {server.hostname} is the pod itself. Received: '{registry}'"
        )


class KubeflowRun:
    """One run of a pipeline in a cluster.

    Ctrl-C ends the run in the cluster too, as it ends the steps of a run on this machine. A lost
    connection, `kill -9` or a closed laptop does not: such a run goes on, and its page tells how.
    """

    def __init__(
        self,
        target: KubeflowTarget,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
    ) -> None:
        """Prepare the run's folder and record.

        Args:
            target: Where it runs.
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            use_cache: Take a step's outputs from an earlier run with the same inputs and code.
        """
        self._target = target
        self._folder = RunFolder.create(pipeline)
        self._arguments = dict(arguments)
        self._use_cache = use_cache
        self._logs = self._folder.path / "logs"
        self._logs.mkdir()
        self._server: Server | None = None
        self._experiment = ""  # its id, as soon as the run is asked for
        self._told: dict[str, str] = {}  # newest progress line, by step
        self.run = begin(self._folder, pipeline, KUBEFLOW, arguments)

    def follow(self) -> Generator[Event, None, None]:
        """Start it and watch it run to its end; `run` then holds how it went.

        Yields:
            What happens, as it happens.
        """
        start = time.monotonic()
        try:
            self._start()
            yield self._progress(f"started in the cluster, see {self.run.url}")
            if not self._target.wait:
                self.run.status = SUBMITTED
                return
            yield from self._watch()
        except (KeyboardInterrupt, GeneratorExit):
            self._cancel()
            raise
        except PawpetalError as error:
            self._stop_following(error)
        except Exception as error:
            self._stop_following(error)
            raise
        finally:
            for step in self.run.steps:
                if step.status == RUNNING and self.run.status not in (RUNNING, SUBMITTED):
                    step.status = self.run.status
            self.run.seconds = round(time.monotonic() - start, 1)
            self._folder.save(self.run)

    def _start(self) -> None:
        spec = self._folder.path / "pipeline.yaml"
        compile_spec(self.run.pipeline, KUBEFLOW, spec, self._target.spec_settings())
        server = self._server = self._target.connect()
        # Code version and settings are both in the spec; the digest tells settings apart.
        version = f"{tag()}-{hashlib.sha256(spec.read_bytes()).hexdigest()[:8]}"
        pipeline_id, version_id = server.upload(GRAPHS[self.run.pipeline].NAME, version, spec)
        self._experiment = server.experiment(self._target.experiment)
        source: dict[str, Any] = {"pipeline_id": pipeline_id, "version_id": version_id}
        if not self._use_cache:  # kfp switches the cache off only in a spec that goes with the run
            source = {"pipeline_package_path": str(spec), "enable_caching": False}
        run_id = server.start(
            self.run.run_id,
            self._experiment,
            params=self._arguments,
            service_account=self._target.service_account or None,
            **source,
        )
        self.run.remote_id, self.run.url = run_id, server.run_url(run_id)
        self._folder.save(self.run)

    def _watch(self) -> Generator[Event, None, None]:
        """Watch it to its end, then gather what it left."""
        while True:
            run = yield from self._ask()
            tasks = Tasks(run)
            for step in self.run.steps:
                yield from self._update(step, tasks)
            if run.state in DONE:
                break
            self._folder.save(self.run)
            time.sleep(self._target.poll_s)
        self._summarise(DONE[run.state], run, tasks)

    def _ask(self) -> Generator[Event, None, Any]:
        """Ask how it goes, again and again while the connection is lost."""
        lost_at, pause = 0.0, self._target.poll_s
        while True:
            try:
                run = self._connected().run(str(self.run.remote_id))
            except UnreachableError as error:
                if not lost_at:
                    lost_at = time.monotonic()
                    most = format_seconds(self._target.give_up_s)
                    yield self._progress(f"{error} The run goes on. Trying again for {most}")
                if time.monotonic() - lost_at >= self._target.give_up_s:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                if lost_at:
                    yield self._progress("connected again")
                return run

    def _update(self, step: Step, tasks: Tasks) -> Iterator[Event]:
        """Bring one step up to date, and tell of what changed."""
        before, status = step.status, tasks.status(step.name)
        if status == before == RUNNING:
            yield from self._tell_progress(step, tasks)
        # A step that succeeded may run again, or fail: in the next turn of its loop.
        if status in (before, WAITING) or before not in (WAITING, RUNNING, SUCCEEDED):
            return
        step.seconds = tasks.seconds(step.name)
        step.cached = status == SUCCEEDED and tasks.is_cached(step.name)
        step.status = status
        if before == WAITING and status in (RUNNING, SUCCEEDED, FAILED) and not step.cached:
            yield StepStarted(step=step)
        if status in (SUCCEEDED, FAILED):
            self._keep_log(step, tasks)
            yield StepEnded(step=step)

    def _tell_progress(self, step: Step, tasks: Tasks) -> Iterator[Event]:
        line = "waits for its pod to start" if tasks.is_pending(step.name) else ""
        for printed in reversed((self._read_log(step, tasks) or "").splitlines()):
            if printed.startswith(MARK):
                line = printed.removeprefix(MARK)
                break
        if line and line != self._told.get(step.name):
            self._told[step.name] = line
            yield StepProgress(step=step, line=line)

    def _progress(self, line: str) -> StepProgress:
        return StepProgress(step=running_step(self.run.steps) or self.run.steps[0], line=line)

    def _read_log(self, step: Step, tasks: Tasks) -> str | None:
        pod = tasks.pod(step.name)
        if pod is None:
            return None
        return self._connected().read_log(str(self.run.remote_id), pod, self._target.namespace)

    def _keep_log(self, step: Step, tasks: Tasks) -> None:
        """Save a step's log here; where it cannot be had, say who has it."""
        pod = tasks.pod(step.name)
        if step.cached or pod is None:
            return
        text = self._read_log(step, tasks)
        if text is None:
            namespace = self._target.namespace or DEFAULT_NAMESPACE
            step.log = f"kubectl logs -n {namespace} {pod} -c main"
            return
        path = self._logs / f"{step.name}.log"
        path.write_text(text)
        step.log = str(path)

    def _summarise(self, status: str, run: Any, tasks: Tasks) -> None:
        """Gather scores, verdict and version, or why there are none."""
        for step in self.run.steps:  # a log that could not be had at once, perhaps can now
            if step.status in (SUCCEEDED, FAILED) and not Path(step.log).is_file():
                self._keep_log(step, tasks)
        if findings := self._result("ingest"):
            self.run.findings = findings
        if best := self._result("compare"):
            add_best(self.run, best, best["num_candidates"])
        if scores := self._result("evaluate"):
            add_scores(self.run, scores)
        if pushed := self._result("push"):
            add_model(self.run, pushed)
        self.run.status = status
        skip_waiting_steps(self.run)
        if status != SUCCEEDED:
            self._explain(run)

    def _result(self, step_name: str) -> dict[str, Any] | None:
        """What a step gave back by its log."""
        for step in (step for step in self.run.steps if step.name == step_name):
            for line in reversed(_lines(step)):
                if line.startswith(RESULT):
                    return dict(json.loads(line.removeprefix(RESULT)))
        return None

    def _explain(self, run: Any) -> None:
        """Say which step failed, why, and where to read more."""
        failed = next((step for step in self.run.steps if step.status == FAILED), None)
        if self.run.status == CANCELLED:
            message = "the run was ended in the cluster"
        elif failed is None:
            message = run.error.message if run.error else "no step of it failed; see its page"
        else:
            message = last_error(_lines(failed)) or (
                "its log gives no reason, or cannot be read here"
                if failed.log
                else "it failed before its own code began; see the run's page"
            )
        self.run.error = {
            "step": failed.name if failed else "start",
            "message": message,
            "log": (failed.log if failed else "") or str(self.run.url),
        }

    def _stop_following(self, error: Exception) -> None:
        """Record that it did not start, or that it goes on unseen."""
        running = running_step(self.run.steps)
        message, step = str(error), running.name if running else "start"
        self.run.status = FAILED
        if self.run.remote_id:
            self.run.status = SUBMITTED
            message = f"{message} The run goes on in the cluster: follow it at {self.run.url}"
        self.run.error = {"step": step, "message": message, "log": self.run.url or ""}

    def _cancel(self) -> None:
        """End it in the cluster; the record says so only where that worked."""
        try:
            server = self._server
            if server and self._experiment and not self.run.remote_id:  # perhaps just being made
                self.run.remote_id = server.find_run(self.run.run_id, self._experiment)
            if server and self.run.remote_id:
                server.terminate(self.run.remote_id)
            self.run.status = CANCELLED
        except PawpetalError as error:
            self._stop_following(error)

    def _connected(self) -> Server:
        if self._server is None:
            raise ClusterError("The run was not started.")
        return self._server


def _lines(step: Step) -> list[str]:
    path = Path(step.log)
    return path.read_text(errors="replace").splitlines() if path.is_file() else []
