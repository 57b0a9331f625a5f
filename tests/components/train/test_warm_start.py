"""Networks that answer as the earlier model did, although they look otherwise."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from components.common.errors import DataError, InputError
from components.train.architectures import find_architecture
from components.train.network import Network, build_head
from components.train.places.head import build_place_head
from components.train.warm_start import ADAPTED, COPIED, NEW, adapt

SIZE = 32  # pixels
CLASSES = ("ant", "bee", "cat")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def network(
    architecture: str = "residual",
    *,
    size: int = SIZE,
    channels: int = 3,
    num_classes: int = 3,
) -> Network:
    backbone = find_architecture(architecture).build_backbone(size, channels)
    if architecture == "two_output":
        head = build_place_head(backbone.output_shape, num_classes, place="box", seed=0)
    else:
        head = build_head(backbone.output_shape[-1], num_classes, seed=0)
    return Network(backbone=backbone, head=head)


def save(earlier: Network, folder: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write a model folder, its weights unlike those that any layer starts from."""
    rng = np.random.default_rng(0)
    model = earlier.assemble(mirror_averaging=True)
    for weight in model.weights:
        weight.assign(weight + rng.uniform(0.01, 0.03, weight.shape))
    folder.mkdir()
    model.save(folder / "model.keras")
    (folder / "settings.json").write_text(json.dumps({"classes": classes}))
    return folder


@pytest.fixture(scope="module")
def earlier() -> Network:
    return network()


@pytest.fixture(scope="module")
def start(earlier, tmp_path_factory) -> Path:
    return save(earlier, tmp_path_factory.mktemp("earlier") / "model")


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (3, SIZE, SIZE, 3)).astype(np.float32)


def gray(photos: np.ndarray) -> np.ndarray:
    return (photos @ LUMA)[..., None]


def logits(network: Network, photos: np.ndarray) -> np.ndarray:
    """Before the softmax, which hides differences."""
    features = keras.ops.convert_to_numpy(network.backbone(photos))
    weights, bias = (keras.ops.convert_to_numpy(one) for one in network.head.layers[-1].weights)
    return features @ weights + bias


def ways(transfers) -> dict[str, int]:
    return {how: sum(one.how == how for one in transfers) for how in (COPIED, ADAPTED, NEW)}


def test_same_structure_is_copied_whole_though_keras_numbers_its_layers_anew(
    earlier, start, photos
):
    new = network()

    transfers = adapt(new, CLASSES, start)

    assert ways(transfers) == {COPIED: len(new.backbone.weights) + 2, ADAPTED: 0, NEW: 0}
    assert [one.weight for one in transfers] == [
        weight.path for weight in (*new.backbone.weights, *new.head.weights)
    ]
    assert transfers[0].before == transfers[0].after == (3, 3, 3, 16)
    np.testing.assert_array_equal(logits(new, photos), logits(earlier, photos))


def test_convolutions_do_not_mind_the_image_size(start):
    assert ways(adapt(network(size=48), CLASSES, start))[NEW] == 0


def test_gray_network_answers_to_gray_photos_as_the_rgb_network_did(earlier, start, photos):
    new = network(channels=1)

    (first, *others) = adapt(new, CLASSES, start)

    assert (first.how, first.detail) == (ADAPTED, "summed over RGB")
    assert {one.how for one in others} == {COPIED}
    of_rgb = logits(earlier, np.repeat(gray(photos), 3, axis=-1))
    np.testing.assert_allclose(logits(new, gray(photos)), of_rgb, rtol=1e-3)


def test_rgb_network_answers_as_the_gray_network_did(photos, tmp_path):
    old = network(channels=1)
    new = network()

    (first, *_) = adapt(new, CLASSES, save(old, tmp_path / "gray"))

    assert (first.how, first.detail) == (ADAPTED, "shared out over RGB by luma")
    np.testing.assert_allclose(logits(new, photos), logits(old, gray(photos)), rtol=1e-3)


def test_classes_are_moved_by_name(earlier, start, photos, capsys):
    new = network(num_classes=3)

    transfers = adapt(new, ("cat", "dog", "ant"), start)

    known, moved = logits(earlier, photos), logits(new, photos)
    np.testing.assert_allclose(moved[:, 0], known[:, 2], rtol=1e-4)
    np.testing.assert_allclose(moved[:, 2], known[:, 0], rtol=1e-4)
    np.testing.assert_allclose(moved[:, 1], known.mean(axis=1), rtol=1e-4)
    detail = "classes moved by name, new at the mean of the others: dog, dropped: bee"
    assert [one.detail for one in transfers[-2:]] == [detail, detail]
    assert f"2 adapted: {detail}" in capsys.readouterr().out


def test_head_is_new_where_no_class_is_known(start):
    new = network(num_classes=2)
    fresh = new.head.get_weights()

    transfers = adapt(new, ("x", "y"), start)

    assert [one.how for one in transfers[-2:]] == [NEW, NEW]
    assert transfers[-1].detail == "the earlier model knows none of these classes"
    np.testing.assert_array_equal(new.head.get_weights()[0], fresh[0])


def test_network_with_a_second_output_knows_the_classes_as_before(earlier, start, photos):
    new = network("two_output")

    transfers = adapt(new, CLASSES, start)

    (kernel,) = (one for one in transfers if one.weight.endswith("class/kernel"))
    assert kernel.detail == "features moved by the layers that they come from, 64 new ones at 0"
    known = earlier.assemble(mirror_averaging=False)(photos)
    told = new.assemble(mirror_averaging=False)(photos)["class"]
    np.testing.assert_allclose(told, known, rtol=1e-3)


def test_network_with_one_output_takes_its_features_from_two(photos, tmp_path):
    old, new = network("two_output"), network()

    transfers = adapt(new, CLASSES, save(old, tmp_path / "two"))

    assert ways(transfers) == {COPIED: len(new.backbone.weights) + 1, ADAPTED: 1, NEW: 0}
    known = old.head.get_layer("class").get_weights()[0]
    np.testing.assert_array_equal(new.head.get_weights()[0], known[64:])  # 64 of a finer map


def test_dense_network_answers_to_larger_photos_as_to_the_photos_made_smaller(tmp_path):
    old, new = network("dense", size=16), network("dense", size=32)
    constant = np.full((1, 1, 1, 3), (10, 100, 200), np.float32)

    transfers = adapt(new, CLASSES, save(old, tmp_path / "dense"))

    assert transfers[0].detail == "16 x 16 resized to 32 x 32"
    known = logits(old, constant.repeat(16, 1).repeat(16, 2))
    np.testing.assert_allclose(
        logits(new, constant.repeat(32, 1).repeat(32, 2)), known, rtol=1e-3, atol=1e-4
    )


def small(*, blocks: int, filters: int = 4) -> Network:
    """A residual network whose blocks all have identity shortcuts."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.ReLU()(keras.layers.Conv2D(filters, 3, padding="same")(inputs))
    for _ in range(blocks):
        y = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        y = keras.layers.BatchNormalization()(y)
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    backbone = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    return Network(backbone=backbone, head=build_head(filters, 3, seed=0))


def test_new_blocks_pass_on_what_they_get(tmp_path):
    old, new = small(blocks=1), small(blocks=3)
    photos = np.random.default_rng(2).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)

    transfers = adapt(new, CLASSES, save(old, tmp_path / "shallow"))

    gammas = [one for one in transfers if one.weight.endswith("gamma")]
    assert [one.how for one in gammas] == [COPIED, NEW, NEW]
    assert gammas[1].detail.endswith("0, so that its block passes on what it gets at first")
    np.testing.assert_allclose(logits(new, photos), logits(old, photos), rtol=1e-4)


def test_fewer_blocks_take_the_first_ones(tmp_path):
    old, new = small(blocks=3), small(blocks=1)

    transfers = adapt(new, CLASSES, save(old, tmp_path / "deep"))

    assert {one.how for one in transfers} == {COPIED}
    np.testing.assert_array_equal(new.backbone.get_weights()[2], old.backbone.get_weights()[2])


def test_wider_network_answers_nearly_as_before(tmp_path):
    old, new = small(blocks=1), small(blocks=1, filters=8)
    photos = np.random.default_rng(2).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)

    transfers = adapt(new, CLASSES, save(old, tmp_path / "narrow"))

    assert transfers[0].detail == "4 outputs repeated to 8"
    known = logits(old, photos)
    assert np.abs(logits(new, photos) - known).max() < 0.2 * np.abs(known).max()


def test_other_architecture_takes_what_fits(start):
    new = network("inception")

    counts = ways(adapt(new, CLASSES, start))

    assert counts[COPIED] > 0
    assert counts[NEW] > 0


def flat(size: int, *, pooled: bool = False) -> Network:
    """A convolution whose map is flattened for the head, as in the reference networks."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    summed = keras.layers.GlobalAveragePooling2D() if pooled else keras.layers.Flatten()
    backbone = keras.Model(inputs, summed(x))
    return Network(backbone=backbone, head=build_head(backbone.output_shape[-1], 3, seed=0))


def test_classes_on_a_flattened_map_are_resized(tmp_path):
    old, new = flat(4), flat(8)

    transfers = adapt(new, CLASSES, save(old, tmp_path / "flat"))

    assert transfers[-2].detail == "4 x 4 resized to 8 x 8"
    before, after = (one.head.get_weights()[0] for one in (old, new))
    np.testing.assert_allclose(
        after.reshape(64, 4, 3).sum(axis=0), before.reshape(16, 4, 3).sum(axis=0), rtol=1e-4
    )


def test_classes_on_a_flattened_map_do_not_fit_pooled_features(tmp_path):
    start = save(flat(4), tmp_path / "flat")

    transfers = adapt(flat(4, pooled=True), CLASSES, start)

    assert [one.how for one in transfers] == [COPIED, COPIED, NEW, NEW]


def nested(*, channels: int) -> Network:
    """As transfer learning has it: a network of its own, after preprocessing."""
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="stem")])
    inputs = keras.Input((8, 8, channels))
    x = keras.layers.Concatenate()([inputs] * 3) if channels == 1 else inputs
    features = keras.layers.GlobalAveragePooling2D()(inner(x))
    backbone = keras.Model(inputs, features)
    return Network(backbone=backbone, head=build_head(4, 3, seed=0))


def test_network_inside_the_backbone_is_matched_behind_its_preprocessing(tmp_path):
    new = nested(channels=1)

    transfers = adapt(new, CLASSES, save(nested(channels=3), tmp_path / "nested"))

    assert {one.how for one in transfers} == {COPIED}


def test_nothing_in_common_is_refused(start):
    with pytest.raises(InputError, match=r"something in common.*of which no layer fits"):
        adapt(network("dense"), CLASSES, start)


def test_broken_model_is_refused(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"classes": CLASSES}))
    (tmp_path / "model.keras").write_bytes(b"no zip")

    with pytest.raises(InputError, match="`warm_start` must name a model that Keras"):
        adapt(network(), CLASSES, tmp_path)


def test_half_a_model_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no settings"):
        adapt(network(), CLASSES, tmp_path)
