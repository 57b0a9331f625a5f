import subprocess
import sys
import time
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from components.common.errors import InputError
from components.common.network import why_unreachable
from components.train.architectures import find_architecture
from components.train.architectures.transfer import build_network
from components.train.network import Network
from components.train.weights import IMAGENET_HOST, cached_imagenet, check_weights, load_weights

RESIDUAL, MOBILENET = map(find_architecture, ("residual", "transfer:MobileNetV2"))
MOBILENET_96 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"


def assert_same_weights(one: keras.Model, other: keras.Model) -> None:
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def residual() -> keras.Model:
    keras.utils.set_random_seed(1)
    return RESIDUAL.build_backbone(32)


@pytest.fixture(scope="module")
def residual_file(residual, tmp_path_factory) -> str:
    file = tmp_path_factory.mktemp("weights") / "residual.weights.h5"
    residual.save_weights(file)
    return str(file)


@pytest.fixture(scope="module")
def earlier_model(residual, tmp_path_factory) -> str:
    """What `train_model` saves: backbone and head, called for the photo and for its mirror."""
    head = keras.Sequential([keras.Input((128,)), keras.layers.Dense(2, activation="softmax")])
    file = tmp_path_factory.mktemp("earlier") / "model.keras"
    Network(backbone=residual, head=head).assemble(mirror_averaging=True).save(file)
    return str(file)


def test_none_needs_no_check():
    check_weights(MOBILENET, "none", 32)


def test_file_of_weights_is_loaded(residual, residual_file):
    fresh = RESIDUAL.build_backbone(64)  # convolutions do not mind the size

    check_weights(RESIDUAL, residual_file, 64)
    load_weights(RESIDUAL, fresh, residual_file)

    assert_same_weights(fresh, residual)


def test_earlier_model_gives_its_backbone(residual, earlier_model):
    fresh = RESIDUAL.build_backbone(32)

    check_weights(RESIDUAL, earlier_model, 32)
    load_weights(RESIDUAL, fresh, earlier_model)

    assert_same_weights(fresh, residual)


def test_file_in_a_bucket_is_loaded(residual, residual_file, bucket):
    bucket.blob("some/residual.weights.h5").upload_from_filename(residual_file)
    uri = f"gs://{bucket.name}/some/residual.weights.h5"
    fresh = RESIDUAL.build_backbone(32)

    check_weights(RESIDUAL, uri, 32)
    load_weights(RESIDUAL, fresh, uri)

    assert_same_weights(fresh, residual)


def test_file_missing_in_a_bucket_is_refused(bucket):
    uri = f"gs://{bucket.name}/missing.keras"

    with pytest.raises(InputError, match=rf"must name a file that exists\. Received: '{uri}'"):
        check_weights(RESIDUAL, uri, 32)


@pytest.mark.parametrize("weights", ["ImageNet", "", "model.h5", "/some/folder", "model.pt"])
def test_what_is_no_file_of_weights_by_its_name_is_refused(weights):
    with pytest.raises(InputError) as error:
        check_weights(RESIDUAL, weights, 32)

    assert str(error.value) == (
        "`weights` must be imagenet, none, or a file that ends with .weights.h5 or .keras."
        f" Received: '{weights}'"
    )


@pytest.mark.parametrize("name", ["missing.weights.h5", "missing.keras"])
def test_missing_file_is_refused(tmp_path, name):
    with pytest.raises(InputError) as error:
        check_weights(RESIDUAL, str(tmp_path / name), 32)

    assert str(error.value) == (
        f"`weights` must name a file that exists. Received: '{tmp_path / name}'"
    )


def test_weights_of_a_smaller_network_are_refused(residual_file):
    with pytest.raises(
        InputError,
        match=rf"^`weights` must fit architecture 'transfer:MobileNetV2' without its top\."
        rf" Received: '{residual_file}' \(.+\)$",
    ):
        check_weights(MOBILENET, residual_file, 32)


def test_weights_of_a_larger_network_are_refused(tmp_path):
    file = tmp_path / "mobilenet.weights.h5"
    MOBILENET.build_backbone(32).save_weights(file)

    with pytest.raises(InputError, match="must fit architecture 'residual' without its top"):
        check_weights(RESIDUAL, str(file), 32)


def test_earlier_model_of_another_architecture_is_refused(earlier_model):
    with pytest.raises(InputError, match=r"must fit .*'transfer:MobileNetV2'.*mobilenetv2"):
        check_weights(MOBILENET, earlier_model, 32)


@pytest.mark.parametrize("name", ["garbage.weights.h5", "garbage.keras"])
@pytest.mark.parametrize("content", [b"", b"no weights at all" * 100])
def test_file_of_garbage_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match="must fit architecture 'residual' without its top"):
        check_weights(RESIDUAL, str(tmp_path / name), 32)


def test_hdf5_file_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.weights.h5", "w") as file:
        file["temperatures"] = np.arange(3)

    with pytest.raises(InputError, match="must fit architecture 'residual' without its top"):
        check_weights(RESIDUAL, str(tmp_path / "other.weights.h5"), 32)


def test_file_cut_short_is_refused(tmp_path, residual_file, earlier_model):
    for whole in map(Path, (residual_file, earlier_model)):
        cut, content = tmp_path / whole.name, whole.read_bytes()
        cut.write_bytes(content[: len(content) // 2])

        with pytest.raises(InputError, match="must fit architecture 'residual'"):
            check_weights(RESIDUAL, str(cut), 32)


def test_imagenet_is_refused_where_there_are_no_such_weights():
    with pytest.raises(InputError) as error:
        check_weights(RESIDUAL, "imagenet", 64)

    assert str(error.value) == (
        "There are no ImageNet weights for architecture 'residual'. Pass `weights` none, or a file."
    )


def test_imagenet_without_a_network_is_refused_at_once():
    if cached_imagenet(MOBILENET.application, 96):
        pytest.skip("the ImageNet weights are on this machine")
    if why_unreachable(IMAGENET_HOST) is None:
        pytest.skip(f"this machine may reach {IMAGENET_HOST}")
    start = time.monotonic()

    with pytest.raises(InputError, match=rf"{IMAGENET_HOST} cannot be reached .* as `weights`\.$"):
        check_weights(MOBILENET, "imagenet", 96)

    assert time.monotonic() - start < 6  # one attempt to connect


@pytest.fixture
def keras_home(tmp_path, monkeypatch) -> Path:
    """Where Keras would keep what it downloads."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


def test_imagenet_weights_that_keras_has_downloaded_need_no_network(keras_home):
    (keras_home / "models" / MOBILENET_96).touch()

    check_weights(MOBILENET, "imagenet", 32)
    check_weights(MOBILENET, "imagenet", 111)  # nearer to 96 than to 128


def test_imagenet_weights_of_another_size_do_not_do(keras_home):
    (keras_home / "models" / MOBILENET_96).touch()

    assert cached_imagenet(MOBILENET.application, 111)
    assert not cached_imagenet(MOBILENET.application, 113)


def test_imagenet_weights_of_most_networks_are_for_any_size(keras_home):
    small, large = (find_architecture(f"transfer:EfficientNetV2B{n}").application for n in (0, 3))
    (keras_home / "models" / "efficientnetv2-b0_notop.h5").touch()

    assert cached_imagenet(small, 32)
    assert cached_imagenet(small, 300)
    assert not cached_imagenet(large, 300)


def in_a_fresh_process(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Keras reads KERAS_HOME once, when it is imported."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_imagenet_weights_in_keras_own_cache_are_loaded(keras_home):
    published = build_network(MOBILENET.application, 96)
    published.save(keras_home / "models" / MOBILENET_96)  # HDF5, as Keras publishes them
    script = """
import sys, numpy as np
from components.train.architectures import find_architecture
from components.train.weights import load_weights
architecture = find_architecture("transfer:MobileNetV2")
backbone = architecture.build_backbone(64, channels=1)
load_weights(architecture, backbone, "imagenet")
np.savez(sys.argv[1], *backbone.get_weights())
"""

    done = in_a_fresh_process(script, str(keras_home / "loaded.npz"))

    assert done.returncode == 0, done.stderr[-2000:]
    loaded = np.load(keras_home / "loaded.npz").values()
    for first, second in zip(loaded, published.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_imagenet_weights_that_are_damaged_are_refused(keras_home):
    (keras_home / "models" / MOBILENET_96).write_bytes(b"cut short")
    script = """
from components.common.errors import InputError
from components.train.architectures import find_architecture
from components.train.weights import load_weights
architecture = find_architecture("transfer:MobileNetV2")
try:
    load_weights(architecture, architecture.build_backbone(32), "imagenet")
except InputError as error:
    print(error)
"""

    done = in_a_fresh_process(script)

    assert done.stdout.startswith(
        "The ImageNet weights of MobileNetV2 could not be downloaded or read ("
    ), done.stderr[-2000:]
    assert done.stdout.endswith("). Pass a file as `weights`.\n")


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetV2B0", "ConvNeXtTiny"])
def test_imagenet_weights_are_asked_for_by_the_name_in_the_table(
    name, keras_home, monkeypatch, tmp_path
):
    """The download alone is replaced: Keras checks the bytes of these files, too."""
    from keras.src.utils import file_utils

    architecture = find_architecture(f"transfer:{name}")
    published = build_network(architecture.application, 32)
    published.save_weights(tmp_path / "published.weights.h5")
    asked = []

    def get_file(name: str, *_: object, **__: object) -> str:
        asked.append(name)
        return str(tmp_path / "published.weights.h5")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    (keras_home / "models" / architecture.application.weights_file).touch()
    backbone = architecture.build_backbone(32)

    load_weights(architecture, backbone, "imagenet")

    assert asked == [architecture.application.weights_file]
    assert_same_weights(backbone, published)


def test_weights_of_a_gray_network_fit_gray_photos_only(tmp_path):
    file = tmp_path / "gray.weights.h5"
    RESIDUAL.build_backbone(32, channels=1).save_weights(file)

    check_weights(RESIDUAL, str(file), 32, channels=1)
    with pytest.raises(InputError, match="must fit architecture 'residual'"):
        check_weights(RESIDUAL, str(file), 32)


def test_real_imagenet_weights_fit_at_any_size(mobilenet_weights):
    small, large = MOBILENET.build_backbone(32), MOBILENET.build_backbone(96)
    before = small.get_weights()[0].copy()

    load_weights(MOBILENET, small, mobilenet_weights)
    load_weights(MOBILENET, large, mobilenet_weights)

    assert_same_weights(small, large)
    assert not np.array_equal(small.get_weights()[0], before)
