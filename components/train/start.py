"""The model that a training goes on from: found in a registry or at a path, and fetched.

Light: checks before a run look for it, too; only a registry needs more than this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from components.common import storage
from components.common.errors import InputError
from components.common.model import MODEL_FILE, SETTINGS
from components.common.registry import CHAMPION, ModelVersion, open_registry

NEEDED = (MODEL_FILE, SETTINGS)  # of a model folder
# Where a run on this machine leaves its models: a sweep its best, any run what it trained.
IN_RUN = (f"steps/*/compare/best/{MODEL_FILE}", f"steps/**/train/model/{MODEL_FILE}")


@dataclass(frozen=True, kw_only=True)
class Start:
    """A model to go on from: a version in a registry, or a model folder."""

    version: ModelVersion | None = None
    folder: str = ""  # a path or gs:// URI, where it is no version

    def __str__(self) -> str:
        """What people call it."""
        if self.version is None:
            return self.folder
        return f"{self.version.model_name} version {self.version.version}"

    def architecture(self) -> str:
        """Name of the model's network; empty where nothing says it."""
        if self.version is not None:
            return self.version.labels.get("architecture", "")
        settings = json.loads(storage.read_bytes(storage.join(self.folder, SETTINGS)))
        return str(settings.get("architecture", ""))

    def fingerprint(self) -> str:
        """A short text that changes whenever the model may have changed."""
        if self.version is None:
            files = (storage.fingerprint(storage.join(self.folder, name)) for name in NEEDED)
            return " ".join(files)
        digest = self.version.labels.get("model_digest", self.version.source)
        return f"{self.version.model_name}/{self.version.version} {digest}"


def is_path(warm_start: str) -> bool:
    """Whether it names a folder on this machine, and no version."""
    return warm_start.startswith(("/", "./", "../", "~"))


def find_start(warm_start: str, model_name: str, registry: str) -> Start | None:
    """Find the model to go on from, without fetching it.

    Args:
        warm_start: `champion` or a version ("3") of `model_name`; the same of another model
            ("NAME/3"); the path of a model folder, or of a run that left one; a gs:// URI.
        model_name: Name in the registry.
        registry: URI of the registry; empty for the one of this machine.

    Returns:
        The model. None where `warm_start` is empty, or is `champion` and the model has none yet:
        a pipeline that retrains from the champion runs a first time, too.

    Raises:
        InputError: If there is no such version, or no complete model at that place.
    """
    if not warm_start:
        return None
    if is_path(warm_start) or storage.is_remote(warm_start):
        return Start(folder=_find_folder(warm_start))
    named, _, version = warm_start.rpartition("/")
    found = open_registry(registry).find(named or model_name, version)
    if found is None and warm_start != CHAMPION:
        raise _no_version(warm_start, named or model_name, registry)
    return Start(version=found) if found else None


def fetch_start(warm_start: str, model_name: str, registry: str, scratch: Path) -> Path | None:
    """Fetch the model to go on from.

    Args:
        warm_start: As `find_start` takes it.
        model_name: Name in the registry.
        registry: URI of the registry; empty for the one of this machine.
        scratch: Folder for what has to be downloaded.

    Returns:
        The model's folder on this machine; None where training starts anew.

    Raises:
        InputError: If there is no such model.
        RegistryError: If its files cannot be had.
    """
    start = find_start(warm_start, model_name, registry)
    if start is None:
        if warm_start:
            print(f"{model_name} has no champion yet: training starts anew", flush=True)
        return None
    print(f"training goes on from {start}", flush=True)
    if start.version is not None:
        return open_registry(registry).download(start.version, scratch)
    if not storage.is_remote(start.folder):
        return Path(start.folder)
    for name in NEEDED:
        storage.download_file(storage.join(start.folder, name), scratch / name)
    return scratch


def _find_folder(place: str) -> str:
    """The model folder at a place; `place` itself, or the one that a run left below it."""
    folder = place.rstrip("/") if storage.is_remote(place) else str(Path(place).expanduser())
    missing = [name for name in NEEDED if not storage.exists(storage.join(folder, name))]
    if not missing:
        return folder
    in_run = [] if storage.is_remote(place) else _models_of_run(Path(folder))
    if len(in_run) == 1:
        return str(in_run[0].parent)
    if in_run:
        folders = ", ".join(f"'{file.parent}'" for file in in_run)
        raise InputError(
            f"`warm_start` must name one model. Received: '{place}', a run that left"
            f" {len(in_run)}. Pass one of {folders}"
        )
    raise InputError(
        "`warm_start` must name a folder that holds a complete model."
        f" Received: '{place}', which has no {' and no '.join(missing)}"
    )


def _models_of_run(folder: Path) -> list[Path]:
    return next(filter(None, (sorted(folder.glob(place)) for place in IN_RUN)), [])


def _no_version(warm_start: str, model_name: str, registry: str) -> InputError:
    """An error that lists what there is instead."""
    opened = open_registry(registry)
    known = ", ".join(version.version for version in opened.versions(model_name))
    there = f"'{model_name}' has version {known}" if known else f"'{model_name}' has no version"
    if not known and (names := opened.model_names()):
        there += f" (the registry has {', '.join(names)})"
    return InputError(
        "`warm_start` must be champion, a version, NAME/VERSION, a gs:// URI, or a path that starts"
        f" with / or ./ or ~. Received: '{warm_start}', and {there}"
    )
