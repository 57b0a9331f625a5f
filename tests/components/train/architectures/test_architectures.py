import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from components.common.errors import InputError
from components.train.architectures import ARCHITECTURES, check_image_size, find_architecture

NUM_FEATURES = {"residual": 128, "mobilenet_v2": 1280}
each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


@pytest.fixture(scope="module")
def backbones() -> dict[str, keras.Model]:
    """Each at the smallest size it takes."""
    return {name: one.build_backbone(one.min_image_size) for name, one in ARCHITECTURES.items()}


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


@each_architecture
def test_backbone_takes_photos_of_the_usual_size_and_gives_one_vector_each(name):
    size = ARCHITECTURES[name].image_size

    backbone = ARCHITECTURES[name].build_backbone(size)

    assert backbone.input_shape == (None, size, size, 3)
    assert backbone.output_shape == (None, NUM_FEATURES[name])
    assert backbone.name == name  # by which a trained model's backbone is found again


@each_architecture
def test_backbone_works_at_the_smallest_size(name, backbones):
    size = ARCHITECTURES[name].min_image_size
    photos = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)

    features = keras.ops.convert_to_numpy(backbones[name](photos))

    assert features.shape == (2, NUM_FEATURES[name])
    assert np.isfinite(features).all()
    assert not np.array_equal(features[0], features[1])


@each_architecture
def test_network_sees_black_as_minus_1_and_white_as_1(name, backbones):
    rescaling = next(one for one in layers_of(backbones[name]) if "rescaling" in one.name)

    scaled = keras.ops.convert_to_numpy(rescaling(np.array([0.0, 127.5, 255.0], np.float32)))

    assert scaled.tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=1e-6)


@each_architecture
def test_no_strided_1x1_convolution_reads_rgb(name, backbones):
    """TensorFlow 2.21 crashes in its gradient on a CPU."""
    strided = [
        layer
        for layer in layers_of(backbones[name])
        if isinstance(layer, keras.layers.Conv2D)
        and layer.kernel_size == (1, 1)
        and layer.strides != (1, 1)
    ]

    assert [layer.name for layer in strided if layer.input.shape[-1] <= 4] == []


def test_residual_backbone_has_whole_gradients_at_an_odd_size():
    import tensorflow as tf

    backbone = ARCHITECTURES["residual"].build_backbone(33)
    photos = np.random.default_rng(0).uniform(0, 255, (2, 33, 33, 3)).astype(np.float32)

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(backbone(photos, training=True) ** 2)
    gradients = tape.gradient(loss, backbone.trainable_weights)

    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)


def test_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match="Did you mean 'residual'"):
        find_architecture("residuals")


def test_a_known_name_is_found():
    assert find_architecture("residual").name == "residual"


def test_image_sizes_from_the_smallest_to_1024_are_taken():
    residual = find_architecture("residual")

    check_image_size(residual, 32)
    check_image_size(residual, 1024)
    with pytest.raises(InputError, match=r"from 32 to 1024 for architecture 'residual'.*: 31$"):
        check_image_size(residual, 31)


def test_table_and_settings_load_without_keras():
    script = (
        "import sys, components.train.settings;"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")
