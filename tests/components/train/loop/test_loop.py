import keras
import numpy as np
import pytest

from components.train.batches import Batches
from components.train.fitting import fit
from components.train.loop.checkpoints import Checkpoint
from components.train.loop.phases import Phase
from components.train.settings import FitSettings
from components.train.train import make_deterministic

FEATURES = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
LABELS = np.arange(10, dtype=np.int32) % 2


class Stopping(Checkpoint):
    """Ends the process, as far as it can in a test, right after a number of saves."""

    def __init__(self, uri: str, *, after: int) -> None:
        super().__init__(uri, every_s=0)
        self._left = after

    def save(self, saved) -> None:
        super().save(saved)
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def train(phase: Phase | None = None) -> list[np.ndarray]:
    make_deterministic(3)
    head = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation="softmax")])
    train, validation = (
        Batches(LABELS, lambda rows, _: FEATURES[rows], batch_size=4, seed=0, at_once=64)
        for _ in range(2)
    )
    fit(head, train, validation, FitSettings(epochs=3, learning_rate=0.1), phase=phase)
    return head.get_weights()


@pytest.mark.parametrize("after", [1, 2, 3, 4])  # whole batches of an epoch, then its last one
def test_head_that_takes_many_batches_at_once_goes_on_between_any_two_calls(after, tmp_path):
    uri = str(tmp_path / "head.npz")
    with pytest.raises(KeyboardInterrupt):
        train(Phase(checkpoint=Stopping(uri, after=after)))

    resumed = train(Phase(checkpoint=Checkpoint(uri, every_s=60)))

    for one, other in zip(resumed, train(), strict=True):
        np.testing.assert_array_equal(one, other)
