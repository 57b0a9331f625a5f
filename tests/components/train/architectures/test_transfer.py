import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from components.train.architectures import find_architecture
from components.train.architectures.applications import APPLICATIONS
from components.train.architectures.transfer import preprocess
from components.train.network import Network, build_head

PHOTOS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def classifier(name: str, size: int = 32, channels: int = 3) -> keras.Model:
    """As it is saved after training, weights random."""
    backbone = find_architecture(name).build_backbone(size, channels)
    head = build_head(backbone.output_shape[-1], 2, seed=0)
    return Network(backbone=backbone, head=head).assemble(mirror_averaging=True)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_photos_are_brought_to_what_keras_says_the_weights_expect(name):
    module = importlib.import_module(getattr(keras.applications, name).__module__)

    given = preprocess(keras.ops.convert_to_tensor(PHOTOS), APPLICATIONS[name].preprocessing)

    expected = module.preprocess_input(PHOTOS.copy())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(given), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        ("tf", [-1, 0, 1]),
        ("torch", [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
        ("caffe", [255 - 103.939, 127.5 - 116.779, -123.68]),  # blue comes first
        ("inside", [0, 127.5, 255]),
    ],
)
def test_a_pixel_is_brought_to_what_the_weights_expect(preprocessing, expected):
    pixel = keras.ops.convert_to_tensor(np.array([[[[0, 127.5, 255]]]], np.float32))

    given = keras.ops.convert_to_numpy(preprocess(pixel, preprocessing))

    assert given.ravel().tolist() == pytest.approx(expected, abs=2e-5)


def test_a_gray_photo_gives_the_features_of_the_same_photo_in_equal_colours():
    architecture = find_architecture("transfer:MobileNetV3Small")
    gray, colour = (architecture.build_backbone(32, channels) for channels in (1, 3))
    gray.set_weights(colour.get_weights())

    features = keras.ops.convert_to_numpy(gray(PHOTOS[..., :1]))

    expected = colour(np.repeat(PHOTOS[..., :1], 3, axis=-1))
    np.testing.assert_allclose(features, keras.ops.convert_to_numpy(expected), atol=1e-5)


def test_saved_models_give_the_same_in_a_fresh_process(tmp_path):
    models = {
        name: classifier(f"transfer:{name}")
        for name in ("MobileNetV2", "MobileNetV3Small", "EfficientNetV2B0", "ConvNeXtTiny")
    }
    models |= {
        name: classifier(name, size=find_architecture(name).min_image_size)
        for name in ("dense", "inception", "residual", "inception_reference", "residual_reference")
    }
    models["gray"] = classifier("transfer:MobileNetV3Small", channels=1)
    for preprocessing in ("torch", "caffe"):  # their networks hold nothing else that is new
        photos = keras.Input((32, 32, 3))
        models[preprocessing] = keras.Model(photos, preprocess(photos, preprocessing))
    np.save(tmp_path / "photos.npy", PHOTOS)
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    script = """
import sys, keras, numpy as np
photos = np.load("photos.npy")
for name in sys.argv[1:]:
    model = keras.saving.load_model(f"{name}.keras", compile=False)
    height, width, channels = model.input_shape[1:]
    given = model.predict_on_batch(photos[:, :height, :width, :channels])
    np.save(f"{name}.npy", keras.ops.convert_to_numpy(given))
"""

    subprocess.run([sys.executable, "-c", script, *models], cwd=tmp_path, check=True)

    for name, model in models.items():
        height, width, channels = model.input_shape[1:]
        expected = model.predict_on_batch(PHOTOS[:, :height, :width, :channels])
        np.testing.assert_allclose(
            np.load(tmp_path / f"{name}.npy"), expected, rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetV2B0", "ConvNeXtTiny"])
def test_exported_model_serves_the_same(tmp_path, name):
    import tensorflow as tf

    model = classifier(f"transfer:{name}")
    model.export(tmp_path / "saved_model", verbose=False)

    loaded = tf.saved_model.load(tmp_path / "saved_model")

    expected = keras.ops.convert_to_numpy(model(PHOTOS))
    np.testing.assert_allclose(loaded.serve(tf.constant(PHOTOS)).numpy(), expected, atol=1e-5)
