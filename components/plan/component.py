"""The plan step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


# `List[dict]` in kfp's own terms: of a typed mapping, whose values all have one type, it would
# pass on numbers as text.
@dsl.component(base_image=images.LIGHT, packages_to_install=[], install_kfp_package=False)
def plan(
    architectures: str = "residual,inception,dense",
    augmentations: str = "light",
    image_sizes: str = "0",
    learning_rates: str = "0",
    augmented_copies: int = 0,
    weights: str = "auto",
    warm_start: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> list[dict]:  # type: ignore[type-arg]  # as said above
    """List the trainings of a sweep, which the graph loops over.

    Args:
        architectures: Networks to compare, by commas.
        augmentations: Augmentations to try with each, by commas.
        image_sizes: Image sizes to try with each, pixels, by commas; 0 takes the usual.
        learning_rates: Peak learning rates to try with each, by commas; 0 takes the usual.
        augmented_copies: Of each training photo, written once for a frozen network.
        weights: Where each network starts.
        warm_start: The model that each network goes on from.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.

    Returns:
        Settings of each training: architecture, augmentation, image_size, learning_rate.
    """
    from components.common.progress import report
    from components.plan.plan import describe, plan_candidates

    candidates = plan_candidates(
        architectures=architectures,
        augmentations=augmentations,
        image_sizes=image_sizes,
        learning_rates=learning_rates,
        augmented_copies=augmented_copies,
        weights=weights,
        warm_start=warm_start,
    )
    for candidate in candidates:
        print(describe(candidate))
    report(f"{len(candidates)} candidates to train")
    return candidates
