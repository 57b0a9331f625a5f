"""The join step, as Kubeflow Pipelines sees it; and the list of what it joins."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.LIGHT, packages_to_install=[], install_kfp_package=False)
def list_datasets(
    curriculum: str,
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> list[str]:
    """Read a curriculum into the list of its datasets, which the graph loops over.

    Args:
        curriculum: Datasets from easy to hard, by commas.
        dataset_fingerprint: Changes when the photos behind a URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from components.join.curriculum import read_curriculum

    return list(read_curriculum(curriculum))


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def join(
    datasets: list[str],
    trains: dsl.Input[list[dsl.Dataset]],
    validations: dsl.Input[list[dsl.Dataset]],
    tests: dsl.Input[list[dsl.Dataset]],
    train: dsl.Output[dsl.Dataset],
    validation: dsl.Output[dsl.Dataset],
    test: dsl.Output[dsl.Dataset],
    storage: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Join datasets that were split into one, whose photos stand in the order of the curriculum.

    Args:
        datasets: URIs from easy to hard.
        trains: The training photos of each, in any order.
        validations: The validation photos of each.
        tests: The test photos of each.
        train: The photos to learn from, of all.
        validation: The photos to choose the epoch by, of all.
        test: The photos to judge by, of all.
        storage: Local or gs:// folder that keeps datasets by their content; empty keeps each with
            its run.
        dataset_fingerprint: Changes when the photos behind a URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.join.join import join_datasets

    given = {"train": trains, "validation": validations, "test": tests}
    outputs = {"train": train, "validation": validation, "test": test}
    manifests = join_datasets(
        datasets,
        {split: [Path(part.path) for part in parts] for split, parts in given.items()},
        {split: Path(output.path) for split, output in outputs.items()},
        root=storage,
    )
    for split, output in outputs.items():
        manifest = manifests[split]
        output.metadata.update(
            name=manifest.name, digest=manifest.digest, num_photos=manifest.num_photos
        )
