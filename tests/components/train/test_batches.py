import threading

import keras
import numpy as np
import pytest

from components.train.batches import Batches

LABELS = np.arange(10, dtype=np.int32) % 3


def rows_as_inputs(rows, epoch):
    return rows


def all_rows(batches: Batches) -> list[int]:
    return [row for index in range(batches.num_batches) for row in batches[index][0].tolist()]


def make(seed: int | None, *, batch_size: int = 4) -> Batches:
    return Batches(LABELS, rows_as_inputs, batch_size=batch_size, seed=seed)


def test_every_row_comes_exactly_once_an_epoch():
    batches = make(seed=0)

    for _ in range(3):
        assert sorted(all_rows(batches)) == list(range(10))
        batches.on_epoch_end()


def test_order_is_new_in_each_epoch():
    batches = make(seed=0)
    orders = []
    for _ in range(4):
        orders.append(tuple(all_rows(batches)))
        batches.on_epoch_end()

    assert len(set(orders)) == 4


def test_same_seed_gives_the_same_orders_and_another_seed_others():
    first, second, other = make(seed=5), make(seed=5), make(seed=6)
    for _ in range(3):
        assert all_rows(first) == all_rows(second)
        assert all_rows(first) != all_rows(other)
        for batches in (first, second, other):
            batches.on_epoch_end()


def test_without_a_seed_rows_keep_their_places():
    batches = make(seed=None)
    batches.on_epoch_end()

    assert all_rows(batches) == list(range(10))


def test_last_batch_is_smaller():
    batches = make(seed=0)

    assert (batches.num_images, batches.num_batches) == (10, 3)
    assert [len(batches[index][1]) for index in range(3)] == [4, 4, 2]


@pytest.mark.parametrize(("batch_size", "num_batches"), [(1, 10), (5, 2), (10, 1), (64, 1)])
def test_number_of_batches_is_rounded_up(batch_size, num_batches):
    assert make(seed=0, batch_size=batch_size).num_batches == num_batches


def test_labels_are_those_of_the_rows():
    rows, labels = make(seed=0)[1]

    assert labels.tolist() == (rows % 3).tolist()


def test_soft_labels_are_made_of_the_rows_and_the_epoch():
    def soften(rows, epoch):
        return np.stack([rows, np.full(len(rows), epoch)], axis=1).astype(np.float32)

    batches = Batches(LABELS, rows_as_inputs, batch_size=4, seed=0, soften=soften)

    assert batches.is_soft
    for epoch in range(2):
        for index in range(3):
            rows, labels = batches[index]
            assert labels.tolist() == [[row, epoch] for row in rows.tolist()]
        batches.on_epoch_end()


def test_without_soften_labels_are_not_soft():
    assert not make(seed=0).is_soft


@pytest.mark.parametrize("num_threads", [1, 2])
def test_keras_trains_on_whole_epochs_each_with_its_own_augmentation(num_threads):
    num_rows = 50
    seen: list[tuple[int, list[int]]] = []  # (epoch, rows) of each call
    begins: list[int] = []  # calls before each epoch
    lock = threading.Lock()

    def take(rows, epoch):
        with lock:
            seen.append((epoch, rows.tolist()))
        return rows[:, None].astype(np.float32)

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            begins.append(len(seen))

    labels = np.arange(num_rows, dtype=np.int32) % 2
    batches = Batches(labels, take, batch_size=4, seed=0, num_threads=num_threads)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(batches, epochs=3, callbacks=[Watch()], shuffle=False, verbose=0)

    epochs = [seen[start:end] for start, end in zip(begins, [*begins[1:], None], strict=True)]
    drawn = [{epoch for epoch, _ in calls} for calls in epochs]
    assert [len(numbers) for numbers in drawn] == [1, 1, 1]
    assert len(set.union(*drawn)) == 3
    for calls in epochs:
        assert sorted(row for _, rows in calls for row in rows) == list(range(num_rows))
