"""How two losses become one: by a fixed share, a scheduled one, a trained one, or uncertainty.

Alpha is the share of the class loss: w_class / (w_class + w_place).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

FIXED, SCHEDULED, TRAINED, UNCERTAINTY = "fixed", "scheduled", "trained", "uncertainty"
LAST_ALPHA = 0.9  # of a schedule: the place is learned early, and the class takes the rest
# Adam moves a weight by about the learning rate a step. That suits the many small weights of a
# kernel; the one or two here have to get from 0.5 to 0 or 1 in the same number of steps.
PACE = 10.0
EDGE = 1e-3  # nearest that the first alpha of uncertainty comes to 0 and 1, which it never reaches
PREFIX = "loss_weighting_"  # of the names of the weights below, by which the optimizer knows them

Tensor = Any  # of the backend


class AlphaWeighting(keras.layers.Layer):
    """alpha * class loss + (1 - alpha) * place loss, alpha in [0, 1].

    Where alpha is trained, its gradient is class loss - place loss: it runs to the end at which
    the smaller loss has all the weight, unless the two change places before.
    """

    def __init__(self, alpha: float, *, way: str) -> None:
        """Prepare.

        Args:
            alpha: The first one.
            way: FIXED, SCHEDULED or TRAINED.
        """
        super().__init__(name="loss_weighting")
        self._way = way
        self._first = alpha
        self._alpha = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(alpha),
            trainable=way == TRAINED,
            constraint=_UnitInterval() if way == TRAINED else None,
            name=f"{PREFIX}alpha",
        )
        self.built = True  # as it is used for losses, Keras never sees it called

    def call(self, class_loss: Tensor, place_loss: Tensor) -> Tensor:
        """The one loss, a scalar."""
        return self._alpha * class_loss + (1 - self._alpha) * place_loss

    def alpha(self) -> float:
        """The share of the class loss."""
        return float(self._alpha)

    def move_to(self, progress: float) -> None:
        """Follow the schedule, half a cosine; without one alpha stays.

        Args:
            progress: 0 in the first epoch, 1 in the last.
        """
        if self._way == SCHEDULED:
            rise = (1 - math.cos(math.pi * progress)) / 2
            self._alpha.assign(self._first + (LAST_ALPHA - self._first) * rise)


class UncertaintyWeighting(keras.layers.Layer):
    """The sum of exp(-s) loss + s / 2 over both losses, each with a log variance s of its own.

    For losses that stay as they are it is least where exp(-s) = 1 / (2 loss), so that both weigh
    the same and neither ends at 0. (The paper halves the loss of a regression, too, as it comes
    from squared errors, which ours does not.)

    Reference:
        Kendall et al., 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
        Geometry and Semantics".
    """

    def __init__(self, alpha: float) -> None:
        """Prepare.

        Args:
            alpha: The first one.
        """
        super().__init__(name="loss_weighting")
        share = min(max(alpha, EDGE), 1 - EDGE)
        self._log_variances = self.add_weight(shape=(2,), name=f"{PREFIX}log_variances")
        self.built = True
        self._log_variances.assign([-math.log(2 * share), -math.log(2 * (1 - share))])

    def call(self, class_loss: Tensor, place_loss: Tensor) -> Tensor:
        """The one loss, a scalar."""
        losses = ops.stack([class_loss, place_loss])
        return ops.sum(ops.exp(-self._log_variances) * losses + self._log_variances / 2)

    def alpha(self) -> float:
        """The share of the class loss."""
        of_class, of_place = ops.convert_to_numpy(ops.exp(-self._log_variances)).tolist()
        return float(of_class / (of_class + of_place))

    def move_to(self, progress: float) -> None:
        """Nothing: it moves itself."""


LossWeighting = AlphaWeighting | UncertaintyWeighting


def build_weighting(name: str, alpha: float) -> LossWeighting:
    """Build the layer that weighs the losses.

    Args:
        name: One of `LOSS_WEIGHTINGS`.
        alpha: Share of the class loss, at first.
    """
    return UncertaintyWeighting(alpha) if name == UNCERTAINTY else AlphaWeighting(alpha, way=name)


class PacedAdamW(keras.optimizers.AdamW):
    """AdamW that moves the weights of losses faster, and does not pull them toward 0."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        """Prepare, as AdamW does."""
        super().__init__(*given, **settings)
        self.exclude_from_weight_decay(var_names=[PREFIX])

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        """Move one weight."""
        pace = PACE if PREFIX in variable.name else 1.0  # a backend may put a path before the name
        super().update_step(gradient, variable, pace * learning_rate)


class _UnitInterval(keras.constraints.Constraint):
    def __call__(self, weight: Tensor) -> Tensor:
        return ops.clip(weight, 0.0, 1.0)
