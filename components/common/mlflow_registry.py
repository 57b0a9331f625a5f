"""The registry of one machine or one team: MLflow, over a database file or a server."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from filelock import FileLock

from components.common import storage
from components.common.errors import RegistryError
from components.common.home import home
from components.common.registry import ModelVersion

EXPERIMENT = "pawpetal"
FOLDER = "model"  # of a run's artifacts, where the files of a version are
DIGEST = "model_digest"
SQLITE = "sqlite:///"
DEFAULTS = {  # of MLflow's own settings
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is not there should say so in seconds; MLflow itself tries for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
PAGE = 200  # versions or models that one search gives at once


class MlflowRegistry:
    """Versions in MLflow's model registry, each from an MLflow run that holds files and metrics."""

    def __init__(self, tracking_uri: str = "") -> None:
        """Open the registry, which is made when new.

        Args:
            tracking_uri: As MLflow takes it; empty for the database in `$PAWPETAL_HOME/registry`.
        """
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        # A file that is the registry, where no server sees to it that there is one writer.
        self._database: Path | None = None
        if not tracking_uri:
            self._database = home() / "registry" / "mlflow.db"
        elif tracking_uri.startswith(SQLITE):
            self._database = Path(unquote(tracking_uri.removeprefix(SQLITE)))
        self._tracking_uri = _sqlite_uri(self._database) if self._database else tracking_uri

    def is_new(self) -> bool:
        """Whether nothing was ever registered here, so that there is no database."""
        return self._database is not None and not self._database.exists()

    @functools.cached_property
    def _client(self) -> Any:
        """MLflow's client; a new database is made by the first one who needs it."""
        import mlflow

        if self._database:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            # Several processes that open a new database at once would make its tables twice.
            with self._lock():
                if self.is_new():
                    _make_database(self._database)
        return mlflow.MlflowClient(self._tracking_uri, registry_uri=self._tracking_uri)

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

        The files, metrics and labels are all in place before the one call that makes the version:
        a kill before it leaves a run without a version, and the next try starts over.
        """
        client = self._client  # before the lock, which making a new database takes too
        with self._lock(), _explained():
            for version in self.versions(model_name):
                if version.labels.get(DIGEST) == digest:
                    return version
            run = client.create_run(self._find_or_make_experiment(), run_name=model_name)
            run_id = run.info.run_id
            source = f"{run.info.artifact_uri}/{FOLDER}"
            if place and self._database:
                source = storage.join(place, f"{model_name}/{digest}")
                storage.upload_folder(files, source)
            else:
                client.log_artifacts(run_id, str(files), FOLDER)
            for name, value in metrics.items():
                client.log_metric(run_id, name, value)
            for name, label in labels.items():
                client.log_param(run_id, name, label)
            client.set_terminated(run_id)
            self._make_model(model_name)
            made = client.create_model_version(
                model_name,
                source=source,
                run_id=run_id,
                tags={**labels, DIGEST: digest},
            )
            return self._to_version(made)

    def find(self, model_name: str, version: str) -> ModelVersion | None:
        """The version of that number or alias, or None."""
        if self.is_new():
            return None
        from mlflow.exceptions import MlflowException

        with _explained():
            try:
                if version.isdecimal():
                    found = self._client.get_model_version(model_name, version)
                else:
                    found = self._client.get_model_version_by_alias(model_name, version)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return self._to_version(found)

    def versions(self, model_name: str) -> list[ModelVersion]:
        """All versions of a model, newest first; empty for an unknown model."""
        if self.is_new():
            return []
        mark = '"' if "'" in model_name else "'"  # MLflow knows no escape
        with _explained():
            found = list(
                _all_pages(
                    self._client.search_model_versions,
                    f"name={mark}{model_name}{mark}",
                    order_by=["version_number DESC"],
                )
            )
        # A search leaves the aliases out.
        return [version for one in found if (version := self.find(model_name, str(one.version)))]

    def model_names(self) -> list[str]:
        """Every model, sorted."""
        if self.is_new():
            return []
        with _explained():
            return sorted(model.name for model in _all_pages(self._client.search_registered_models))

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point an alias at a version, away from where it pointed."""
        with _explained():
            self._client.set_registered_model_alias(version.model_name, alias, version.version)

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """Copy a version's model folder below `folder`, and say where it is."""
        import mlflow

        if storage.is_remote(version.source) and self._database:
            return _download(version.source, folder)
        try:
            return Path(
                mlflow.artifacts.download_artifacts(
                    artifact_uri=version.source,
                    dst_path=str(folder),
                    tracking_uri=self._tracking_uri,  # a server's artifacts are asked of it
                )
            )
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise RegistryError(
                f"The files of {version.model_name} version {version.version} cannot be read from"
                f" '{version.source}': {error}"
            ) from error

    def _make_model(self, model_name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _find_or_make_experiment(self) -> str:
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return str(experiment.experiment_id)
        # A server chooses the place itself; a database file would put it in the working directory.
        place = _artifacts(self._database).as_uri() if self._database else None
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))

    def _to_version(self, found: Any) -> ModelVersion:
        run = self._client.get_run(found.run_id) if found.run_id else None
        return ModelVersion(
            model_name=found.name,
            version=str(found.version),
            aliases=tuple(found.aliases),
            metrics=dict(run.data.metrics) if run else {},
            labels=dict(found.tags),
            created_at=datetime.fromtimestamp(found.creation_timestamp // 1000, UTC).isoformat(),
            source=found.source,
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time where there is no server to see to that."""
        if self._database is None:
            yield
            return
        with FileLock(self._database.parent / ".lock"):
            yield


def _make_database(path: Path) -> None:
    """Make it under another name: a kill halfway through its tables would leave it broken."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new = path.with_name(f"{path.name}.new")
    for left in path.parent.glob(f"{new.name}*"):  # by a process that was killed here
        left.unlink()
    store = SqlAlchemyStore(_sqlite_uri(new), _artifacts(path).as_uri())
    store.engine.dispose()
    new.rename(path)


def _download(source: str, folder: Path) -> Path:
    for file in storage.list_files(source):
        storage.download_file(storage.join(source, file.path), folder / FOLDER / file.path)
    return folder / FOLDER


def _artifacts(database: Path) -> Path:
    """Where the files of the versions in a database are."""
    return database.parent / "artifacts"


def _sqlite_uri(path: Path) -> str:
    # These two have a meaning of their own in a URI. MLflow makes the folder that a URI seems to
    # name before it reads it, so that quoting any more leaves stray folders.
    return SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever MLflow raises, on its own or from its database, into one clear line."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, ImportError, ValueError, OSError) as error:
        text = " ".join(str(error).split())[:300]
        raise RegistryError(f"The registry cannot do this: {text}") from error


def _all_pages(search: Callable[..., Any], *query: str, **options: Any) -> Iterator[Any]:
    """Everything that a search of MLflow finds; it gives one page at a time."""
    page = search(*query, max_results=PAGE, **options)
    yield from page
    while page.token:
        page = search(*query, max_results=PAGE, page_token=page.token, **options)
        yield from page
