import random
import re

import keras
import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.policies import find_policy
from components.common.errors import InputError, TrainingError
from components.train.batches import Batches
from components.train.fitting import balanced_weights, fit
from components.train.loop.loop import Fit
from components.train.settings import FitSettings
from components.train.train import make_deterministic


def batches_of(photos, *, policy: str = "none", seed: int | None = 0, num_threads: int = 1):
    augmenter = Augmenter(policy=find_policy(policy), seed=0)
    return Batches(
        photos.labels,
        lambda rows, epoch: augmenter(photos.images[rows], rows, epoch).astype(np.float32) / 255,
        batch_size=8,
        seed=seed,
        num_threads=num_threads,
    )


def small_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def train_small(train_photos, validation_photos, *, draws_before: int) -> tuple[keras.Model, Fit]:
    make_deterministic(3)
    model = small_network()
    for _ in range(draws_before):  # what else a process may do with the global numbers
        random.random()  # noqa: S311
    fitted = fit(
        model,
        batches_of(train_photos, policy="heavy", num_threads=2),
        batches_of(validation_photos, seed=None),
        FitSettings(epochs=3, learning_rate=0.01),
    )
    return model, fitted


@pytest.fixture(scope="module")
def trained(train_photos, validation_photos) -> tuple[keras.Model, Fit]:
    return train_small(train_photos, validation_photos, draws_before=0)


def test_same_seed_gives_the_same_weights_to_the_bit(trained, train_photos, validation_photos):
    first, first_fit = trained
    second, second_fit = train_small(train_photos, validation_photos, draws_before=1)

    assert first_fit == second_fit
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def plain_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.AveragePooling2D(8),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("policy", ["color", "randaugment"])
def test_weights_do_not_depend_on_the_number_of_threads(policy, train_photos, validation_photos):
    weights = []
    for num_threads in (1, 4):
        make_deterministic(3)
        model = plain_network()
        fit(
            model,
            batches_of(train_photos, policy=policy, num_threads=num_threads),
            batches_of(validation_photos, seed=None),
            FitSettings(epochs=2, learning_rate=0.01),
        )
        weights.append(model.get_weights())

    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def shares_of(labels, *, own: float):
    """Makes soft labels of two classes: a share for the class itself, the rest for the other."""
    table = np.array([[own, 1 - own], [1 - own, own]], np.float32)
    return lambda rows, _: table[labels[rows]]


def soft_batches(labels, own: float) -> Batches:
    return Batches(
        labels,
        lambda rows, _: np.eye(2, dtype=np.float32)[labels[rows]],
        batch_size=4,
        seed=0,
        find_truth=shares_of(labels, own=own),
    )


def test_from_soft_labels_a_network_learns_the_shares_and_accuracy_counts_the_larger_one():
    labels = np.arange(16, dtype=np.int32) % 2
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    # At first both inputs are taken for the other class.
    model.set_weights([np.array([[-1.0, 1.0], [1.0, -1.0]]), np.zeros(2)])

    fitted = fit(
        model,
        soft_batches(labels, 0.75),
        soft_batches(labels, 0.75),
        FitSettings(epochs=20, learning_rate=0.2),
    )

    # Least where the shares are met, at their entropy: -0.75 ln 0.75 - 0.25 ln 0.25.
    predicted = model.predict_on_batch(np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(predicted, [[0.75, 0.25], [0.25, 0.75]], atol=0.02)
    assert min(fitted.history["val_loss"]) == pytest.approx(0.5623, abs=0.002)
    assert fitted.history["accuracy"][0] == 0.0
    assert fitted.history["val_accuracy"][fitted.best_epoch] == 1.0


@pytest.mark.parametrize("is_train_soft", [True, False])
def test_soft_labels_on_one_side_only_are_refused(is_train_soft, train_photos):
    soft, hard = soft_batches(train_photos.labels, 1.0), batches_of(train_photos)
    sides = (soft, hard) if is_train_soft else (hard, soft)

    message = (
        "`train` and `validation` must both have soft labels, or neither. Received:"
        f" train.is_soft={is_train_soft}, validation.is_soft={not is_train_soft}"
    )
    with pytest.raises(InputError) as error:
        fit(plain_network(), *sides, FitSettings(epochs=1, learning_rate=0.1))

    assert str(error.value) == message


def test_history_has_four_numbers_an_epoch(trained):
    history = trained[1].history

    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(values) == 3 for values in history.values())


def test_weights_are_those_of_the_epoch_with_the_lowest_validation_loss(trained, validation_photos):
    model, fitted = trained
    losses = fitted.history["val_loss"]

    probabilities = model.predict(validation_photos.images.astype(np.float32) / 255, verbose=0)

    of_truth = probabilities[np.arange(8), validation_photos.labels]
    assert losses[fitted.best_epoch] == min(losses)
    assert -np.log(of_truth).mean() == pytest.approx(min(losses), rel=1e-5)


def test_loss_that_is_no_number_ends_the_fit_in_its_epoch():
    labels = np.zeros(8, np.int32)
    broken = np.full((8, 1), np.nan, np.float32)
    batches = Batches(labels, lambda rows, _: broken[rows], batch_size=4, seed=0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])

    message = (
        r"^The loss must stay finite\. Received: nan in epoch 1\."
        r" Try a `learning_rate` below 0\.25\.$"
    )
    with pytest.raises(TrainingError, match=message):
        fit(model, batches, batches, FitSettings(epochs=5, learning_rate=0.25))


def test_learning_rate_climbs_to_its_peak_and_falls_to_0_and_the_last_epoch_is_told(capsys):
    labels = np.arange(40, dtype=np.int32) % 2
    batches = Batches(
        labels, lambda rows, _: rows[:, None].astype(np.float32) / 40, batch_size=4, seed=0
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])

    fit(model, batches, batches, FitSettings(epochs=2, learning_rate=0.5))

    schedule = model.optimizer._learning_rate
    rates = [float(schedule(step)) for step in range(21)]  # 10 batches, 2 epochs
    assert rates[0] == 0
    assert max(rates) == pytest.approx(0.5)
    assert rates[20] == pytest.approx(0, abs=1e-7)
    assert rates.index(max(rates)) <= 2
    assert re.fullmatch(
        r"\[progress\] epoch 2/2  training: accuracy \d\.\d{3}, loss \d+\.\d{3}"
        r"  validation: accuracy \d\.\d{3}, loss \d+\.\d{3}  \d+ images/s, 0 s left",
        capsys.readouterr().out.splitlines()[-1],
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_every_optimizer_learns_under_every_schedule(optimizer, schedule):
    labels = np.arange(32, dtype=np.int32) % 2
    batches = Batches(
        labels, lambda rows, _: np.eye(2, dtype=np.float32)[labels[rows]], batch_size=4, seed=0
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    settings = FitSettings(epochs=10, learning_rate=0.1, optimizer=optimizer, schedule=schedule)

    fitted = fit(model, batches, batches, settings)

    assert fitted.history["loss"][-1] < 0.5 * fitted.history["loss"][0]
    last = float(model.optimizer._learning_rate(80))
    assert last == pytest.approx(0.1 if schedule == "constant" else 0, abs=1e-6)


def test_patience_ends_the_fit_where_validation_gets_no_better():
    labels = np.arange(16, dtype=np.int32) % 2
    learned = Batches(
        labels, lambda rows, _: np.eye(2, dtype=np.float32)[labels[rows]], batch_size=4, seed=0
    )
    # The other class is said of each: the better it learns, the worse it does here.
    judged = Batches(
        1 - labels, lambda rows, _: np.eye(2, dtype=np.float32)[labels[rows]], batch_size=16, seed=0
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    model.set_weights([np.zeros((2, 2)), np.zeros(2)])

    fitted = fit(model, learned, judged, FitSettings(epochs=50, learning_rate=0.1, patience=3))

    assert fitted.best_epoch == 0
    assert len(fitted.history["loss"]) == 4


def test_moving_average_of_the_weights_is_what_is_kept():
    labels = np.zeros(8, np.int32)
    batches = Batches(labels, lambda rows, _: np.ones((len(rows), 1)), batch_size=8, seed=None)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    model.set_weights([np.zeros((1, 2)), np.zeros(2)])
    steps = []

    class Noting(Batches):
        def epoch(self, epoch, *, first=0):
            steps.append(model.get_weights()[1])
            yield from super().epoch(epoch, first=first)

    noting = Noting(labels, lambda rows, _: np.ones((len(rows), 1)), batch_size=8, seed=None)
    settings = FitSettings(
        epochs=3, learning_rate=0.1, schedule="constant", weight_decay=0, ema=0.5
    )
    fit(model, noting, batches, settings)

    # The average starts at the weights after the first step, and goes half the way at each other;
    # under a constant learning rate AdamW takes the last step as it took the one before.
    ends = [*steps[1:], steps[-1] + (steps[-1] - steps[-2])]
    average = ends[0]
    for end in ends[1:]:
        average = 0.5 * average + 0.5 * end
    np.testing.assert_allclose(model.get_weights()[1], average, rtol=0.02)


def test_smoothed_labels_keep_predictions_from_certainty():
    labels = np.arange(16, dtype=np.int32) % 2
    batches = [
        Batches(
            labels, lambda rows, _: np.eye(2, dtype=np.float32)[labels[rows]], batch_size=4, seed=0
        )
        for _ in range(2)
    ]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])

    fit(model, *batches, FitSettings(epochs=40, learning_rate=0.2, label_smoothing=0.2))

    # Of 0.2 each class gets a half: 0.9 and 0.1 are the least loss.
    predicted = model.predict_on_batch(np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(predicted, [[0.9, 0.1], [0.1, 0.9]], atol=0.02)


def test_balanced_weights_let_every_class_count_the_same():
    labels = np.array([0, 0, 0, 1], np.int32)

    weights = balanced_weights(labels, 3)

    np.testing.assert_allclose(weights, [4 / 6, 4 / 2, 0], rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)


def test_balanced_classes_meet_in_the_middle_where_photos_tell_nothing():
    learned, judged = (
        Batches(
            np.array(labels, np.int32),
            lambda rows, _: np.ones((len(rows), 1)),
            batch_size=16,
            seed=0,
        )
        for labels in ([0, 0, 0, 1] * 4, [0, 1] * 8)
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    settings = FitSettings(epochs=60, learning_rate=0.1, class_weights="balanced", weight_decay=0)

    fit(model, learned, judged, settings)

    # By their numbers it would say 0.75 and 0.25.
    np.testing.assert_allclose(model.predict_on_batch(np.ones((1, 1)))[0], [0.5, 0.5], atol=0.02)
