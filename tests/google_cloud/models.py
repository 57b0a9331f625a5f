"""Vertex AI's Model Registry: bodies are read by the types of google-cloud-aiplatform.

Sources: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models and, of
aliases, https://cloud.google.com/vertex-ai/docs/model-registry/model-alias. How long an upload
takes, what it says of an empty folder, and which right lets ask how it goes, are guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from components.common import storage
from tests.google_cloud.errors import ApiError
from tests.google_cloud.project import NUMBER, PROJECT_ID
from tests.google_cloud.routes import HERE, Seen, route

if TYPE_CHECKING:
    from tests.google_cloud.double import GoogleDouble

MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
LABEL = re.compile(r"[a-z0-9_-]{0,63}")
HAS_LABEL = re.compile(r"labels\.(\w+):\*")
TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."
QUESTIONS = 2  # about an upload, until it is done


@dataclass
class Upload:
    """A long-running operation."""

    name: str
    parent: str  # full name of its model
    model: dict[str, Any]
    questions: int = 0
    outcome: dict[str, Any] | None = None

    def told(self) -> dict[str, Any]:
        """As the API tells it."""
        metadata = {"@type": f"{TYPE}UploadModelOperationMetadata", "genericMetadata": {}}
        ended = {"done": True, **self.outcome} if self.outcome else {}
        return {"name": self.name, "metadata": metadata, **ended}


class Models:
    """Models of one project with their versions, by full name."""

    def __init__(self) -> None:
        self.page_size = 100
        self.uploads: list[Upload] = []
        self._models: dict[str, list[dict[str, Any]]] = {}  # their versions, oldest first

    def upload(self, parent: str, body: dict[str, Any]) -> dict[str, Any]:
        """As `models.upload`: begins what makes a version."""
        request = _read("UploadModelRequest", body)
        model = request.get("model", {})
        _check(model)
        name = self._target(parent, request)
        if any(upload.parent == name and not upload.outcome for upload in self.uploads):
            raise ApiError(400, f"{name} is being uploaded to.", code="FAILED_PRECONDITION")
        number = 7_000_000_000_000_000_001 + len(self.uploads)
        self.uploads.append(Upload(f"{name}/operations/{number}", name, model))
        return self.uploads[-1].told()

    def operation(self, name: str) -> dict[str, Any]:
        """As `operations.get`."""
        for upload in self.uploads:
            if upload.name == name:
                upload.questions += 1
                if upload.questions >= QUESTIONS and not upload.outcome:
                    self._end(upload)
                return upload.told()
        raise ApiError(404, f"Operation {name} was not found.")

    def operations(self, model: str) -> list[dict[str, Any]]:
        """As `operations.list`."""
        return [upload.told() for upload in self.uploads if upload.parent == model]

    def get(self, name: str) -> dict[str, Any]:
        """As `models.get`: `MODEL`, `MODEL@VERSION` or `MODEL@ALIAS`."""
        model, _, wanted = name.partition("@")
        if wanted and not (wanted.isdecimal() or ALIAS.fullmatch(wanted)):
            raise ApiError(400, f"Invalid version: {wanted}")
        for version in self.versions(model):
            if wanted == version["versionId"] or (wanted or "default") in version["versionAliases"]:
                return version
        raise _missing(name)

    def versions(self, model: str) -> list[dict[str, Any]]:
        """As `models.listVersions`, without pages."""
        if model not in self._models:
            raise _missing(model)
        return self._models[model]

    def list(self, parent: str, wanted: str) -> list[dict[str, Any]]:
        """As `models.list`, without pages: the default version of each."""
        found = [self.get(name) for name in self._models if name.startswith(f"{parent}/")]
        if not wanted:
            return found
        label = HAS_LABEL.fullmatch(wanted)
        if label is None:
            raise ApiError(400, f"Invalid filter: {wanted}")
        return [model for model in found if label[1] in model.get("labels", {})]

    def merge_aliases(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """As `models.mergeVersionAliases`: an alias leaves the version that had it."""
        model, _, number = name.partition("@")
        if not number.isdecimal():
            raise ApiError(400, "A version id must be given explicitly.")
        target = self.get(name)
        for alias in _read("MergeVersionAliasesRequest", body)["versionAliases"]:
            if not ALIAS.fullmatch(alias):
                raise ApiError(400, f"Invalid version alias: {alias}")
            for version in self.versions(model):
                version["versionAliases"] = [a for a in version["versionAliases"] if a != alias]
            target["versionAliases"].append(alias)
        return target

    def page(self, key: str, found: list[dict[str, Any]], seen: Seen) -> dict[str, Any]:
        """One page of a list."""
        start = int(seen.query.get("pageToken", ["0"])[0])
        stop = start + self.page_size
        answer: dict[str, Any] = {key: found[start:stop]} if found[start:stop] else {}
        return {**answer, "nextPageToken": str(stop)} if found[stop:] else answer

    def _target(self, parent: str, request: dict[str, Any]) -> str:
        """Full name of the model that is made, or gets another version."""
        if "parentModel" in request:
            name = str(request["parentModel"]).replace(HERE, f"projects/{NUMBER}")
            self.versions(name)
            return name
        model_id = request.get("modelId", "")
        if not MODEL_ID.fullmatch(model_id):
            raise ApiError(400, f"Invalid model_id: {model_id}")
        if f"{parent}/models/{model_id}" in self._models:
            raise ApiError(409, f"Model {model_id} already exists.")
        return f"{parent}/models/{model_id}"

    def _end(self, upload: Upload) -> None:
        uri = upload.model["artifactUri"]
        if not storage.list_files(uri, missing_ok=True):
            upload.outcome = {"error": {"code": 3, "message": f"There is no model in {uri}."}}
            return
        versions = self._models.setdefault(upload.parent, [])
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        made = {
            **upload.model,
            "name": upload.parent,
            "versionId": str(len(versions) + 1),
            "versionAliases": [] if versions else ["default"],
            "versionCreateTime": now,
        }
        versions.append(_read("Model", made))
        versions[-1].setdefault("versionAliases", [])
        response = {"model": upload.parent, "modelVersionId": made["versionId"]}
        upload.outcome = {"response": {"@type": f"{TYPE}UploadModelResponse", **response}}


def _read(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Read JSON by one of the API's types, and write it again as the API would."""
    from google.cloud import aiplatform_v1  # takes seconds: only where a model is asked for

    made = getattr(aiplatform_v1, kind)
    try:
        message = json_format.ParseDict(body, made.pb(made()))
    except json_format.ParseError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from error
    written: dict[str, Any] = json_format.MessageToDict(message)
    return written


def _check(model: dict[str, Any]) -> None:
    if not 0 < len(model.get("displayName", "")) <= 128:
        raise ApiError(400, "display_name is required, of 128 characters at most.")
    if not model.get("containerSpec", {}).get("imageUri"):
        raise ApiError(400, "container_spec.image_uri is required.")
    if not model.get("artifactUri", "").startswith("gs://"):
        raise ApiError(400, "artifact_uri must be a Cloud Storage path.")
    for text in (text for label in model.get("labels", {}).items() for text in label):
        if not LABEL.fullmatch(text):
            raise ApiError(400, f"Invalid label: {text}")


def _missing(name: str) -> ApiError:
    return ApiError(404, f"The Model {name} does not exist.")


REGION = rf"v1/projects/(?:{PROJECT_ID}|{NUMBER})/locations/([\w-]+)"
MODEL = rf"{REGION}/models/([\w@-]+)"


@route("aiplatform", "POST", rf"{REGION}/models:upload")
def _upload(google: GoogleDouble, seen: Seen, region: str) -> dict[str, Any]:
    google.need("aiplatform.models.upload", HERE)
    return google.models.upload(_parent(region), seen.body)


@route("aiplatform", "GET", rf"{REGION}/models")
def _list(google: GoogleDouble, seen: Seen, region: str) -> dict[str, Any]:
    google.need("aiplatform.models.list", HERE)
    found = google.models.list(_parent(region), seen.query.get("filter", [""])[0])
    return google.models.page("models", found, seen)


@route("aiplatform", "GET", MODEL)
def _get(google: GoogleDouble, _: Seen, region: str, model: str) -> dict[str, Any]:
    google.need("aiplatform.models.get", HERE)
    return google.models.get(f"{_parent(region)}/models/{model}")


@route("aiplatform", "GET", rf"{MODEL}:listVersions")
def _versions(google: GoogleDouble, seen: Seen, region: str, model: str) -> dict[str, Any]:
    google.need("aiplatform.models.list", HERE)
    found = google.models.versions(f"{_parent(region)}/models/{model}")
    return google.models.page("models", found, seen)


@route("aiplatform", "POST", rf"{MODEL}:mergeVersionAliases")
def _merge(google: GoogleDouble, seen: Seen, region: str, model: str) -> dict[str, Any]:
    google.need("aiplatform.models.update", HERE)
    return google.models.merge_aliases(f"{_parent(region)}/models/{model}", seen.body)


@route("aiplatform", "GET", rf"{MODEL}/operations")
def _operations(google: GoogleDouble, seen: Seen, region: str, model: str) -> dict[str, Any]:
    google.need("aiplatform.operations.list", HERE)
    found = google.models.operations(f"{_parent(region)}/models/{model}")
    return google.models.page("operations", found, seen)


@route("aiplatform", "GET", rf"{MODEL}/operations/(\d+)")
def _operation(
    google: GoogleDouble, _: Seen, region: str, model: str, number: str
) -> dict[str, Any]:
    google.need("aiplatform.models.get", HERE)
    return google.models.operation(f"{_parent(region)}/models/{model}/operations/{number}")


def _parent(region: str) -> str:
    return f"projects/{NUMBER}/locations/{region}"  # the number, whichever was asked with
