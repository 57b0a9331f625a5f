"""Numbers of each epoch, and pictures, as the files that TensorBoard shows.

A file is a TFRecord of `Event` messages. TensorFlow has both; its own writer asks for TensorBoard,
which is for looking only, and not installed where steps run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VALIDATION = "val_"
VERSION = "brain.Event:2"  # of the format; the first event of a file says so


class Events:
    """One file of events, of whatever training or validation has to tell."""

    def __init__(self, folder: Path) -> None:
        """Start a file.

        Args:
            folder: TensorBoard draws what lies in one folder as one line.
        """
        import tensorflow as tf
        from tensorflow.core.framework import summary_pb2
        from tensorflow.core.util import event_pb2

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"events.out.tfevents.{time.time_ns()}.pawpetal"
        self._file = tf.io.TFRecordWriter(str(file))
        self._write(file_version=VERSION)

    def scalar(self, name: str, value: float, *, step: int) -> None:
        """Write one number."""
        shown = self._summary.Value(tag=name, simple_value=value)
        self._write(step=step, summary=self._summary(value=[shown]))

    def picture(self, name: str, png: bytes) -> None:
        """Write one picture."""
        shown = self._summary.Value(tag=name, image=self._summary.Image(encoded_image_string=png))
        self._write(summary=self._summary(value=[shown]))

    def flush(self) -> None:
        """Let readers see what was written so far."""
        self._file.flush()

    def _write(self, **told: Any) -> None:
        self._file.write(self._event(wall_time=time.time(), **told).SerializeToString())


class Scalars:
    """The log of one phase: a folder for training, and one for validation, to be drawn together."""

    def __init__(self, folder: Path) -> None:
        """Start the files.

        Args:
            folder: Of this phase.
        """
        self._sides = {VALIDATION: Events(folder / "validation"), "": Events(folder / "training")}
        self._written = 0  # epochs

    def write(self, history: Mapping[str, Sequence[float]]) -> None:
        """Write the epochs that are new; all of them, where training goes on from a checkpoint.

        Args:
            history: One value an epoch for each name; names of validation begin with `val_`.
        """
        for name, values in history.items():
            side = VALIDATION if name.startswith(VALIDATION) else ""
            for epoch, value in enumerate(values[self._written :], self._written + 1):
                self._sides[side].scalar(name.removeprefix(side), value, step=epoch)
        self._written = max((len(values) for values in history.values()), default=0)
        for events in self._sides.values():
            events.flush()


def write_picture(folder: Path, name: str, png: bytes) -> None:
    """Write one picture of a whole training.

    Args:
        folder: Of TensorBoard's files.
        name: Of the picture.
        png: The picture.
    """
    events = Events(folder)
    events.picture(name, png)
    events.flush()
