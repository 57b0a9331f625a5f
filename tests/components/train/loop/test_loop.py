import keras
import numpy as np
import pytest

from components.train.batches import Batches
from components.train.fitting import fit
from components.train.loop.checkpoints import Checkpoint, Checkpoints
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


def test_state_in_a_bucket_is_gone_on_from_and_deleted(bucket):
    kept = Checkpoints(f"gs://{bucket.name}/checkpoints/0a1b", every_s=60)
    uri = f"{kept.folder}/head.npz"
    with pytest.raises(KeyboardInterrupt):
        train(Phase(checkpoint=Stopping(uri, after=3)))

    resumed = train(Phase(checkpoint=kept.phase("head")))

    for one, other in zip(resumed, train(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [blob.name for blob in bucket.list_blobs()] == ["checkpoints/0a1b/head.npz"]
    kept.delete()
    assert not list(bucket.list_blobs())


def test_damaged_state_in_a_bucket_is_told_of_and_training_starts_anew(bucket, capsys):
    kept = Checkpoints(f"gs://{bucket.name}/checkpoints/0a1b", every_s=60)
    bucket.blob("checkpoints/0a1b/head.npz").upload_from_string(b"PK but no archive")

    trained = train(Phase(checkpoint=kept.phase("head")))

    for one, other in zip(trained, train(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "head.npz' is damaged" in capsys.readouterr().out
