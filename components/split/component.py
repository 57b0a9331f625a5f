"""The split step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def split(
    photos: dsl.Input[dsl.Dataset],
    train: dsl.Output[dsl.Dataset],
    validation: dsl.Output[dsl.Dataset],
    test: dsl.Output[dsl.Dataset],
    train_fraction: float = 0.7,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Divide photos into train, validation and test by their own content.

    Args:
        photos: The dataset to divide.
        train: The photos to learn from.
        validation: The photos to choose by.
        test: The photos to judge by.
        train_fraction: Share of the photos to learn from.
        validation_fraction: Share of the photos to choose by.
        test_fraction: Share of the photos to judge by.
        split_seed: Another seed gives another, independent split.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.split.split import split_photos

    outputs = {"train": train, "validation": validation, "test": test}
    manifests = split_photos(
        Path(photos.path),
        {name: Path(output.path) for name, output in outputs.items()},
        {"train": train_fraction, "validation": validation_fraction, "test": test_fraction},
        seed=split_seed,
    )
    for name, output in outputs.items():
        manifest = manifests[name]
        output.metadata.update(
            name=manifest.name, digest=manifest.digest, num_photos=manifest.num_photos
        )
