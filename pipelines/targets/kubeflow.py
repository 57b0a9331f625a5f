"""Runs on Kubeflow Pipelines, in a cluster of one's own.

The spec is compiled for the cluster, uploaded once for each code version and settings, and followed
from here. What only the cluster holds comes back by the steps' logs.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import kfp

from components.common.errors import ClusterError, InputError, PawpetalError
from components.common.progress import MARK, RESULT
from pipelines.accelerators import NONE, Accelerator, check_device_of
from pipelines.compiling import GRAPHS, SpecSettings, compile_spec
from pipelines.images import code_version, reference, tag
from pipelines.runs import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    Step,
)
from pipelines.specs import KUBEFLOW
from pipelines.targets.kubeflow_client import Login, Server, UnreachableError
from pipelines.targets.kubeflow_tasks import Tasks
from pipelines.targets.limits import check_limits
from pipelines.targets.reach import check_reach
from pipelines.targets.record import (
    add_best,
    add_model,
    add_scores,
    last_error,
    skip_waiting_steps,
)
from pipelines.targets.remote import Pace, RemoteRun

DEFAULT_NAMESPACE = "kubeflow"  # where pods run, where Kubeflow has one user

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
        check_reach(arguments)
        check_device_of(self.accelerator, arguments)
        if self.num_workers > 1 and not arguments["storage"]:
            raise InputError(
                "`storage` must be a gs:// folder where `num_workers` is above 1: the workers leave"
                " their shards there. Received: ''"
            )
        self.check_cluster()

    def check_cluster(self) -> None:
        """Refuse settings that cannot be, and a cluster that does not answer.

        Raises:
            InputError: If a setting cannot work there.
            ClusterError: If the cluster is not ready.
        """
        self._check_settings()
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

    def usual_storage(self) -> str:
        """None: a pod's own disk goes with the pod."""
        return ""

    def usual_registry(self) -> str:
        """None: a cluster has none by itself."""
        return ""

    def code_version(self) -> str:
        """Of the images, which carry the code that runs there."""
        return code_version()

    def start(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
    ) -> KubeflowRun:
        """Prepare a run; nothing is uploaded before it is followed."""
        return KubeflowRun(self, pipeline, arguments, use_cache=use_cache, run_id=run_id)

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


class KubeflowRun(RemoteRun[Tasks]):
    """One run of a pipeline in a cluster."""

    where = "in the cluster"

    def __init__(
        self,
        target: KubeflowTarget,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
        spec: bytes | None = None,
    ) -> None:
        """Prepare the run's folder and record.

        Args:
            target: Where it runs.
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            use_cache: Take a step's outputs from an earlier run with the same inputs and code.
            run_id: Name of the run; empty for one of the pipeline and the time.
            spec: That goes with the run as it is; None to upload what this code compiles to.
        """
        pace = Pace(wait=target.wait, poll_s=target.poll_s, give_up_s=target.give_up_s)
        super().__init__(KUBEFLOW, pipeline, arguments, pace=pace, run_id=run_id)
        self._target = target
        self._use_cache = use_cache
        self._spec = spec
        self._logs = self._folder.path / "logs"
        self._logs.mkdir()
        self._server: Server | None = None
        self._experiment = ""  # its id, as soon as the run is asked for

    def _submit(self) -> None:
        file = self._folder.path / "pipeline.yaml"
        if self._spec is None:
            compile_spec(self.run.pipeline, KUBEFLOW, file, self._target.spec_settings())
        else:
            file.write_bytes(self._spec)
        server = self._server = self._target.connect()
        source = self._source(server, file)
        self._experiment = server.experiment(self._target.experiment)
        run_id = server.start(
            self.run.run_id,
            self._experiment,
            params=self._arguments,
            service_account=self._target.service_account or None,
            **source,
        )
        self.run.remote_id, self.run.url = run_id, server.run_url(run_id)
        self._folder.save(self.run)

    def _source(self, server: Server, spec: Path) -> dict[str, Any]:
        if self._spec is not None:
            return {"pipeline_package_path": str(spec)}
        # Code version and settings are both in the spec; the digest tells settings apart.
        version = f"{tag()}-{hashlib.sha256(spec.read_bytes()).hexdigest()[:8]}"
        pipeline_id, version_id = server.upload(GRAPHS[self.run.pipeline].NAME, version, spec)
        if not self._use_cache:  # kfp switches the cache off only in a spec that goes with the run
            return {"pipeline_package_path": str(spec), "enable_caching": False}
        return {"pipeline_id": pipeline_id, "version_id": version_id}

    def _look(self) -> Tasks:
        return Tasks(self._connected().run(str(self.run.remote_id)))

    def _is_passing(self, error: PawpetalError) -> bool:
        return isinstance(error, UnreachableError)

    def _tell(self, step: Step, state: Tasks) -> str:
        line = "waits for its pod to start" if state.is_pending(step.name) else ""
        for printed in reversed((self._read_log(step, state) or "").splitlines()):
            if printed.startswith(MARK):
                line = printed.removeprefix(MARK)
                break
        return line

    def _read_log(self, step: Step, state: Tasks) -> str | None:
        pod = state.pod(step.name)
        if pod is None:
            return None
        return self._connected().read_log(str(self.run.remote_id), pod, self._target.namespace)

    def _keep_log(self, step: Step, state: Tasks) -> None:
        """Save a step's log here; where it cannot be had, say who has it."""
        pod = state.pod(step.name)
        if step.cached or pod is None:
            return
        text = self._read_log(step, state)
        if text is None:
            namespace = self._target.namespace or DEFAULT_NAMESPACE
            step.log = f"kubectl logs -n {namespace} {pod} -c main"
            return
        path = self._logs / f"{step.name}.log"
        path.write_text(text)
        step.log = str(path)

    def _summarise(self, state: Tasks) -> None:
        """Gather scores, verdict and version, or why there are none."""
        for step in self.run.steps:  # a log that could not be had at once, perhaps can now
            if step.status in (SUCCEEDED, FAILED) and not Path(step.log).is_file():
                self._keep_log(step, state)
        if findings := self._result("ingest"):
            self.run.findings = findings
        if best := self._result("compare"):
            add_best(self.run, best, best["num_candidates"])
        if scores := self._result("evaluate"):
            add_scores(self.run, scores)
        if pushed := self._result("push"):
            add_model(self.run, pushed)
        self.run.status = state.end
        skip_waiting_steps(self.run)
        if self.run.status != SUCCEEDED:
            self._explain(state.error)

    def _result(self, step_name: str) -> dict[str, Any] | None:
        """What a step gave back by its log."""
        for step in (step for step in self.run.steps if step.name == step_name):
            for line in reversed(_lines(step)):
                if line.startswith(RESULT):
                    return dict(json.loads(line.removeprefix(RESULT)))
        return None

    def _explain(self, said: str) -> None:
        """Say which step failed, why, and where to read more."""
        failed = next((step for step in self.run.steps if step.status == FAILED), None)
        if self.run.status == CANCELLED:
            message = "the run was ended in the cluster"
        elif failed is None:
            message = said or "no step of it failed; see its page"
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

    def _end(self) -> None:
        server = self._server
        if server and self._experiment and not self.run.remote_id:  # perhaps just being made
            self.run.remote_id = server.find_run(self.run.run_id, self._experiment)
        if server and self.run.remote_id:
            server.terminate(self.run.remote_id)

    def _connected(self) -> Server:
        if self._server is None:
            raise ClusterError("The run was not started.")
        return self._server


def _lines(step: Step) -> list[str]:
    path = Path(step.log)
    return path.read_text(errors="replace").splitlines() if path.is_file() else []
