"""Paths as people give them, made such that any working directory finds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common import storage
from components.common.errors import InputError
from components.join.curriculum import read_curriculum


def absolute(path: str) -> str:
    """A local path from the root, `~` expanded; a gs:// URI as it is."""
    return path if storage.is_remote(path) else os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111  # leaves an unknown ~user as it is


def absolute_dataset(uri: str) -> str:
    """A dataset URI whose path, if it has one, is absolute.

    Raises:
        InputError: If it is a bare path, which does not say what it is.
    """
    kind, _, path = uri.partition(":")
    if kind in ("folder", "archive") and path:
        return f"{kind}:{absolute(path)}"
    if ":" not in uri and Path(uri).expanduser().is_dir():
        raise InputError(
            f"`dataset` must say what it is. Received: '{uri}', which is a folder: pass"
            f" folder:{uri}"
        )
    if ":" not in uri and Path(uri).expanduser().is_file():
        raise InputError(
            f"`dataset` must say what it is. Received: '{uri}', which is a file: pass archive:{uri}"
            " where it is a .zip or .tar"
        )
    return uri


def datasets(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The datasets that a run ingests, whatever its pipeline.

    Args:
        arguments: Value of each input of the pipeline.
    """
    if "curriculum" in arguments:
        return read_curriculum(arguments["curriculum"])
    return (arguments["dataset"],)


def with_absolute_paths(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of a pipeline, all or some, with paths as any working directory finds them.

    Raises:
        InputError: If a dataset is a bare path.
    """
    from components.train.architectures import IMAGENET, NONE
    from components.train.settings import AUTO
    from components.train.start import is_path

    prepared = dict(arguments)
    if "dataset" in prepared:
        prepared["dataset"] = absolute_dataset(prepared["dataset"])
    if "curriculum" in prepared:
        prepared["curriculum"] = ",".join(map(absolute_dataset, datasets(prepared)))
    if is_path(prepared.get("warm_start", "")):
        prepared["warm_start"] = absolute(prepared["warm_start"])
    if prepared.get("weights", AUTO) not in (AUTO, IMAGENET, NONE):
        prepared["weights"] = absolute(prepared["weights"])
    for name in ("data_dir", "storage"):
        if prepared.get(name):
            prepared[name] = absolute(prepared[name])
    return prepared
