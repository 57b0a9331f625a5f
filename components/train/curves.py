"""Training curves as a picture. Needs matplotlib only, and no screen."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from components.common.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID = "#1c1c1e", "#5f5f68", "#e0e0dd"
# Blue and orange: told apart by all common kinds of colour blindness, and in grey by the dashes.
TRAINING, VALIDATION, BEST = "#2563eb", "#d95714", "#8a8a92"
ALPHA_COLOUR = "#15803d"
PANELS = {"accuracy": "Accuracy", "loss": "Loss (cross-entropy, nats)"}
ALPHA = "alpha"  # in the history of a network that says class and place: share of the class loss
IOU = "place_iou"
ALPHA_PANELS = {**PANELS, "loss": "Loss (class + place)", ALPHA: "Alpha, and IoU of places"}
# In the order of a curriculum's levels; a ninth one starts again.
ROUND_LINES = tuple(
    (style, colour)
    for style in ("-", "--")
    for colour in (TRAINING, VALIDATION, ALPHA_COLOUR, "#7c3aed")
)
MARKED_EPOCHS = 30  # up to here each epoch gets a dot; beyond, the dots would run together
DPI = 160  # sharp on phones, about 60 kB


def plot_history(
    history: Mapping[str, Sequence[float]],
    *,
    best_epoch: int | None = None,
    stacked: bool = False,
) -> bytes:
    """Draw accuracy and loss over the epochs, training beside validation.

    Drawn on white: the pages turn the picture's colours around where the reader likes it dark.

    Args:
        history: Keys "accuracy", "loss", "val_accuracy" and "val_loss", one number an epoch,
            as Keras records them. NaN (a run that diverged) leaves a gap. With "alpha" there is a
            third panel, with it and, where known, with "place_iou" and "val_place_iou".
        best_epoch: The epoch whose weights were kept, counted from 1; it is marked.
        stacked: One panel above the other, for narrow screens.

    Returns:
        A PNG, the same bytes for the same numbers.

    Raises:
        InputError: If a key is missing, there is no epoch, the lengths differ, or `best_epoch`
            is not one of the epochs.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    num_epochs = _count_epochs(history)
    if best_epoch is not None and not 1 <= best_epoch <= num_epochs:
        raise InputError(f"`best_epoch` must be in [1, {num_epochs}]. Received: {best_epoch}")
    panels = ALPHA_PANELS if ALPHA in history else PANELS
    layout = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
    num = len(panels)
    figure = Figure(
        figsize=(4.6, 3.2 * num) if stacked else (5.2 * num, 3.7), dpi=DPI, layout=layout
    )
    places = figure.subplots(*((num, 1) if stacked else (1, num))).flat
    for axes, (metric, title) in zip(places, panels.items(), strict=True):
        draw = _draw_alpha if metric == ALPHA else _draw_panel
        draw(axes, history, metric, best_epoch)
        _dress(axes, title, num_epochs=num_epochs, percent=metric == "accuracy")
    return _to_png(figure)


def _count_epochs(history: Mapping[str, Sequence[float]]) -> int:
    wanted = [prefix + metric for metric in PANELS for prefix in ("", "val_")]
    wanted += [ALPHA] if ALPHA in history else []
    lengths = {key: len(history[key]) for key in wanted if key in history}
    if len(lengths) < len(wanted) or len(set(lengths.values())) > 1 or not min(lengths.values()):
        raise InputError(
            f"`history` must have the keys {wanted}, each with one number an epoch. "
            f"Received: { {key: len(values) for key, values in history.items()} }"
        )
    return lengths[wanted[0]]


def _draw_panel(
    axes: Axes, history: Mapping[str, Sequence[float]], metric: str, best_epoch: int | None
) -> None:
    _draw_line(axes, history[metric], "--", TRAINING, "training")
    validation = history[f"val_{metric}"]
    _draw_line(axes, validation, "-", VALIDATION, "validation")
    if best_epoch is not None:
        _mark_best(axes, best_epoch, float(validation[best_epoch - 1]))


def _draw_alpha(
    axes: Axes, history: Mapping[str, Sequence[float]], metric: str, best_epoch: int | None
) -> None:
    _draw_line(axes, history[metric], "-", ALPHA_COLOUR, "alpha")
    for key, style, colour, label in (
        (IOU, "--", TRAINING, "IoU, training"),
        (f"val_{IOU}", "-", VALIDATION, "IoU, validation"),
    ):
        if key in history:
            _draw_line(axes, history[key], style, colour, label)
    axes.set_ylim(-0.03, 1.03)  # shares, all of them: at the edges they still show
    if best_epoch is not None:
        axes.axvline(best_epoch, color=BEST, linewidth=1, linestyle=":", zorder=1)


def _draw_line(axes: Axes, values: Sequence[float], style: str, colour: str, label: str) -> None:
    epochs = np.arange(1, len(values) + 1)
    axes.plot(
        epochs,
        np.asarray(values, dtype=np.float64),
        style,
        color=colour,
        label=label,
        marker="o" if len(epochs) <= MARKED_EPOCHS else "",
        markersize=3.5,
        linewidth=1.8,
    )


def _mark_best(axes: Axes, epoch: int, value: float) -> None:
    axes.axvline(epoch, color=BEST, linewidth=1, linestyle=":", zorder=1)
    axes.plot(
        [epoch],
        [value],
        "o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=VALIDATION,
        markeredgewidth=1.6,
        label=f"kept (epoch {epoch})",
    )


def _dress(axes: Axes, title: str, *, num_epochs: int, percent: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel("Epoch", fontsize=10, color=SOFT)
    axes.set_xlim(0.5, num_epochs + 0.5)  # half an epoch of air, also where there is only one
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if percent:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(colors=SOFT, labelsize=9.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="best")


def plot_rounds(accuracies: Mapping[str, Sequence[float | None]]) -> bytes:
    """Draw the accuracy on each level over the rounds of a training.

    Args:
        accuracies: For each level one number a round, in [0, 1]; None where it was not measured.

    Returns:
        A PNG, the same bytes for the same numbers.
    """
    from matplotlib.figure import Figure

    num_rounds = max(len(values) for values in accuracies.values())
    figure = Figure(figsize=(6.4, 3.2), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for (level, values), (style, colour) in zip(
        accuracies.items(), itertools.cycle(ROUND_LINES), strict=False
    ):
        known = [math.nan if value is None else value for value in values]
        _draw_line(axes, known, style, colour, level)
    _dress(axes, "Accuracy after each round", num_epochs=num_rounds, percent=True)
    axes.set_xlabel("Round", fontsize=10, color=SOFT)
    return _to_png(figure)


def _to_png(figure: Figure) -> bytes:
    content = io.BytesIO()
    # Without the version of matplotlib in it, the same numbers give the same bytes.
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
