import keras
import numpy as np
import pytest
from keras import layers

from components.augment.policies import find_policy
from components.common.errors import InputError
from components.train.features import frozen_parts
from components.train.fine_tune import fine_tune
from components.train.frozen import fit_head
from components.train.loop.loop import Fit
from components.train.settings import FitSettings


def build_backbone() -> keras.Model:
    """A stem and two residual blocks with normalisations, inside another model; all weights set."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same")(inputs))
    for filters in (4, 4):
        y = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.Add()([x, layers.ReLU()(layers.BatchNormalization()(y))])
    network = keras.Model(inputs, layers.Conv2D(6, 1)(x), name="network")
    photos = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.AveragePooling2D(2)(photos))
    return keras.Model(photos, layers.GlobalAveragePooling2D()(network(x)))


def train(train_photos, validation_photos, *, learning_rate: float, cache: bool = True):
    """A backbone before and after, the head on it, and both fits."""
    backbone = build_backbone()
    before = backbone.get_weights()
    with frozen_parts(
        backbone,
        train_photos,
        validation_photos,
        find_policy("light"),
        seed=3,
        blocks=2,
        cache=cache,
    ) as parts:
        head, fitted = fit_head(parts, FitSettings(epochs=2, learning_rate=0.01), seed=3)
        frozen = head.get_weights()
        tuned = fine_tune(
            parts, head, fitted, FitSettings(epochs=3, learning_rate=learning_rate), seed=3
        )
    return backbone, before, head, frozen, fitted, tuned


@pytest.fixture(scope="module")
def tuned(train_photos, validation_photos):
    return train(train_photos, validation_photos, learning_rate=0.01)


def judge(backbone, head, photos) -> float:
    """Mean loss, the head's penalty included."""
    features = backbone.predict_on_batch(photos.images.astype(np.float32))
    probabilities = head.predict_on_batch(features)
    of_truth = probabilities[np.arange(len(photos)), photos.labels]
    (dense,) = head.layers
    penalty = float(dense.kernel_regularizer.l2) * np.square(dense.kernel.numpy()).sum()
    return float(-np.log(of_truth).mean() + penalty)


def test_backbone_and_head_hold_the_weights_of_the_best_epoch(tuned, validation_photos):
    backbone, _, head, _, fitted, joined = tuned
    losses = joined.history["val_loss"]

    assert judge(backbone, head, validation_photos) == pytest.approx(min(losses), rel=1e-4)
    assert losses[joined.best_epoch] == min(losses)
    assert min(losses) < min(fitted.history["val_loss"])


def test_history_is_that_of_the_head_and_then_of_tuning(tuned):
    *_, fitted, joined = tuned

    assert joined.history["loss"][:2] == fitted.history["loss"]
    assert {name: len(values) for name, values in joined.history.items()} == {
        "loss": 5,
        "accuracy": 5,
        "val_loss": 5,
        "val_accuracy": 5,
    }
    assert joined.best_epoch >= 2


def test_kernels_of_the_top_blocks_change_and_nothing_else(tuned):
    backbone, before, *_ = tuned

    changed = [
        weight.name
        for weight, old in zip(backbone.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]
    # Two blocks: the second residual one, and the last convolution. All normalisations stay.
    assert changed == ["kernel", "bias"] * 2
    assert not np.array_equal(backbone.get_weights()[-1], before[-1])


def test_all_layers_are_left_trainable_as_they_were(tuned):
    backbone = tuned[0]

    assert all(layer.trainable for layer in backbone._flatten_layers())
    assert len(backbone.trainable_weights) == len(backbone.weights) - 2 * 3


def test_without_a_cache_the_result_is_the_same(tuned, train_photos, validation_photos):
    backbone, _, head, _, _, joined = tuned

    others = train(train_photos, validation_photos, learning_rate=0.01, cache=False)

    for name, values in joined.history.items():
        np.testing.assert_allclose(values, others[-1].history[name], rtol=1e-3, atol=1e-4)
    pairs = zip(
        backbone.get_weights() + head.get_weights(),
        others[0].get_weights() + others[2].get_weights(),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3)
    assert joined.best_epoch == others[-1].best_epoch


def test_where_tuning_makes_it_worse_the_frozen_head_is_kept(train_photos, validation_photos):
    # From the lowest loss that there is, nothing can be better.
    backbone = build_backbone()
    before = backbone.get_weights()
    with frozen_parts(
        backbone, train_photos, validation_photos, find_policy("none"), seed=3, blocks=1
    ) as parts:
        head, fitted = fit_head(parts, FitSettings(epochs=2, learning_rate=0.01), seed=3)
        frozen = head.get_weights()
        better = Fit(history={**fitted.history, "val_loss": [0.0, 0.0]}, best_epoch=1)
        joined = fine_tune(parts, head, better, FitSettings(epochs=2, learning_rate=0.1), seed=3)

    assert joined.best_epoch == 1
    for one, other in zip(
        before + frozen, backbone.get_weights() + head.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_parts_without_top_blocks_are_refused(train_photos, validation_photos):
    with frozen_parts(
        build_backbone(), train_photos, validation_photos, find_policy("none"), seed=3
    ) as parts:
        head, fitted = fit_head(parts, FitSettings(epochs=1, learning_rate=0.01), seed=3)

        message = "`parts` must be made with `blocks` above 0. Received: no top blocks"
        with pytest.raises(InputError) as error:
            fine_tune(parts, head, fitted, FitSettings(epochs=1, learning_rate=0.01), seed=3)

    assert str(error.value) == message
