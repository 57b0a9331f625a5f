"""Train one architecture on the training photos, and write the model with all that explains it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.augment.augmenter import Augmenter
from components.augment.mixing import Mixer
from components.augment.policies import Policy
from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.model import MODEL_FILE, SAVED_MODEL, ModelFolder
from components.common.parallel import num_cores
from components.common.photos import PhotoSet, load_photos
from components.common.progress import report
from components.train.batches import Batches, Rows
from components.train.curves import plot_history
from components.train.fitting import Fit, fit
from components.train.frozen import fit_head
from components.train.settings import TrainSettings, check_augmentation
from components.train.weights import NONE, load_weights

DROPOUT = 0.2  # before the head of a network that is trained from scratch


def train_model(
    train: Path,
    validation: Path,
    policy: Path,
    folder: Path,
    settings: TrainSettings,
    *,
    copies: Path | None = None,
    code_version: str = "",
) -> Fit:
    """Train, and write the model folder.

    A backbone that starts from weights is frozen and gets a new head; one that starts from none is
    trained whole.

    Args:
        train: Dataset folder of the photos to learn from.
        validation: Dataset folder of the photos to choose the epoch by.
        policy: Folder of the augmentation policy.
        folder: Where the model is written, see `ModelFolder`.
        settings: How to train.
        copies: Dataset folder of augmented copies of the training photos, for a frozen backbone;
            None makes them on the way.
        code_version: Recorded with the model.

    Returns:
        How training went.

    Raises:
        InputError: If the weights do not fit the architecture, or the policy not the weights.
    """
    settings = settings.resolved()
    chosen = Policy.load(policy)
    num_copies = _count_copies(train, copies)
    check_augmentation(chosen, settings.weights, num_copies)
    make_deterministic(settings.seed)
    start = time.monotonic()
    with (
        load_photos(train, settings.image_size) as learned,
        load_photos(validation, settings.image_size) as held_out,
        load_photos(copies, settings.image_size) if copies else nullcontext() as augmented,
    ):
        model, fitted = _train(learned, held_out, augmented, chosen, settings)
    record = {
        **asdict(settings),
        "augmentation": chosen.name,
        "augmented_copies": num_copies,
        "best_epoch": fitted.best_epoch + 1,
        "num_parameters": int(model.count_params()),
        "training_seconds": round(time.monotonic() - start, 1),
        **_provenance(train, code_version),
    }
    _write(folder, model, fitted, record)
    return fitted


def make_deterministic(seed: int) -> None:
    """Make training give the same weights twice, bit for bit, on one machine.

    Args:
        seed: Of weights, dropout and order.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def assemble(backbone: keras.Model, head: keras.Model, *, mirror_averaging: bool) -> keras.Model:
    """Join backbone and head into the model that predicts.

    Args:
        backbone: From photos to features.
        head: From features to class probabilities.
        mirror_averaging: Predict the mean over the photo and its mirror image.

    Returns:
        A model from RGB photos `(n, size, size, 3)` in [0, 255] to probabilities `(n, classes)`.
    """
    photos = keras.Input(backbone.input_shape[1:], name="photos")
    if not mirror_averaging:
        return keras.Model(photos, head(backbone(photos)), name="classifier")
    # One pass over both views: a second call of the backbone would double the graph, and the time
    # to save and load it.
    views = keras.ops.concatenate([photos, keras.ops.flip(photos, axis=2)])
    probabilities = head(backbone(views))
    by_view = keras.ops.reshape(probabilities, (2, -1, head.output_shape[-1]))
    return keras.Model(photos, keras.ops.mean(by_view, axis=0), name="classifier")


def _train(
    train: PhotoSet,
    validation: PhotoSet,
    copies: PhotoSet | None,
    policy: Policy,
    settings: TrainSettings,
) -> tuple[keras.Model, Fit]:
    architecture = settings.find_architecture()
    backbone = architecture.build_backbone(settings.image_size)
    if settings.weights != NONE:
        load_weights(architecture, backbone, settings.weights)
        head, fitted = fit_head(
            backbone,
            train,
            validation,
            policy,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            copies=copies,
        )
        return assemble(backbone, head, mirror_averaging=settings.mirror_averaging), fitted
    head = keras.Sequential(
        [
            keras.Input(backbone.output_shape[1:]),
            keras.layers.Dropout(DROPOUT, seed=settings.seed),
            keras.layers.Dense(len(train.classes), activation="softmax"),
        ],
        name="head",
    )
    fitted = fit(
        assemble(backbone, head, mirror_averaging=False),
        _augmented_batches(train, policy, settings),
        _plain_batches(validation, policy, settings),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
    )
    return assemble(backbone, head, mirror_averaging=settings.mirror_averaging), fitted


def _augmented_batches(photos: PhotoSet, policy: Policy, settings: TrainSettings) -> Batches:
    augmenter = Augmenter(policy=policy, seed=settings.seed)
    mixer = Mixer(augmenter=augmenter, num_photos=len(photos), size=settings.image_size)

    def take(rows: Rows, epoch: int) -> np.ndarray:
        if policy.mixes:
            return mixer.photos(photos.images, rows, epoch).astype(np.float32)
        return augmenter(photos.images[rows], rows, epoch).astype(np.float32)

    def soften(rows: Rows, epoch: int) -> NDArray[np.float32]:
        return mixer.labels(photos.labels, len(photos.classes), rows, epoch)

    return Batches(
        photos.labels,
        take,
        batch_size=settings.batch_size,
        seed=settings.seed,
        num_threads=num_cores(),
        soften=soften if policy.mixes else None,
    )


def _plain_batches(photos: PhotoSet, policy: Policy, settings: TrainSettings) -> Batches:
    of_class = np.eye(len(photos.classes), dtype=np.float32)
    return Batches(
        photos.labels,
        lambda rows, _: photos.images[rows].astype(np.float32),
        batch_size=settings.batch_size,
        seed=None,
        # One loss judges both, so where labels are mixed in training, these are written so, too.
        soften=(lambda rows, _: of_class[photos.labels[rows]]) if policy.mixes else None,
    )


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


def _write(folder: Path, model: keras.Model, fitted: Fit, settings: dict[str, Any]) -> None:
    report("saving the model")
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL_FILE)
    model.export(folder / SAVED_MODEL, verbose=False)
    plot = plot_history(fitted.history, best_epoch=fitted.best_epoch + 1)
    ModelFolder(folder).write(settings=settings, history=fitted.history, plot=plot)
