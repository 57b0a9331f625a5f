"""Train one architecture on the training photos, and write the model with all that explains it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from components.augment.policies import Policy
from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.model import MODEL_FILE, SAVED_MODEL, ModelFolder
from components.common.photos import load_photos
from components.common.progress import report
from components.train.architectures import NONE, Architecture
from components.train.curves import plot_history
from components.train.devices import describe_device, is_on_tpu, num_replicas_in_use
from components.train.export import export
from components.train.loop.checkpoints import SECONDS
from components.train.loop.loop import Fit
from components.train.loop.phases import Phases
from components.train.loop.tensorboard import write_picture
from components.train.material import Material
from components.train.memory import check_memory, describe_memory
from components.train.network import Network, build_head
from components.train.places.head import build_place_head
from components.train.precision import compute_in_float32, precision_scope
from components.train.resume import find_checkpoints
from components.train.rounds import RoundResult, find_stages, train_rounds
from components.train.settings import TrainSettings, check_augmentation
from components.train.warm_start import Transfer, adapt
from components.train.weights import load_weights
from components.train.worst import plot_worst, predict_classes


def train_model(
    train: Path,
    validation: Path,
    policy: Path,
    folder: Path,
    settings: TrainSettings,
    *,
    copies: Path | None = None,
    start: Path | None = None,
    checkpoints: str = "",
    checkpoint_seconds: float = SECONDS,
    logs: Path | None = None,
    code_version: str = "",
    weights_fingerprint: str = "",
) -> Fit:
    """Train, and write the model folder.

    Args:
        train: Dataset folder of the photos to learn from.
        validation: Dataset folder of the photos to choose the epoch by.
        policy: Folder of the augmentation policy.
        folder: Where the model is written, see `ModelFolder`.
        settings: How to train.
        copies: Dataset folder of augmented copies of the training photos, for a frozen backbone;
            None makes them on the way.
        start: Folder of the model to go on from; None starts anew.
        checkpoints: Folder or gs:// URI that keeps the state of trainings, each in a folder of its
            own: a training that was stopped goes on from there. Empty keeps none.
        checkpoint_seconds: From one checkpoint to the next.
        logs: Folder for TensorBoard's files; None writes none.
        code_version: Recorded with the model.
        weights_fingerprint: Changes when the file of weights does.

    Returns:
        How training went.

    Raises:
        InputError: If the weights do not fit the architecture, or the policy not the weights.
    """
    settings = settings.resolved(num_replicas=num_replicas_in_use(), on_tpu=is_on_tpu())
    report(f"training on {describe_device()}")
    chosen = Policy.load(policy)
    num_copies = _count_copies(train, copies)
    check_augmentation(chosen, settings, num_copies)
    if start:
        _warn_of_another_split(start, train)
    make_deterministic(settings.seed)
    began, began_cpu = time.monotonic(), time.process_time()
    size = settings.image_size
    with (
        load_photos(train, size, masks=settings.says_masks) as learned,
        load_photos(validation, size, masks=settings.says_masks) as held_out,
        load_photos(copies, size) if copies else nullcontext() as augmented,
    ):
        material = Material(train=learned, validation=held_out, policy=chosen, copies=augmented)
        network, transfers = start_network(settings, learned.classes, start)
        kept = find_checkpoints(
            checkpoints,
            settings,
            chosen,
            [train, validation, *([copies] if copies else [])],
            start=start,
            versions=[code_version, weights_fingerprint],
            every_s=checkpoint_seconds,
        )
        network, fitted, rounds = train_rounds(
            network,
            material,
            settings,
            find_stages(train, validation),
            Phases(checkpoints=kept, logs=logs),
        )
        compute_in_float32(network.backbone)
        said = predict_classes(network, held_out, mirror_averaging=settings.mirror_averaging)
        worst = plot_worst(held_out, said)
    model = network.assemble(mirror_averaging=settings.mirror_averaging)
    record = {
        **settings.told(),
        "augmentation": chosen.name,
        "augmented_copies": num_copies,
        "best_epoch": fitted.best_epoch + 1,
        "num_parameters": int(model.count_params()),
        "training_seconds": round(time.monotonic() - began, 1),
        "training_cpu_seconds": round(time.process_time() - began_cpu, 1),
        **_provenance(train, code_version),
    }
    _write(folder, model, fitted, record, transfers, rounds, worst)
    if logs:
        write_picture(logs, "worst", worst)
    if kept:
        kept.delete()
    return fitted


def start_network(
    settings: TrainSettings, classes: tuple[str, ...], start: Path | None = None
) -> tuple[Network, tuple[Transfer, ...]]:
    """Build the network with the weights that training starts from.

    Args:
        settings: Resolved.
        classes: In label order.
        start: Folder of the model to go on from; None starts anew.

    Returns:
        The network, and what became of each weight of that model.

    Raises:
        InputError: If weights do not fit, or the network is too large.
    """
    architecture = settings.find_architecture()
    check_memory(architecture, settings, num_classes=len(classes))
    report(describe_memory(architecture, settings, num_classes=len(classes)))
    with precision_scope(settings.precision):  # heads and losses are float32 in any case
        backbone = architecture.build_backbone(settings.image_size, settings.channels)
    if start and settings.is_frozen and not _is_of(architecture, start):
        report(
            f"the earlier model is no {architecture.name}, to be frozen: its weights are not used"
        )
        start = None
    if settings.weights != NONE and start is None:
        load_weights(architecture, backbone, settings.weights)
    if architecture.has_place:
        head = build_place_head(
            backbone.output_shape, len(classes), place=settings.place, seed=settings.seed
        )
    else:
        head = build_head(backbone.output_shape[-1], len(classes), seed=settings.seed)
    network = Network(backbone=backbone, head=head)
    return network, adapt(network, classes, start) if start else ()


def _is_of(architecture: Architecture, start: Path) -> bool:
    """Whether an earlier model is of that architecture; only then all of its backbone fits."""
    return ModelFolder(start).settings().get("architecture") == architecture.name


def make_deterministic(seed: int) -> None:
    """Make training give the same weights twice, bit for bit, on one machine.

    Args:
        seed: Of weights, dropout and order.
    """
    # Names of layers begin anew: in what order sums are taken may hang on them.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _count_copies(train: Path, copies: Path | None) -> int:
    """Augmented copies a photo, 0 where none are written."""
    if copies is None:
        return 0
    originals, augmented = Manifest.load(train), Manifest.load(copies)
    if augmented.dataset_digest != originals.dataset_digest:
        raise InputError(
            f"`copies` must be of dataset {originals.dataset_digest[:12]}, as `train` is. Received:"
            f" copies of dataset {augmented.dataset_digest[:12]}"
        )
    return augmented.num_photos // originals.num_photos


def _warn_of_another_split(start: Path, train: Path) -> None:
    """Say where the earlier model may have learned from photos that judge this one."""
    earlier = ModelFolder(start).settings().get("split") or ""
    now = Manifest.load(train).split_rule or ""
    # Which photos judge depends on the share of test and the seed alone, the end of the rule.
    if earlier.partition("test")[2] != now.partition("test")[2]:
        print(
            f"warning: the model to go on from was split by '{earlier}', and these photos are by"
            f" '{now}': where they are the same photos, it has learned some that judge now, and the"
            " accuracy on test photos is too good. Pass the same split_seed and test_fraction.",
            flush=True,
        )


def _provenance(train: Path, code_version: str) -> dict[str, Any]:
    manifest = Manifest.load(train)
    return {
        "dataset": manifest.source,
        "dataset_digest": manifest.dataset_digest,
        "split": manifest.split_rule,
        "num_training_photos": manifest.num_photos,
        "classes": list(manifest.classes),
        "code_version": code_version,
        "keras_version": keras.version(),
        "backend": keras.backend.backend(),
    }


def _write(
    folder: Path,
    model: keras.Model,
    fitted: Fit,
    settings: dict[str, Any],
    transfers: tuple[Transfer, ...],
    rounds: list[RoundResult],
    worst: bytes,
) -> None:
    report("saving the model")
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL_FILE)
    export(model, folder / MODEL_FILE, folder / SAVED_MODEL)
    plot = plot_history(fitted.history, best_epoch=fitted.best_epoch + 1)
    ModelFolder(folder).write(
        settings=settings,
        history=fitted.history,
        plot=plot,
        worst=worst,
        transfers=[asdict(transfer) for transfer in transfers],
        rounds=[asdict(one) for one in rounds],
    )
