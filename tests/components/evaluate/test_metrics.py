import json
import math
from dataclasses import replace

import numpy as np
import pytest

from components.common.errors import InputError
from components.evaluate.metrics import (
    ChampionScore,
    ClassScore,
    Evaluation,
    evaluate_predictions,
    wilson_interval,
    worst_mistakes,
)

CLASSES = ("daisy", "rose", "tulip")
# Taken for: daisy, daisy, rose, daisy, rose; true: daisy, daisy, daisy, rose, rose.
PROBABILITIES = np.array(
    [[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
)
LABELS = np.array([0, 0, 0, 1, 1])


@pytest.fixture
def evaluation() -> Evaluation:
    return evaluate_predictions(PROBABILITIES, LABELS, CLASSES)


def test_confusion_has_true_classes_as_rows(evaluation):
    assert evaluation.confusion == ((2, 1, 0), (1, 1, 0), (0, 0, 0))
    assert evaluation.num_photos == 5
    assert evaluation.accuracy == pytest.approx(3 / 5)


def test_class_scores_are_those_worked_out_by_hand(evaluation):
    daisy, rose, _ = evaluation.per_class

    assert daisy == ClassScore(
        name="daisy", num_photos=3, num_predicted=3, precision=2 / 3, recall=2 / 3, f1=2 / 3
    )
    assert rose == ClassScore(
        name="rose", num_photos=2, num_predicted=2, precision=0.5, recall=0.5, f1=0.5
    )
    assert evaluation.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


@pytest.mark.filterwarnings("error")
def test_class_never_seen_and_never_predicted_scores_0():
    tulip = evaluate_predictions(PROBABILITIES, LABELS, CLASSES).per_class[2]

    assert (tulip.precision, tulip.recall, tulip.f1) == (0.0, 0.0, 0.0)


def test_loss_is_the_mean_of_minus_log_of_the_truth(evaluation):
    # Of the truth: 1/2, 1/2, 1/4, 0 (clipped to 1e-7) and 1.
    expected = (math.log(2) + math.log(2) + math.log(4) + 7 * math.log(10) + 0) / 5

    assert evaluation.loss == pytest.approx(expected)


def test_perfect_predictions():
    perfect = evaluate_predictions(np.eye(2), np.array([0, 1]), ("cat", "dog"))

    assert (perfect.accuracy, perfect.macro_f1, perfect.loss) == (1.0, 1.0, 0.0)
    assert math.copysign(1, perfect.loss) == 1  # not -0.0, which a page would show
    assert perfect.accuracy_high == 1.0


def test_small_integer_labels_do_not_wrap_around():
    # 200 * 201 + 200 is far beyond what a byte holds.
    probabilities = np.eye(201)[[200]]

    assert (
        evaluate_predictions(
            probabilities, np.array([200], np.uint8), [str(index) for index in range(201)]
        ).confusion[200][200]
        == 1
    )


def test_half_precision_is_scored_like_double():
    half = evaluate_predictions(PROBABILITIES.astype(np.float16), LABELS, CLASSES)

    assert half == evaluate_predictions(PROBABILITIES, LABELS, CLASSES)


def test_json_round_trip(evaluation):
    with_champion = replace(
        evaluation, champion=ChampionScore(version="3", accuracy=0.4, num_photos=5)
    )

    for each in (evaluation, with_champion):
        written = json.loads(json.dumps(each.to_json()))
        assert written == each.to_json()
        assert Evaluation.from_json(written) == each


def test_json_without_a_champion_field_is_read(evaluation):
    values = evaluation.to_json()
    del values["champion"]

    assert Evaluation.from_json(values) == evaluation


@pytest.mark.parametrize("change", [{"colour": "red"}, {"per_class": [{"name": "daisy"}]}])
def test_json_of_another_form_is_refused(evaluation, change):
    with pytest.raises(InputError, match=r"`values` must have the fields.*Received: "):
        Evaluation.from_json({**evaluation.to_json(), **change})


def test_json_that_lacks_a_field_is_refused():
    with pytest.raises(InputError, match=r"KeyError: 'classes'"):
        Evaluation.from_json({"accuracy": 1.0})


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones(3), np.array([0]), r"`probabilities` must have shape .*Received: \(3,\)"),
        (np.eye(3), np.array([0, 1]), r"Received: \(3, 3\) and \(2,\)"),
        (np.zeros((0, 3)), np.zeros(0, int), "at least 1 photo"),
        (np.eye(2), np.array([0, 1]), "`classes` must name every column.*3 names, 2 columns"),
        (np.full((1, 3), np.nan), np.array([0]), "must be finite. Received: 1 rows"),
        (np.array([[4.0, -1.0, -2.0]]), np.array([0]), "apply softmax to logits"),
        (np.array([[0.9, 0.9, 0.9]]), np.array([0]), "sum to 1 in each row"),
        (np.eye(3), np.array([0, 1, 3]), r"`labels` must be in \[0, 2\]. Received: 0 to 3"),
        (np.eye(3), np.array([0, 1, -1]), r"`labels` must be in \[0, 2\]. Received: -1 to 1"),
        (np.eye(3), np.array([0.0, 1.0, 2.0]), "`labels` must be whole numbers.*float64"),
    ],
)
def test_what_are_no_predictions_is_refused(probabilities, labels, message):
    with pytest.raises(InputError, match=message):
        evaluate_predictions(probabilities, labels, CLASSES)


def test_wilson_interval_of_half_of_ten():
    # z^2 = 3.8415: centre (5 + 1.9207) / 13.8415 = 1/2, half-width
    # sqrt(3.8415 * (10 / 4 + 3.8415 / 4)) / 13.8415 = 0.26341.
    assert wilson_interval(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)


def test_wilson_interval_at_the_ends():
    # All right or all wrong: the far end lies z^2 / (n + z^2) away, the near end is exact.
    assert wilson_interval(0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert wilson_interval(10, 10) == pytest.approx((10 / 13.841459, 1.0), abs=1e-6)


def test_wilson_interval_stays_in_0_to_1_for_any_count():
    for num_photos in range(1, 60):
        for num_correct in range(num_photos + 1):
            low, high = wilson_interval(num_correct, num_photos)
            assert 0 <= low <= num_correct / num_photos <= high <= 1


@pytest.mark.parametrize(("num_correct", "num_photos"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_interval_wants_possible_counts(num_correct, num_photos):
    with pytest.raises(InputError, match=r"`num_correct` must be in .*Received: num_correct="):
        wilson_interval(num_correct, num_photos)


def test_worst_mistakes_come_first_and_equals_in_order():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.8, 0.2]])
    labels = np.array([1, 1, 0, 0, 0])

    assert worst_mistakes(probabilities, labels, most=10).tolist() == [1, 3, 0, 2]
    assert worst_mistakes(probabilities, labels, most=2).tolist() == [1, 3]
    assert worst_mistakes(probabilities, labels, most=0).tolist() == []


def test_no_mistake_gives_no_index():
    assert worst_mistakes(np.eye(3), np.arange(3), most=4).tolist() == []


def test_worst_mistakes_wants_a_count():
    with pytest.raises(InputError, match=r"`most` must not be negative. Received: -1"):
        worst_mistakes(np.eye(3), np.arange(3), most=-1)
