"""Scores of a classifier on labelled photos. Pure NumPy: no kfp, no TensorFlow."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from components.common.errors import InputError

Z_95 = 1.959963984540054  # the normal distribution holds 95 % within this many deviations
SMALLEST_PROBABILITY = 1e-7  # what Keras clips to, so that the loss equals the one of training
SUM_TOLERANCE = 1e-2  # a row of bfloat16 probabilities sums to 1 only this closely


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How well one class is told from the others; scores in [0, 1]."""

    name: str
    num_photos: int  # photos of this class
    num_predicted: int  # photos taken for this class, rightly or not
    precision: float  # of the photos taken for this class, the fraction that is of it
    recall: float  # of the photos of this class, the fraction found
    f1: float  # harmonic mean of the two


@dataclass(frozen=True, kw_only=True)
class ChampionScore:
    """The registered champion on the same photos."""

    version: str
    accuracy: float  # in [0, 1]
    num_photos: int


@dataclass(frozen=True, kw_only=True)
class PlaceScore:
    """How well it is said where the object is."""

    kind: str  # "box" or "mask"
    num_photos: int  # whose true place is known
    mean_iou: float  # intersection over union, in [0, 1]
    found: float  # share of these photos with an IoU of at least 0.5


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything that is known of a model after it has seen the held-out photos."""

    classes: tuple[str, ...]
    num_photos: int
    accuracy: float  # in [0, 1]
    accuracy_low: float  # 95 % Wilson interval of the accuracy
    accuracy_high: float
    loss: float  # mean cross-entropy, nats
    macro_f1: float
    per_class: tuple[ClassScore, ...]  # in the order of `classes`
    confusion: tuple[tuple[int, ...], ...]  # counts; rows are true classes
    champion: ChampionScore | None = None
    champion_problem: str = ""  # why the champion cannot be compared with
    place: PlaceScore | None = None  # of a model that says it, where the true places are known

    @property
    def gain(self) -> float:
        """Accuracy above the champion's on the same photos.

        1 without a champion, so that no gate is closed by one that is not there; -1 with one that
        cannot be compared with, so that none is opened by it.
        """
        if self.champion_problem:
            return -1.0
        # Rounded: 0.70 - 0.65 is a little below 0.05.
        return round(self.accuracy - self.champion.accuracy, 9) if self.champion else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists, equal to what reading the written JSON gives."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` returned.

        Raises:
            InputError: If a field is missing or unknown.
        """
        try:
            champion, place = values.get("champion"), values.get("place")
            return cls(
                **{
                    **values,
                    "classes": tuple(values["classes"]),
                    "per_class": tuple(ClassScore(**score) for score in values["per_class"]),
                    "confusion": tuple(tuple(row) for row in values["confusion"]),
                    "champion": None if champion is None else ChampionScore(**champion),
                    "place": None if place is None else PlaceScore(**place),
                }
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                "`values` must have the fields that `Evaluation.to_json` writes. "
                f"Received: {sorted(values)} ({type(error).__name__}: {error})"
            ) from error


def evaluate_predictions(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> Evaluation:
    """Score predictions against the labels.

    Args:
        probabilities: Softmax outputs, shape `(num_photos, num_classes)`, rows sum to 1.
        labels: Indices of the true classes, shape `(num_photos,)`.
        classes: Class names, in the order of the columns.

    Returns:
        The scores, without a champion. A class never seen and never predicted scores 0.

    Raises:
        InputError: If the shapes disagree, there is no photo, or the values are not
            probabilities (logits, for example) or indices.
    """
    _check(probabilities, labels, num_classes=len(classes))
    num_photos = len(labels)
    confusion = _confusion(probabilities.argmax(axis=1), labels, num_classes=len(classes))
    num_correct = int(np.trace(confusion))
    low, high = wilson_interval(num_correct, num_photos)
    per_class = _class_scores(confusion, classes)
    return Evaluation(
        classes=tuple(classes),
        num_photos=num_photos,
        accuracy=num_correct / num_photos,
        accuracy_low=low,
        accuracy_high=high,
        loss=_cross_entropy(probabilities, labels),
        macro_f1=math.fsum(score.f1 for score in per_class) / len(per_class),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def wilson_interval(num_correct: int, num_photos: int, z: float = Z_95) -> tuple[float, float]:
    """Bound the accuracy on all photos of this kind, from its value on some.

    Holds where the usual `accuracy ± z * deviation` fails: near 0 and 1, and for few photos.
    It counts the photos as independent draws, which near-duplicates are not.

    Args:
        num_correct: Photos classified rightly.
        num_photos: Photos in all, at least 1.
        z: Half-width in standard deviations; the default gives 95 %.

    Returns:
        `(low, high)`, both in [0, 1].

    Raises:
        InputError: If not `0 <= num_correct <= num_photos` or `num_photos` is below 1.

    Reference:
        Wilson, 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if num_photos < 1 or not 0 <= num_correct <= num_photos:
        raise InputError(
            "`num_correct` must be in [0, `num_photos`] and `num_photos` at least 1. "
            f"Received: num_correct={num_correct}, num_photos={num_photos}"
        )
    fraction, spread = num_correct / num_photos, z**2 / num_photos
    half = math.sqrt(spread * (fraction * (1 - fraction) + spread / 4))
    low = (fraction + spread / 2 - half) / (1 + spread)
    high = (fraction + spread / 2 + half) / (1 + spread)
    # At the ends the formula gives 0 and 1, but for rounding.
    return low if num_correct else 0.0, high if num_correct < num_photos else 1.0


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, *, most: int) -> np.ndarray:
    """Find the photos that were classified wrongly with the greatest confidence.

    Args:
        probabilities: Softmax outputs, shape `(num_photos, num_classes)`.
        labels: Indices of the true classes, shape `(num_photos,)`.
        most: How many to return at most.

    Returns:
        Indices of photos, most confident first, equals in the order of the photos.

    Raises:
        InputError: As `evaluate_predictions` does, or if `most` is negative.
    """
    if most < 0:
        raise InputError(f"`most` must not be negative. Received: {most}")
    _check(probabilities, labels, num_classes=None)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order][:most]


def _check(probabilities: np.ndarray, labels: np.ndarray, *, num_classes: int | None) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise InputError(
            "`probabilities` must have shape (num_photos, num_classes) and `labels` "
            "(num_photos,), with at least 1 photo. "
            f"Received: {probabilities.shape} and {labels.shape}"
        )
    if probabilities.shape[1] != (num_classes or probabilities.shape[1]):
        raise InputError(
            "`classes` must name every column of `probabilities`. "
            f"Received: {num_classes} names, {probabilities.shape[1]} columns"
        )
    if not np.isfinite(probabilities).all():
        bad = int(np.count_nonzero(~np.isfinite(probabilities).all(axis=1)))
        raise InputError(f"`probabilities` must be finite. Received: {bad} rows with NaN or inf")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise InputError(
            "`probabilities` must be in [0, 1] and sum to 1 in each row; apply softmax to logits. "
            f"Received: smallest {probabilities.min()}, sums from {sums.min()} to {sums.max()}"
        )
    _check_labels(labels, num_classes=probabilities.shape[1])


def _check_labels(labels: np.ndarray, *, num_classes: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"`labels` must be whole numbers. Received: dtype={labels.dtype}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise InputError(
            f"`labels` must be in [0, {num_classes - 1}]. "
            f"Received: {labels.min()} to {labels.max()}"
        )


def _confusion(predicted: np.ndarray, labels: np.ndarray, *, num_classes: int) -> np.ndarray:
    # Widened first: `labels` may be uint8, where label * num_classes would wrap around.
    cells = labels.astype(np.int64) * num_classes + predicted
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).mean()) + 0.0


def _class_scores(confusion: np.ndarray, classes: Sequence[str]) -> tuple[ClassScore, ...]:
    return tuple(
        _class_score(name, hits=hits, num_photos=seen, num_predicted=predicted)
        for name, hits, seen, predicted in zip(
            classes,
            confusion.diagonal().tolist(),
            confusion.sum(axis=1).tolist(),
            confusion.sum(axis=0).tolist(),
            strict=True,
        )
    )


def _class_score(name: str, *, hits: int, num_photos: int, num_predicted: int) -> ClassScore:
    return ClassScore(
        name=name,
        num_photos=num_photos,
        num_predicted=num_predicted,
        precision=hits / max(num_predicted, 1),
        recall=hits / max(num_photos, 1),
        f1=2 * hits / max(num_photos + num_predicted, 1),
    )
