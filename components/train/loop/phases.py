"""The phases of a training, by name: where each keeps its state, and where it logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.train.loop.checkpoints import Checkpoint, Checkpoints
from components.train.loop.tensorboard import Scalars


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One call of the loop; by default nothing is kept of it."""

    checkpoint: Checkpoint | None = None
    scalars: Scalars | None = None

    def log(self, history: Mapping[str, Sequence[float]]) -> None:
        """Log what is new in a history."""
        if self.scalars:
            self.scalars.write(history)


@dataclass(frozen=True, kw_only=True)
class Phases:
    """What all phases of a training share."""

    checkpoints: Checkpoints | None = None
    logs: Path | None = None  # folder of TensorBoard's files
    prefix: str = ""  # of the names of phases

    def start(self, name: str) -> Phase:
        """Start a phase: "whole", "head" or "top"."""
        name = self.prefix + name
        return Phase(
            checkpoint=self.checkpoints.phase(name) if self.checkpoints else None,
            scalars=Scalars(self.logs / name) if self.logs else None,
        )

    def of_round(self, number: int) -> Phases:
        """The phases of one round.

        Args:
            number: From 1.
        """
        return replace(self, prefix=f"round-{number}-")
