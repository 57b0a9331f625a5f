"""What layers compute in. Weights are float32 whatever it is, and so are heads and losses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def precision_scope(name: str) -> Iterator[None]:
    """Build layers that compute in a precision; those built before and after keep theirs.

    Args:
        name: Of a policy of Keras: float32, mixed_bfloat16 or mixed_float16.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compute_in_float32(model: keras.Model) -> None:
    """Have a model compute in float32 from now on, as it is served; its weights stay.

    Args:
        model: Built in any precision; changed in place, and the models that share its layers.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            compute_in_float32(layer)
        layer.dtype_policy = "float32"
