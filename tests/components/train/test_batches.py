import numpy as np
import pytest

from components.train.batches import Batches

LABELS = np.arange(10, dtype=np.int32) % 3


def rows_as_inputs(rows, epoch):
    return rows


def rows_of(batches: Batches, epoch: int, **where: int) -> list[int]:
    return [
        row
        for at_once in batches.epoch(epoch, **where)
        for batch in at_once
        for row in batch[0].tolist()
    ]


def make(seed: int | None, *, batch_size: int = 4, at_once: int = 1) -> Batches:
    return Batches(LABELS, rows_as_inputs, batch_size=batch_size, seed=seed, at_once=at_once)


def test_every_row_comes_exactly_once_an_epoch():
    batches = make(seed=0)

    for epoch in range(3):
        assert sorted(rows_of(batches, epoch)) == list(range(10))


def test_order_is_new_in_each_epoch():
    batches = make(seed=0)

    assert len({tuple(rows_of(batches, epoch)) for epoch in range(4)}) == 4


def test_same_seed_gives_the_same_orders_and_another_seed_others():
    first, second, other = make(seed=5), make(seed=5), make(seed=6)

    for epoch in (2, 0, 1):  # an epoch does not depend on those before
        assert rows_of(first, epoch) == rows_of(second, epoch)
        assert rows_of(first, epoch) != rows_of(other, epoch)


def test_without_a_seed_rows_keep_their_places():
    assert rows_of(make(seed=None), 1) == list(range(10))


@pytest.mark.parametrize("at_once", [1, 2, 7])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_an_epoch_can_begin_at_any_batch(first, at_once):
    batches = make(seed=3, at_once=at_once)

    assert rows_of(batches, 1, first=first) == rows_of(batches, 1)[4 * first :]


def test_batches_of_one_call_have_one_size_and_the_smaller_last_one_goes_alone():
    sizes = [[len(batch[1]) for batch in some] for some in make(seed=0, at_once=64).epoch(0)]

    assert sizes == [[4, 4], [2]]


def test_last_batch_is_smaller():
    batches = make(seed=0)

    assert (batches.num_images, batches.num_batches) == (10, 3)
    assert [[len(batch[1]) for batch in some] for some in batches.epoch(0)] == [[4], [4], [2]]


@pytest.mark.parametrize(("batch_size", "num_batches"), [(1, 10), (5, 2), (10, 1), (64, 1)])
def test_number_of_batches_is_rounded_up(batch_size, num_batches):
    assert make(seed=0, batch_size=batch_size).num_batches == num_batches


def test_labels_are_those_of_the_rows():
    for ((rows, labels),) in make(seed=0).epoch(0):
        assert labels.tolist() == (rows % 3).tolist()


def test_soft_labels_are_made_of_the_rows_and_the_epoch():
    def soften(rows, epoch):
        return np.stack([rows, np.full(len(rows), epoch)], axis=1).astype(np.float32)

    batches = Batches(LABELS, rows_as_inputs, batch_size=4, seed=0, find_truth=soften)

    assert batches.is_soft
    for epoch in range(2):
        for ((rows, labels),) in batches.epoch(epoch):
            assert labels.tolist() == [[row, epoch] for row in rows.tolist()]


def test_labels_can_be_made_soft():
    batches = make(seed=None)
    assert not batches.is_soft

    batches.soften(3)

    ((_, labels),) = next(batches.epoch(0))
    assert batches.is_soft
    assert labels.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_weights_are_those_of_the_classes_also_where_labels_are_shares():
    batches = make(seed=None)
    batches.weigh(np.array([1.0, 2.0, 3.0], np.float32))

    ((_, _, weights),) = next(batches.epoch(0))
    assert weights.tolist() == [1, 2, 3, 1]

    batches.soften(3)
    ((_, _, weights),) = next(batches.epoch(0))
    assert weights.tolist() == [1, 2, 3, 1]


def test_batches_do_not_depend_on_the_number_of_threads():
    one, four = (
        Batches(LABELS, rows_as_inputs, batch_size=3, seed=0, num_threads=number)
        for number in (1, 4)
    )

    assert rows_of(one, 0) == rows_of(four, 0)
