"""The registry of a Google Cloud project: Vertex AI's, over REST; files are in a bucket. Light.

Vertex AI numbers the versions of a model and moves its aliases. It keeps no files, and its labels
are too short for what is known of a version: both are in the bucket before the call that makes it.

Reference:
    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from components.common import storage
from components.common.errors import CloudError, DataError, InputError, RegistryError
from components.common.google_cloud import GoogleCloud
from components.common.model import SAVED_MODEL
from components.common.registry import VERTEX, ModelVersion, check_storage

SERVICE = "aiplatform"
DIGEST = "model_digest"  # among what is recorded
LABEL = "pawpetal_digest"  # on the version: what has none was not made here
LABEL_LENGTH = 32  # of the digest's hexadecimal digits; a label takes 63 characters
RECORD = "registered.json"  # beside the files of a version: metrics and labels
FOLDER = "model"  # that files are downloaded to
DEFAULT = "default"  # an alias that Vertex AI itself gives to one version of each model
# A model cannot be uploaded without one. The newest of TensorFlow's that Vertex AI has ready, until
# 2027-01-14: https://cloud.google.com/vertex-ai/docs/predictions/pre-built-containers
SERVING_IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
POLL_S = 2.0
GIVE_UP_S = 1800.0  # of waiting for one upload; how long one takes was never measured
PLAIN_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
HASHED_ID = re.compile(r".*-[0-9a-f]{12}")
VERSION = re.compile(r"[1-9][0-9]*|[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")  # a number, or an alias


class VertexRegistry:
    """Versions in Vertex AI's Model Registry."""

    def __init__(self, place: str) -> None:
        """Open the registry; Google is not asked yet.

        Args:
            place: "PROJECT/REGION".
        """
        project, self._region = place.split("/")
        self._parent = f"projects/{project}/locations/{self._region}"
        self._cloud = GoogleCloud()

    def register(
        self,
        model_name: str,
        files: Path,
        *,
        digest: str,
        metrics: Mapping[str, float],
        labels: Mapping[str, str],
        place: str = "",
    ) -> ModelVersion:
        """Add a version; the same digest again gives the version that is there already.

        Killed before the call that makes the version, it leaves none; killed after it, the next try
        waits for what was begun, and finds it. Only of two that run at the same moment may each
        make one: the older counts from then on.

        Raises:
            InputError: If `place` is no folder in a bucket.
            RegistryError: If Vertex AI does not take the files.
        """
        check_storage(VERTEX, place)
        model = self._path(model_name)
        self._await_uploads(model)
        there = self._list_versions(model)
        for version in reversed(there):
            if version.get("labels", {}).get(LABEL) == digest[:LABEL_LENGTH]:
                return _to_version(model_name, version)
        source = storage.join(place, f"{model_id(model_name)}/{digest}")
        storage.upload_folder(files, source)
        record = {"metrics": dict(metrics), "labels": {**labels, DIGEST: digest}}
        storage.write_bytes(storage.join(source, RECORD), json.dumps(record, indent=2).encode())
        described = {
            "displayName": model_name,
            "versionDescription": ", ".join(f"{name} {metrics[name]:.4g}" for name in metrics),
            "labels": {LABEL: digest[:LABEL_LENGTH]},
            "artifactUri": storage.join(source, SAVED_MODEL),
            "containerSpec": {"imageUri": SERVING_IMAGE},
        }
        where = {"parentModel": model} if there else {"modelId": model_id(model_name)}
        number = self._upload({**where, "model": described})
        made = self._cloud.get(SERVICE, f"{model}@{number}", region=self._region)
        return _to_version(model_name, made)

    def find(self, model_name: str, version: str) -> ModelVersion | None:
        """The version of that number or alias, or None."""
        if not VERSION.fullmatch(version):
            return None
        try:
            found = self._cloud.get(
                SERVICE, f"{self._path(model_name)}@{version}", region=self._region
            )
        except CloudError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return _to_version(model_name, found) if _is_ours(found) else None

    def versions(self, model_name: str) -> list[ModelVersion]:
        """All versions of a model, newest first; empty for an unknown model."""
        found = self._list_versions(self._path(model_name))
        return [_to_version(model_name, version) for version in found if _is_ours(version)]

    def model_names(self) -> list[str]:
        """Every model, sorted; without those of the project that were made otherwise."""
        models = self._cloud.list(
            SERVICE,
            f"{self._parent}/models",
            "models",
            region=self._region,
            filter=f"labels.{LABEL}:*",
        )
        return sorted(model["displayName"] for model in models)

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point an alias at a version, away from where it pointed."""
        name = f"{self._path(version.model_name)}@{version.version}"
        self._cloud.post(
            SERVICE,
            f"{name}:mergeVersionAliases",
            {"versionAliases": [alias]},
            region=self._region,
        )

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """Copy a version's model folder below `folder`, and say where it is."""
        target = folder / FOLDER
        try:
            for file in storage.list_files(version.source):
                if file.path != RECORD:
                    source = storage.join(version.source, file.path)
                    storage.download_file(source, target / file.path)
        except (InputError, DataError) as error:
            raise RegistryError(
                f"The files of {version.model_name} version {version.version} cannot be read from"
                f" '{version.source}': {error}"
            ) from error
        return target

    def _path(self, model_name: str) -> str:
        return f"{self._parent}/models/{model_id(model_name)}"

    def _list_versions(self, model: str) -> list[dict[str, Any]]:
        """What Vertex AI says of all versions of a model, newest first."""
        found = self._list_known(f"{model}:listVersions", "models")
        return sorted(found, key=lambda version: int(version["versionId"]), reverse=True)

    def _await_uploads(self, model: str) -> None:
        """Let end what an earlier try began: its version is not listed before."""
        for operation in self._list_known(f"{model}/operations", "operations"):
            self._finish(operation)

    def _list_known(self, path: str, key: str) -> list[dict[str, Any]]:
        """A list of something that a model has; empty where there is no such model."""
        try:
            return list(self._cloud.list(SERVICE, path, key, region=self._region))
        except CloudError as error:
            # Services need not list operations; they say so by the second.
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED):
                return []
            raise

    def _upload(self, request: Mapping[str, Any]) -> str:
        """Make a version; gives its number."""
        begun = self._cloud.post(
            SERVICE, f"{self._parent}/models:upload", request, region=self._region
        )
        ended = self._finish(begun)
        if "error" in ended:
            name = request["model"]["displayName"]
            raise RegistryError(f"Vertex AI did not take {name}: {ended['error']['message']}")
        return str(ended["response"]["modelVersionId"])

    def _finish(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Follow a long-running operation to its end, good or bad."""
        started = time.monotonic()
        while not operation.get("done"):
            if time.monotonic() - started > GIVE_UP_S:
                raise RegistryError(
                    f"Vertex AI has not ended {operation['name']} in {GIVE_UP_S / 60:.0f} minutes."
                    " Run again: it goes on waiting."
                )
            time.sleep(POLL_S)
            operation = self._cloud.get(SERVICE, operation["name"], region=self._region)
        return operation


def model_id(model_name: str) -> str:
    """What Vertex AI calls a model: a name that it can take, or one made from it and its hash.

    Two names never share one.
    """
    if PLAIN_ID.fullmatch(model_name) and not HASHED_ID.fullmatch(model_name):
        return model_name
    readable = re.sub(r"[^a-z0-9_-]", "-", model_name.lower())[:48]
    if not readable[:1].isalpha():
        readable = f"m-{readable}"
    return f"{readable}-{hashlib.sha256(model_name.encode()).hexdigest()[:12]}"


def _is_ours(version: Mapping[str, Any]) -> bool:
    return LABEL in version.get("labels", {})


def _to_version(model_name: str, found: Mapping[str, Any]) -> ModelVersion:
    source = str(found["artifactUri"]).rstrip("/").removesuffix(f"/{SAVED_MODEL}")
    record = _read_record(source)
    created = datetime.fromisoformat(found["versionCreateTime"])
    return ModelVersion(
        model_name=model_name,
        version=found["versionId"],
        aliases=tuple(sorted(set(found.get("versionAliases", [])) - {DEFAULT})),
        metrics=record["metrics"],
        labels=record["labels"],
        created_at=created.isoformat(timespec="seconds"),
        source=source,
    )


def _read_record(source: str) -> dict[str, Any]:
    uri = storage.join(source, RECORD)
    # Somebody may have deleted the files of an old version: it can be listed all the same.
    if not storage.exists(uri):
        return {"metrics": {}, "labels": {}}
    return dict(json.loads(storage.read_bytes(uri)))
