"""Artifact Registry's repository of pipelines, as kfp's RegistryClient and the REST API use it.

Sources: `kfp.registry.registry_client` and its `kfp_pkg_dev.json` (addresses, form and
answer of an upload); https://cloud.google.com/artifact-registry/docs/reference/rest of
`projects.locations.repositories.packages.tags`. What is answered to content that is there already,
nobody says: here it is refused, which is harder to live with than a second "done".
"""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import re
from typing import TYPE_CHECKING, Any

import yaml

from tests.google_cloud.errors import ApiError
from tests.google_cloud.project import PROJECT_ID, SPECS
from tests.google_cloud.routes import Seen, route

if TYPE_CHECKING:
    from tests.google_cloud.double import GoogleDouble

NAME = SPECS.rpartition("/")[2]
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is there
TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")  # narrower than the REST reference
PACKAGES = rf"v1/({SPECS})/packages/([^/]+)"


def form(content: bytes, content_type: str) -> dict[str, Any]:
    """The fields of a form that was posted; a file is its bytes."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content)
    fields: dict[str, Any] = {}
    for part in parts.iter_parts():
        value = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        fields[name] = value if part.get_filename() else value.decode()
    return fields


@route("kfp", "POST", f"{PROJECT_ID}/{NAME}")
def _upload(google: GoogleDouble, seen: Seen) -> str:
    from tests.pipelines.kubeflow import specs

    google.need("artifactregistry.repositories.uploadArtifacts", SPECS)
    packages = _repository(google)
    content = seen.body["content"]
    try:
        plain = yaml.load(content, Loader)  # noqa: S506  # it is a safe one
        spec = specs.parse_documents(plain, {}).spec
    except (specs.SpecError, yaml.YAMLError) as error:
        raise ApiError(400, f"Invalid pipeline: {error}") from error
    package, version = spec.pipeline_info.name, f"sha256:{hashlib.sha256(content).hexdigest()}"
    tags = [tag for tag in seen.body.get("tags", "").split(",") if tag]
    for tag in tags:
        _check_tag(tag)
    if (package, version) in google.specs:
        raise ApiError(409, f"Version {version} of {package} already exists.")
    google.specs[package, version] = content
    packages.setdefault(package, {}).update(dict.fromkeys(tags, version))
    return f"{package}/{version}"


@route("kfp", "GET", rf"{PROJECT_ID}/{NAME}/([^/]+)/(sha256:\w+)")
def _download(google: GoogleDouble, _: Seen, package: str, version: str) -> bytes:
    google.need("artifactregistry.repositories.downloadArtifacts", SPECS)
    if (package, version) not in google.specs:
        raise ApiError(404, "Requested entity was not found.")
    return google.specs[package, version]


@route("artifactregistry", "POST", rf"{PACKAGES}/tags")
def _create_tag(google: GoogleDouble, seen: Seen, _: str, package: str) -> dict[str, Any]:
    google.need("artifactregistry.tags.create", SPECS)
    [tag] = seen.query["tagId"]
    _check_tag(tag)
    tags = _repository(google).get(package, {})
    if tag in tags:
        raise ApiError(409, "the tag already exists")
    return _set_tag(google, package, tag, seen.body["version"])


@route("artifactregistry", "PATCH", rf"{PACKAGES}/tags/([^/]+)")
def _update_tag(google: GoogleDouble, seen: Seen, _: str, package: str, tag: str) -> dict[str, Any]:
    google.need("artifactregistry.tags.update", SPECS)
    if seen.query.get("updateMask") != ["version"]:
        raise ApiError(400, "Invalid field mask.")
    if tag not in _repository(google).get(package, {}):
        raise ApiError(404, "Requested entity was not found.")
    return _set_tag(google, package, tag, seen.body["version"])


def _set_tag(google: GoogleDouble, package: str, tag: str, version: str) -> dict[str, Any]:
    full, _, digest = version.partition("/versions/")
    if full != f"{SPECS}/packages/{package}" or (package, digest) not in google.specs:
        raise ApiError(404, "Requested entity was not found.")
    _repository(google)[package][tag] = digest
    return {"name": f"{full}/tags/{tag}", "version": version}


def _repository(google: GoogleDouble) -> dict[str, dict[str, str]]:
    if SPECS not in google.project.repositories:
        raise ApiError(404, f'Repository "{SPECS}" not found')
    return google.project.repositories[SPECS]


def _check_tag(tag: str) -> None:
    if not TAG.fullmatch(tag):
        raise ApiError(400, f"Invalid tag: {tag}")
