import keras
import numpy as np
import pytest

from components.train.places.head import build_place_head, mirror_place

FEATURES = (None, 4, 4, 8)


def features(num_photos: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(num_photos, 4, 4, 8)).astype(np.float32)


def test_head_says_class_and_box():
    head = build_place_head(FEATURES, 5, place="box", seed=0)

    said = head.predict_on_batch(features())

    xmin, ymin, xmax, ymax = said["place"].T
    assert said["class"].shape == (3, 5)
    np.testing.assert_allclose(said["class"].sum(axis=1), 1, atol=1e-6)
    for low, high in ((xmin, xmax), (ymin, ymax)):
        assert (low >= 0).all()
        assert (low <= high).all()
        assert (high <= 1).all()


def test_each_side_is_where_its_heat_is():
    head = build_place_head(FEATURES, 2, place="box", seed=0)
    sides = head.get_layer("sides")
    # Heat in the cells at (column 1, row 0) and (column 3, row 2), a side each: of 4 cells from
    # edge to edge, these are at 1/3, 0, 1 and 2/3.
    heat = np.zeros((1, 4, 4, 4), np.float32)
    for side, (row, column) in enumerate([(0, 1), (0, 1), (2, 3), (2, 3)]):
        heat[0, row, column, side] = 50
    after = keras.Model(sides.output, head.output["place"])

    np.testing.assert_allclose(after.predict_on_batch(heat), [[1 / 3, 0, 1, 2 / 3]], atol=1e-5)


def test_mask_has_twice_the_cells_of_the_features_and_holds_probabilities():
    head = build_place_head(FEATURES, 2, place="mask", seed=0)

    mask = head.predict_on_batch(features())["place"]

    assert mask.shape == (3, 8, 8, 1)
    assert mask.min() >= 0
    assert mask.max() <= 1


@pytest.mark.parametrize("place", ["box", "mask"])
def test_no_weight_depends_on_the_size_of_the_photos(place):
    small = build_place_head(FEATURES, 2, place=place, seed=0)
    large = build_place_head((None, 7, 7, 8), 2, place=place, seed=0)

    assert [w.shape for w in small.weights] == [w.shape for w in large.weights]


def test_box_in_the_mirror_swaps_left_and_right():
    box = keras.ops.convert_to_tensor([[0.1, 0.2, 0.4, 0.8]])

    np.testing.assert_allclose(mirror_place(box), [[0.6, 0.2, 0.9, 0.8]], atol=1e-6)
    np.testing.assert_allclose(mirror_place(mirror_place(box)), box, atol=1e-6)


def test_mask_in_the_mirror_is_turned_around():
    mask = keras.ops.reshape(keras.ops.arange(4.0), (1, 2, 2, 1))

    assert np.asarray(mirror_place(mask)).ravel().tolist() == [1, 0, 3, 2]
