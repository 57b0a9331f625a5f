"""What steps that run elsewhere cannot reach: this machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from components.common import storage
from components.common.errors import InputError
from components.common.registry import MLFLOW, VERTEX
from components.train.architectures import IMAGENET, NONE
from components.train.settings import AUTO
from components.train.start import is_path
from pipelines.places import datasets

REACH_S = 3.0  # for a connection
HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  # refused, not listened on


def check_reach(arguments: Mapping[str, Any]) -> None:
    """Refuse what names something of this machine, which a step elsewhere does not have.

    Args:
        arguments: Value of each input of the pipeline.

    Raises:
        InputError: If one does.
    """
    for uri in datasets(arguments):
        kind, _, place = uri.partition(":")
        if kind in ("folder", "archive") and not storage.is_remote(place):
            raise InputError(
                f"`dataset` must be where the steps can read it. Received: {kind} '{place}' of"
                " this machine. Copy it to a bucket, and pass gs://BUCKET/PREFIX"
            )
    if arguments["storage"] and not storage.is_remote(arguments["storage"]):
        raise InputError(
            "`storage` must be empty or a gs:// URI on another machine. Received:"
            f" '{arguments['storage']}', a path of this machine"
        )
    weights = arguments["weights"]
    if weights not in (AUTO, IMAGENET, NONE) and not storage.is_remote(weights):
        raise InputError(
            "`weights` must be auto, imagenet, none or a gs:// URI on another machine. Received:"
            f" '{weights}', a path of this machine"
        )
    if is_path(arguments["warm_start"]):
        raise InputError(
            "`warm_start` must be champion, a version or a gs:// URI on another machine. Received:"
            f" '{arguments['warm_start']}', a path of this machine"
        )
    if arguments["data_dir"] and not storage.is_remote(arguments["data_dir"]):
        raise InputError(
            "`data_dir` must be empty or a gs:// URI on another machine. Received:"
            f" '{arguments['data_dir']}', a path of this machine"
        )
    _check_registry_reach(arguments["registry"])


def can_reach(registry: str) -> bool:
    """Whether this machine finds a registry's server, too; told in seconds.

    Args:
        registry: As the steps name it; the name of the server may be one of the cluster's own.
    """
    server = urlsplit(registry.removeprefix(MLFLOW))
    if server.scheme not in ("http", "https"):
        return True
    port = server.port or {"http": 80, "https": 443}[server.scheme]
    try:
        socket.create_connection((str(server.hostname), port), timeout=REACH_S).close()
    except OSError:
        return False
    return True


def _check_registry_reach(registry: str) -> None:
    if registry.startswith(VERTEX):
        return
    server = urlsplit(registry.removeprefix(MLFLOW))
    if server.scheme not in ("http", "https"):
        received = f"'{registry}'" if registry else "none, the one of this machine"
        raise InputError(
            "`registry` must be a server, since the disk of a step's machine goes with it:"
            f" mlflow:http://HOST:PORT or vertex:PROJECT/REGION. Received: {received}"
        )
    if server.hostname in HERE:
        raise InputError(
            "`registry` must be an address that the steps reach; there,"
            f" {server.hostname} is the step's own machine. Received: '{registry}'"
        )
