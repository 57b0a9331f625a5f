"""Model folders: the one layout that train writes and evaluate, push and servers read.

`model.keras` (Keras 3), `saved_model/` (TensorFlow SavedModel), `settings.json`, `history.json`,
`history.png`, `worst.png` (the validation photos that it is most wrong about). Of a model that went
on from another one `transfers.json`: what became of each weight. Of one that was trained in rounds
`rounds.json`: how it did after each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.errors import DataError
from components.common.storage import write_atomically

MODEL_FILE = "model.keras"
SAVED_MODEL = "saved_model"
SETTINGS = "settings.json"
HISTORY = "history.json"
PLOT = "history.png"
WORST = "worst.png"
TRANSFERS = "transfers.json"
ROUNDS = "rounds.json"


@dataclass(frozen=True)
class ModelFolder:
    """One trained model on disk."""

    path: Path

    def write(
        self,
        *,
        settings: Mapping[str, Any],
        history: Mapping[str, Sequence[float]],
        plot: bytes,
        worst: bytes | None = None,
        transfers: Sequence[Mapping[str, Any]] = (),
        rounds: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write what explains the model beside it."""
        for name, rows in ((TRANSFERS, transfers), (ROUNDS, rounds)):
            if rows:
                write_atomically(self.path / name, json.dumps(rows, indent=2).encode())
        for name, content in ((SETTINGS, settings), (HISTORY, history)):
            write_atomically(self.path / name, json.dumps(content, indent=2).encode())
        write_atomically(self.path / PLOT, plot)
        if worst is not None:
            write_atomically(self.path / WORST, worst)

    def settings(self) -> dict[str, Any]:
        """How it was trained, and its classes in label order."""
        return dict(self._read_json(SETTINGS))

    def history(self) -> dict[str, list[float]]:
        """Loss and accuracy of each epoch."""
        return dict(self._read_json(HISTORY))

    def transfers(self) -> list[dict[str, Any]]:
        """What became of each weight of the model that training went on from; empty without one."""
        return list(self._read_json(TRANSFERS)) if (self.path / TRANSFERS).exists() else []

    def rounds(self) -> list[dict[str, Any]]:
        """What each round of a curriculum gave; empty for a model that was trained at once."""
        return list(self._read_json(ROUNDS)) if (self.path / ROUNDS).exists() else []

    def digest(self) -> str:
        """SHA-256 of the settings and of the model file: which model this is."""
        digest = hashlib.sha256((self.path / SETTINGS).read_bytes())
        with (self.path / MODEL_FILE).open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
        return digest.hexdigest()

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            raise DataError(f"'{self.path}' holds no {name}: it is no complete model.") from None
