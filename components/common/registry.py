"""Model registries behind one small interface: what MLflow and Vertex AI can both do.

A registry is named by a URI: empty for the one in `$PAWPETAL_HOME/registry`, `mlflow:TRACKING_URI`
for an MLflow server or database, `vertex:PROJECT/REGION` for that of a Google Cloud project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from components.common import storage
from components.common.errors import InputError

CHAMPION = "champion"
MLFLOW = "mlflow:"
SQLITE = "mlflow:sqlite:///"
VERTEX = "vertex:"
VERTEX_PLACE = re.compile(r"[a-z][a-z0-9.:-]*[a-z0-9]/[a-z]+-[a-z]+[0-9]+")


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One registered version of a model. A version is complete or does not exist."""

    model_name: str
    version: str  # "1", "2", ...
    aliases: tuple[str, ...]
    metrics: Mapping[str, float]
    labels: Mapping[str, str]  # digests, settings, code version
    created_at: str  # ISO 8601, UTC
    source: str  # where its files are


class Registry(Protocol):
    """A place that keeps versions of models."""

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

        Args:
            model_name: Made when new.
            files: Model folder, copied.
            digest: Which model it is.
            metrics: Scores on the test photos.
            labels: Where the model comes from.
            place: URI of a folder for the files; empty: where the registry keeps its own. A server
                of MLflow keeps them itself, wherever that is; Vertex AI keeps none.
        """

    def find(self, model_name: str, version: str) -> ModelVersion | None:
        """The version of that number or alias, or None."""

    def versions(self, model_name: str) -> list[ModelVersion]:
        """All versions of a model, newest first; empty for an unknown model."""

    def model_names(self) -> list[str]:
        """Every model, sorted."""

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point an alias at a version, away from where it pointed."""

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """Copy a version's model folder below `folder`, and say where it is.

        Raises:
            RegistryError: If its files cannot be had.
        """


def open_registry(uri: str) -> Registry:
    """Open the registry that a URI names.

    Raises:
        InputError: If the URI has no such form.
    """
    check_registry(uri)
    if uri.startswith(VERTEX):
        from components.common.vertex_registry import VertexRegistry

        return VertexRegistry(uri.removeprefix(VERTEX))
    from components.common.mlflow_registry import MlflowRegistry

    return MlflowRegistry(uri.removeprefix(MLFLOW))


def check_registry(uri: str) -> None:
    """Refuse a registry URI of a form that is not known.

    Raises:
        InputError: If it is.
    """
    if uri.startswith(VERTEX) and VERTEX_PLACE.fullmatch(uri.removeprefix(VERTEX)):
        return
    if uri and not (uri.startswith(MLFLOW) and len(uri) > len(MLFLOW)):
        raise InputError(
            "`registry` must be empty (the one of this machine), mlflow:TRACKING_URI or"
            f" vertex:PROJECT/REGION. Received: '{uri}'"
        )
    server = urlsplit(uri.removeprefix(MLFLOW))
    if server.username or server.password:
        raise InputError(
            "`registry` must hold no user name or password, since it is recorded with the run. Set"
            " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead."
        )
    if uri.startswith(SQLITE) and not uri.startswith(f"{SQLITE}/"):
        raise InputError(
            f"`registry` must name its database by an absolute path, {SQLITE}//FOLDER/mlflow.db."
            f" Received: '{uri}'"
        )


def check_storage(uri: str, root: str) -> None:
    """Refuse a storage that the files of a registry's versions cannot go to.

    Args:
        uri: Of the registry.
        root: Of the storage.

    Raises:
        InputError: If it is no bucket, and the registry keeps no files itself.
    """
    if uri.startswith(VERTEX) and not storage.is_remote(root):
        raise InputError(
            "`storage` must be gs://BUCKET/PREFIX for a registry of Vertex AI, which keeps no files"
            f" itself. Received: '{root}'"
        )
