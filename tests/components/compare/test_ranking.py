from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.common.errors import InputError
from components.compare.candidates import Candidate
from components.compare.ranking import duel, rank
from components.evaluate.metrics import evaluate_predictions

LABELS = np.array([0, 0, 1, 1, 1])


def candidate(name: str, *, right: str, num_parameters: int = 10, sure: float = 0.9) -> Candidate:
    """Right on the photos that are marked "x", with that probability for each answer."""
    correct = np.array([mark == "x" for mark in right])
    predicted = np.where(correct, LABELS, 1 - LABELS)
    probabilities = np.where(np.arange(2) == predicted[:, None], sure, 1 - sure)
    return Candidate(
        name=name,
        folder=Path(name),
        settings={"num_parameters": num_parameters, "training_seconds": 1.0},
        history={},
        evaluation=evaluate_predictions(probabilities, LABELS, ("cat", "dog")),
        correct=correct,
    )


def names(candidates) -> list[str]:
    return [one.name for one in rank(candidates)]


def test_the_most_accurate_is_first_however_large():
    assert names(
        [
            candidate("small", right="xxx..", num_parameters=1),
            candidate("large", right="xxxx.", num_parameters=1_000),
            candidate("worst", right="x....", num_parameters=2),
        ]
    ) == ["large", "small", "worst"]


def test_of_equally_accurate_ones_the_smaller_is_first():
    assert names(
        [
            candidate("large", right="xxxx.", num_parameters=11, sure=0.9),
            candidate("small", right=".xxxx", num_parameters=10, sure=0.6),
        ]
    ) == ["small", "large"]


def test_of_equally_accurate_and_large_ones_the_lower_loss_is_first():
    better = candidate("better", right="xxxxx", sure=0.9)

    assert names([replace(better, name="same"), better]) == ["same", "better"]  # the order given
    assert names([candidate("unsure", right="xxxxx", sure=0.6), better]) == ["better", "unsure"]


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # one coin falls on one side for certain
        (3, 0, 0.25),  # 2 of 8 outcomes
        (5, 1, 14 / 64),  # both tails of 1 + 6
        (1, 5, 14 / 64),
        (4, 4, 1.0),
        (10, 0, 2 / 1024),
    ],
)
def test_p_is_that_of_coins(only_first, only_second, p_value):
    both = np.array([True, False])  # says nothing
    first = np.append(both, [True] * only_first + [False] * only_second).astype(bool)
    second = np.append(both, [False] * only_first + [True] * only_second).astype(bool)

    against = duel(first, second)

    assert (against.only_first, against.only_second) == (only_first, only_second)
    assert against.p_value == pytest.approx(p_value)


def test_p_holds_for_more_photos_than_floats_can_count():
    first = np.arange(6_000) < 3_000  # 3,000 and 3,000: as equal as can be
    assert duel(first, ~first).p_value == 1.0

    first = np.arange(6_000) < 3_100  # 100 above the mean, deviation 38.7: 2.6 of them
    assert duel(first, ~first).p_value == pytest.approx(0.0101, abs=0.0003)


def test_chance_is_what_happens_oftener_than_once_in_twenty():
    ten = np.ones(10, bool)
    assert duel(ten[:5], ~ten[:5]).is_likely_chance  # p = 0.0625
    assert not duel(ten[:6], ~ten[:6]).is_likely_chance  # p = 0.03125


def test_other_photos_cannot_be_compared():
    with pytest.raises(InputError, match=r"the same photos\. Received: shapes \(3,\) and \(2,\)"):
        duel(np.ones(3, bool), np.ones(2, bool))
