import contextlib
import io
from dataclasses import dataclass, field, replace

import keras
import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.policies import find_policy
from components.common.photos import PhotoSet
from components.train import features
from components.train.features import frozen_parts
from components.train.frozen import PRIOR, fit_head
from components.train.loop.loop import Fit
from components.train.settings import FitSettings


class Recorder(keras.layers.Layer):
    """Passes photos on and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[np.ndarray] = []

    def call(self, photos):
        self.seen.append(keras.ops.convert_to_numpy(photos))
        return photos

    def compute_output_shape(self, input_shape):
        return input_shape


@dataclass
class Session:
    """One head trained on a small backbone, and all that can be seen of it."""

    backbone: keras.Model
    before: list[np.ndarray]  # weights of the backbone
    seen: list[np.ndarray]  # batches that went through the backbone
    head: keras.Model
    fitted: Fit
    lines: list[str] = field(default_factory=list)


def train_head(
    train, validation, *, policy: str, epochs: int, copies: PhotoSet | None = None
) -> Session:
    keras.utils.set_random_seed(0)
    photos, recorder = keras.Input((32, 32, 3)), Recorder()
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(recorder(photos))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
    backbone = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(x))
    backbone.compile(run_eagerly=True)  # so that the recorder sees numbers
    before = [weights.copy() for weights in backbone.get_weights()]
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        frozen_parts(
            backbone, train, validation, find_policy(policy), seed=4, copies=copies
        ) as parts,
    ):
        head, fitted = fit_head(parts, FitSettings(epochs=epochs, learning_rate=0.2), seed=4)
    lines = output.getvalue().splitlines()
    return Session(backbone, before, list(recorder.seen), head, fitted, lines)


@pytest.fixture(scope="module")
def plain(train_photos, validation_photos) -> Session:
    """Without a policy, the backbone taking 10 photos at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "BATCH", 10)
        return train_head(train_photos, validation_photos, policy="none", epochs=15)


@pytest.fixture(scope="module")
def light(train_photos, validation_photos) -> Session:
    return train_head(train_photos, validation_photos, policy="light", epochs=1)


@pytest.fixture(scope="module")
def copies(draw_photos) -> PhotoSet:
    """Two a training photo, bright and dark in turn where those are dark and bright in turn."""
    photos = draw_photos(48, seed=3)
    return replace(photos, images=photos.images[::-1], labels=photos.labels[::-1])


@pytest.fixture(scope="module")
def copied(train_photos, validation_photos, copies) -> Session:
    return train_head(train_photos, validation_photos, policy="light", epochs=15, copies=copies)


def test_head_learns_photos_that_a_line_separates(plain, validation_photos):
    features = plain.backbone.predict_on_batch(validation_photos.images.astype(np.float32))
    predicted = plain.head.predict_on_batch(features).argmax(axis=1)

    assert predicted.tolist() == validation_photos.labels.tolist()
    assert plain.fitted.history["val_accuracy"][plain.fitted.best_epoch] == 1.0


@pytest.mark.parametrize("name", ["plain", "light", "copied"])
def test_backbone_stays_as_it_is_to_the_bit(name, request):
    session = request.getfixturevalue(name)

    for one, other in zip(session.before, session.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_a_policy_each_photo_goes_through_the_backbone_once(
    plain, train_photos, validation_photos
):
    expected = np.concatenate([train_photos.images, validation_photos.images])

    np.testing.assert_array_equal(np.concatenate(plain.seen), expected)
    assert [len(batch) for batch in plain.seen] == [10, 10, 4, 8]


def test_with_a_policy_training_photos_go_through_a_second_time_warped(
    light, train_photos, validation_photos
):
    augmenter = Augmenter(policy=find_policy("light"), seed=4)
    warped = augmenter(train_photos.images, np.arange(len(train_photos)), 0)

    expected = np.concatenate([train_photos.images, warped, validation_photos.images])
    np.testing.assert_array_equal(np.concatenate(light.seen), expected)
    assert not np.array_equal(warped, train_photos.images)


def test_head_is_a_regularized_logistic_regression_over_the_classes(light):
    (dense,) = light.head.layers

    assert dense.kernel.shape == (4, 2)
    # Twice 24 rows: 1 / (2 C n).
    assert float(dense.kernel_regularizer.l2) == pytest.approx(1 / (2 * PRIOR * 48))


def test_it_tells_how_many_features_are_computed(light):
    # Two views of 24 photos, and 8 to validate.
    assert any(
        line.startswith("[progress] computed features of 56/56 photos") for line in light.lines
    )


def test_copies_go_through_the_backbone_as_they_are_and_nothing_is_warped(
    copied, copies, train_photos, validation_photos
):
    expected = [train_photos.images, copies.images, validation_photos.images]

    np.testing.assert_array_equal(np.concatenate(copied.seen), np.concatenate(expected))
    # 24 photos and twice as many copies: 1 / (2 C n).
    (dense,) = copied.head.layers
    assert float(dense.kernel_regularizer.l2) == pytest.approx(1 / (2 * PRIOR * 72))
    assert any("features of 80/80 photos" in line for line in copied.lines)


def test_copies_are_learned_with_their_own_labels(copied, copies, validation_photos):
    # With the labels of the training photos, in their order, all of them would be wrong, and
    # they are two thirds.
    features = copied.backbone.predict_on_batch(validation_photos.images.astype(np.float32))

    predicted = copied.head.predict_on_batch(features).argmax(axis=1)

    assert copies.labels[:4].tolist() == [1, 0, 1, 0]
    assert predicted.tolist() == validation_photos.labels.tolist()
    assert copied.fitted.history["accuracy"][-1] == 1.0
