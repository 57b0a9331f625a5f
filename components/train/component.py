"""The train step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def train(
    train: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Dataset],
    policy: dsl.Input[dsl.Artifact],
    copies: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    logs: dsl.Output[dsl.Artifact],
    architecture: str = "residual",
    weights: str = "auto",
    warm_start: str = "",
    image_size: int = 0,
    channels: int = 3,
    epochs: int = 0,
    batch_size: int = 0,
    learning_rate: float = 0.0,
    optimizer: str = "adamw",
    schedule: str = "cosine",
    weight_decay: float = 0.02,
    patience: int = 0,
    ema: float = 0.0,
    label_smoothing: float = 0.0,
    class_weights: str = "none",
    precision: str = "auto",
    device: str = "auto",
    num_replicas: int = 0,
    fine_tune_epochs: int = -1,
    fine_tune_blocks: int = 0,
    fine_tune_learning_rate: float = 0.0,
    feature_cache: bool = True,
    loss_weighting: str = "uncertainty",
    alpha: float = 0.5,
    place: str = "box",
    mirror_averaging: bool = True,
    max_memory_gib: float = 8.0,
    seed: int = 0,
    checkpoint_seconds: float = 60.0,
    storage: str = "",
    model_name: str = "",
    registry: str = "",
    weights_fingerprint: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Train an architecture; keep the epoch that does best on the validation photos.

    Args:
        train: The photos to learn from.
        validation: The photos to choose the epoch by.
        policy: What may be done to the training photos.
        copies: Augmented copies of them, where they were written beforehand.
        model: model.keras, a SavedModel, the settings, the history and its plot.
        metrics: Loss and accuracy of the kept epoch.
        logs: Numbers of each epoch, for TensorBoard.
        architecture: Name of the network, as `pawpetal architectures` lists them.
        weights: Where it starts: none (trained whole); imagenet, a path or gs:// URI (frozen, with
            a new head, then tuned); or auto (what is usual).
        warm_start: The model to go on from: champion, a version, or a path or gs:// URI of a model
            folder; empty starts anew.
        image_size: Height and width the photos are brought to, pixels; 0 takes the usual.
        channels: What the network sees: 3 (RGB) or 1 (gray).
        epochs: Passes over the training photos; 0 takes the usual number.
        batch_size: Photos a step, all replicas together, where the whole network is trained; 0
            takes 32 a replica.
        learning_rate: Peak learning rate; 0 takes the usual.
        optimizer: adamw, sgd or rmsprop.
        schedule: Of the learning rate after its warm-up: cosine or constant.
        weight_decay: What pulls weights to 0, as a share of the learning rate.
        patience: Epochs without a lower validation loss after which training ends; 0 never.
        ema: Momentum of a moving average of the weights, which is kept instead; 0 keeps none.
        label_smoothing: Share of each label that is spread over all classes.
        class_weights: none, or balanced, by which rare classes count as much as common ones.
        precision: float32, mixed_bfloat16 or mixed_float16; auto takes what suits the device.
        device: What trains: auto, cpu, gpu or tpu.
        num_replicas: Devices that share each batch; 0 takes all chips of a TPU, else one.
        fine_tune_epochs: Passes that tune the top blocks; -1 takes the usual number, 0 none.
        fine_tune_blocks: How many top blocks are tuned; 0 takes the usual number.
        fine_tune_learning_rate: Peak learning rate of tuning; 0 takes the usual.
        feature_cache: Compute what frozen layers give once, where that pays.
        loss_weighting: How two_output weighs its losses.
        alpha: Share of the class loss in two_output's loss, at first.
        place: What two_output says of the place: box or mask.
        mirror_averaging: Predict the mean over the photo and its mirror image.
        max_memory_gib: Most memory that training the weights may take, GiB; 0 lifts the bound.
        seed: Of weights, order and augmentation.
        checkpoint_seconds: From one checkpoint to the next.
        storage: Folder or gs:// URI that keeps checkpoints; empty keeps none.
        model_name: Name in the registry, for `warm_start`; empty takes the dataset's.
        registry: Where the model to go on from is registered; empty takes the usual place.
        weights_fingerprint: Changes when the file of weights changes; part of the cache key.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    import tempfile
    from pathlib import Path

    from components.common.artifacts import write_metadata
    from components.common.dataset import find_dataset
    from components.common.manifest import Manifest
    from components.common.storage import join
    from components.train.devices import prepare_device
    from components.train.settings import TrainSettings
    from components.train.start import fetch_start

    prepare_device(device, num_replicas)
    from components.train.train import train_model  # with the backend of that device

    settings = TrainSettings(
        architecture=architecture,
        weights=weights,
        warm_start=warm_start,
        image_size=image_size,
        channels=channels,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        schedule=schedule,
        weight_decay=weight_decay,
        patience=patience,
        ema=ema,
        label_smoothing=label_smoothing,
        class_weights=class_weights,
        precision=precision,
        device=device,
        num_replicas=num_replicas,
        fine_tune_epochs=fine_tune_epochs,
        fine_tune_blocks=fine_tune_blocks,
        fine_tune_learning_rate=fine_tune_learning_rate,
        feature_cache=feature_cache,
        loss_weighting=loss_weighting,
        alpha=alpha,
        place=place,
        mirror_averaging=mirror_averaging,
        max_memory_gib=max_memory_gib,
        seed=seed,
    )
    name = model_name or Manifest.load(train.path).name
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        fitted = train_model(
            Path(train.path),
            Path(validation.path),
            Path(policy.path),
            Path(model.path),
            settings,
            copies=Path(copies.path) if find_dataset(copies.path) else None,
            start=fetch_start(warm_start, name, registry, Path(scratch)),
            checkpoints=join(storage, "checkpoints") if storage else "",
            checkpoint_seconds=checkpoint_seconds,
            logs=Path(logs.path),
            code_version=code_version,
            weights_fingerprint=weights_fingerprint,
        )
    model.metadata.update(framework="keras", architecture=architecture)
    for metric, values in fitted.history.items():
        metrics.log_metric(metric, values[fitted.best_epoch])
    write_metadata(metrics)
