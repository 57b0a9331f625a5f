"""How training goes, told to the person who waits for it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from components.common.progress import format_seconds, report

EVERY_S = 0.5  # a line is shown twice a second at most


class Progress:
    """Lines about one training; the clock starts after the first step, mostly compiling."""

    def __init__(self, *, epochs: int, num_batches: int, num_images: int) -> None:
        """Prepare.

        Args:
            epochs: Of the whole training.
            num_batches: An epoch.
            num_images: An epoch.
        """
        self._epochs, self._num_batches, self._num_images = epochs, num_batches, num_images
        self._start = self._last = time.monotonic()
        self._done_before: float | None = None  # epochs that were done when the clock started
        self._validation = ""  # as of the last epoch that ended

    @property
    def is_due(self) -> bool:
        """Whether the last line is old enough."""
        return time.monotonic() - self._last > EVERY_S

    def start_clock(self, epoch: int, batch: int) -> None:
        """Start the clock, unless it runs; `batch` batches of `epoch` are done."""
        if self._done_before is None:
            self._start = self._last = time.monotonic()
            self._done_before = epoch + batch / self._num_batches

    def show(self, epoch: int, batch: int, metrics: Mapping[str, float]) -> None:
        """Show where in an epoch it is."""
        self._last = time.monotonic()
        done = epoch + batch / self._num_batches
        since = done - (self._done_before or 0.0)
        elapsed = max(self._last - self._start, 1e-9)
        left = elapsed / since * (self._epochs - done) if since > 0 else 0.0
        report(
            f"epoch {min(epoch + 1, self._epochs)}/{self._epochs}"
            f"  training: accuracy {metrics['accuracy']:.3f}, loss {metrics['loss']:.3f}"
            f"{self._validation}  {since * self._num_images / elapsed:.0f} images/s,"
            f" {format_seconds(left)} left"
        )

    def end_epoch(self, epoch: int, metrics: Mapping[str, float], *, is_last: bool) -> None:
        """Show how an epoch ended, unless the last line is too fresh to read."""
        accuracy, loss = metrics["val_accuracy"], metrics["val_loss"]
        self._validation = f"  validation: accuracy {accuracy:.3f}, loss {loss:.3f}"
        if self.is_due or is_last:
            self.show(epoch, self._num_batches, metrics)
