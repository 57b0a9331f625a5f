"""What layers compute in."""

from pathlib import Path

import keras
import numpy as np
import pytest

from components.train.precision import compute_in_float32, precision_scope


def build() -> keras.Model:
    photos = keras.Input((8,))
    hidden = keras.Model(photos, keras.layers.Dense(4, activation="relu")(photos))
    return keras.Model(photos, keras.layers.Dense(2, dtype="float32")(hidden(photos)))


def test_layers_built_within_compute_in_the_precision_and_keep_weights_in_float32():
    with precision_scope("mixed_bfloat16"):
        model = build()

    assert model.layers[1].layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.output.dtype == "float32"


def test_layers_built_after_are_as_before_even_after_an_error():
    with pytest.raises(ZeroDivisionError), precision_scope("mixed_bfloat16"):
        _ = 1 / 0

    assert keras.config.dtype_policy().name == "float32"


def test_a_model_trained_in_bfloat16_is_served_in_float32(tmp_path: Path):
    numbers = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    with precision_scope("mixed_bfloat16"):
        model = build()
    exact = build()
    exact.set_weights(model.get_weights())
    expected = exact(numbers).numpy()
    assert np.abs(model(numbers).numpy() - expected).max() > 1e-4

    compute_in_float32(model)
    model.save(tmp_path / "model.keras")

    np.testing.assert_allclose(model(numbers).numpy(), expected, atol=1e-6)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(numbers).numpy(), expected, atol=1e-6)
