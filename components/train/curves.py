"""Training curves as a picture. Needs matplotlib only, and no screen."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from components.common.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GRID = "#1c1c1e", "#5f5f68", "#e0e0dd"
# Blue and orange: told apart by all common kinds of colour blindness, and in grey by the dashes.
TRAINING, VALIDATION, BEST = "#2563eb", "#d95714", "#8a8a92"
PANELS = {"accuracy": "Accuracy", "loss": "Loss (cross-entropy, nats)"}
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
            as Keras records them. NaN (a run that diverged) leaves a gap.
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
    layout = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
    figure = Figure(figsize=(4.6, 6.4) if stacked else (10.4, 3.7), dpi=DPI, layout=layout)
    shape = (2, 1) if stacked else (1, 2)
    for axes, metric in zip(figure.subplots(*shape).flat, PANELS, strict=True):
        _draw_panel(axes, history, metric, best_epoch)
    content = io.BytesIO()
    # Without the version of matplotlib in it, the same numbers give the same bytes.
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _count_epochs(history: Mapping[str, Sequence[float]]) -> int:
    wanted = [prefix + metric for metric in PANELS for prefix in ("", "val_")]
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
    training = np.asarray(history[metric], dtype=np.float64)
    validation = np.asarray(history[f"val_{metric}"], dtype=np.float64)
    epochs = np.arange(1, len(training) + 1)
    marker = "o" if len(epochs) <= MARKED_EPOCHS else ""
    lines = axes.plot(epochs, training, "--", color=TRAINING, label="training")
    lines += axes.plot(epochs, validation, "-", color=VALIDATION, label="validation")
    for line in lines:
        line.set(marker=marker, markersize=3.5, linewidth=1.8)
    if best_epoch is not None:
        _mark_best(axes, best_epoch, float(validation[best_epoch - 1]))
    _dress(axes, metric, num_epochs=len(epochs))


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


def _dress(axes: Axes, metric: str, *, num_epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(PANELS[metric], loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel("Epoch", fontsize=10, color=SOFT)
    axes.set_xlim(0.5, num_epochs + 0.5)  # half an epoch of air, also where there is only one
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if metric == "accuracy":
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(colors=SOFT, labelsize=9.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="best")
