import keras
import numpy as np
import pytest
from keras import layers

from components.common.errors import InputError
from components.train.architectures import find_architecture
from components.train.cut import boundaries, cut, inner_network


def names_of(network: keras.Model) -> list[str]:
    """The layers that give the boundaries of a network."""
    by_output = {id(layer.output): layer.name for layer in network.layers}
    return [by_output[id(tensor)] for tensor in boundaries(network)]


def residual_network() -> keras.Model:
    """A stem; two residual blocks; a stretch without branches; a residual block without kernels."""
    photos = keras.Input((8, 8, 3), name="photos")
    stem = layers.Conv2D(4, 3, padding="same", name="stem")(photos)
    x = layers.Conv2D(4, 3, padding="same", name="first_conv")(stem)
    first = layers.Add(name="first")([stem, x])
    x = layers.Conv2D(4, 1, name="second_conv")(first)
    second = layers.Add(name="second")([first, x])
    normal = layers.BatchNormalization(name="normal")(second)
    forked = layers.ReLU(name="forked")(normal)  # no kernel between `second` and here
    x = layers.Conv2D(6, 1, name="left")(forked)
    y = layers.Conv2D(6, 3, padding="same", name="right")(forked)
    met = layers.Concatenate(name="met")([x, y])
    return keras.Model(photos, layers.Conv2D(5, 1, name="last")(met))


def test_blocks_begin_where_branches_part_or_meet_and_all_passes_through_one_tensor():
    # `forked` begins none of its own: the normalisation below it belongs to the block above.
    assert names_of(residual_network()) == ["stem", "first", "second", "met"]


def test_a_boundary_with_no_kernel_above_it_begins_no_block():
    photos = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 1, name="conv")(photos)
    x = layers.Add(name="first")([photos, x])
    y = layers.Add(name="last")([x, layers.ReLU()(x)])

    # All passes through the photos themselves, but nothing lies below them.
    assert names_of(keras.Model(photos, layers.ReLU()(y))) == []


def test_nested_models_and_operations_count_by_the_tensors_around_them():
    photos = keras.Input((8, 8, 3))
    stem = layers.Conv2D(4, 1, name="stem")(photos)
    nested = keras.Sequential([layers.Conv2D(4, 1), layers.ReLU()], name="nested")(stem)
    x = layers.Conv2D(4, 1)(stem + 2 * nested)

    tensors = boundaries(keras.Model(photos, x))

    assert tensors[0] is stem
    assert len(tensors) == 2  # and the sum


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MobileNetV2", ["block_12_add", "block_13_project_BN", "block_14_add", "block_15_add"]),
        ("ResNet50V2", ["conv4_block6_out", "conv5_block1_out", "conv5_block2_out"]),
    ],
)
def test_blocks_of_known_networks_are_those_of_their_papers(name, expected):
    build = getattr(keras.applications, name)

    network = build(input_shape=(32, 32, 3), include_top=False, weights=None)

    assert names_of(network)[-len(expected) :] == expected


def flipped(photos: keras.KerasTensor) -> keras.KerasTensor:
    """A backbone's preprocessing that is no layer."""
    network = residual_network()
    return layers.GlobalAveragePooling2D()(network(keras.ops.flip(photos, axis=-1) / 255))


def test_bottom_and_top_together_are_the_backbone_whatever_stands_around_its_network():
    inputs = keras.Input((8, 8, 3))
    backbone = keras.Model(inputs, flipped(inputs))
    photos = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)

    bottom, top = cut(backbone, 3)

    assert inner_network(bottom).output_shape == (None, 8, 8, 4)
    joined = top.predict_on_batch(bottom.predict_on_batch(photos))
    np.testing.assert_allclose(joined, backbone.predict_on_batch(photos), rtol=1e-5, atol=1e-6)


def test_a_backbone_may_be_a_network_itself_or_for_gray_photos():
    for name in ("residual", "transfer:MobileNetV3Small"):
        backbone = find_architecture(name).build_backbone(32, 1)
        photos = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 1)).astype(np.float32)

        bottom, top = cut(backbone, 1)

        joined = top.predict_on_batch(bottom.predict_on_batch(photos))
        np.testing.assert_allclose(joined, backbone.predict_on_batch(photos), rtol=1e-4, atol=1e-5)


def test_layers_are_shared_and_the_top_holds_those_of_its_blocks_only():
    backbone = find_architecture("transfer:MobileNetV2").build_backbone(32, 3)

    _, top = cut(backbone, 1)

    # Of block 16: three convolutions with normalisations; then the last convolution with its own.
    assert len(top.weights) == 4 + 4 * 4
    own = {id(weight) for weight in backbone.weights}
    assert all(id(weight) in own for weight in top.weights)


def test_a_backbone_can_be_cut_again_and_elsewhere_and_saved(tmp_path):
    backbone = find_architecture("transfer:MobileNetV2").build_backbone(32, 3)
    photos = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    before = backbone.predict_on_batch(photos)

    shapes = [cut(backbone, blocks)[0].output_shape for blocks in (4, 1, 4)]
    backbone.save(tmp_path / "backbone.keras")

    assert shapes == [(None, 2, 2, 96), (None, 1, 1, 160), (None, 2, 2, 96)]
    loaded = keras.saving.load_model(tmp_path / "backbone.keras")
    np.testing.assert_allclose(loaded.predict_on_batch(photos), before, rtol=1e-5, atol=1e-6)
    assert len(boundaries(inner_network(loaded))) == 15


def test_more_blocks_than_there_are_are_refused():
    backbone = find_architecture("transfer:MobileNetV2").build_backbone(32, 3)

    message = "`fine_tune_blocks` must be from 1 to 15 for 'mobilenetv2_1.00_32'. Received: 16"
    with pytest.raises(InputError) as error:
        cut(backbone, 16)

    assert str(error.value) == message


def test_a_network_without_branches_is_refused():
    inputs = keras.Input((4,))
    chain = keras.Model(inputs, layers.Dense(2)(layers.Dense(3)(inputs)), name="chain")

    message = "'chain' has no blocks to tune apart. Pass `fine_tune_epochs` 0."
    with pytest.raises(InputError) as error:
        cut(chain, 1)

    assert str(error.value) == message
