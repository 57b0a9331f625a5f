"""The evaluation as a page for people. Everything shown is worked out here, not in the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.common.pages import data_uri, render_page, thumbnail
from components.evaluate.metrics import Evaluation, wilson_interval
from components.evaluate.place import DRAWN_SIZE, PlaceExample
from components.evaluate.retraining import rounds_view, transfers_view
from components.train.curves import plot_history

MOST_MATRIX_CLASSES = 40  # a wider matrix fits no screen: the confused pairs say it better
MOST_OPEN_ROWS = 40  # a longer table of classes is folded after its worst rows
WORST_ROWS = 20
MOST_PAIRS, MOST_PAIRS_WITHOUT_MATRIX = 8, 24
THUMBNAIL_SIZE = 288  # pixels: twice what the page shows, for sharp screens
DEEP = 0.55  # from this fraction on a cell is so dark that its count is written in white


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A photo that was taken for another class."""

    photo: np.ndarray  # RGB, uint8, shape (height, width, 3)
    filename: str
    true_class: str
    predicted_class: str
    confidence: float  # probability given to `predicted_class`, in [0, 1]


@dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    """Photos of one class that were taken for another."""

    true_class: str
    predicted_class: str
    count: int
    num_photos: int  # of the true class
    fraction: float


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the confusion matrix."""

    count: int
    fraction: float  # of its row
    hit: bool  # on the diagonal
    deep: bool


def render_report(
    evaluation: Evaluation,
    *,
    model_name: str,
    settings: Mapping[str, object],
    history: Mapping[str, Sequence[float]],
    mistakes: Sequence[Mistake],
    best_epoch: int | None = None,
    place_examples: Sequence[PlaceExample] = (),
    transfers: Sequence[Mapping[str, Any]] = (),
    rounds: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write the evaluation of one model as a self-contained page.

    Args:
        evaluation: The scores on the test photos, with the champion's where there is one.
        model_name: The headline.
        settings: What makes the run repeatable, in the order to show it: architecture, image
            size, seed, dataset digest, code version and so on.
        history: As `plot_history` takes it; empty leaves the curves out.
        mistakes: Wrongly classified photos, worst first (see `worst_mistakes`).
        best_epoch: The epoch whose weights were kept, counted from 1.
        place_examples: Photos with true and predicted place drawn on them, worst first.
        transfers: What became of the weights of an earlier model, as `ModelFolder.transfers` says.
        rounds: How the model did after each round, as `ModelFolder.rounds` says.

    Returns:
        The HTML document.

    Raises:
        InputError: If `history` is neither empty nor whole, or a photo is not uint8 RGB.
    """
    pairs = _confused_pairs(evaluation)
    with_matrix = len(evaluation.classes) <= MOST_MATRIX_CLASSES
    shown = MOST_PAIRS if with_matrix else MOST_PAIRS_WITHOUT_MATRIX
    scores = sorted(evaluation.per_class, key=lambda score: (score.f1, -score.num_photos))
    opened = len(scores) if len(scores) <= MOST_OPEN_ROWS else WORST_ROWS
    return render_page(
        "evaluate/report.html.j2",
        title=model_name,
        eyebrow="Evaluation report",
        evaluation=evaluation,
        num_correct=_num_correct(evaluation),
        champion=_champion_view(evaluation),
        curves=_curves_view(history, best_epoch),
        open_scores=scores[:opened],
        folded_scores=scores[opened:],
        matrix=_matrix(evaluation) if with_matrix else None,
        pairs=pairs[:shown],
        other_pairs=pairs[shown:],
        mistakes=[(mistake, thumbnail(mistake.photo, size=THUMBNAIL_SIZE)) for mistake in mistakes],
        place_examples=[
            (example, thumbnail(example.photo, size=DRAWN_SIZE)) for example in place_examples
        ],
        transfers=transfers_view(transfers),
        rounds=rounds_view(rounds),
        settings={_label(key): _text(value) for key, value in settings.items()},
    )


def _num_correct(evaluation: Evaluation) -> int:
    return sum(row[index] for index, row in enumerate(evaluation.confusion))


def _champion_view(evaluation: Evaluation) -> dict[str, object] | None:
    champion = evaluation.champion
    if champion is None:
        return None
    num_correct = round(champion.accuracy * champion.num_photos)
    low, high = wilson_interval(num_correct, champion.num_photos)
    difference = evaluation.accuracy - champion.accuracy
    own_range = (evaluation.accuracy_low, evaluation.accuracy, evaluation.accuracy_high)
    return {
        "version": champion.version,
        "num_photos": champion.num_photos,
        "points": _points(difference),
        "photos": _num_correct(evaluation) - num_correct,
        "same_photos": champion.num_photos == evaluation.num_photos,
        "verdict": "beats" if difference > 0 else "loses" if difference < 0 else "equals",
        # Cautious: intervals may overlap a little although the difference is no chance.
        "overlap": low <= evaluation.accuracy_high and evaluation.accuracy_low <= high,
        "ranges": _ranges({"This model": own_range, "Champion": (low, champion.accuracy, high)}),
    }


def _ranges(ranges: Mapping[str, tuple[float, float, float]]) -> list[dict[str, object]]:
    """Place each (low, accuracy, high) on the stretch that all of them cover.

    On 0 to 100 % two good models would be one spot.
    """
    start = min(low for low, _, _ in ranges.values())
    stretch = max(high for _, _, high in ranges.values()) - start  # never 0: Wilson's has width
    return [
        {
            "name": name,
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "left": (low - start) / stretch,
            "width": (high - low) / stretch,
            "at": (accuracy - start) / stretch,
        }
        for name, (low, accuracy, high) in ranges.items()
    ]


def _points(difference: float) -> str:
    """Write the size of a difference in percentage points, never so coarsely that it reads as 0."""
    size = abs(100 * difference)
    return f"{size:.1f}" if size >= 0.1 or not size else f"{size:.3f}"


def _curves_view(
    history: Mapping[str, Sequence[float]], best_epoch: int | None
) -> dict[str, object] | None:
    if not history:
        return None
    wide = plot_history(history, best_epoch=best_epoch)
    narrow = plot_history(history, best_epoch=best_epoch, stacked=True)
    num_epochs = len(history["accuracy"])
    epoch = best_epoch or num_epochs
    return {
        "wide": data_uri(wide, "image/png"),
        "narrow": data_uri(narrow, "image/png"),
        "kept": best_epoch is not None,
        "num_epochs": num_epochs,
        "epoch": epoch,
        "training": history["accuracy"][epoch - 1],
        "validation": history["val_accuracy"][epoch - 1],
    }


def _confused_pairs(evaluation: Evaluation) -> list[ConfusedPair]:
    """List the wrong cells of the confusion matrix, most photos first."""
    pairs = [
        ConfusedPair(
            true_class=score.name,
            predicted_class=predicted_class,
            count=count,
            num_photos=score.num_photos,
            fraction=count / score.num_photos,
        )
        for row_index, score in enumerate(evaluation.per_class)
        for index, (predicted_class, count) in enumerate(
            zip(evaluation.classes, evaluation.confusion[row_index], strict=True)
        )
        if count and index != row_index
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.fraction))


def _matrix(evaluation: Evaluation) -> list[tuple[str, list[Cell]]]:
    return [
        (score.name, [_cell(row, index, hit=index == row_index) for index in range(len(row))])
        for row_index, (score, row) in enumerate(
            zip(evaluation.per_class, evaluation.confusion, strict=True)
        )
    ]


def _cell(row: Sequence[int], index: int, *, hit: bool) -> Cell:
    fraction = row[index] / max(sum(row), 1)
    return Cell(count=row[index], fraction=fraction, hit=hit, deep=fraction >= DEEP)


def _label(key: str) -> str:
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def _text(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case Mapping():
            return ", ".join(f"{key} {_text(part)}" for key, part in value.items()) or "none"
        case list() | tuple():
            return ", ".join(_text(part) for part in value) or "none"
        case _:
            return str(value)
