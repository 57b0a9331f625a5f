"""The augment step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def augment(
    train: dsl.Input[dsl.Dataset],
    policy: dsl.Output[dsl.Artifact],
    preview: dsl.Output[dsl.HTML],
    augmentation: str = "light",
    seed: int = 0,
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Choose what training may do to its photos, and show it.

    Args:
        train: The training photos; the only ones that are ever augmented.
        policy: The ranges that training draws from.
        preview: A page with originals beside augmented photos.
        augmentation: Name of the policy: none, light or heavy.
        seed: The seed that training augments with.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from dataclasses import asdict
    from pathlib import Path

    from components.augment.augment import choose_policy

    chosen = choose_policy(
        augmentation, Path(train.path), Path(policy.path), Path(preview.path), seed=seed
    )
    policy.metadata.update(asdict(chosen))
