import math

import keras
import numpy as np
import pytest

from components.train.loss_weighting import (
    LAST_ALPHA,
    PACE,
    PacedAdamW,
    build_weighting,
)
from components.train.settings import LOSS_WEIGHTINGS
from components.train.two_output import TrainingModel


def scalar(value: float):
    return keras.ops.convert_to_tensor(value, "float32")


@pytest.mark.parametrize("name", LOSS_WEIGHTINGS)
@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_alpha_begins_where_it_is_told_to(name, alpha):
    assert build_weighting(name, alpha).alpha() == pytest.approx(alpha)


@pytest.mark.parametrize("name", ["fixed", "scheduled", "trained"])
def test_alpha_is_the_share_of_the_class_loss(name):
    weighting = build_weighting(name, 0.75)

    assert float(weighting(scalar(0.8), scalar(0.4))) == pytest.approx(0.75 * 0.8 + 0.25 * 0.4)


def test_uncertainty_adds_half_of_each_log_variance():
    weighting = build_weighting("uncertainty", 0.5)
    weighting.set_weights([np.array([math.log(2), math.log(0.5)])])

    # exp(-log 2) = 1/2 and exp(-log 0.5) = 2; the halves of the logarithms cancel out.
    assert float(weighting(scalar(0.8), scalar(0.4))) == pytest.approx(0.5 * 0.8 + 2 * 0.4)
    assert weighting.alpha() == pytest.approx(0.5 / 2.5)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_uncertainty_begins_near_an_end_that_it_cannot_reach(alpha):
    weighting = build_weighting("uncertainty", alpha)

    assert weighting.alpha() == pytest.approx(alpha, abs=0.0011)
    assert np.isfinite(float(weighting(scalar(0.8), scalar(0.4))))


def test_schedule_is_half_a_cosine_to_its_last_alpha():
    weighting = build_weighting("scheduled", 0.1)

    alphas = []
    for progress in (0, 0.5, 1):
        weighting.move_to(progress)
        alphas.append(weighting.alpha())

    assert alphas == pytest.approx([0.1, (0.1 + LAST_ALPHA) / 2, LAST_ALPHA])


@pytest.mark.parametrize("name", ["fixed", "trained", "uncertainty"])
def test_without_a_schedule_the_epoch_moves_nothing(name):
    weighting = build_weighting(name, 0.3)

    weighting.move_to(0.5)

    assert weighting.alpha() == pytest.approx(0.3)


def stuck_model(weighting, *, place_loss: float) -> TrainingModel:
    """A network that learns nothing: class loss ln 2 = 0.693, place loss as it is told."""
    photos = keras.Input((2,))
    zero = keras.layers.Dense(1, kernel_initializer="zeros", trainable=False)(photos)
    # Beside the true box, the whole photo, this one has an IoU, and a GIoU, of its height.
    height = 1 - place_loss
    outputs = {
        "class": keras.layers.Concatenate()([zero + 0.5, zero + 0.5]),
        "place": keras.layers.Concatenate()([zero, zero, zero + 1, zero + height]),
    }
    return TrainingModel(keras.Model(photos, outputs), weighting)


def fit_stuck(name: str, *, place_loss: float, steps: int, alpha: float = 0.5) -> float:
    weighting = build_weighting(name, alpha)
    model = stuck_model(weighting, place_loss=place_loss)
    model.compile(PacedAdamW(0.01, weight_decay=0.5), run_eagerly=True)
    truth = {
        "class": np.zeros(steps, np.int32),
        "place": np.tile(np.array([0, 0, 1, 1], np.float32), (steps, 1)),
    }
    model.fit(np.zeros((steps, 2), np.float32), truth, batch_size=1, verbose=0)
    return weighting.alpha()


@pytest.mark.parametrize(("place_loss", "end"), [(0.2, 0.0), (0.9, 1.0)])
def test_trained_alpha_runs_to_the_smaller_loss_and_no_further(place_loss, end):
    # Adam moves it by the learning rate, 0.01 times PACE, in each step: after 5 it is there.
    assert PACE == 10
    assert fit_stuck("trained", place_loss=place_loss, steps=20) == end


def test_alpha_moves_by_pace_times_the_learning_rate():
    assert fit_stuck("trained", place_loss=0.2, steps=3) == pytest.approx(0.5 - 3 * 0.1, abs=1e-3)


def test_uncertainty_comes_to_rest_where_both_losses_weigh_the_same():
    # exp(-s) = 1 / (2 loss), so alpha = (1 / 0.693) / (1 / 0.693 + 1 / 0.2) = 0.2 / 0.893.
    alpha = fit_stuck("uncertainty", place_loss=0.2, steps=60)

    assert alpha == pytest.approx(0.2 / (0.2 + math.log(2)), abs=0.01)


@pytest.mark.parametrize("name", ["fixed", "scheduled"])
def test_alpha_that_is_not_trained_stays_and_is_not_decayed(name):
    assert fit_stuck(name, place_loss=0.2, steps=5) == pytest.approx(0.5)
