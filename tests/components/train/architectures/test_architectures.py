import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import keras
import numpy as np
import pytest

from components.common.errors import InputError
from components.train.architectures import (
    ARCHITECTURES,
    NONE,
    TRANSFER,
    check_image_size,
    find_architecture,
)

# Each takes seconds to build, and is built like one that is tested here.
SLOW = {"EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3", "EfficientNetV2S"}
SLOW |= {"ResNet101V2", "DenseNet121", "ConvNeXtSmall"}
FROM_SCRATCH = [name for name, one in ARCHITECTURES.items() if one.weights == NONE]
QUICK = [name for name in ARCHITECTURES if name.removeprefix(TRANSFER) not in SLOW]
CLASSIFIERS = [name for name in QUICK if not ARCHITECTURES[name].has_place]
SIZED = ("dense", "inception_reference", "residual_reference")  # parameters depend on the size

each_quick_one = pytest.mark.parametrize("name", QUICK)
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


@cache
def backbone_of(name: str) -> keras.Model:
    """At the smallest size it takes."""
    return ARCHITECTURES[name].build_backbone(ARCHITECTURES[name].min_image_size)


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


@each_classifier
def test_backbone_takes_photos_and_gives_one_vector_each(name):
    backbone, size = backbone_of(name), ARCHITECTURES[name].min_image_size

    assert backbone.input_shape == (None, size, size, 3)
    assert backbone.output_shape == (None, ARCHITECTURES[name].num_features)
    # By this name a trained model's backbone is found again.
    assert backbone.name == name.removeprefix(TRANSFER).lower()


@each_classifier
def test_features_of_two_photos_are_finite_and_differ(name):
    size = ARCHITECTURES[name].min_image_size
    photos = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)

    features = keras.ops.convert_to_numpy(backbone_of(name)(photos))

    assert np.isfinite(features).all()
    assert not np.array_equal(features[0], features[1])


@pytest.mark.parametrize("name", [name for name in QUICK if name not in SIZED])
def test_table_says_how_many_parameters_and_features_there_are(name):
    assert backbone_of(name).count_params() == ARCHITECTURES[name].num_parameters
    assert backbone_of(name).output_shape[-1] == ARCHITECTURES[name].num_features


@pytest.mark.parametrize("name", [*FROM_SCRATCH, "transfer:MobileNetV2"])
def test_gray_photos_are_taken_where_they_are_asked_for(name):
    size = ARCHITECTURES[name].min_image_size

    gray = ARCHITECTURES[name].build_backbone(size, channels=1)

    assert gray.input_shape == (None, size, size, 1)
    assert gray.output_shape == backbone_of(name).output_shape


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        ("dense", -1, 1),
        ("inception", -1, 1),
        ("residual", -1, 1),
        ("inception_reference", 0, 1),
        ("residual_reference", 0, 1),
    ],
)
def test_network_sees_black_and_white_as_its_paper_has_them(name, black, white):
    rescaling = next(one for one in layers_of(backbone_of(name)) if "rescaling" in one.name)

    scaled = keras.ops.convert_to_numpy(rescaling(np.array([0.0, 255.0], np.float32)))

    assert scaled.tolist() == pytest.approx([black, white], abs=1e-6)


def test_an_inception_module_has_the_four_branches_of_the_paper():
    network = backbone_of("inception")
    module = next(one for one in network.layers if isinstance(one, keras.layers.Concatenate))

    def path(tensor: keras.KerasTensor) -> str:
        """Convolutions and pooling from the stem to this tensor, as size/stride."""
        layer = tensor._keras_history.operation
        step = ""
        if isinstance(layer, keras.layers.Conv2D):
            step = f" conv{layer.kernel_size[0]}/{layer.strides[0]}"
        if isinstance(layer, keras.layers.AveragePooling2D):
            step = f" pool{layer.pool_size[0]}/{layer.strides[0]}"
        return ("" if isinstance(layer, keras.layers.InputLayer) else path(layer.input)) + step

    assert [path(branch).removeprefix(" conv3/2") for branch in module.input] == [
        " conv1/2",
        " conv1/1 conv3/2",
        " pool3/2 conv3/1",
        " conv1/1 conv3/1 conv3/2",
    ]


@pytest.mark.parametrize("name", ["inception_reference", "residual_reference"])
def test_a_reference_network_is_as_literal_as_its_listing(name):
    kinds = {type(layer).__name__ for layer in layers_of(backbone_of(name))}

    assert "BatchNormalization" not in kinds
    assert {"Flatten", "Dense"} <= kinds


@each_quick_one
def test_no_strided_1x1_convolution_reads_a_photo(name):
    """TensorFlow 2.21 crashes in its gradient on some CPUs, on others not: so look, too."""
    strided = [
        layer
        for layer in layers_of(backbone_of(name))
        if isinstance(layer, keras.layers.Conv2D)
        and layer.kernel_size == (1, 1)
        and layer.strides != (1, 1)
    ]

    assert [layer.name for layer in strided if layer.input.shape[-1] <= 4] == []


def test_every_network_from_scratch_survives_a_step_of_training_on_photos():
    """In a process of its own: the crash would take all tests along."""
    script = f"""
import keras, numpy as np
from components.train.architectures import ARCHITECTURES
for name in {FROM_SCRATCH!r}:
    for channels in (1, 3):
        size = ARCHITECTURES[name].min_image_size + 1  # odd, which makes sizes round
        backbone = ARCHITECTURES[name].build_backbone(size, channels)
        photos = np.random.default_rng(0).uniform(0, 255, (4, size, size, channels))
        backbone.compile("sgd", "mse", run_eagerly=True)
        loss = backbone.train_on_batch(photos, np.zeros((4, *backbone.output_shape[1:])))
        print(name, channels, bool(np.isfinite(loss)))
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    wanted = [f"{name} {channels} True" for name in FROM_SCRATCH for channels in (1, 3)]
    assert done.stdout.splitlines() == wanted, done.stderr[-2000:]
    assert done.returncode == 0


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


def test_a_network_of_keras_without_its_prefix_is_refused_with_it():
    with pytest.raises(InputError, match="Did you mean 'transfer:MobileNetV2'"):
        find_architecture("MobileNetV2")


def test_a_known_name_is_found():
    assert find_architecture("residual").name == "residual"
    assert find_architecture("transfer:MobileNetV2").application.name == "MobileNetV2"


def test_image_sizes_from_the_smallest_to_1024_are_taken():
    residual = find_architecture("residual")

    check_image_size(residual, 32)
    check_image_size(residual, 1024)
    with pytest.raises(InputError, match=r"from 32 to 1024 for architecture 'residual'.*: 31$"):
        check_image_size(residual, 31)


def test_table_settings_and_memory_load_without_keras():
    script = (
        "import sys, components.train.memory;"
        "print(sorted({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")
