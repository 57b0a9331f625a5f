"""The augment step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def augment(
    train: dsl.Input[dsl.Dataset],
    policy: dsl.Output[dsl.Artifact],
    preview: dsl.Output[dsl.HTML],
    copies: dsl.Output[dsl.Dataset],
    augmentation: str = "light",
    augmented_copies: int = 0,
    architecture: str = "residual",
    image_size: int = 0,
    seed: int = 0,
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Choose what training may do to its photos, and show it.

    Args:
        train: The training photos; the only ones that are ever augmented.
        policy: The ranges that training draws from.
        preview: A page with originals beside augmented photos.
        copies: Augmented copies of the training photos, where they were asked for.
        augmentation: Name of the policy: none, light, heavy, color, erasing, randaugment, mixup or
            cutmix.
        augmented_copies: Of each training photo, written once for a frozen network to learn from.
        architecture: Name of the network, which says how large copies usually are.
        image_size: Height and width of the copies, pixels; 0 takes the usual.
        seed: The seed that training augments with.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from dataclasses import asdict
    from pathlib import Path

    from components.augment.augment import choose_policy
    from components.augment.materialize import materialize
    from components.train.architectures import find_architecture

    chosen = choose_policy(
        augmentation, Path(train.path), Path(policy.path), Path(preview.path), seed=seed
    )
    policy.metadata.update(asdict(chosen))
    written = materialize(
        Path(train.path),
        Path(copies.path),
        chosen,
        copies=augmented_copies,
        size=image_size or find_architecture(architecture).image_size,
        seed=seed,
    )
    copies.metadata.update(num_photos=written.num_photos if written else 0)
