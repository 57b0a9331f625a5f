"""Everything that can be refused before a step starts, is refused here.

The checks are the steps' own, so that a spec that is started elsewhere refuses the same.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.augment.policies import Policy, find_policy
from components.common import storage
from components.common.errors import InputError, PawpetalError
from components.common.home import home
from components.common.registry import ModelVersion, check_registry, check_storage, open_registry
from components.ingest.data_policy import check_policy
from components.plan.plan import SWEPT, plan_candidates
from components.split.rule import SPLITS, check_fractions
from components.train.architectures import find_architecture
from components.train.memory import check_memory
from components.train.settings import TrainSettings, check_augmentation
from components.train.start import Start, find_start
from components.train.weights import check_weights, check_weights_name
from pipelines.places import datasets, with_absolute_paths
from pipelines.runs import is_writable
from pipelines.targets import Target
from pipelines.targets.reach import can_reach

if TYPE_CHECKING:
    from components.ingest.sources import Source

MOST_SECONDS = 86_400  # between two checkpoints: a day
PLANNED = (*SWEPT, "augmented_copies", "weights", "warm_start")  # what says which trainings
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,62}")  # what every registry takes


def prepare(
    arguments: Mapping[str, Any], target: Target, *, is_recurring: bool = False
) -> dict[str, Any]:
    """Check the arguments of a pipeline, and fill in what pawpetal itself knows.

    Args:
        arguments: Value of each input that people set.
        target: Where they are to run.
        is_recurring: They are used again and again, as a schedule does: by then there are other
            photos, and perhaps another champion.

    Returns:
        The same with absolute paths, fingerprints and the code version. Where `is_recurring`,
        `warm_start` stays as it was given, and the fingerprints are empty.

    Raises:
        InputError: If one of them cannot work.
    """
    prepared = with_absolute_paths(arguments)
    trainings = _trainings(prepared)
    for settings, policy in trainings:
        check_augmentation(policy, settings, prepared["augmented_copies"])
    _check_used(prepared, [settings for settings, _ in trainings])
    check_fractions({split: prepared[f"{split}_fraction"] for split in SPLITS})
    for gate in ("min_accuracy", "min_gain"):
        _check_fraction(gate, prepared.get(gate, 0.0))
    if not 0 <= prepared["checkpoint_seconds"] <= MOST_SECONDS:
        raise InputError(
            f"`checkpoint_seconds` must be from 0 to {MOST_SECONDS}."
            f" Received: {prepared['checkpoint_seconds']}"
        )
    check_policy(prepared["data_policy"])
    prepared["registry"] = prepared["registry"] or target.usual_registry()
    check_registry(prepared["registry"])
    if not is_writable(home()):
        raise InputError(f"'{home()}' cannot be written to. Choose another place with --home.")

    prepared["storage"] = prepared["storage"] or target.usual_storage()
    check_storage(prepared["registry"], prepared["storage"])
    target.check(prepared)

    # These read files, or import what is heavy: last.
    sources = [_open_source(uri, prepared["data_dir"]) for uri in datasets(prepared)]
    name = prepared["model_name"] or sources[-1].name
    _check_model_name(prepared["model_name"], name)
    if target.runs_here:
        _check_storage(prepared["storage"])
    # The one of this machine is made when new; what a cluster reaches, this machine may not.
    if prepared["registry"] and target.runs_here:
        open_registry(prepared["registry"]).model_names()
    num_classes = len({name for source in sources for name in source.classes})
    for settings, _ in trainings:
        check_memory(settings.find_architecture(), settings, num_classes=num_classes)
        check_weights_name(settings.find_architecture(), settings.weights)
    start = _find_start(prepared, name, target)
    if target.runs_here:
        _check_weights([settings for settings, _ in trainings], start)
    if start and start.version:
        _check_same_split(prepared, start.version)
    if is_recurring:
        nothing = dict.fromkeys(("dataset_fingerprint", "weights_fingerprint"), "")
        return {**prepared, **nothing, "code_version": target.code_version()}
    if start and start.version:  # the train step must not find another champion than was seen here
        prepared["warm_start"] = f"{start.version.model_name}/{start.version.version}"
    return {
        **prepared,
        "code_version": target.code_version(),
        "dataset_fingerprint": " ".join(source.fingerprint() for source in sources),
        "weights_fingerprint": _fingerprint(prepared, start, target),
    }


def _trainings(prepared: Mapping[str, Any]) -> list[tuple[TrainSettings, Policy]]:
    """The settings of each training that a run does, resolved, and what it does to its photos."""
    known = TrainSettings.__dataclass_fields__
    shared = {key: value for key, value in prepared.items() if key in known}
    if "architectures" not in prepared:
        policy = find_policy(prepared["augmentation"])
        return [(TrainSettings(**shared).resolved(), policy)]
    trainings = []
    for candidate in plan_candidates(**{name: prepared[name] for name in PLANNED}):
        own = {key: value for key, value in candidate.items() if key in known}
        policy = find_policy(candidate["augmentation"])
        trainings.append((TrainSettings(**{**shared, **own}).resolved(), policy))
    return trainings


def _check_used(prepared: Mapping[str, Any], trainings: Sequence[TrainSettings]) -> None:
    """Refuse a setting that was changed from its default, and that no training looks at."""
    usual = TrainSettings()
    told = {name for settings in trainings for name in settings.told()}
    for name in ("fine_tune_epochs", "fine_tune_blocks", "fine_tune_learning_rate"):
        if name not in told and prepared[name] not in (0, getattr(usual, name)):
            raise InputError(
                f"`{name}` is for a network that starts frozen, from weights. Received:"
                f" {prepared[name]} for {_names(trainings)}, trained whole. Leave it out."
            )
    for name in ("loss_weighting", "alpha", "place"):
        if name not in told and prepared[name] != getattr(usual, name):
            raise InputError(
                f"`{name}` is for architecture 'two_output'. Received: {prepared[name]} for"
                f" {_names(trainings)}. Leave it out."
            )


def _names(trainings: Sequence[TrainSettings]) -> str:
    return ", ".join(f"'{settings.architecture}'" for settings in trainings)


def _open_source(dataset: str, data_dir: str) -> Source:
    from components.ingest.sources import open_source

    try:
        return open_source(dataset, data_dir)
    except ModuleNotFoundError as error:  # a machine that only submits
        raise InputError(
            f"`dataset` '{dataset}' needs '{error.name}' on this machine: pip install"
            " 'pawpetal[steps,cpu]'"
        ) from error


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


def _find_start(prepared: Mapping[str, Any], name: str, target: Target) -> Start | None:
    """The model to go on from, where this machine can see it."""
    if not target.runs_here and not can_reach(prepared["registry"]):
        return None  # MLflow's client would try for 20 s
    try:
        return find_start(prepared["warm_start"], name, prepared["registry"])
    except PawpetalError:
        if target.runs_here:
            raise
        return None  # the registry is perhaps one that only the cluster reaches


def _check_weights(trainings: Sequence[TrainSettings], start: Start | None) -> None:
    """Refuse weights that are missing or do not fit, each once."""
    # A network that goes on from one of its own kind needs no other weights.
    own = start.architecture() if start else ""
    needed = {
        (settings.architecture, settings.weights, settings.image_size, settings.channels)
        for settings in trainings
        if settings.architecture != own
    }
    for architecture, weights, image_size, channels in sorted(needed):
        check_weights(find_architecture(architecture), weights, image_size, channels)


def _check_same_split(prepared: Mapping[str, Any], version: ModelVersion) -> None:
    """Refuse to judge against a champion that has learned some of the photos that judge now."""
    rule = f" {prepared['test_fraction']:g}, seed {prepared['split_seed']}"
    earlier = version.labels.get("split", "").partition("test")[2]
    if "min_gain" in prepared and earlier and earlier != rule:
        raise InputError(
            "`split_seed` and `test_fraction` must be those of the model to go on from, or it has"
            f" learned some of the test photos. Received:{rule}, and {version.model_name} version"
            f" {version.version} has{earlier}"
        )


def _fingerprint(prepared: Mapping[str, Any], start: Start | None, target: Target) -> str:
    """What tells one start from another: of the model to go on from, or the file of weights."""
    if start:
        return start.fingerprint()
    if prepared["warm_start"] and not target.runs_here:
        return f"unseen {secrets.token_hex(8)}"  # so nothing is taken for what it may not be
    weights = prepared["weights"]
    is_file = weights.startswith("gs://") or Path(weights).is_file()
    return storage.fingerprint(weights) if is_file else ""
