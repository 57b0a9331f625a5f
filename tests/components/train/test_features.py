from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from components.augment.augmenter import Augmenter
from components.augment.policies import find_policy
from components.common.errors import InputError
from components.train import features
from components.train.cut import cut
from components.train.features import Computed, Views, frozen_parts

LIGHT, NONE = find_policy("light"), find_policy("none")


def as_they_are(images, rows):
    return images


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    """A stem and a residual block."""
    keras.utils.set_random_seed(0)
    photos = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(photos)
    stem = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=4, padding="same")(x))
    x = layers.Add()([stem, layers.Conv2D(4, 3, padding="same", activation="relu")(stem)])
    return keras.Model(photos, layers.GlobalAveragePooling2D()(x))


def test_views_stand_one_after_another_and_rows_may_come_in_any_order(draw_photos):
    first, second = draw_photos(4, seed=1), draw_photos(3, seed=2)
    darker = partial(np.subtract, np.uint8(255))
    views = Views([(first, as_they_are), (second, lambda images, _: darker(images))], channels=3)

    some = views[np.array([6, 0, 4, 3])]

    assert len(views) == 7
    assert views.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert some.dtype == np.float32
    np.testing.assert_array_equal(some[[1, 3]], first.images[[0, 3]])
    np.testing.assert_array_equal(some[[0, 2]], 255 - second.images[[2, 0]])


def test_views_are_gray_for_a_network_that_sees_gray(train_photos):
    views = Views([(train_photos, as_they_are)], channels=1)

    assert views[np.array([2, 5])].shape == (2, 32, 32, 1)


def test_augmented_views_are_the_same_whenever_they_are_asked_for(
    backbone, train_photos, validation_photos
):
    with frozen_parts(
        backbone, train_photos, validation_photos, LIGHT, seed=4, cache=False
    ) as parts:
        rows = np.array([30, 2])
        found = parts.train.features[rows]
        again = parts.train.features[rows[::-1]]

    warped = Augmenter(policy=LIGHT, seed=4)(train_photos.images[[6]], np.array([6]), 0)
    expected = np.concatenate([warped, train_photos.images[[2]]]).astype(np.float32)
    np.testing.assert_allclose(found, backbone.predict_on_batch(expected), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again[::-1], found, rtol=1e-5, atol=1e-6)


def test_what_is_kept_equals_what_is_computed_each_time(backbone, train_photos, validation_photos):
    sides = [backbone, train_photos, validation_photos, LIGHT]
    rows = np.random.default_rng(0).permutation(48)[:20]
    with (
        frozen_parts(*sides, seed=4, blocks=1) as kept,
        frozen_parts(*sides, seed=4, blocks=1, cache=False) as computed,
    ):
        assert isinstance(kept.train.activations, np.memmap)
        assert isinstance(computed.train.activations, Computed)
        assert isinstance(computed.train.features, Computed)
        for one, other in ((kept.train, computed.train), (kept.validation, computed.validation)):
            some = rows[rows < len(one.labels)]
            assert one.labels.tolist() == other.labels.tolist()
            np.testing.assert_allclose(one.features[some], other.features[some], atol=1e-5)
            np.testing.assert_allclose(one.activations[some], other.activations[some], atol=1e-5)
        np.testing.assert_allclose(
            kept.top.predict_on_batch(kept.train.activations[rows]),
            kept.train.features[rows],
            atol=1e-5,
        )


def test_one_pass_gives_features_and_activations(
    backbone, train_photos, validation_photos, monkeypatch, capsys
):
    passes = []
    take = Views.__getitem__
    monkeypatch.setattr(
        Views, "__getitem__", lambda own, rows: passes.extend(rows) or take(own, rows)
    )

    with frozen_parts(backbone, train_photos, validation_photos, LIGHT, seed=4, blocks=1) as parts:
        parts.train.features[np.arange(48)]
        parts.train.activations[np.arange(48)]

    assert passes == [*range(48), *range(8)]
    assert "computed features of 56/56 photos" in capsys.readouterr().out


def test_without_blocks_nothing_is_cut_and_no_file_is_written(
    backbone, train_photos, validation_photos
):
    with frozen_parts(backbone, train_photos, validation_photos, NONE, seed=0) as parts:
        assert parts.top is None
        assert parts.train.activations.shape == (24, 0)
        assert parts.train.features.shape == (24, 4)
        assert parts.num_features == 4


def test_where_the_disk_is_too_small_activations_are_computed_when_needed(
    backbone, train_photos, validation_photos, monkeypatch, capsys
):
    # 32 photos, 8 x 8 places, 4 channels of 4 bytes: 32,768.
    usage = features.shutil.disk_usage("/")
    full = type(usage)(usage.total, usage.used, 32_767)
    monkeypatch.setattr(features.shutil, "disk_usage", lambda _: full)

    with frozen_parts(backbone, train_photos, validation_photos, NONE, seed=0, blocks=1) as parts:
        bottom, _ = cut(backbone, 1)
        expected = bottom.predict_on_batch(train_photos.images[[5, 1]].astype(np.float32))
        np.testing.assert_allclose(parts.train.activations[np.array([5, 1])], expected, atol=1e-5)
        assert isinstance(parts.train.features, np.ndarray)

    assert "of activations do not fit into" in capsys.readouterr().out


def test_the_file_of_activations_is_gone_afterwards(
    backbone, train_photos, validation_photos, monkeypatch, tmp_path
):
    monkeypatch.setattr(features.tempfile, "tempdir", str(tmp_path))

    with frozen_parts(backbone, train_photos, validation_photos, NONE, seed=0, blocks=1):
        written = sum(file.stat().st_size for file in tmp_path.rglob("activations-*"))

    assert written == 32 * 8 * 8 * 4 * 4
    assert list(tmp_path.iterdir()) == []


def test_copies_of_other_classes_are_refused(backbone, train_photos, validation_photos):
    others = replace(train_photos, classes=("noon", "dusk"))

    message = (
        "`copies` must have the classes of `train`, ('dusk', 'noon'). Received: ('noon', 'dusk')"
    )
    with (
        pytest.raises(InputError) as error,
        frozen_parts(backbone, train_photos, validation_photos, LIGHT, seed=0, copies=others),
    ):
        pass

    assert str(error.value) == message
