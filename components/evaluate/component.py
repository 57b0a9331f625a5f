"""The evaluate step, as Kubeflow Pipelines sees it."""

from typing import NamedTuple

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model],
    test: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    model_name: str = "",
    registry: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> NamedTuple("Scores", [("Output", float), ("gain", float)]):  # type: ignore[valid-type]  # kfp runs this alone
    """Judge a model on the test photos, beside the champion on the same photos.

    Args:
        model: The model to judge.
        test: The test photos, which training never saw.
        evaluation: All scores, as evaluation.json.
        metrics: Accuracy with its 95 % interval, macro F1, loss, and precision, recall and F1 of
            each class.
        confusion: The confusion matrix.
        report: A page with the scores, the confusion matrix and the worst mistakes.
        model_name: Name in the registry; empty takes the dataset's.
        registry: Where the champion is; empty takes the usual place.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.

    Returns:
        Accuracy on the test photos, and by how much it is above the champion's; without a champion
        that is 1, so that no gate is closed by one that is not there.
    """
    from collections import namedtuple
    from pathlib import Path

    from components.common.artifacts import write_metadata
    from components.common.scores import SCORES
    from components.evaluate.evaluate import evaluate_model

    scores = evaluate_model(
        Path(model.path),
        Path(test.path),
        Path(evaluation.path),
        Path(report.path),
        model_name=model_name,
        registry=registry,
    )
    for name in SCORES:
        metrics.log_metric(name, getattr(scores, name))
    for score in scores.per_class:
        for name in ("precision", "recall", "f1"):
            metrics.log_metric(f"{score.name}_{name}", getattr(score, name))
    confusion.log_confusion_matrix(list(scores.classes), [list(row) for row in scores.confusion])
    write_metadata(metrics)
    write_metadata(confusion)
    # The accuracy is named as a single output is: kfp 2.17 takes a condition on any other name for
    # false, without a word, where it runs on one machine.
    return namedtuple("Scores", ("Output", "gain"))(scores.accuracy, scores.gain)  # type: ignore[call-arg, arg-type]  # mypy knows no such type
