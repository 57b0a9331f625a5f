"""What is wrong with the places that a network says, photo by photo. Any backend of Keras."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import losses, ops

INSIDE = 0.5  # from this probability on a cell counts as the object
TINY = 1e-7  # keeps a box or a mask without area from dividing by 0

Tensor = Any  # of the backend


class PlaceErrors(NamedTuple):
    """Of each photo of a batch, shape `(n,)`."""

    known: Tensor  # 1 where the truth is known, else 0: such a photo does not count
    loss: Tensor
    iou: Tensor  # intersection over union, in [0, 1]


def judge_places(truth: Tensor, said: Tensor) -> PlaceErrors:
    """Compare places with the truth.

    The loss of a box is 1 - GIoU, in [0, 2]: it means the same for small and large objects, and
    falls toward the object also where the boxes do not touch. That of a mask is the mean
    cross-entropy of its cells.

    Args:
        truth: Boxes `(n, 4)` or masks `(n, height, width, 1)`; NaN where there is none.
        said: Of the same shape.

    Reference:
        Rezatofighi et al., 2019, "Generalized Intersection over Union".
    """
    rest = tuple(range(1, len(said.shape)))
    is_known = ops.logical_not(ops.any(ops.isnan(truth), axis=rest))
    filled = ops.where(ops.isnan(truth), 0.0, truth)  # NaN times 0 would still be NaN
    judge = _judge_boxes if len(rest) == 1 else _judge_masks
    loss, iou = judge(filled, said)
    known = ops.cast(is_known, loss.dtype)
    return PlaceErrors(known=known, loss=known * loss, iou=known * iou)


def _judge_boxes(truth: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    def area(low: Tensor, high: Tensor) -> Tensor:
        return ops.prod(ops.relu(high - low), axis=1)

    low, high, said_low, said_high = truth[:, :2], truth[:, 2:], said[:, :2], said[:, 2:]
    both = area(ops.maximum(low, said_low), ops.minimum(high, said_high))
    either = area(low, high) + area(said_low, said_high) - both
    around = area(ops.minimum(low, said_low), ops.maximum(high, said_high))
    iou = both / (either + TINY)
    return 1 - iou + (around - either) / (around + TINY), iou


def _judge_masks(truth: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    loss = ops.mean(losses.binary_crossentropy(truth, said), axis=(1, 2))
    one, other = truth >= INSIDE, said >= INSIDE
    both = _count(ops.logical_and(one, other))
    return loss, both / (_count(ops.logical_or(one, other)) + TINY)


def _count(cells: Tensor) -> Tensor:
    return ops.sum(ops.cast(cells, "float32"), axis=(1, 2, 3))
