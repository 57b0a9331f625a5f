"""A Kubeflow Pipelines server on 127.0.0.1 that keeps everything in memory: a double.

A real one cannot run where the tests run. What holds this one to it:
- Requests and answers are checked both ways against the published models of the API
  (`kfp-server-api`, generated from its OpenAPI document); see `schema.py`.
- Tests reach it by the real `kfp.Client` over real HTTP.
- Specs are parsed as protobuf, by the messages of `kfp-pipeline-spec` and `kfp-kubernetes`, and
  parameters are refused as in the backend's `validatePipelineJobInputs`; see `specs.py`.
- What it tells of a run's steps follows a recorded run of 2.16; see `workflow.py`.
- Forms of errors (gRPC's, and another one for uploads), the log's two doors, which of them the UI's
  server has, and what /healthz tells were read in the sources of kubeflow/pipelines.
- Recurring runs fire, while a test lets time pass, as `controller.py` says.
It does not run steps, or ask Kubernetes for permissions; ids, page tokens and the wording of errors
are its own.
"""

from __future__ import annotations

import base64
import contextlib
import email.parser
import email.policy
import http.server
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kfp_server_api import models

from tests.pipelines.kubeflow import schema, specs
from tests.pipelines.kubeflow.controller import CronError, RobfigCron, Trigger, next_time
from tests.pipelines.kubeflow.workflow import Moment, Outcome, Script, task_details

# gRPC's codes and their HTTP status.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 503: 14}
NOT_ENDED = ("PENDING", "RUNNING", "CANCELING")
LONGEST_DESCRIPTION = 255  # of a recurring run, in MySQL where an older release made the table
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 200
PAGE = b"<!doctype html><html><title>Kubeflow Pipelines</title></html>"
OPERATIONS = {1: "EQUALS", 2: "NOT_EQUALS", 8: "IN", 9: "IS_SUBSTRING"}


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Dropped(Exception):  # noqa: N818  # an event
    """The connection goes away without an answer."""


@dataclass
class Fault:
    """What goes wrong, and with what."""

    path: str  # regular expression, of method and path: "GET /apis/v2beta1/runs/"
    times: int
    status: int = 0  # 0 drops the connection
    body: bytes | None = None  # None: an error in the API's form
    after: bool = False  # the request is done first, and only the answer is lost
    skips: int = 0  # so many that match are done as ever


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class StoredRun:
    """A run and the workflow behind it."""

    run: Any
    moments: Iterator[Moment]
    moment: Moment | None = None


@dataclass
class Store:
    """Everything that the server keeps."""

    pipelines: list[Any] = field(default_factory=list)
    versions: list[Any] = field(default_factory=list)
    parsed: dict[str, specs.Parsed] = field(default_factory=dict)  # by id of the version
    experiments: list[Any] = field(default_factory=list)
    runs: dict[str, StoredRun] = field(default_factory=dict)
    recurring: list[Any] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)  # by id of the recurring run


class FakeServer:
    """The server. Set its attributes to script it, read `seen` and `store` afterwards."""

    def __init__(self) -> None:
        self.store = Store()
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.outcomes: dict[str, Outcome] = {}  # by step
        self.takes_branch = True  # whether the gate opens
        self.tokens: set[str] | None = None  # bearer tokens that are let in; None: all
        self.cookie: str | None = None  # the cookie that is asked for
        self.users: set[str] = set()  # namespaces; some make it a server of many users
        self.is_ui = True  # the address is the UI's server, which hands on what is the API's
        self.keeps_logs = True
        self.version = "2.17.0"
        self.before: Callable[[Seen], None] | None = None  # called ahead of each request
        self.now: datetime | None = None  # the time, as a test sets it; None: the real one
        self.looks_every = timedelta(seconds=30)  # the controller of recurring runs
        self.run_length = timedelta(0)  # of runs that it starts
        self.tells_due_times = False  # releases after 2.17 do, as `scheduled_at`
        self.usual_account = "pipeline-runner"
        self.fired: list[tuple[Any, datetime]] = []  # recurring run, and the time that was due
        self.lock = threading.RLock()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    def count(self, method: str, path: str) -> int:
        """How many requests there were of that method to a path that matches."""
        return sum(each.method == method and bool(re.search(path, each.path)) for each in self.seen)

    def time(self) -> datetime:
        """The time here."""
        return self.now or datetime.now(UTC)

    def pass_time(self, until: datetime) -> None:
        """Let the controller look at recurring runs again and again, up to a moment and in it."""
        if self.now is None:
            raise ValueError("Set `now` first.")
        with self.lock:
            moment = self.now
            while (moment := self._next_look(moment)) <= until:
                self.now = moment
                self.fire()
            self.now = until

    def _next_look(self, moment: datetime) -> datetime:
        every = self.looks_every.total_seconds()
        return datetime.fromtimestamp((moment.timestamp() // every + 1) * every, UTC)

    def fire(self) -> None:
        """Start what is due at this moment, one run a recurring run."""
        now = self.time()
        for stored in self.store.runs.values():
            run = stored.run
            is_over = run.recurring_run_id and run.created_at + self.run_length <= now
            if is_over and run.state in ("PENDING", "RUNNING"):
                run.state = "SUCCEEDED"
        for recurring in self.store.recurring:
            active = [run for run in self._started(recurring) if run.state in NOT_ENDED]
            is_full = len(active) >= int(recurring.max_concurrency)
            if recurring.status != "ENABLED" or is_full:
                continue
            trigger = self.store.triggers[recurring.recurring_run_id]
            due = next_time(recurring, trigger, now)
            if due and due <= now:
                trigger.last = due
                self._start(recurring, due)

    def _started(self, recurring: Any) -> list[Any]:
        runs = (stored.run for stored in self.store.runs.values())
        return [run for run in runs if run.recurring_run_id == recurring.recurring_run_id]

    def _start(self, recurring: Any, due: datetime) -> None:
        parameters = recurring.runtime_config["parameters"]
        told = self.create_run(
            Seen(method="", path="", query={}, headers={}),
            body={
                "display_name": f"{recurring.display_name}-{len(self.store.runs)}",
                "experiment_id": recurring.experiment_id,
                "pipeline_version_reference": recurring.pipeline_version_reference,
                "runtime_config": {"parameters": parameters},
                "service_account": recurring.service_account,
            },
        )
        run = self.store.runs[told["run_id"]].run
        run.recurring_run_id = recurring.recurring_run_id
        run.scheduled_at = due if self.tells_due_times else run.created_at
        self.fired.append((recurring, due))

    def answer(self, seen: Seen, body: bytes, content_type: str) -> tuple[int, str, bytes]:
        """Answer one request: status, type and content."""
        if self.before:
            self.before(seen)
        with self.lock:
            self.seen.append(seen)
            fault = self._fault(seen)
            if fault and not fault.after:
                return self._fail(fault)
            self._check_login(seen)
            answer = self._route(seen, body, content_type)
            return self._fail(fault) if fault else answer

    def _fault(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.path, f"{seen.method} {seen.path}"):
                if fault.skips:
                    fault.skips -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _fail(self, fault: Fault) -> tuple[int, str, bytes]:
        if not fault.status:
            raise Dropped
        if fault.body is None:
            raise ApiError(fault.status, HTTPStatus(fault.status).phrase)
        return fault.status, "text/html", fault.body

    def _check_login(self, seen: Seen) -> None:
        if self.tokens is not None:
            kind, _, token = seen.headers.get("authorization", "").partition(" ")
            if kind != "Bearer" or token not in self.tokens:
                raise ApiError(401, "Request header error: there is no valid user identity")
        if self.cookie is not None and seen.headers.get("cookie") != self.cookie:
            raise ApiError(401, "Request header error: there is no user identity header")

    def _route(self, seen: Seen, body: bytes, content_type: str) -> tuple[int, str, bytes]:
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, seen.path)
            if match and method == seen.method:
                told = getattr(self, handler)(
                    seen, *map(unquote, match.groups()), **_content(handler, body, content_type)
                )
                if isinstance(told, tuple):
                    return told
                return 200, "application/json", json.dumps(told).encode()
        if self.is_ui and seen.method == "GET":  # the UI's own pages are one page
            return 200, "text/html; charset=UTF-8", PAGE
        raise ApiError(404, "Not Found")

    # Health and logs

    def health(self, seen: Seen) -> Any:
        told = {"multi_user": bool(self.users), "pipeline_store": "database"}
        if self.is_ui:
            return {
                **{"apiServerReady": True, "frontendTagName": self.version, "buildDate": ""},
                **{"apiServerMultiUser": bool(self.users), "multi_user": bool(self.users)},
            }
        schema.check(told, "V2beta1GetHealthzResponse")
        return told

    def health_v1(self, seen: Seen) -> Any:
        return {"commit_sha": "0" * 40, "tag_name": self.version, "multi_user": bool(self.users)}

    def ui_log(self, seen: Seen) -> Any:
        if not self.is_ui:
            raise ApiError(404, "Not Found")
        if self.users and seen.query.get("podnamespace") not in self.users:
            return 422, "text/plain", b"podnamespace argument is required"
        log = self._log(seen.query["podname"])
        if log is None:
            return 500, "text/plain", b"Could not get main container logs: Error"
        return 200, "text/plain", log.encode()

    def api_log(self, seen: Seen, run_id: str, pod: str) -> Any:
        if self.is_ui:  # it hands on v1beta1 and v2beta1 alone
            return 200, "text/html; charset=UTF-8", PAGE
        log = self._log(pod)
        if log is None:
            message = {"error_message": f"Failed to read logs for run {run_id}"}
            return 500, "application/json", json.dumps(message).encode()
        return 200, "text/plain", log.encode()

    def _log(self, pod: str) -> str | None:
        moments = [stored.moment for stored in self.store.runs.values() if stored.moment]
        found = (moment.logs[pod] for moment in moments if pod in moment.logs)
        return next(found, None) if self.keeps_logs else None

    # Pipelines and versions

    def create_pipeline(self, seen: Seen, *, body: Any) -> Any:
        schema.check(body, "V2beta1Pipeline")
        name = body.get("name") or body.get("display_name")
        if not name:
            raise ApiError(400, "pipeline's name cannot be empty")
        return schema.to_json(self.add_pipeline(name, body.get("namespace", "")))

    def add_pipeline(self, name: str, namespace: str = "") -> Any:
        self._check_namespace(namespace, needed=False)
        if any((each.name, each.namespace or "") == (name, namespace) for each in self.pipelines):
            raise ApiError(409, f"Already exist error: pipeline {name} already exists")
        pipeline = models.V2beta1Pipeline(
            pipeline_id=_new_id(),
            name=name,
            display_name=name,
            namespace=namespace or None,
            created_at=self.time(),
        )
        self.store.pipelines.append(pipeline)
        return pipeline

    @property
    def pipelines(self) -> list[Any]:
        return self.store.pipelines

    def list_pipelines(self, seen: Seen) -> Any:
        namespace = seen.query.get("namespace", "")
        found = [each for each in self.pipelines if (each.namespace or "") == namespace]
        return _page(seen, found, "pipelines", models.V2beta1ListPipelinesResponse)

    def get_pipeline(self, seen: Seen, pipeline_id: str) -> Any:
        return schema.to_json(_find(self.pipelines, "pipeline_id", pipeline_id))

    def get_pipeline_by_name(self, seen: Seen, name: str) -> Any:
        return schema.to_json(_find(self.pipelines, "name", name))

    def upload_pipeline(self, seen: Seen, *, spec: str) -> Any:
        name = seen.query.get("name") or "pipeline.yaml"
        parsed = specs.parse(spec)
        pipeline = self.add_pipeline(name, seen.query.get("namespace", ""))
        self._add_version(pipeline.pipeline_id, name, parsed, seen.query.get("description"))
        return schema.to_json(pipeline)

    def upload_version(self, seen: Seen, *, spec: str) -> Any:
        pipeline_id = seen.query.get("pipelineid", "")
        _find(self.pipelines, "pipeline_id", pipeline_id)
        name = seen.query.get("name") or "pipeline.yaml"
        return schema.to_json(
            self._add_version(pipeline_id, name, specs.parse(spec), seen.query.get("description"))
        )

    def _add_version(
        self, pipeline_id: str, name: str, parsed: specs.Parsed, description: str | None
    ) -> Any:
        for each in self.store.versions:
            if (each.pipeline_id, each.name) == (pipeline_id, name):
                raise ApiError(409, "Failed to create a pipeline version")
        version = models.V2beta1PipelineVersion(
            pipeline_id=pipeline_id,
            pipeline_version_id=_new_id(),
            name=name,
            display_name=name,
            description=description,
            created_at=self.time(),
            pipeline_spec=parsed.as_json,
        )
        self.store.versions.append(version)
        self.store.parsed[version.pipeline_version_id] = parsed
        return version

    def list_versions(self, seen: Seen, pipeline_id: str) -> Any:
        _find(self.pipelines, "pipeline_id", pipeline_id)
        found = [each for each in self.store.versions if each.pipeline_id == pipeline_id]
        return _page(seen, found, "pipeline_versions", models.V2beta1ListPipelineVersionsResponse)

    def get_version(self, seen: Seen, pipeline_id: str, version_id: str) -> Any:
        return schema.to_json(_find(self.store.versions, "pipeline_version_id", version_id))

    # Experiments

    def create_experiment(self, seen: Seen, *, body: Any) -> Any:
        schema.check(body, "V2beta1Experiment")
        name, namespace = body.get("display_name", ""), body.get("namespace") or ""
        if not name:
            raise ApiError(400, "Experiment must have a non-empty name")
        self._check_namespace(namespace)
        for each in self.store.experiments:
            if (each.display_name, each.namespace or "") == (name, namespace):
                raise ApiError(409, f"Already exist error: experiment {name} already exists")
        experiment = models.V2beta1Experiment(
            experiment_id=_new_id(),
            display_name=name,
            description=body.get("description"),
            namespace=namespace or None,
            created_at=self.time(),
            storage_state="AVAILABLE",
        )
        self.store.experiments.append(experiment)
        return schema.to_json(experiment)

    def list_experiments(self, seen: Seen) -> Any:
        namespace = seen.query.get("namespace", "")
        self._check_namespace(namespace)
        found = [each for each in self.store.experiments if (each.namespace or "") == namespace]
        return _page(seen, found, "experiments", models.V2beta1ListExperimentsResponse)

    def get_experiment(self, seen: Seen, experiment_id: str) -> Any:
        return schema.to_json(_find(self.store.experiments, "experiment_id", experiment_id))

    def _check_namespace(self, namespace: str, *, needed: bool = True) -> None:
        if not self.users and namespace:
            raise ApiError(400, "In single-user mode, the namespace must be empty")
        if self.users and needed and not namespace:
            raise ApiError(400, "Namespace is empty, and this is multi-user mode")
        if namespace and namespace not in self.users:
            raise ApiError(403, f"User 'someone' is not authorized in namespace '{namespace}'")

    # Runs

    def create_run(self, seen: Seen, *, body: Any) -> Any:
        schema.check(body, "V2beta1Run")
        if not body.get("display_name"):
            raise ApiError(400, "Run's name cannot be empty")
        _find(self.store.experiments, "experiment_id", body.get("experiment_id", ""))
        parsed = self._source(body)
        specs.check_parameters(parsed.spec, body.get("runtime_config", {}).get("parameters", {}))
        reference = body.get("pipeline_version_reference")
        run = models.V2beta1Run(
            run_id=_new_id(),
            experiment_id=body["experiment_id"],
            display_name=body["display_name"],
            storage_state="AVAILABLE",
            pipeline_version_reference=models.V2beta1PipelineVersionReference(**reference)
            if reference
            else None,
            pipeline_spec=body.get("pipeline_spec"),
            runtime_config=models.V2beta1RuntimeConfig(**body.get("runtime_config", {})),
            service_account=body.get("service_account") or self.usual_account,
            created_at=self.time(),
            state="PENDING",
        )
        workflow = f"{parsed.spec.pipeline_info.name}-{run.run_id[:5]}"
        script = Script(workflow, parsed.spec, self.outcomes, takes_branch=self.takes_branch)
        self.store.runs[run.run_id] = StoredRun(run, script.moments())
        return schema.to_json(run)

    def _source(self, body: dict[str, Any]) -> specs.Parsed:
        reference, spec = body.get("pipeline_version_reference"), body.get("pipeline_spec")
        if bool(reference) == bool(spec):
            raise ApiError(400, "Give either a pipeline spec or a pipeline version")
        if reference:
            version_id = reference["pipeline_version_id"]
            _find(self.store.versions, "pipeline_version_id", version_id)
            return self.store.parsed[version_id]
        documents = spec if "pipeline_spec" in spec else {"pipeline_spec": spec}
        return specs.parse_documents(documents["pipeline_spec"], documents.get("platform_spec", {}))

    def get_run(self, seen: Seen, run_id: str) -> Any:
        """Tell of a run, and let time pass."""
        stored = self._stored(run_id)
        if stored.run.state == "CANCELING":
            stored.run.state = "CANCELED"
        elif stored.run.state in ("PENDING", "RUNNING"):
            stored.moment = next(stored.moments)
            stored.run.state = stored.moment.phase.upper()
            details = task_details(run_id, stored.run.created_at, stored.moment)
            stored.run.run_details = models.V2beta1RunDetails(task_details=details)
        return schema.to_json(stored.run)

    def _stored(self, run_id: str) -> StoredRun:
        if run_id not in self.store.runs:
            raise ApiError(404, f"Run {run_id} not found")
        return self.store.runs[run_id]

    def list_runs(self, seen: Seen) -> Any:
        if self.users and not (seen.query.get("namespace") or seen.query.get("experiment_id")):
            raise ApiError(400, "Namespace is empty, and this is multi-user mode")
        experiment = seen.query.get("experiment_id")
        runs = [stored.run for stored in self.store.runs.values()]
        found = [run for run in runs if experiment in (None, run.experiment_id)]
        return _page(seen, found, "runs", models.V2beta1ListRunsResponse)

    def terminate_run(self, seen: Seen, run_id: str) -> Any:
        run = self._stored(run_id).run
        if run.state not in ("PENDING", "RUNNING"):
            raise ApiError(400, f"Failed to terminate run {run_id}: it is in a final state")
        run.state = "CANCELING"
        return {}

    # Recurring runs

    def create_recurring(self, seen: Seen, *, body: Any) -> Any:
        schema.check(body, "V2beta1RecurringRun")
        if not body.get("display_name"):
            raise ApiError(400, "Recurring run's name cannot be empty")
        _find(self.store.experiments, "experiment_id", body.get("experiment_id", ""))
        parsed = self._source(body)
        specs.check_parameters(parsed.spec, body.get("runtime_config", {}).get("parameters", {}))
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise ApiError(400, "Max concurrency of a recurring run must be from 1 to 10")
        _check_trigger(body.get("trigger", {}))
        known = {name: body[name] for name in ("display_name", "description") if name in body}
        if len(known.get("description", "")) > LONGEST_DESCRIPTION:
            raise ApiError(500, "Error 1406: Data too long for column 'Description' at row 1")
        experiment = _find(self.store.experiments, "experiment_id", body["experiment_id"])
        recurring = models.V2beta1RecurringRun(
            recurring_run_id=_new_id(),
            **known,
            namespace=experiment.namespace,
            service_account=body.get("service_account") or self.usual_account,
            experiment_id=body["experiment_id"],
            max_concurrency=str(body["max_concurrency"]),
            no_catchup=body.get("no_catchup"),
            trigger=body["trigger"],
            mode=body.get("mode", "MODE_UNSPECIFIED"),
            status="ENABLED" if body.get("mode") == "ENABLE" else "DISABLED",
            created_at=self.time(),
            updated_at=self.time(),
            runtime_config=_as_go(body.get("runtime_config")),
            pipeline_version_reference=body.get("pipeline_version_reference"),
        )
        self.store.recurring.append(recurring)
        self.store.triggers[recurring.recurring_run_id] = Trigger()
        return schema.to_json(recurring)

    def list_recurring(self, seen: Seen) -> Any:
        namespace, experiment = seen.query.get("namespace", ""), seen.query.get("experiment_id")
        self._check_namespace(namespace, needed=not experiment)
        found = [
            each
            for each in self.store.recurring
            if (experiment or each.experiment_id) == each.experiment_id
            and (namespace or each.namespace or "") == (each.namespace or "")
        ]
        return _page(seen, found, "recurring_runs", models.V2beta1ListRecurringRunsResponse)

    def get_recurring(self, seen: Seen, recurring_id: str) -> Any:
        return schema.to_json(_find(self.store.recurring, "recurring_run_id", recurring_id))

    def switch_recurring(self, seen: Seen, recurring_id: str, action: str) -> Any:
        recurring = _find(self.store.recurring, "recurring_run_id", recurring_id)
        recurring.mode = action.upper()
        recurring.status = f"{action.upper()}D"
        recurring.updated_at = self.time()
        return {}

    def delete_recurring(self, seen: Seen, recurring_id: str) -> Any:
        """Delete it and, since it owns them, the workflows of its runs."""
        recurring = _find(self.store.recurring, "recurring_run_id", recurring_id)
        self.store.recurring.remove(recurring)
        for run in self._started(recurring):
            if run.state in NOT_ENDED:
                run.state = "FAILED"
        return {}


_API = "/apis/v2beta1"
_ROUTES = [
    ("GET", f"{_API}/healthz", "health"),
    ("GET", "/apis/v1beta1/healthz", "health_v1"),
    ("GET", "/k8s/pod/logs", "ui_log"),
    ("GET", "/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", "api_log"),
    ("POST", f"{_API}/pipelines", "create_pipeline"),
    ("GET", f"{_API}/pipelines", "list_pipelines"),
    ("POST", f"{_API}/pipelines/upload", "upload_pipeline"),
    ("POST", f"{_API}/pipelines/upload_version", "upload_version"),
    ("GET", f"{_API}/pipelines/names/([^/]+)", "get_pipeline_by_name"),
    ("GET", f"{_API}/pipelines/([^/]+)", "get_pipeline"),
    ("GET", f"{_API}/pipelines/([^/]+)/versions", "list_versions"),
    ("GET", f"{_API}/pipelines/([^/]+)/versions/([^/]+)", "get_version"),
    ("POST", f"{_API}/experiments", "create_experiment"),
    ("GET", f"{_API}/experiments", "list_experiments"),
    ("GET", f"{_API}/experiments/([^/]+)", "get_experiment"),
    ("POST", f"{_API}/runs", "create_run"),
    ("GET", f"{_API}/runs", "list_runs"),
    ("GET", f"{_API}/runs/([^/:]+)", "get_run"),
    ("POST", f"{_API}/runs/([^/:]+):terminate", "terminate_run"),
    ("POST", f"{_API}/recurringruns", "create_recurring"),
    ("GET", f"{_API}/recurringruns", "list_recurring"),
    ("GET", f"{_API}/recurringruns/([^/:]+)", "get_recurring"),
    ("DELETE", f"{_API}/recurringruns/([^/:]+)", "delete_recurring"),
    ("POST", f"{_API}/recurringruns/([^/:]+):(enable|disable)", "switch_recurring"),
]


def _content(handler: str, body: bytes, content_type: str) -> dict[str, Any]:
    if handler.startswith("create_"):
        return {"body": json.loads(body)}
    if handler.startswith("upload_"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        for part in parts.iter_parts():
            if part.get_param("name", header="content-disposition") == "uploadfile":
                return {"spec": part.get_payload(decode=True).decode()}
        raise ApiError(400, "Failed to read pipeline from file")
    return {}


def _check_trigger(trigger: dict[str, Any]) -> None:
    cron = trigger.get("cron_schedule", {}).get("cron")
    if cron is not None:
        try:
            RobfigCron(cron)
        except CronError as error:
            raise ApiError(400, f"Schedule cron is not a supported format. {error}") from error
    interval = trigger.get("periodic_schedule", {}).get("interval_second")
    if interval is not None and int(interval) < 1:
        raise ApiError(400, f"Found invalid period schedule interval {interval}")


def _page(seen: Seen, found: list[Any], name: str, response: Any) -> Any:
    """One page of what is found, as asked by filter, order, size and token."""
    asked = {key: seen.query.get(key, "") for key in ("sort_by", "filter")}
    token, offset = seen.query.get("page_token"), 0
    if token:
        told = json.loads(base64.b64decode(token))
        if {key: told[key] for key in asked} != asked:
            raise ApiError(400, "page token does not match the supplied sort by or filter")
        offset = told["offset"]
    found = [each for each in found if _is_wanted(each, asked["filter"])]
    if asked["sort_by"]:
        key, _, order = asked["sort_by"].partition(" ")
        found = sorted(found, key=lambda each: getattr(each, key), reverse=order == "desc")
    size = min(int(seen.query.get("page_size") or 0) or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    after = offset + size
    more = json.dumps({**asked, "offset": after}).encode()
    return schema.to_json(
        response(
            **{name: found[offset:after] or None},
            total_size=len(found),
            next_page_token=base64.b64encode(more).decode() if after < len(found) else None,
        )
    )


def _is_wanted(each: Any, text: str) -> bool:
    if not text:
        return True
    for predicate in json.loads(text)["predicates"]:
        fields = {re.sub("([A-Z])", r"_\1", key).lower(): v for key, v in predicate.items()}
        operation = OPERATIONS.get(fields["operation"], fields["operation"])
        schema.check({**fields, "operation": operation}, "V2beta1Predicate")
        value, wanted = getattr(each, fields["key"]), fields.get("string_value", "")
        if operation == "IN" and value not in fields["string_values"]["values"]:
            return False
        if operation == "EQUALS" and value != wanted:
            return False
        if operation == "IS_SUBSTRING" and wanted not in value:
            return False
    return True


def _find(found: list[Any], key: str, value: str) -> Any:
    for each in found:
        if getattr(each, key) == value:
            return each
    raise ApiError(404, f"ResourceNotFoundError: {key} {value} not found")


def _as_go(value: Any) -> Any:
    """JSON as Go's protobuf writes it again, which knows one kind of number."""
    if isinstance(value, dict):
        return {key: _as_go(each) for key, each in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _new_id() -> str:
    return str(uuid.uuid4())


def _handler(server: FakeServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: in two, each waits 40 ms for the other end

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:  # the base class's name
            self._answer()

        do_POST = do_DELETE = do_GET  # noqa: N815

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen = Seen(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={key.lower(): value for key, value in self.headers.items()},
            )
            try:
                told = server.answer(seen, body, self.headers.get("Content-Type") or "")
            except Dropped:
                self.close_connection = True
                return
            except ApiError as error:
                told = _error(error.status, str(error), seen.path)
            except ValueError as error:  # of the schema, a spec or JSON
                told = _error(400, f"Invalid input error: {error}", seen.path)
            self._send(*told)

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _error(status: int, message: str, path: str) -> tuple[int, str, bytes]:
    """An error in gRPC's form, or in the form of the uploads, which are no gRPC."""
    told: dict[str, Any] = {"error": message, "code": CODES[status], "message": message}
    told["details"] = []
    if "/upload" in path:
        told = {"error_message": message, "error_details": message}
    return status, "application/json", json.dumps(told).encode()
