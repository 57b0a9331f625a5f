"""Everything that can be refused before a step starts, is refused here.

The checks are the steps' own, so that a spec that is started elsewhere refuses the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.augment.policies import find_policy
from components.common import storage
from components.common.errors import InputError
from components.common.home import home
from components.common.registry import check_registry, open_registry
from components.ingest.data_policy import check_policy
from components.split.rule import SPLITS, check_fractions
from components.train.settings import AUTO, TrainSettings, check_augmentation
from components.train.weights import IMAGENET, NONE, check_weights, check_weights_name
from pipelines.places import absolute, absolute_dataset
from pipelines.runs import is_writable
from pipelines.targets import Target

if TYPE_CHECKING:
    from components.ingest.sources import Source

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,62}")  # what every registry takes


def prepare(arguments: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Check the arguments of `train_and_push`, and fill in what pawpetal itself knows.

    Args:
        arguments: Value of each input that people set.
        target: Where they are to run.

    Returns:
        The same with absolute paths, fingerprints and the code version.

    Raises:
        InputError: If one of them cannot work.
    """
    prepared = _with_absolute_paths(arguments)
    settings = TrainSettings(
        **{name: prepared[name] for name in TrainSettings.__dataclass_fields__}
    ).resolved()
    policy = find_policy(prepared["augmentation"])
    check_augmentation(policy, settings.weights, prepared["augmented_copies"])
    check_fractions({split: prepared[f"{split}_fraction"] for split in SPLITS})
    _check_fraction("min_accuracy", prepared["min_accuracy"])
    check_policy(prepared["data_policy"])
    check_registry(prepared["registry"])
    if not is_writable(home()):
        raise InputError(f"'{home()}' cannot be written to. Choose another place with --home.")

    if target.runs_here and not prepared["storage"]:
        prepared["storage"] = str(home())
    target.check(prepared)

    # These read files, or import what is heavy: last.
    source = _open_source(prepared["dataset"], prepared["data_dir"])
    _check_model_name(prepared["model_name"], source.name)
    if target.runs_here:
        _check_storage(prepared["storage"])
    # The one of this machine is made when new; what a cluster reaches, this machine may not.
    if prepared["registry"] and target.runs_here:
        open_registry(prepared["registry"]).model_names()
    check_weights_name(settings.find_architecture(), settings.weights)
    if target.runs_here:
        check_weights(settings.find_architecture(), settings.weights, settings.image_size)
    return {
        **prepared,
        "code_version": target.code_version(),
        "dataset_fingerprint": source.fingerprint(),
        "weights_fingerprint": _weights_fingerprint(settings.weights),
    }


def _open_source(dataset: str, data_dir: str) -> Source:
    from components.ingest.sources import open_source

    try:
        return open_source(dataset, data_dir)
    except ModuleNotFoundError as error:  # a machine that only submits
        raise InputError(
            f"`dataset` '{dataset}' needs '{error.name}' on this machine: pip install"
            " 'pawpetal[steps,cpu]'"
        ) from error


def _with_absolute_paths(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Paths as any working directory finds them, `~` included."""
    prepared = dict(arguments)
    prepared["dataset"] = absolute_dataset(prepared["dataset"])
    if prepared["weights"] not in (AUTO, IMAGENET, NONE):
        prepared["weights"] = absolute(prepared["weights"])
    for name in ("data_dir", "storage"):
        if prepared[name]:
            prepared[name] = absolute(prepared[name])
    return prepared


def _check_storage(root: str) -> None:
    """Refuse a place that cannot be written to."""
    if storage.is_remote(root):
        storage.write_bytes(storage.join(root, "datasets/.writable"), b"", if_absent=True)
    elif not is_writable(Path(root)):
        raise InputError(f"`storage` must be a folder that can be written to. Received: '{root}'")


def _check_fraction(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"`{name}` must be from 0 to 1. Received: {value}")


def _check_model_name(given: str, dataset_name: str) -> None:
    if not MODEL_NAME.fullmatch(given or dataset_name):
        received = f"'{given}'" if given else f"'{dataset_name}', the dataset's name"
        raise InputError(
            "`model_name` must start with a letter or digit, and hold only letters, digits, dots,"
            f" dashes, underscores and spaces, 63 at most. Received: {received}"
        )


def _weights_fingerprint(weights: str) -> str:
    is_file = weights.startswith("gs://") or Path(weights).is_file()
    return storage.fingerprint(weights) if is_file else ""
