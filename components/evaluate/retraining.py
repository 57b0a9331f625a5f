"""What the report says of a model that went on from another one, or was trained in rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.pages import data_uri
from components.train.curves import plot_rounds

HOWS = ("copied", "adapted", "new")  # what became of a weight


def transfers_view(transfers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Sum up what became of the weights of the earlier model.

    Args:
        transfers: As `ModelFolder.transfers` gives them.

    Returns:
        What the template shows; None where there was no earlier model.
    """
    if not transfers:
        return None
    sizes = [math.prod(transfer["after"]) for transfer in transfers]
    total = sum(sizes)
    return {
        "num_parameters": total,
        "num_weights": len(transfers),
        "summary": [
            {
                "how": how,
                "num_weights": sum(transfer["how"] == how for transfer in transfers),
                "num_parameters": count,
                "fraction": count / max(total, 1),
            }
            for how in HOWS
            for count in [_total(sizes, transfers, how)]
        ],
        "rows": [
            {**transfer, "before": _shape(transfer["before"]), "after": _shape(transfer["after"])}
            for transfer in transfers
        ],
    }


def rounds_view(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Lay the accuracies after each round out as a table and as a picture.

    Args:
        rounds: As `ModelFolder.rounds` gives them.

    Returns:
        What the template shows; None where there were no rounds.
    """
    if not rounds:
        return None
    levels = list(dict.fromkeys(level for one in rounds for level in one["accuracy"]))
    accuracies = [[one["accuracy"].get(level) for level in levels] for one in rounds]
    plotted = {level: column for level, *column in zip(levels, *accuracies, strict=True)}
    return {
        "levels": levels,
        "rows": [(one, accuracy) for one, accuracy in zip(rounds, accuracies, strict=True)],
        "chart": data_uri(plot_rounds(plotted), "image/png"),
    }


def _total(sizes: Sequence[int], transfers: Sequence[Mapping[str, Any]], how: str) -> int:
    pairs = zip(sizes, transfers, strict=True)
    return sum(size for size, transfer in pairs if transfer["how"] == how)


def _shape(shape: Sequence[int] | None) -> str:
    """As people write it: "3 × 3 × 64"; one number has the empty shape."""
    return "" if shape is None else " × ".join(map(str, shape)) or "1"
