"""Which trainings a sweep does: each network with each augmentation, image size and learning rate.

Light: checks before a run plan the same as the step does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from components.augment.policies import find_policy
from components.common.errors import InputError
from components.common.lists import split_list
from components.train.settings import AUTO, TrainSettings, check_augmentation

SWEPT = ("architectures", "augmentations", "image_sizes", "learning_rates")
MOST_CANDIDATES = 50  # more than a page can tell apart, or a validation split

Candidate = dict[str, Any]  # architecture, augmentation, image_size, learning_rate


def plan_candidates(
    *,
    architectures: str,
    augmentations: str,
    image_sizes: str,
    learning_rates: str,
    augmented_copies: int = 0,
    weights: str = AUTO,
    warm_start: str = "",
) -> list[Candidate]:
    """List the trainings of a sweep, and refuse those that cannot work before any is done.

    Args:
        architectures: Networks, by commas.
        augmentations: Policies to try with each, by commas.
        image_sizes: Heights and widths to try with each, pixels, by commas; 0 takes the usual.
        learning_rates: Peaks to try with each, by commas; 0 takes the usual.
        augmented_copies: Of each training photo, as for one training.
        weights: Where each network starts, as for one training.
        warm_start: The model that each goes on from, as for one training.

    Returns:
        Settings of each training, as given: what 0 stands for, training itself looks up. Networks
        vary slowest, learning rates fastest.

    Raises:
        InputError: If a name is unknown, a training would be done twice, cannot work, or there
            are too many.
    """
    axes = {
        "architecture": _values("architectures", architectures, str),
        "augmentation": _values("augmentations", augmentations, str),
        "image_size": _values("image_sizes", image_sizes, int),
        "learning_rate": _values("learning_rates", learning_rates, float),
    }
    combinations = itertools.product(*axes.values())
    candidates = [dict(zip(axes, values, strict=True)) for values in combinations]
    if len(candidates) > MOST_CANDIDATES:
        counts = " x ".join(str(len(values)) for values in axes.values())
        raise InputError(
            f"A sweep must have {MOST_CANDIDATES} candidates or fewer."
            f" Received: {counts} = {len(candidates)}. Sweep in parts: what was trained stays in"
            " the cache."
        )
    known: dict[tuple[TrainSettings, str], Candidate] = {}
    for candidate in candidates:
        settings = _check(candidate, augmented_copies, weights=weights, warm_start=warm_start)
        key = (settings, candidate["augmentation"])
        if key in known:
            raise _same(known[key], candidate)
        known[key] = candidate
    return candidates


def describe(candidate: Candidate) -> str:
    """Name a candidate for people, e.g. "residual, heavy, 64 px, usual learning rate"."""
    size, rate = candidate["image_size"], candidate["learning_rate"]
    return ", ".join(
        (
            candidate["architecture"],
            candidate["augmentation"],
            f"{size} px" if size else "usual size",
            f"learning rate {rate:g}" if rate else "usual learning rate",
        )
    )


def _values(name: str, text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """Read one list; the same value twice is a slip."""
    items = split_list(name, text)
    try:
        values = tuple(kind(item) for item in items)
    except ValueError:
        wanted = "whole numbers" if kind is int else "numbers"
        raise InputError(f"`{name}` must be {wanted} by commas. Received: '{text}'") from None
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(f"`{name}` must name each once. Received: '{items[place]}' twice")
    return values


def _check(
    candidate: Candidate, augmented_copies: int, *, weights: str, warm_start: str
) -> TrainSettings:
    """The settings that training would resolve to; refused here if it would refuse them."""
    policy = find_policy(candidate["augmentation"])
    settings = TrainSettings(
        architecture=candidate["architecture"],
        image_size=candidate["image_size"],
        learning_rate=candidate["learning_rate"],
        weights=weights,
        warm_start=warm_start,
    ).resolved()
    try:
        check_augmentation(policy, settings, augmented_copies)
    except InputError as error:
        raise InputError(f"Candidate '{describe(candidate)}' cannot work: {error}") from error
    return settings


def _same(first: Candidate, second: Candidate) -> InputError:
    return InputError(
        f"Candidates must differ. Received: '{describe(first)}' and '{describe(second)}', which are"
        " the same training, since 0 stands for the usual. Leave out one of the two values."
    )
