"""What the double answers to each path; the sources stand above each group."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.google_cloud.errors import ApiError, denied
from tests.google_cloud.jobs import CUSTOM, PIPELINES
from tests.google_cloud.project import METRIC, NUMBER, PROJECT_ID

if TYPE_CHECKING:
    from tests.google_cloud.double import GoogleDouble

HERE = f"projects/{PROJECT_ID}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request."""

    service: str
    method: str
    path: str  # with its version
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


Act = Callable[..., dict[str, Any] | str | bytes]  # JSON, text or a file
ROUTES: list[tuple[str, str, str, Act]] = []


def route(service: str, method: str, pattern: str) -> Callable[[Act], Act]:
    """Register what answers a path; its groups become arguments."""

    def register(act: Act) -> Act:
        ROUTES.append((service, method, pattern, act))
        return act

    return register


# https://cloud.google.com/resource-manager/reference/rest/v3/projects
@route("cloudresourcemanager", "GET", r"v3/projects/([^/:]+)")
def _project(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    if name not in (PROJECT_ID, NUMBER):  # nobody is told whether a project of others exists
        raise denied("resourcemanager.projects.get", f"projects/{name}")
    google.need("resourcemanager.projects.get", HERE)
    return {"name": f"projects/{NUMBER}", "projectId": PROJECT_ID, "state": google.project.state}


@route("cloudresourcemanager", "POST", rf"v3/projects/{PROJECT_ID}:getIamPolicy")
def _project_policy(google: GoogleDouble, _: Seen) -> dict[str, Any]:
    google.need("resourcemanager.projects.getIamPolicy", HERE)
    return _policy(google, HERE)


@route("cloudresourcemanager", "POST", rf"v3/projects/{PROJECT_ID}:testIamPermissions")
def _project_permissions(google: GoogleDouble, seen: Seen) -> dict[str, Any]:
    return _tested(google, seen.body["permissions"], HERE)


# https://cloud.google.com/iam/docs/reference/rest
@route("iam", "GET", r"v1/projects/(?:-|acme)/serviceAccounts/([^/:]+)")
def _account(google: GoogleDouble, _: Seen, email: str) -> dict[str, Any]:
    if email not in google.project.accounts:
        raise ApiError(404, f"Unknown service account: {email}")
    google.need("iam.serviceAccounts.get", f"accounts/{email}")
    return google.project.accounts[email]


@route("iam", "POST", r"v1/projects/(?:-|acme)/serviceAccounts/([^/:]+):getIamPolicy")
def _account_policy(google: GoogleDouble, _: Seen, email: str) -> dict[str, Any]:
    google.need("iam.serviceAccounts.getIamPolicy", f"accounts/{email}")
    return _policy(google, f"accounts/{email}")


@route("iam", "POST", r"v1/projects/(?:-|acme)/serviceAccounts/([^/:]+):testIamPermissions")
def _account_permissions(google: GoogleDouble, seen: Seen, email: str) -> dict[str, Any]:
    return _tested(google, seen.body["permissions"], f"accounts/{email}")


@route("iam", "GET", r"v1/((?:projects/acme/)?roles/[\w.]+)")
def _role(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    if name not in google.project.roles:
        raise ApiError(404, f"The role named {name} was not found.")
    return {"name": name, "includedPermissions": list(google.project.roles[name]), "stage": "GA"}


# https://cloud.google.com/service-usage/docs/reference/rest
@route("serviceusage", "GET", rf"v1/projects/(?:{PROJECT_ID}|{NUMBER})/services:batchGet")
def _services(google: GoogleDouble, seen: Seen) -> dict[str, Any]:
    google.need("serviceusage.services.get", HERE)
    states = {True: "ENABLED", False: "DISABLED"}
    return {
        "services": [
            {
                "name": name.replace(PROJECT_ID, NUMBER),
                "parent": f"projects/{NUMBER}",
                "state": states[name.rpartition("/")[2] in google.project.apis],
            }
            for name in seen.query["names"]
        ]
    }


@route(
    "serviceusage",
    "GET",
    rf"v1beta1/{HERE}/services/aiplatform.googleapis.com/consumerQuotaMetrics/([^/]+)",
)
def _quota(google: GoogleDouble, _: Seen, metric: str) -> dict[str, Any]:
    google.need("serviceusage.quotas.get", HERE)
    limits = {region: n for (name, region), n in google.project.quotas.items() if name == metric}
    if not (metric.startswith(METRIC) and limits):
        raise ApiError(404, f"Quota metric '{metric}' was not found.")
    buckets: list[dict[str, Any]] = [{"effectiveLimit": "0", "defaultLimit": "0"}]
    for region, limit in limits.items():
        buckets.append({"effectiveLimit": str(limit), "dimensions": {"region": region}})
    limit = {"unit": "1/{project}/{region}", "isPrecise": True, "quotaBuckets": buckets}
    return {"metric": metric, "consumerQuotaLimits": [{**limit, "metric": metric}]}


# https://cloud.google.com/storage/docs/json_api/v1/buckets
@route("storage", "GET", r"storage/v1/b/([^/]+)")
def _bucket(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    return _bucket_for(google, name, "storage.buckets.get")


@route("storage", "GET", r"storage/v1/b/([^/]+)/iam")
def _bucket_policy(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    _bucket_for(google, name, "storage.buckets.getIamPolicy")
    return {"kind": "storage#policy", **_policy(google, f"buckets/{name}")}


@route("storage", "GET", r"storage/v1/b/([^/]+)/iam/testPermissions")
def _bucket_permissions(google: GoogleDouble, seen: Seen, name: str) -> dict[str, Any]:
    if name not in google.project.buckets:
        raise ApiError(404, "The specified bucket does not exist.", code="notFound")
    tested = _tested(google, seen.query["permissions"], f"buckets/{name}")
    return {"kind": "storage#testIamPermissionsResponse", **tested}


# https://cloud.google.com/artifact-registry/docs/reference/rest
@route("artifactregistry", "GET", r"v1/(projects/[^/]+/locations/[^/]+/repositories/[^/:]+)")
def _repository(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    google.need("artifactregistry.repositories.get", name)
    if name not in google.project.repositories:
        raise ApiError(404, f'Repository "{name}" not found')
    return {"name": name, "format": "DOCKER", "mode": "STANDARD_REPOSITORY"}


@route(
    "artifactregistry",
    "GET",
    r"v1/(projects/[^/]+/locations/[^/]+/repositories/[^/:]+):getIamPolicy",
)
def _repository_policy(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    google.need("artifactregistry.repositories.getIamPolicy", name)
    return _policy(google, name)


@route(
    "artifactregistry",
    "GET",
    r"v1/(projects/[^/]+/locations/[^/]+/repositories/[^/]+)/packages/([^/]+)/tags/([^/]+)",
)
def _tag(google: GoogleDouble, _: Seen, repository: str, package: str, tag: str) -> dict[str, Any]:
    google.need("artifactregistry.tags.get", repository)
    digests = google.project.repositories.get(repository, {}).get(package, {})
    if tag not in digests:
        raise ApiError(404, "Requested entity was not found.")
    name = f"{repository}/packages/{package}"
    return {"name": f"{name}/tags/{tag}", "version": f"{name}/versions/{digests[tag]}"}


# https://cloud.google.com/compute/docs/reference/rest/v1/networks/get
@route("compute", "GET", rf"compute/v1/projects/(?:{PROJECT_ID}|{NUMBER})/global/networks/([^/]+)")
def _network(google: GoogleDouble, _: Seen, name: str) -> dict[str, Any]:
    google.need("compute.networks.get", HERE)
    if name not in google.project.networks:
        raise ApiError(404, f"The resource '{HERE}/global/networks/{name}' was not found")
    return google.project.networks[name]


# https://cloud.google.com/vertex-ai/docs/reference/rest
JOBS = rf"v1/projects/(?:{PROJECT_ID}|{NUMBER})/locations/([\w-]+)/({PIPELINES}|{CUSTOM})"


@route("aiplatform", "POST", JOBS)
def _create_job(google: GoogleDouble, seen: Seen, region: str, kind: str) -> dict[str, Any]:
    google.need(f"aiplatform.{kind}.create", HERE)
    query = {name: values[0] for name, values in seen.query.items()}
    return google.jobs.create(kind, _parent(region), seen.body, query)


@route("aiplatform", "GET", JOBS)
def _list_jobs(google: GoogleDouble, seen: Seen, region: str, kind: str) -> dict[str, Any]:
    google.need(f"aiplatform.{kind}.list", HERE)
    query = {name: values[0] for name, values in seen.query.items()}
    return google.jobs.list(kind, _parent(region), query)


@route("aiplatform", "GET", rf"{JOBS}/([^/:]+)")
def _get_job(google: GoogleDouble, _: Seen, region: str, kind: str, job: str) -> dict[str, Any]:
    google.need(f"aiplatform.{kind}.get", HERE)
    return google.jobs.get(f"{_parent(region)}/{kind}/{job}")


@route("aiplatform", "POST", rf"{JOBS}/([^/:]+):cancel")
def _cancel_job(google: GoogleDouble, _: Seen, region: str, kind: str, job: str) -> dict[str, Any]:
    google.need(f"aiplatform.{kind}.cancel", HERE)
    return google.jobs.cancel(f"{_parent(region)}/{kind}/{job}")


def _parent(region: str) -> str:
    return f"projects/{NUMBER}/locations/{region}"  # the number, whichever was asked with


def _bucket_for(google: GoogleDouble, name: str, permission: str) -> dict[str, Any]:
    if name not in google.project.buckets:
        raise ApiError(404, "The specified bucket does not exist.", code="notFound")
    if not google.project.allowed([permission], f"buckets/{name}"):
        raise ApiError(
            403,
            f"{google.project.caller.partition(':')[2]} does not have {permission} access to the"
            f" Google Cloud Storage bucket. Permission '{permission}' denied on resource (or it may"
            " not exist).",
            code="forbidden",
        )
    return google.project.buckets[name]


def _policy(google: GoogleDouble, on: str) -> dict[str, Any]:
    # An empty list is left out, as in all JSON that is made of protobuf.
    bindings = [each for each in google.project.policies.get(on, []) if each["members"]]
    return {"version": 1, "etag": "BwXhqDVbMP4=", **({"bindings": bindings} if bindings else {})}


def _tested(google: GoogleDouble, permissions: list[str], on: str) -> dict[str, Any]:
    allowed = google.project.allowed(permissions, on)
    return {"permissions": allowed} if allowed else {}


# https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
@route("logging", "POST", "v2/entries:list")
def _log_entries(google: GoogleDouble, seen: Seen) -> dict[str, Any]:
    google.need("logging.logEntries.list", HERE)
    if seen.body["resourceNames"] != [HERE] or seen.body["orderBy"] != "timestamp desc":
        raise ApiError(400, "resource_names and order_by are not what the double knows.")
    wanted = r'resource\.type="ml_job" AND resource\.labels\.job_id="(\d+)"'
    match = re.fullmatch(wanted, seen.body["filter"])
    if match is None:
        raise ApiError(400, f"Unparseable filter: {seen.body['filter']}")
    lines = google.logs.get(match[1], [])[::-1][: seen.body["pageSize"]]
    # Half of what is printed comes as text, half as JSON.
    kinds = (
        [{"textPayload": line} for line in lines[::2]],
        [{"jsonPayload": {"message": line, "levelname": "ERROR"}} for line in lines[1::2]],
    )
    entries = [kinds[place % 2][place // 2] for place in range(len(lines))]
    return {"entries": entries} if entries else {}
