"""The comparison as a page for people. What it shows is worked out here, not in the template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.common.pages import data_uri, render_page
from components.common.progress import format_seconds
from components.compare.candidates import Candidate, differing
from components.compare.plots import plot_cost, plot_curves
from components.compare.ranking import Duel, duel

LEAST_P = 1e-4  # below it the figure says no more


def render_comparison(ranked: Sequence[Candidate], *, dataset: str) -> str:
    """Write the comparison of all candidates as a self-contained page.

    Args:
        ranked: Best first, judged on the same photos.
        dataset: Name of the dataset, the headline.

    Returns:
        The HTML document.
    """
    winner = ranked[0]
    duels = [duel(winner.correct, other.correct) for other in ranked[1:]]
    told = differing([candidate.settings for candidate in ranked])
    return render_page(
        "compare/comparison.html.j2",
        title=dataset,
        eyebrow="Comparison of networks",
        winner=winner,
        num_photos=winner.evaluation.num_photos,
        num_classes=len(winner.evaluation.classes),
        num_correct=int(winner.correct.sum()),
        seconds=format_seconds(sum(candidate.seconds for candidate in ranked)),
        verdict=_verdict(ranked, duels),
        smaller=_smaller(ranked, duels),
        rows=_rows(ranked, duels, told),
        axis=_axis(ranked),
        cost=_pictures(plot_cost, ranked),
        curves=_pictures(plot_curves, ranked),
        told=[key.replace("_", " ").capitalize() for key in told],
    )


def _verdict(ranked: Sequence[Candidate], duels: Sequence[Duel]) -> dict[str, Any] | None:
    """How the best stands to the second; None where it is alone."""
    if len(ranked) == 1:
        return None
    against = duels[0]
    lead = against.only_first - against.only_second
    return {
        "second": ranked[1].name,
        "lead": lead,
        "points": f"{100 * lead / len(ranked[0].correct):.1f}",
        "only_first": against.only_first,
        "only_second": against.only_second,
        "p_value": _p_value(against.p_value),
        "is_likely_chance": against.is_likely_chance,
        "same_size": ranked[0].num_parameters == ranked[1].num_parameters,
    }


def _smaller(ranked: Sequence[Candidate], duels: Sequence[Duel]) -> Candidate | None:
    """The smallest network that these photos do not tell from the best, if it is not the best."""
    equals = [
        candidate
        for candidate, against in zip(ranked[1:], duels, strict=True)
        if against.is_likely_chance and 2 * candidate.num_parameters <= ranked[0].num_parameters
    ]
    return min(equals, key=lambda candidate: candidate.num_parameters, default=None)


def _rows(
    ranked: Sequence[Candidate], duels: Sequence[Duel], told: Sequence[str]
) -> list[dict[str, Any]]:
    start, stretch = _stretch(ranked)
    rows = []
    for candidate, against in zip(ranked, [None, *duels], strict=True):
        scores = candidate.evaluation
        rows.append(
            {
                "name": candidate.name,
                "scores": scores,
                "num_parameters": f"{candidate.num_parameters:,}",
                "seconds": format_seconds(candidate.seconds),
                "best_epoch": candidate.settings["best_epoch"],
                "num_epochs": len(candidate.history["val_accuracy"]),
                "duel": against,
                "p_value": _p_value(against.p_value) if against else "",
                "settings": [_text(candidate.settings.get(key)) for key in told],
                "left": (scores.accuracy_low - start) / stretch,
                "width": (scores.accuracy_high - scores.accuracy_low) / stretch,
                "at": (scores.accuracy - start) / stretch,
            }
        )
    return rows


def _stretch(ranked: Sequence[Candidate]) -> tuple[float, float]:
    """Where the drawn part of the accuracy begins, and how long it is; 0 to 1 hides differences."""
    start = min(candidate.evaluation.accuracy_low for candidate in ranked)
    end = max(candidate.evaluation.accuracy_high for candidate in ranked)
    return start, end - start  # never 0: Wilson's interval has width


def _axis(ranked: Sequence[Candidate]) -> tuple[float, float, float]:
    start, stretch = _stretch(ranked)
    return start, start + stretch / 2, start + stretch


def _pictures(plot: Any, ranked: Sequence[Candidate]) -> dict[str, str]:
    return {
        "wide": data_uri(plot(ranked), "image/png"),
        "narrow": data_uri(plot(ranked, stacked=True), "image/png"),
    }


def _p_value(value: float) -> str:
    if value < LEAST_P:
        return f"p < {LEAST_P:g}"
    return f"p = {value:.2f}" if value >= 0.095 else f"p = {value:.2g}"


def _text(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
