import keras
import pytest

from components.train.warm_start.alignment import align, likeness
from components.train.warm_start.units import Unit, features_of, flattened_output, units_of


def same(one: str, other: str) -> float:
    return float(one == other)


@pytest.mark.parametrize(
    ("before", "after", "pairs"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("abc", "abxc", [0, 1, None, 2]),
        ("abxc", "abc", [0, 1, 3]),
        ("aa", "aaaa", [0, 1, None, None]),  # what was added to equals comes after them
        ("ab", "bxa", [1, None, None]),  # or a: only one of two that changed places
        ("ab", "xy", [None, None]),
        ("", "a", [None]),
    ],
)
def test_items_are_paired_in_order(before, after, pairs):
    assert align(before, after, same) == pairs


def convolution(filters: int, size: int, inputs: int, name: str | None = None) -> Unit:
    layer = keras.layers.Conv2D(filters, size, name=name)
    layer.build((None, 8, 8, inputs))
    return Unit(layers=(layer,))


def test_equal_shapes_are_most_alike_whatever_keras_numbered_them():
    known = convolution(16, 3, 8)
    widths = [likeness(known, convolution(filters, 3, 8)) for filters in (16, 24, 32, 256)]

    assert widths == [4.0, pytest.approx(2 / 3), pytest.approx(1 / 2), 0.0]


def test_a_point_is_no_window():
    assert likeness(convolution(16, 1, 8), convolution(16, 3, 8)) == 0.0
    assert likeness(convolution(16, 5, 8), convolution(16, 3, 8)) == pytest.approx(9 / 25)


def test_a_name_that_somebody_gave_counts():
    known = convolution(16, 3, 8, "stem")

    assert likeness(known, convolution(16, 3, 8, "stem")) == 4.5
    assert likeness(known, convolution(16, 3, 8, "other")) == 4.0


def test_other_types_are_not_alike():
    dense = keras.layers.Dense(4)
    dense.build((None, 4))

    assert likeness(Unit(layers=(dense,)), convolution(4, 3, 4)) == 0.0


def block(x, filters: int):
    y = keras.layers.Conv2D(filters, 3, padding="same")(x)
    return keras.layers.Add()([x, keras.layers.BatchNormalization()(y)])


def test_normalisation_belongs_to_its_kernel_and_a_block_over_itself_is_bypassed():
    photos = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(photos)
    model = keras.Model(photos, block(x, 4))

    units = units_of(model)

    assert [[type(layer).__name__ for layer in unit.layers] for unit in units] == [
        ["Conv2D"],
        ["Conv2D", "BatchNormalization"],
    ]
    assert [unit.bypassed for unit in units] == [False, True]


def test_a_projected_shortcut_is_no_bypass():
    photos = keras.Input((8, 8, 3))
    ways = [keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 1)(photos)) for _ in "ab"]
    model = keras.Model(photos, keras.layers.Add()(ways))

    assert [unit.bypassed for unit in units_of(model)] == [False, False]


def test_flattened_map_is_known_through_dropout_and_into_the_head():
    photos = keras.Input((4, 6, 2))
    flat = keras.layers.Dropout(0.5)(keras.layers.Flatten()(photos))
    backbone = keras.Model(photos, flat)
    head = keras.Sequential([keras.Input((48,)), keras.layers.Dense(2)])

    assert flattened_output(backbone) == (4, 6, 2)
    assert [unit.flattened for unit in units_of(head, flattened_output(backbone))] == [(4, 6, 2)]


def test_features_are_told_by_the_layers_that_made_them():
    photos = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(4, 3, padding="same")
    second = keras.layers.Conv2D(6, 3, padding="same")
    x = first(photos)
    both = keras.layers.Concatenate()([x, keras.layers.ReLU()(second(x))])
    backbone = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(both))

    told = [(features.makers, features.width) for features in features_of(backbone)]

    assert told == [({id(first)}, 4), ({id(second)}, 6)]
