"""Trained models that stand to be chosen from, and names that tell them apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.metrics import Evaluation

# What a sweep varies beside the network, in the order to name it, and how.
NAMED: dict[str, Callable[[Any], str]] = {
    "augmentation": str,
    "image_size": lambda size: f"{size} px",
    "learning_rate": lambda rate: f"rate {rate:g}",
}
# Of the settings of a model: what came of training, not what it was told.
OUTCOMES = frozenset({"best_epoch", "num_parameters", "training_seconds", "training_cpu_seconds"})


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One trained model, judged on the validation photos."""

    name: str  # tells it from the others
    folder: Path
    settings: Mapping[str, Any]  # as `ModelFolder` has them
    history: Mapping[str, Sequence[float]]
    evaluation: Evaluation
    correct: NDArray[np.bool_]  # of each validation photo, in their order

    @property
    def seconds(self) -> float:
        """That training took."""
        return float(self.settings["training_seconds"])

    @property
    def num_parameters(self) -> int:
        """Of the whole network."""
        return int(self.settings["num_parameters"])


def name_candidates(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name models by their network, and by what else tells them from others of that network.

    Args:
        settings: Of each model.

    Returns:
        For example "dense", "residual, 64 px" and "residual, 96 px".
    """
    of_network = defaultdict(list)
    for one in settings:
        of_network[one["architecture"]].append(one)
    varied = {name: differing(group) for name, group in of_network.items()}
    return [
        ", ".join(
            (
                one["architecture"],
                *(
                    write(one[key])
                    for key, write in NAMED.items()
                    if key in varied[one["architecture"]]
                ),
            )
        )
        for one in settings
    ]


def differing(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The settings that are not the same for all models, in the order of the first model's.

    Args:
        settings: Of each model.
    """
    return tuple(
        key
        for key, value in settings[0].items()
        if key not in OUTCOMES and any(one.get(key) != value for one in settings)
    )
