import math

import numpy as np
import pytest

from components.train.places.losses import judge_places

NAN = float("nan")


def judge(truth, said):
    errors = judge_places(np.array(truth, np.float32), np.array(said, np.float32))
    return [np.asarray(part) for part in errors]


@pytest.mark.parametrize(
    ("truth", "said", "loss", "iou"),
    [
        ([0.2, 0.2, 0.8, 0.8], [0.2, 0.2, 0.8, 0.8], 0, 1),
        # The lower half: an intersection of 1/2, in a union and a hull of 1.
        ([0, 0, 1, 1], [0, 0.5, 1, 1], 0.5, 0.5),
        # Two squares in opposite corners: none of the hull of 1 is shared, 1/8 of it is filled.
        ([0, 0, 0.25, 0.25], [0.75, 0.75, 1, 1], 1 + 7 / 8, 0),
        # A box without area, inside: the hull is the true box itself.
        ([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], 1, 0),
    ],
)
def test_box_loss_is_one_minus_giou(truth, said, loss, iou):
    known, losses, ious = judge([truth], [said])

    assert known.tolist() == [1]
    assert losses.tolist() == pytest.approx([loss], abs=1e-5)
    assert ious.tolist() == pytest.approx([iou], abs=1e-5)


def test_photo_without_a_box_counts_for_nothing():
    known, losses, ious = judge([[NAN] * 4, [0, 0, 1, 1]], [[0, 0, 1, 1], [0, 0, 1, 0.5]])

    assert known.tolist() == [0, 1]
    assert losses.tolist() == pytest.approx([0, 0.5], abs=1e-5)
    assert ious.tolist() == pytest.approx([0, 0.5], abs=1e-5)


def test_mask_loss_is_the_mean_cross_entropy_of_its_cells():
    truth = np.array([[1, 1], [0, 0]]).reshape(1, 2, 2, 1)
    said = np.array([[0.9, 0.4], [0.4, 0.2]]).reshape(1, 2, 2, 1)

    known, losses, ious = judge(truth, said)

    expected = -(math.log(0.9) + math.log(0.4) + math.log(0.6) + math.log(0.8)) / 4
    assert known.tolist() == [1]
    assert losses.tolist() == pytest.approx([expected], abs=1e-4)
    assert ious.tolist() == pytest.approx([0.5], abs=1e-5)  # one of two cells is found


def test_photo_without_a_mask_counts_for_nothing():
    known, losses, ious = judge(np.full((1, 2, 2, 1), NAN), np.full((1, 2, 2, 1), 0.5))

    assert [known.tolist(), losses.tolist(), ious.tolist()] == [[0], [0], [0]]
