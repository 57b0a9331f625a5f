"""Candidates side by side, as pictures. Needs matplotlib only, and no screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.compare.candidates import Candidate
from components.train.curves import DPI, GRID, INK, MARKED_EPOCHS, PANELS, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's, without the yellow that white swallows: told apart by all kinds of eyes.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
MARKERS = "osD^vPX"
OTHERS = "#b9b9bf"  # those past the last colour: in sight, but not told apart
LONGEST_NAME = 34  # letters; longer ones would push the plot aside
WIDE, NARROW = (10.4, 3.9), (4.6, 7.4)  # inches
ALIKE = 5  # times: within it costs are drawn as they are, beyond it by powers of ten
MANY_POWERS = 100  # times: beyond it only whole powers of ten are written on the axis


@dataclass(frozen=True)
class Look:
    """How a candidate is drawn, in every plot of the page."""

    color: str
    marker: str
    label: str  # in the legend; an underscore leads where it has no place there
    order: int  # the better it is, the higher it lies


def plot_curves(ranked: Sequence[Candidate], *, stacked: bool = False) -> bytes:
    """Draw accuracy and loss on the validation photos over the epochs, a line a candidate.

    The kept epoch of each is marked.

    Args:
        ranked: Best first.
        stacked: One panel above the other, for narrow screens.

    Returns:
        A PNG, the same bytes for the same numbers.
    """
    figure = _figure(NARROW if stacked else WIDE)
    for axes, metric in zip(
        figure.subplots(*((2, 1) if stacked else (1, 2))).flat, PANELS, strict=True
    ):
        for candidate, look in zip(ranked, _looks(ranked), strict=True):
            _draw_curve(axes, candidate, metric, look)
        _dress(axes, f"{PANELS[metric]}, validation", "Epoch")
        if metric == "accuracy":
            _in_percent(axes)
    return _finish(figure, ranked, stacked=stacked)


def plot_cost(ranked: Sequence[Candidate], *, stacked: bool = False) -> bytes:
    """Draw accuracy with its 95 % interval against what it took: seconds, and parameters.

    Args:
        ranked: Best first.
        stacked: One panel above the other, for narrow screens.

    Returns:
        A PNG, the same bytes for the same numbers.
    """
    figure = _figure(NARROW if stacked else WIDE)
    first, second = figure.subplots(*((2, 1) if stacked else (1, 2))).flat
    _draw_cost(first, ranked, [max(candidate.seconds, 0.1) for candidate in ranked])
    _draw_cost(second, ranked, [candidate.num_parameters for candidate in ranked])
    _dress(first, "Accuracy against time of training", "Seconds of training")
    _dress(second, "Accuracy against size", "Parameters")
    for axes in (first, second):
        _in_percent(axes)
    return _finish(figure, ranked, stacked=stacked)


def _looks(ranked: Sequence[Candidate]) -> list[Look]:
    looks = []
    for place, candidate in enumerate(ranked):
        told_apart = place < len(COLORS)
        label = f"{place + 1}. {_short(candidate.name)}"
        if place == len(COLORS):
            label = f"{place + 1}. to {len(ranked)}." if place + 1 < len(ranked) else label
        looks.append(
            Look(
                color=COLORS[place] if told_apart else OTHERS,
                marker=MARKERS[place] if told_apart else "o",
                label=label if place <= len(COLORS) else f"_{label}",
                order=len(ranked) - place + 2,
            )
        )
    return looks


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _draw_curve(axes: Axes, candidate: Candidate, metric: str, look: Look) -> None:
    # Where the place is learned, too, "loss" is the sum of both, which compares with no other.
    values = candidate.history.get(f"val_class_{metric}", candidate.history[f"val_{metric}"])
    epochs = range(1, len(values) + 1)
    axes.plot(
        epochs,
        values,
        color=look.color,
        linewidth=1.8,
        marker="." if len(values) <= MARKED_EPOCHS else "",
        zorder=look.order,
    )
    kept = int(candidate.settings["best_epoch"])
    axes.plot(
        [kept],
        [values[kept - 1]],
        look.marker,
        color=look.color,
        markersize=7,
        markeredgecolor="white",
        label=look.label,
        zorder=look.order,
    )


def _draw_cost(axes: Axes, ranked: Sequence[Candidate], costs: Sequence[float]) -> None:
    for candidate, look, cost in zip(ranked, _looks(ranked), costs, strict=True):
        scores = candidate.evaluation
        axes.errorbar(
            [cost],
            [scores.accuracy],
            # Rounding may leave an end a hair on the wrong side, which matplotlib refuses.
            yerr=[
                [max(scores.accuracy - scores.accuracy_low, 0)],
                [max(scores.accuracy_high - scores.accuracy, 0)],
            ],
            fmt=look.marker,
            color=look.color,
            markersize=7,
            elinewidth=1.2,
            capsize=2.5,
            label=look.label,
            zorder=look.order,
        )
    if max(costs) > ALIKE * min(costs):
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.15 * max(costs))


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=size, dpi=DPI, layout=ConstrainedLayoutEngine(wspace=0.06, hspace=0.06))


def _dress(axes: Axes, title: str, xlabel: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel(xlabel, fontsize=10, color=SOFT)
    if axes.get_xscale() == "log":
        axes.minorticks_off()
        low, high = axes.get_xlim()
        subs = (1, 2, 5) if high <= MANY_POWERS * low else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=xlabel == "Epoch"))
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(colors=SOFT, labelsize=9.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _count(value: float, _: Any = None) -> str:
    """Write 3,200,000 as "3.2 M": axes have little room."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _in_percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")


def _finish(figure: Figure, ranked: Sequence[Candidate], *, stacked: bool) -> bytes:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=1 if stacked else min(4, len(ranked)),
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
    )
    content = io.BytesIO()
    # Without the version of matplotlib in it, the same numbers give the same bytes.
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
