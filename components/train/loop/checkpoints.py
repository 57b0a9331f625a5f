"""What a training keeps outside the process, so that a kill costs little.

One file a phase of training, replaced as a whole: always the newest, and never half of one. It
holds arrays and JSON, and no code.
"""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.common import storage
from components.common.errors import TrainingError
from components.common.progress import report

SECONDS = 60.0  # between two checkpoints
FACTS = "facts"  # name of the array that is JSON; all others are numbers


@dataclass(frozen=True, kw_only=True)
class Saved:
    """One checkpoint."""

    facts: dict[str, Any]  # where training stands; JSON values
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one training, at a place that outlives the process."""

    def __init__(self, folder: str, *, every_s: float = SECONDS) -> None:
        """Name the place; nothing is written yet.

        Args:
            folder: A path or gs:// URI; of this very training alone, since whatever is there is
                taken up again.
            every_s: Seconds between two checkpoints of a phase.
        """
        self.folder = folder
        self._every_s = every_s

    def phase(self, name: str) -> Checkpoint:
        """The checkpoint of one phase of training, e.g. "head"."""
        return Checkpoint(storage.join(self.folder, f"{name}.npz"), every_s=self._every_s)

    def delete(self) -> None:
        """Forget them all, once the trained model is safe."""
        storage.delete_folder(self.folder)


class Checkpoint:
    """The newest state of one phase."""

    def __init__(self, uri: str, *, every_s: float) -> None:
        self._uri = uri
        self._every_s = every_s
        self._last = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self._every_s

    def save(self, saved: Saved) -> None:
        """Replace the one before, at once or not at all.

        Raises:
            TrainingError: If it cannot be written, as on a full disk; the one before still stands.
        """
        text = np.frombuffer(json.dumps(saved.facts).encode(), np.uint8)
        try:
            with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
                file = Path(scratch, "checkpoint.npz")
                np.savez(file, allow_pickle=False, **{FACTS: text}, **saved.arrays)
                storage.upload_file(file, self._uri)
        except OSError as error:
            raise TrainingError(
                f"A checkpoint could not be written to '{self._uri}': {error.strerror or error}."
                " The one before it still stands: make room, and run the same again to go on."
            ) from error
        self._last = time.monotonic()

    def load(self) -> Saved | None:
        """The newest, if there is one that can be read."""
        if not storage.exists(self._uri):
            return None
        with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
            file = Path(scratch, "checkpoint.npz")
            storage.download_file(self._uri, file)
            try:
                with np.load(file, allow_pickle=False) as archive:
                    arrays = {name: archive[name] for name in archive.files}
                    facts = json.loads(arrays.pop(FACTS).tobytes())
            except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
                report(f"the checkpoint '{self._uri}' is damaged ({error}): starting anew")
                return None
        return Saved(facts=facts, arrays=arrays)
