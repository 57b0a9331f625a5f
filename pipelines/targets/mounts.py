"""What a container sees of this machine, and of nothing else: each folder under its own path.

Cached outputs and arguments are named by these paths.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.common import storage
from components.common.errors import InputError
from components.common.home import home
from components.common.registry import SQLITE
from components.train.architectures import NONE
from components.train.start import is_path
from pipelines.places import datasets

# Files that variables of the caller's environment name.
FILES = ("GOOGLE_APPLICATION_CREDENTIALS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
USER_CREDENTIALS = "~/.config/gcloud/application_default_credentials.json"


def places(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Places of the caller that libraries in a step look for, by the variable that names each.

    Args:
        arguments: Value of each input of the pipeline.
    """
    found = {
        name: os.path.abspath(os.environ[name])  # noqa: PTH100  # links must stay as they are
        for name in FILES
        if Path(os.environ.get(name, "")).is_file()
    }
    credentials = Path(USER_CREDENTIALS).expanduser()
    if "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ and credentials.is_file():
        found["GOOGLE_APPLICATION_CREDENTIALS"] = str(credentials)
    return found | _downloads(arguments)


def _downloads(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Where Keras and TensorFlow Datasets keep what they download: once, not once a container."""
    found = {}
    if arguments["weights"] != NONE and not _is_path(arguments["weights"]):
        found["KERAS_HOME"] = os.environ.get("KERAS_HOME") or "~/.keras"
    has_tfds = any(uri.startswith("tfds:") for uri in datasets(arguments))
    if has_tfds and not arguments["data_dir"]:
        found["TFDS_DATA_DIR"] = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return {name: str(Path(path).expanduser().absolute()) for name, path in found.items()}


def mounts(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The mounts of a run's steps, as Docker takes them.

    Args:
        arguments: Value of each input of the pipeline; paths in it are absolute.

    Raises:
        InputError: If one of them would show the whole machine.
    """
    written = _outermost({str(home()), *map(_refuse_root, _written(arguments))})
    read = _outermost(set(map(_refuse_root, _read(arguments))))
    read = {path for path in read if not _is_within(path, written)}
    return [
        *(_mount(path, read_only=False) for path in sorted(written)),
        *(_mount(path, read_only=True) for path in sorted(read)),
    ]


def _written(arguments: Mapping[str, Any]) -> Iterator[str]:
    yield from _downloads(arguments).values()
    yield from (path for name in ("data_dir", "storage") if _is_path(path := arguments[name]))
    if arguments["registry"].startswith(SQLITE):
        yield str(Path(arguments["registry"].removeprefix(SQLITE)).parent)


def _read(arguments: Mapping[str, Any]) -> Iterator[str]:
    downloads = _downloads(arguments)
    yield from (path for name, path in places(arguments).items() if name not in downloads)
    for uri in datasets(arguments):
        kind, _, path = uri.partition(":")
        if kind == "folder":
            yield path
            yield from _linked(Path(path))
        if kind == "archive" and _is_path(path):
            yield path
    if _is_path(arguments["weights"]) and Path(arguments["weights"]).is_file():
        yield arguments["weights"]
    if is_path(arguments["warm_start"]):
        yield arguments["warm_start"]


def _linked(folder: Path) -> Iterator[str]:
    """Folders that links in a folder lead to, each on the way: of classes, or of single photos."""
    walked = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        for name in (*folders, *files):
            place = Path(parent, name)
            while place.is_symlink() and place.exists():  # a circle of links does not exist
                place = Path(os.path.normpath(place.parent / place.readlink()))
                yield _refuse_root(str(place if place.is_dir() else place.parent))
        real = {name: os.path.realpath(Path(parent, name)) for name in folders}
        folders[:] = [name for name in folders if real[name] not in walked]
        walked |= set(real.values())


def _refuse_root(path: str) -> str:
    if path == "/":
        raise InputError("A container would see all of this machine, by a link or a path to '/'.")
    return path


def _is_path(text: str) -> bool:
    return "/" in text and not storage.is_remote(text)


def _is_within(path: str, others: set[str]) -> bool:
    return any(Path(path).is_relative_to(other) for other in others)


def _outermost(paths: set[str]) -> set[str]:
    """Paths without those that lie within another."""
    return {path for path in paths if not _is_within(path, paths - {path})}


def _mount(path: str, *, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": path, "Target": path, "ReadOnly": read_only}
