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
    architecture: str = "residual",
    weights: str = "auto",
    image_size: int = 0,
    epochs: int = 0,
    batch_size: int = 32,
    learning_rate: float = 0.0,
    mirror_averaging: bool = True,
    seed: int = 0,
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
        architecture: Name of the network: residual or mobilenet_v2.
        weights: Where it starts: none (trained whole); imagenet, a path or gs:// URI (frozen, with
            a new head); or auto (what is usual).
        image_size: Height and width the photos are brought to, pixels; 0 takes the usual.
        epochs: Passes over the training photos; 0 takes the usual number.
        batch_size: Photos a step, where the whole network is trained.
        learning_rate: Peak learning rate; 0 takes the usual.
        mirror_averaging: Predict the mean over the photo and its mirror image.
        seed: Of weights, order and augmentation.
        weights_fingerprint: Changes when the file of weights changes; part of the cache key.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.common.artifacts import write_metadata
    from components.common.dataset import find_dataset
    from components.train.settings import TrainSettings
    from components.train.train import train_model

    settings = TrainSettings(
        architecture=architecture,
        weights=weights,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        mirror_averaging=mirror_averaging,
        seed=seed,
    )
    fitted = train_model(
        Path(train.path),
        Path(validation.path),
        Path(policy.path),
        Path(model.path),
        settings,
        copies=Path(copies.path) if find_dataset(copies.path) else None,
        code_version=code_version,
    )
    model.metadata.update(framework="keras", architecture=architecture)
    for name, values in fitted.history.items():
        metrics.log_metric(name, values[fitted.best_epoch])
    write_metadata(metrics)
