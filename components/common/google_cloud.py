"""Google Cloud's REST APIs: one session, one kind of error. Light.

The generated client of Vertex AI would add 200 MB to the 320 MB of the small steps' image, and what
goes over the wire is the same JSON; google-auth, which signs it, comes with Cloud Storage's client.

`CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM` and the like replace an endpoint, as they do for
gcloud: for Private Service Connect, or for a double on this machine, asked without credentials.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from components.common.errors import CloudError

OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"  # and the service, in capitals
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
# Of each service that is called; the rest of the path says what is asked. After a dot: what of a
# service has another version.
VERSIONS = {
    "aiplatform": "v1",
    "artifactregistry": "v1",
    "cloudresourcemanager": "v3",
    "compute": "compute/v1",
    "iam": "v1",
    "kfp": "",  # Artifact Registry's repositories of pipelines
    "logging": "v2",
    "serviceusage": "v1",
    "serviceusage.quotas": "v1beta1",
    "storage": "storage/v1",
}
REGIONAL = ("aiplatform",)  # each region has an address of its own
PIPELINES = "kfp"  # whose address is no googleapis.com
TIMEOUT_S = (20.0, 60.0)  # to connect, and between two bytes
GIVE_UP_S = 120.0  # of asking again; what changes something is asked once
PASSING = (408, 429, 500, 502, 503, 504)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CREDENTIALS_HINT = (
    "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
)

T = TypeVar("T")


def endpoint(service: str, region: str = "") -> str:
    """Address of a service, without a slash at its end.

    Args:
        service: One of `VERSIONS`.
        region: Of a service that has an address a region, e.g. "us-central1".
    """
    service = service.partition(".")[0]
    override = os.environ.get(f"{OVERRIDE}{service.upper()}", "").rstrip("/")
    if override:
        return override
    if service == PIPELINES:
        return f"https://{region}-kfp.pkg.dev"
    host = f"{region}-{service}" if region and service in REGIONAL else service
    return f"https://{host}.googleapis.com"


def is_double(address: str) -> bool:
    """Whether an address is one of this machine, which is asked without a token."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def location(project: str, region: str) -> str:
    """What jobs and models of a region are under."""
    return f"projects/{project}/locations/{region}"


class GoogleCloud:
    """Asks Google Cloud as one account; made anew it costs nothing before the first question."""

    def get(self, service: str, path: str, *, region: str = "", **query: Any) -> dict[str, Any]:
        """Ask; again where it fails for a moment.

        Args:
            service: One of `VERSIONS`.
            path: After the version, e.g. "projects/p/locations/r/customJobs/1".
            region: Where the service has an address a region.
            query: Of the address.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        return self._call_patiently("GET", service, path, region, query, None)

    def ask(
        self, service: str, path: str, body: Any = None, *, region: str = "", **query: Any
    ) -> dict[str, Any]:
        """Post what only reads, or does the same twice; again where it fails for a moment.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        return self._call_patiently("POST", service, path, region, query, body or {})

    def post(
        self, service: str, path: str, body: Any = None, *, region: str = "", **query: Any
    ) -> dict[str, Any]:
        """Change something, or start it: once, since a lost answer may stand for work begun.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        return self._call("POST", service, path, region, query, body or {})

    def patch(
        self, service: str, path: str, body: Any, *, region: str = "", **query: Any
    ) -> dict[str, Any]:
        """Set fields to what `body` says; again where it fails for a moment, since twice is once.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        return self._call_patiently("PATCH", service, path, region, query, body)

    def delete(self, service: str, path: str, *, region: str = "") -> dict[str, Any]:
        """Delete; again where it fails for a moment.

        Raises:
            CloudError: If it refuses, or cannot be reached. Status 404 may mean that an asking
                before, whose answer was lost, deleted it.
        """
        return self._call_patiently("DELETE", service, path, region, {}, None)

    def upload(
        self, service: str, path: str, content: bytes, *, region: str = "", **fields: str
    ) -> str:
        """Post a file as a form does; again where it fails for a moment.

        Args:
            service: As of `get`.
            path: As of `get`.
            content: Of the file, the form's field `content`.
            region: As of `get`.
            fields: The form's other ones.

        Returns:
            The answer, which is text.

        Raises:
            CloudError: If it refuses, or cannot be reached. Status 409 may mean that an asking
                before, whose answer was lost, uploaded it.
        """
        file = {"content": ("pipeline.yaml", content, "application/yaml")}
        call = functools.partial(self._send, "POST", service, path, region, data=fields, files=file)
        return str(_patiently(call).text)

    def download(self, service: str, path: str, *, region: str = "") -> bytes:
        """Get a file; again where it fails for a moment.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        # The file itself may be somewhere else; requests takes no token to another host.
        call = functools.partial(self._send, "GET", service, path, region, allow_redirects=True)
        return bytes(_patiently(call).content)

    def list(
        self, service: str, path: str, key: str, *, region: str = "", **query: Any
    ) -> Iterator[dict[str, Any]]:
        """All of a list, page by page.

        Args:
            service: As of `get`.
            path: As of `get`.
            key: That an answer holds its part of the list by, e.g. "customJobs".
            region: As of `get`.
            query: As of `get`.

        Raises:
            CloudError: If it refuses, or cannot be reached.
        """
        token = ""
        while True:
            page = {"pageToken": token} if token else {}
            answer = self.get(service, path, region=region, **query, **page)
            yield from answer.get(key, [])
            token = answer.get("nextPageToken", "")
            if not token:
                return

    def account(self) -> str:
        """E-mail of the service account that asks; empty for a person, whose name is not told."""
        return str(getattr(self._credentials, "service_account_email", "") or "")

    @functools.cached_property
    def _credentials(self) -> Any:
        import google.auth
        from google.auth.exceptions import GoogleAuthError

        try:
            return google.auth.default(scopes=SCOPES)[0]
        except (GoogleAuthError, OSError, AttributeError, TypeError, ValueError) as error:
            # The last ones come of a file that is none of credentials.
            raise CloudError(f"No credentials of Google Cloud. {CREDENTIALS_HINT}") from error

    @functools.cached_property
    def _signed(self) -> Any:
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self._credentials)  # type: ignore[no-untyped-call]  # of google-auth

    @functools.cached_property
    def _unsigned(self) -> Any:
        import requests

        return requests.Session()

    def _call_patiently(self, *call: Any) -> dict[str, Any]:
        return dict(_patiently(lambda: self._call(*call)))

    def _call(
        self, method: str, service: str, path: str, region: str, query: dict[str, Any], body: Any
    ) -> dict[str, Any]:
        answer = self._send(method, service, path, region, params=query, json=body)
        try:
            return dict(answer.json())
        except ValueError as error:  # of a proxy, or a portal
            address = endpoint(service, region)
            said = f"{address} answered what is no JSON: {_line(answer.text[:100])}"
            raise CloudError(said, is_passing=True) from error

    def _send(self, method: str, service: str, path: str, region: str, **content: Any) -> Any:
        """Send one request; gives the response of `requests`, which is a success."""
        import requests
        from google.auth.exceptions import GoogleAuthError, TransportError

        address = endpoint(service, region)
        url = "/".join(part for part in (address, VERSIONS[service], path) if part)
        if not is_double(address) and not address.startswith("https://"):
            raise CloudError(f"{address} must be https, since a token goes there.")
        session = self._unsigned if is_double(address) else self._signed
        settings = {"timeout": TIMEOUT_S, "allow_redirects": False, **content}
        try:
            answer = session.request(method, url, **settings)
        except GoogleAuthError as error:
            if isinstance(error, TransportError) or error.retryable:
                said = f"A token of Google Cloud could not be had: {_line(error)}"
                raise CloudError(said, is_passing=True) from error
            raise CloudError(f"{_line(error)}. {CREDENTIALS_HINT}") from error
        except requests.RequestException as error:
            raise CloudError(
                f"{address} could not be reached: {_line(error)}", is_passing=True
            ) from error
        if not requests.codes.ok <= answer.status_code < requests.codes.multiple_choices:
            raise _refusal(answer.status_code, answer.text, f"{method} {path}")
        return answer


def _patiently(call: Callable[[], T]) -> T:
    """Call; again where it fails for a moment."""
    from google.api_core.exceptions import RetryError
    from google.api_core.retry import Retry

    patient = Retry(predicate=_passes, initial=0.5, maximum=16.0, timeout=GIVE_UP_S)
    try:
        return patient(call)()
    except RetryError as error:
        last = error.cause
    raise last  # as it came, since it says more than that time is up


def _passes(error: BaseException) -> bool:
    return isinstance(error, CloudError) and error.is_passing


def _refusal(status: int, text: str, asked: str) -> CloudError:
    try:
        told = json.loads(text)["error"]
        message, details = told["message"], told.get("details", [])
    except (ValueError, KeyError, TypeError):
        message, details = text[:200], []
    reasons = [detail["reason"] for detail in details if "reason" in detail]
    return CloudError(
        f"Google Cloud answered {status} to {asked}: {_line(message)}",
        status=status,
        reason=reasons[0] if reasons else "",
        is_passing=status in PASSING,
    )


def _line(said: object) -> str:
    return " ".join(str(said).split()).rstrip(".")
