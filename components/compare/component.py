"""The compare step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def compare(
    models: dsl.Input[list[dsl.Model]],
    validation: dsl.Input[dsl.Dataset],
    best: dsl.Output[dsl.Model],
    ranking: dsl.Output[dsl.Artifact],
    comparison: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Judge all models on the same validation photos, and pass on the best.

    Args:
        models: The candidates.
        validation: The photos to choose by; test photos are not read here.
        best: The model that did best, as it was trained.
        ranking: All candidates with their scores, best first, as ranking.json.
        comparison: A page with the ranking, what each candidate took, and how it learned.
        metrics: Scores of the best on the validation photos.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.common.artifacts import write_metadata
    from components.common.scores import SCORES
    from components.compare.compare import compare_models

    ranked = compare_models(
        [Path(model.path) for model in models],
        Path(validation.path),
        Path(best.path),
        Path(ranking.path),
        Path(comparison.path),
    )
    winner = ranked[0]
    best.metadata.update(framework="keras", architecture=winner.settings["architecture"])
    for name in SCORES:
        metrics.log_metric(f"validation_{name}", getattr(winner.evaluation, name))
    metrics.log_metric("num_candidates", len(ranked))
    write_metadata(metrics)
