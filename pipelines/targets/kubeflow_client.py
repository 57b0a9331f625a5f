"""A thin layer over `kfp.Client`: logs in, uploads once, and says in one line what went wrong.

Left to itself kfp's client reads and writes ~/.config/kfp, prints links, waits without end for an
answer, and repeats what it asked. None of that suits a command that scripts call.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import kfp
import kfp_server_api
import urllib3
from kfp.client import (
    KF_PIPELINES_SA_TOKEN_ENV,
    KF_PIPELINES_SA_TOKEN_PATH,
    ServiceAccountTokenVolumeCredentials,
)
from kfp.client.token_credentials_base import TokenCredentialsBase
from kfp_server_api import ApiException

from components.common.errors import ClusterError, InputError

COOKIE = "PAWPETAL_KFP_COOKIE"
IAP_CLIENT_ID = "KF_PIPELINES_IAP_OAUTH2_CLIENT_ID"  # kfp reads it, before any token file
TIMEOUTS_S = (5, 60)  # for a connection, for an answer
HEALTH_TIMEOUTS_S = (3, 5)
PAGE_SIZE = 100
SPECS_PAGE_SIZE = 10  # where each comes with its spec
LONGEST_MESSAGE = 400  # of a server, which may send the whole history of an error

T = TypeVar("T")


class UnreachableError(ClusterError):
    """No answer, or one that may be another in a while."""


class LoginError(ClusterError):
    """The server does not know who asks, or does not let them."""


class GoneError(ClusterError):
    """What was asked for is not there, or no longer."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """How to tell a server who asks: paths and ids alone, so that it can be shown and recorded."""

    token_file: str = ""  # holds a bearer token; read for each request, since tokens expire
    cookie_file: str = ""  # holds NAME=VALUE; empty: the environment's PAWPETAL_KFP_COOKIE
    iap_client_id: str = ""  # OAuth client of Identity-Aware Proxy; tokens by Google credentials

    def check(self) -> None:
        """Refuse what contradicts itself, or a file that holds no such thing.

        Raises:
            InputError: If so.
        """
        if self.token_file and self.iap_client_id:
            raise InputError("`token_file` and `iap_client_id` exclude each other. Give one.")
        if self.token_file and os.environ.get(IAP_CLIENT_ID):
            raise InputError(
                f"{IAP_CLIENT_ID} is set, which kfp prefers to `token_file`. Unset it."
            )
        if self.token_file:
            read_secret("token_file", self.token_file)
        self.cookie()

    def cookie(self) -> str | None:
        """The session cookie, if there is one."""
        if self.cookie_file:
            return read_secret("cookie_file", self.cookie_file)
        return _checked(COOKIE, os.environ.get(COOKIE, "").strip()) or None

    def credentials(self) -> TokenCredentialsBase | None:
        """Where kfp's client takes bearer tokens from; None without any."""
        if self.token_file:
            return TokenFile(self.token_file)
        volume = os.environ.get(KF_PIPELINES_SA_TOKEN_ENV) or KF_PIPELINES_SA_TOKEN_PATH
        if not self.iap_client_id and Path(volume).is_file():
            return ServiceAccountTokenVolumeCredentials(volume)
        return None


class TokenFile(TokenCredentialsBase):
    """A bearer token in a file, read anew for each request."""

    def __init__(self, path: str) -> None:
        self._path = path

    def refresh_api_key_hook(self, config: Any) -> None:
        """Called by kfp's client before each request."""
        config.api_key["authorization"] = read_secret("token_file", self._path)


def read_secret(setting: str, path: str) -> str:
    """Read a file that holds one secret, and never show it.

    Raises:
        InputError: If it cannot be read, is empty, or could not stand in a header.
    """
    try:
        text = Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"`{setting}` '{path}' cannot be read: {reason}") from None
    if not text:
        raise InputError(f"`{setting}` '{path}' is empty.")
    return _checked(f"`{setting}` '{path}'", text)


def _checked(name: str, secret: str) -> str:
    if not (secret.isascii() and secret.isprintable()):
        raise InputError(f"{name} must hold one line of plain ASCII.")
    return secret


class _Client(kfp.Client):
    """kfp's client without its memory in the home folder, its patience and its repetitions."""

    def __init__(self, *, namespace: str, **settings: Any) -> None:
        self._asked_namespace = namespace
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it needs Kubeflow Pipelines 2
            super().__init__(namespace=namespace, **settings)
        self.api = self._run_api.api_client
        rest = self.api.rest_client
        rest.request = functools.partial(_request, rest.request)

    def _load_config(self, *args: Any, **kwargs: Any) -> Any:
        config = super()._load_config(*args, **kwargs)
        # What is worth repeating, is repeated by whoever asks, who can say so.
        config.retries = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=5)
        return config

    def _load_context_setting_or_default(self) -> None:
        self._context_setting = {"namespace": self._asked_namespace}

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:  # noqa: ARG002  # asked by kfp
        """Say nothing: kfp would ask five times, and then write a namespace to the home folder."""
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)


def _request(
    request: Callable[..., Any], method: str, url: str, *, _request_timeout: Any = None, **rest: Any
) -> Any:
    try:
        return request(method, url, _request_timeout=_request_timeout or TIMEOUTS_S, **rest)
    except ApiException as error:
        if error.body is None:  # of TLS; the generated client would trip over it
            raise urllib3.exceptions.HTTPError(error.reason) from None
        raise


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a server tells about itself."""

    multi_user: bool
    version: str  # empty where it does not tell


class Server:
    """One Kubeflow Pipelines server; whatever it refuses becomes a `ClusterError` of one line."""

    def __init__(self, host: str, login: Login, namespace: str = "") -> None:
        """Prepare to ask; nothing is asked yet, except for an IAP token.

        Args:
            host: Address of its UI or of its API.
            login: How to tell who asks.
            namespace: Of the user, where the server has many; otherwise empty.
        """
        self._host = host.rstrip("/")
        self._login = login
        self._namespace = namespace
        self._log_paths = ["/k8s/pod/logs", "/apis/v1alpha1/runs/{run}/nodes/{pod}/log"]
        self._client = self._connect()

    @property
    def host(self) -> str:
        """Its address, without a slash at its end."""
        return self._host

    def _connect(self) -> _Client:
        try:
            return _Client(
                host=self._host,
                namespace=self._namespace,
                client_id=self._login.iap_client_id or None,
                cookies=self._login.cookie(),
                credentials=self._login.credentials(),
                proxy=_proxy(self._host),
                ssl_ca_cert=os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE"),
            )
        except InputError:
            raise
        except Exception as error:  # of google.auth, in many kinds
            raise LoginError(
                f"Google gave no token for {self._host}: {_one_line(str(error))}."
                " See: gcloud auth application-default login"
            ) from None

    def health(self) -> Health:
        """Ask how it is.

        Raises:
            ClusterError: If it does not answer, does not let one in, or is something else.
        """
        told = self._told("/apis/v2beta1/healthz")
        if told.get("apiServerReady") is False:  # said by the UI's server
            raise UnreachableError(f"{self._host} answers, but its API server is not ready yet.")
        version = told.get("apiServerTagName") or told.get("frontendTagName")
        if not version:
            with contextlib.suppress(ClusterError):
                version = self._told("/apis/v1beta1/healthz").get("tag_name")
        return Health(multi_user=bool(told.get("multi_user")), version=str(version or ""))

    def _told(self, path: str) -> dict[str, Any]:
        with self._asking("how it is"):
            answer = self._get(path, timeouts=HEALTH_TIMEOUTS_S)
        with contextlib.suppress(ValueError):
            told = json.loads(answer.data)
            if isinstance(told, dict):
                return told
        raise self._no_api(_is_page(answer))

    def _no_api(self, is_page: bool) -> ClusterError:
        what = "a web page" if is_page else "something else"
        return LoginError(
            f"{self._host} answered with {what} instead of Kubeflow Pipelines' API: a login page,"
            f" or another server. {self._login_hint()}"
        )

    def upload(self, pipeline: str, version: str, spec: Path) -> tuple[str, str]:
        """Upload a spec, unless that version is there.

        Args:
            pipeline: Name of the pipeline, which is made when new.
            version: Name of the version.
            spec: File with the spec.

        Returns:
            Ids of the pipeline and the version.

        Raises:
            ClusterError: If the version is there with another content.
        """
        content = f"sha256:{hashlib.sha256(spec.read_bytes()).hexdigest()}"
        found = self.put_version(pipeline, version, spec, content)
        if found.description != content:
            raise ClusterError(
                f"Version '{version}' of '{pipeline}' at {self._host} holds another spec than this"
                " code compiles to. Delete or rename it there."
            )
        return found.pipeline_id, found.pipeline_version_id

    def put_version(self, pipeline: str, version: str, spec: Path, description: str) -> Any:
        """Upload a spec, unless a version of that name is there; gives the version.

        Args:
            pipeline: Name of the pipeline, which is made when new.
            version: Name of the version.
            spec: File with the spec.
            description: Of the version; another one tells that it was made by somebody else.
        """
        pipeline_id = self._pipeline(pipeline).pipeline_id
        with self._asking(f"to upload version '{version}' of '{pipeline}'"):
            return _find_or_make(
                lambda: self._find(
                    self._client.list_pipeline_versions, version, pipeline_id=pipeline_id
                ),
                lambda: self._client.upload_pipeline_version(
                    str(spec), version, pipeline_id=pipeline_id, description=description
                ),
            )

    def versions(self, pipeline: str) -> Iterator[Any]:
        """All versions of a pipeline, newest first; none where there is no such pipeline.

        Asked page by page, as far as somebody wants to know: each comes with its whole spec.
        """
        what = f"for the versions of '{pipeline}'"
        with self._asking(what):
            found = self._find(
                self._client.list_pipelines, pipeline, namespace=self._namespace or None
            )
        if found is None:
            return
        list_page = functools.partial(
            self._client.list_pipeline_versions, pipeline_id=found.pipeline_id
        )
        versions = _pages(list_page, SPECS_PAGE_SIZE)
        while True:
            with self._asking(what):
                version = next(versions, None)
            if version is None:
                return
            yield version

    def version(self, pipeline_id: str, version_id: str) -> Any:
        """A version of a pipeline, with its spec."""
        with self._asking("for a version of a pipeline"):
            return self._client.get_pipeline_version(pipeline_id, version_id)

    def _pipeline(self, name: str) -> Any:
        # Not by `upload_pipeline`, which names the first version after the pipeline.
        body = kfp_server_api.V2beta1Pipeline(
            name=name, display_name=name, namespace=self._namespace or None
        )
        with self._asking(f"for the pipeline '{name}'"):
            return _find_or_make(
                lambda: self._find(
                    self._client.list_pipelines, name, namespace=self._namespace or None
                ),
                lambda: self._client.pipelines.pipeline_service_create_pipeline(pipeline=body),
            )

    def experiment(self, name: str) -> str:
        """Find an experiment by its name, or make it; gives its id."""
        with self._asking(f"for the experiment '{name}'"):
            found = _find_or_make(
                lambda: self._find(self._client.list_experiments, name),
                lambda: self._client.create_experiment(name),
            )
        return str(found.experiment_id)

    def start(self, name: str, experiment_id: str, **settings: Any) -> str:
        """Start a run, once, even where the answer gets lost.

        Args:
            name: Its name, which no other run has.
            experiment_id: Where it is shown.
            settings: Of kfp's `run_pipeline`.

        Returns:
            Its id.
        """
        with self._asking("to start the run"):
            run = _make_or_find(
                lambda: self._client.run_pipeline(experiment_id, name, **settings),
                lambda: self._find(self._client.list_runs, name, experiment_id=experiment_id),
            )
        return str(run.run_id)

    def find_run(self, name: str, experiment_id: str | None) -> str | None:
        """Id of the run of that name, in one experiment or in any; None without one."""
        with self._asking(f"for the run '{name}'"):
            found = self._find(self._client.list_runs, name, experiment_id=experiment_id)
        return str(found.run_id) if found else None

    def run(self, run_id: str) -> Any:
        """A run as it is now; logs in once more where that is asked for.

        Raises:
            UnreachableError: If it may be told later.
            LoginError: If another login did not help.
            ClusterError: If it is not there, or for any other reason.
        """
        try:
            return self._run(run_id)
        except LoginError:
            self._client = self._connect()
            return self._run(run_id)

    def _run(self, run_id: str) -> Any:
        with self._asking("for the run"):
            run = self._client.get_run(run_id)
        if run.run_id != run_id:  # a login page, say, which has no fields
            raise self._no_api(is_page=True)
        return run

    def terminate(self, run_id: str) -> None:
        """End a run."""
        with self._asking("to end the run"):
            self._client.terminate_run(run_id)

    def version_name(self, pipeline_id: str, version_id: str) -> str:
        """Name of a version of a pipeline.

        Raises:
            GoneError: If it is not there.
        """
        return str(self.version(pipeline_id, version_id).display_name)

    def find_experiment(self, name: str) -> str:
        """Id of an experiment; empty where there is none of that name."""
        with self._asking(f"for the experiment '{name}'"):
            found = self._find(self._client.list_experiments, name)
        return str(found.experiment_id) if found else ""

    def experiment_name(self, experiment_id: str) -> str:
        """Name of an experiment.

        Raises:
            GoneError: If it is not there.
        """
        with self._asking("for an experiment"):
            found = self._client.get_experiment(experiment_id=experiment_id)
        return str(found.display_name)

    def recurring_runs(self) -> list[Any]:
        """All recurring runs that there are, whoever made them, newest first."""
        list_page = functools.partial(
            self._client.list_recurring_runs, namespace=self._namespace or None
        )
        with self._asking("for the recurring runs"):
            return list(_pages(list_page))

    def create_recurring_run(self, wanted: Any) -> Any:
        """Make a recurring run, once, even where the answer gets lost.

        Args:
            wanted: The `V2beta1RecurringRun`, whose description no other one has.
        """
        with self._asking(f"for the recurring run '{wanted.display_name}'"):
            return _make_or_find(
                lambda: self._client._recurring_run_api.recurring_run_service_create_recurring_run(
                    recurring_run=wanted
                ),
                lambda: self._described(wanted.display_name, wanted.description),
            )

    def _described(self, name: str, description: str) -> Any:
        """The newest recurring run of a name and a description."""
        list_page = functools.partial(
            self._client.list_recurring_runs,
            filter=_filter(display_name=name),
            namespace=self._namespace or None,
        )
        return next((run for run in _pages(list_page) if run.description == description), None)

    def switch_recurring_run(self, recurring_id: str, *, is_enabled: bool) -> None:
        """Let a recurring run fire, or fire no more; what it started goes on.

        Raises:
            GoneError: If it is not there.
        """
        with self._asking(f"to {'enable' if is_enabled else 'disable'} a recurring run"):
            if is_enabled:
                self._client.enable_recurring_run(recurring_id)
            else:
                self._client.disable_recurring_run(recurring_id)

    def delete_recurring_run(self, recurring_id: str) -> None:
        """Delete a recurring run, and what it started and still runs; gone already is fine."""
        with contextlib.suppress(GoneError), self._asking("to delete a recurring run"):
            self._client.delete_recurring_run(recurring_id)

    def newest_run_of(self, recurring_id: str, *, states: tuple[str, ...] = ()) -> Any:
        """The newest run that a recurring run started; None without one.

        Args:
            recurring_id: Of the recurring run.
            states: Only in one of these, e.g. "RUNNING"; empty for any.
        """
        return next(iter(self._runs_of(recurring_id, states).runs or ()), None)

    def count_runs_of(self, recurring_id: str, *, states: tuple[str, ...] = ()) -> int:
        """How many runs it started that are there; arguments as of `newest_run_of`."""
        return int(self._runs_of(recurring_id, states).total_size or 0)

    def _runs_of(self, recurring_id: str, states: tuple[str, ...]) -> Any:
        with self._asking("for the runs of a recurring run"):
            return self._client.list_runs(
                page_size=1,  # each comes with all its steps
                sort_by="created_at desc",
                filter=_filter(states=states, recurring_run_id=recurring_id),
                namespace=self._namespace or None,
            )

    def recurring_run_url(self, recurring_id: str) -> str:
        """Address of a recurring run's page in the UI."""
        return f"{self._host}/#/recurringrun/details/{recurring_id}"

    def read_log(self, run_id: str, pod: str, namespace: str = "") -> str | None:
        """Read what a step printed.

        The UI's server and the API's server have different doors for it, and either may be shut.

        Args:
            run_id: Of the run.
            pod: Whose container `main` runs the step.
            namespace: Of the pod; empty for the server's own.

        Returns:
            The log; None where it cannot be had.
        """
        query = [("podname", pod), ("runid", run_id)]
        query += [("podnamespace", namespace)] if namespace else []
        for path in list(self._log_paths):
            with contextlib.suppress(ClusterError), self._asking("for a log"):
                answer = self._get(path.format(run=run_id, pod=pod), query)
                if not _is_page(answer):
                    self._log_paths.sort(key=lambda each, found=path: each != found)  # type: ignore[misc]
                    return str(answer.data.decode(errors="replace"))
        return None

    def run_url(self, run_id: str) -> str:
        """Address of a run's page in the UI."""
        return f"{self._host}/#/runs/details/{run_id}"

    def _find(self, list_page: Callable[..., Any], name: str, **where: Any) -> Any:
        """The newest thing of that name, whatever page it is on; None without one."""
        return next(
            _pages(functools.partial(list_page, filter=_filter(display_name=name), **where)), None
        )

    def _get(
        self, path: str, query: list[tuple[str, str]] | None = None, timeouts: Any = None
    ) -> Any:
        """Get what the generated client has no method for, with the same login."""
        return self._client.api.call_api(
            path,
            "GET",
            query_params=query or [],
            auth_settings=["Bearer"],
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=timeouts,
        )

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Make one line of what goes wrong; and let kfp print its links to nobody."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except ApiException as error:
            raise self._refusal(what, error) from None
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{self._host} cannot be reached: {_reason(error)}.") from None
        except OSError as error:  # of the service account's token
            raise LoginError(f"No token for {self._host}: {error}.") from None

    def _refusal(self, what: str, error: ApiException) -> ClusterError:
        said = _message(error.body) or error.reason
        asked = f"{self._host}, asked {what}, said {error.status}: {said}."
        if error.status in (401, 403):
            return LoginError(f"{asked} {self._login_hint()}")
        if error.status in (0, 429) or error.status >= 500:
            return UnreachableError(asked)
        return GoneError(asked) if error.status == HTTPStatus.NOT_FOUND else ClusterError(asked)

    def _login_hint(self) -> str:
        login = self._login
        for flag, given in (
            ("--token-file", login.token_file),
            ("--cookie-file", login.cookie_file),
            ("--iap-client-id", login.iap_client_id),
        ):
            if given:
                return f"What {flag} names may have expired, or lacks the right: renew it."
        if os.environ.get(COOKIE):
            return f"The cookie in {COOKIE} may have expired, or lacks the right: renew it."
        return "Log in with --token-file, --cookie-file or --iap-client-id."


def _proxy(host: str) -> str | None:
    """The proxy that the environment names for a host; kfp's client looks for none itself."""
    parts = urlsplit(host)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _find_or_make(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """Find it or make it; somebody else may make it in between."""
    return find() or _make_or_find(make, find)


def _make_or_find(make: Callable[[], T], find: Callable[[], T | None]) -> T:
    """Make it; where that fails it may be there all the same: made by others, or answer lost."""
    try:
        return make()
    except (ApiException, urllib3.exceptions.HTTPError):
        # A second failure tells less than the first, which is raised.
        with contextlib.suppress(ApiException, urllib3.exceptions.HTTPError):
            if found := find():
                return found
        raise


def _pages(list_page: Callable[..., Any], size: int = PAGE_SIZE) -> Iterator[Any]:
    """Everything that a listing has, page by page."""
    token = ""
    while True:
        page = list_page(page_token=token, page_size=size, sort_by="created_at desc")
        for name in ("pipelines", "pipeline_versions", "experiments", "runs", "recurring_runs"):
            yield from getattr(page, name, None) or ()
        token = page.next_page_token
        if not token:
            return


def _filter(states: tuple[str, ...] = (), **fields: str) -> str:
    """A filter of lists: fields that must have a value, and states of which one must hold."""
    predicates: list[dict[str, Any]] = [
        {"operation": "EQUALS", "key": key, "string_value": value} for key, value in fields.items()
    ]
    if states:
        values = {"values": list(states)}
        predicates.append({"operation": "IN", "key": "state", "string_values": values})
    return json.dumps({"predicates": predicates})


def _is_page(answer: Any) -> bool:
    return "html" in (answer.headers.get("Content-Type") or "")


def _message(body: str | None) -> str:
    """What the server said, in one line: gRPC's form, or the one of its uploads."""
    try:
        told = json.loads(body or "")
    except ValueError:
        return "" if "<html" in (body or "").lower() else _one_line(body or "")
    if not isinstance(told, Mapping):
        return ""
    return _one_line(
        str(told.get("error_message") or told.get("message") or told.get("error") or "")
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return _one_line(str(cause)).rpartition(": ")[2] or type(cause).__name__
