"""Google's endpoints on 127.0.0.1, as far as pawpetal asks them: a double.

No test can reach the real ones. What holds this one to them:
- paths, fields and refusals are those of the REST references that `routes` names;
- bodies of jobs are read by the protobuf types of google-cloud-aiplatform, and specs within them by
  those of kfp, so that what the API would not know is refused here, too;
- nobody gets what their roles do not give: the caller's permissions are resolved from the same
  policies that the double tells.
It does not run jobs, evaluate conditions of bindings, or know folders and organisations.

    with GoogleDouble() as google:          # sets CLOUDSDK_API_ENDPOINT_OVERRIDES_*
        google.project.apis.remove("compute.googleapis.com")
        google.jobs.plans["customJobs"] = [{"state": "JOB_STATE_RUNNING"}, ...]
        ...
        assert google.asked("POST", "aiplatform")[0].body["displayName"] == "train"
"""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
import traceback
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.google_cloud.errors import ApiError, denied, disabled
from tests.google_cloud.jobs import Jobs
from tests.google_cloud.models import Models
from tests.google_cloud.project import NUMBER, healthy_project
from tests.google_cloud.routes import ROUTES, Seen
from tests.google_cloud.schedules import Schedules
from tests.google_cloud.specs_repository import form

OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
SERVICES = (
    "aiplatform",
    "artifactregistry",
    "cloudresourcemanager",
    "compute",
    "iam",
    "kfp",
    "logging",
    "serviceusage",
    "storage",
)
OF_SERVICE = {"kfp": "artifactregistry"}  # the API that another address is a door of


@dataclass
class Fault:
    """What goes wrong; the request is not done, unless its answer is what is lost."""

    pattern: str  # regular expression, of service, method and path: "iam GET .*roles/"
    status: int  # 0 drops the connection
    times: int
    message: str = "The service is currently unavailable."
    reason: str = ""
    is_done: bool = False  # before the connection is dropped


class GoogleDouble:
    """The endpoints. Set `project`, `jobs` and `faults`; read `seen` afterwards."""

    def __init__(self) -> None:
        self.project = healthy_project()
        self.jobs = Jobs(self.project)
        self.models = Models()
        self.schedules = Schedules()
        self.specs: dict[tuple[str, str], bytes] = {}  # by package and version
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.logs: dict[str, list[str]] = {}  # lines that a custom job printed, by its number
        self.lock = threading.RLock()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._environment = pytest.MonkeyPatch()

    def variables(self) -> dict[str, str]:
        """What an environment needs so that pawpetal asks this double."""
        overrides = {f"{OVERRIDE}{name.upper()}": f"{self.url}/{name}" for name in SERVICES}
        # No proxy reaches this machine from outside; and whether it is one of Google's is plain.
        return {**overrides, "no_proxy": "127.0.0.1", "NO_GCE_CHECK": "true"}

    def __enter__(self) -> Self:
        for name, value in self.variables().items():
            self._environment.setenv(name, value)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.undo()
        self._http.shutdown()
        self._http.server_close()

    def fail(self, pattern: str, status: int, *, times: int = 1, **said: Any) -> None:
        """Let the next requests that match go wrong; see `Fault`."""
        self.faults.append(Fault(pattern, status, times, **said))

    def asked(self, method: str, service: str, pattern: str = "") -> list[Seen]:
        """The requests so far, of one method and service, whose path has a pattern."""
        return [
            each
            for each in self.seen
            if (each.method, each.service) == (method, service) and re.search(pattern, each.path)
        ]

    def answer(self, seen: Seen) -> dict[str, Any] | str | bytes:
        """What Google would answer.

        Raises:
            ApiError: If it would refuse.
        """
        self.seen.append(seen)
        for fault in self.faults:
            asked = f"{seen.service} {seen.method} {seen.path}"
            if fault.times and re.search(fault.pattern, asked):
                fault.times -= 1
                if fault.is_done:
                    self._act(seen)
                if not fault.status:
                    raise ConnectionAbortedError
                raise ApiError(fault.status, fault.message, reason=fault.reason)
        return self._act(seen)

    def _act(self, seen: Seen) -> dict[str, Any] | str | bytes:
        api = f"{OF_SERVICE.get(seen.service, seen.service)}.googleapis.com"
        if api not in self.project.apis:
            raise disabled(api, NUMBER)
        for service, method, pattern, act in ROUTES:
            match = re.fullmatch(pattern, seen.path)
            if (service, method) == (seen.service, seen.method) and match:
                return act(self, seen, *(unquote(part) for part in match.groups()))
        raise ApiError(404, f"The requested URL /{seen.path} was not found on this server.")

    def need(self, permission: str, on: str) -> None:
        """Refuse a caller who lacks a permission."""
        if not self.project.allowed([permission], on):
            raise denied(permission, on)


def _handler(google: GoogleDouble) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or every answer waits 40 ms

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            service, _, path = parts.path.removeprefix("/").partition("/")
            seen = Seen(
                service=service,
                method=self.command,
                path=path,
                query=parse_qs(parts.query),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=_read(content, self.headers.get("Content-Type", "")),
            )
            try:
                with google.lock:
                    status, body = 200, google.answer(seen)
            except ApiError as error:
                status = error.status
                body = error.storage_body() if service == "storage" else error.body()
            except ConnectionAbortedError:
                self.close_connection = True
                return
            except Exception as error:  # told, since a lost connection would be tried again
                traceback.print_exc()
                status, body = 400, {"error": {"message": f"the double failed: {error!r}"}}
            kind = "application/json" if isinstance(body, dict) else "text/plain"
            written = _written(body)
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=UTF-8")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked has gone
                self.wfile.write(written)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _read(content: bytes, content_type: str) -> Any:
    if content_type.startswith("multipart/"):
        return form(content, content_type)
    return json.loads(content) if content else None


def _written(body: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
