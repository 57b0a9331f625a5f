import time
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from components.common.errors import InputError
from components.common.network import why_unreachable
from components.train.architectures import find_architecture
from components.train.train import assemble
from components.train.weights import IMAGENET_HOST, _cached_imagenet, check_weights, load_weights

RESIDUAL, MOBILENET = find_architecture("residual"), find_architecture("mobilenet_v2")


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
    assemble(residual, head, mirror_averaging=True).save(file)
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
        match=rf"^`weights` must fit architecture 'mobilenet_v2' without its top\."
        rf" Received: '{residual_file}' \(.+\)$",
    ):
        check_weights(MOBILENET, residual_file, 32)


def test_weights_of_a_larger_network_are_refused(tmp_path):
    file = tmp_path / "mobilenet.weights.h5"
    MOBILENET.build_backbone(32).save_weights(file)

    with pytest.raises(InputError, match="must fit architecture 'residual' without its top"):
        check_weights(RESIDUAL, str(file), 32)


def test_earlier_model_of_another_architecture_is_refused(earlier_model):
    with pytest.raises(InputError, match=r"must fit architecture 'mobilenet_v2'.*mobilenet_v2"):
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
    if _cached_imagenet(96):
        pytest.skip("the ImageNet weights are on this machine")
    if why_unreachable(IMAGENET_HOST) is None:
        pytest.skip(f"this machine may reach {IMAGENET_HOST}")
    start = time.monotonic()

    with pytest.raises(InputError, match=rf"{IMAGENET_HOST} cannot be reached .* as `weights`\.$"):
        check_weights(MOBILENET, "imagenet", 96)

    assert time.monotonic() - start < 6  # one attempt to connect


def test_imagenet_weights_that_keras_has_downloaded_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / file).touch()

    check_weights(MOBILENET, "imagenet", 32)
    check_weights(MOBILENET, "imagenet", 111)  # nearer to 96 than to 128


def test_imagenet_weights_of_another_size_do_not_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / file).touch()
    if why_unreachable(IMAGENET_HOST) is None:
        pytest.skip(f"this machine may reach {IMAGENET_HOST}")

    with pytest.raises(InputError, match="The ImageNet weights are not on this machine"):
        check_weights(MOBILENET, "imagenet", 192)


def test_real_imagenet_weights_fit_at_any_size(mobilenet_weights):
    small, large = MOBILENET.build_backbone(32), MOBILENET.build_backbone(96)
    before = small.get_weights()[0].copy()

    load_weights(MOBILENET, small, mobilenet_weights)
    load_weights(MOBILENET, large, mobilenet_weights)

    assert_same_weights(small, large)
    assert not np.array_equal(small.get_weights()[0], before)
