"""The training loop: steps, epochs, the best epoch kept, and a state that survives a kill."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import keras
import numpy as np

from components.common.errors import TrainingError
from components.common.progress import report
from components.train.batches import Batches
from components.train.loop.checkpoints import Saved
from components.train.loop.interruption import noticing_sigterm
from components.train.loop.phases import Phase
from components.train.loop.progress import Progress
from components.train.loop.state import arrays_named, name_arrays, read_state, write_state
from components.train.loop.steps import Steps, make_steps
from components.train.settings import FitSettings

BEST = "best"
TERMINATED = 128 + 15  # exit status of a process that SIGTERM ended
OUT_OF_MEMORY = ("ResourceExhaustedError", "RESOURCE_EXHAUSTED", "OOM when allocating")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a fit leaves beside the weights."""

    history: dict[str, list[float]]  # loss, accuracy, val_loss, val_accuracy; one value an epoch
    best_epoch: int  # the one whose weights were kept, counted from 0


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a training does beside its steps."""

    before_epoch: Callable[[int], None] | None = None
    observe: Callable[[], Mapping[str, float]] = dict  # more for the history, as an epoch ends


@dataclass
class Position:
    """Where training stands. With the state of the model, this is all that it goes on from."""

    epoch: int = 0
    batch: int = 0  # that comes next in the epoch
    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = math.inf

    def note(self, metrics: Mapping[str, float]) -> bool:
        """End an epoch; say whether it is the best so far."""
        for name, value in metrics.items():
            self.history.setdefault(name, []).append(value)
        is_best = metrics["val_loss"] < self.best_loss
        if is_best:
            self.best_epoch, self.best_loss = self.epoch, metrics["val_loss"]
        self.epoch, self.batch = self.epoch + 1, 0
        return is_best


class Loop:
    """Trains one compiled model on batches, and keeps the weights of its best epoch."""

    def __init__(
        self,
        model: keras.Model,
        train: Batches,
        validation: Batches,
        settings: FitSettings,
        *,
        phase: Phase | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: Compiled, its metrics with an accuracy; changed in place.
            train: Batches to learn from.
            validation: Batches to choose the epoch by.
            settings: How long to train.
            phase: Where the state is kept, and taken up from; None keeps none.
            hooks: What else is done.
        """
        self._model, self._train, self._validation = model, train, validation
        self._settings = settings
        self._phase = phase or Phase()
        self._checkpoint = self._phase.checkpoint
        self._hooks = hooks or Hooks()
        self._at = Position()
        self._best: list[np.ndarray] = model.get_weights()

    def run(self) -> Fit:
        """Train to the end; from the checkpoint on, where there is one.

        The result is the same to the bit, however often training was stopped on its way.

        Raises:
            TrainingError: If the loss stops being a number, memory ends, or the disk is full.
            SystemExit: After SIGTERM, once the state is saved.
        """
        self._progress = Progress(
            epochs=self._settings.epochs,
            num_batches=self._train.num_batches,
            num_images=self._train.num_images,
        )
        with noticing_sigterm() as asked, _explaining_memory():
            self._asked = asked
            self._steps: Steps = make_steps(
                self._model, self._train.example(), at_once=self._train.at_once
            )
            self._resume()
            while not self._is_over():
                self._run_epoch()
        self._steps.pull()
        self._model.set_weights(self._best)
        if self._checkpoint and self._at.history:
            self._save()
        return Fit(history=self._at.history, best_epoch=self._at.best_epoch)

    def _is_over(self) -> bool:
        patience = self._settings.patience
        waited = self._at.epoch - 1 - self._at.best_epoch  # epochs since the best
        out_of_patience = 0 < patience <= waited
        return self._at.epoch >= self._settings.epochs or out_of_patience

    def _run_epoch(self) -> None:
        if self._at.batch == 0:
            self._steps.pull()
            if self._hooks.before_epoch:
                self._hooks.before_epoch(self._at.epoch)
            self._model.reset_metrics()
            self._steps.push()
        for batches in self._train.epoch(self._at.epoch, first=self._at.batch):
            self._steps.train(batches)
            self._at.batch += len(batches)
            self._after_steps()
        metrics = self._checked(self._steps.metrics())
        with self._averaged():
            metrics |= self._evaluate()
            metrics |= self._hooks.observe()
            epoch, is_best = self._at.epoch, self._at.note(metrics)
            if is_best:
                self._best = self._model.get_weights()
        self._phase.log(self._at.history)
        self._progress.end_epoch(epoch, metrics, is_last=self._is_over())

    def _after_steps(self) -> None:
        self._progress.start_clock(self._at.epoch, self._at.batch)
        if self._progress.is_due:
            metrics = self._checked(self._steps.metrics())
            self._progress.show(self._at.epoch, self._at.batch, metrics)
        if self._checkpoint and (self._asked.is_set() or self._checkpoint.is_due):
            self._checked(self._steps.metrics())  # a state that is no number is not worth keeping
            self._steps.pull()
            self._save()
            self._steps.push()
        if self._asked.is_set():
            kept = (
                "; its state is saved, and the same run again goes on" if self._checkpoint else ""
            )
            report(f"stopped in epoch {self._at.epoch + 1}, batch {self._at.batch}{kept}")
            raise SystemExit(TERMINATED)

    def _evaluate(self) -> dict[str, float]:
        self._steps.reset_metrics()
        for batches in self._validation.epoch(0):
            for batch in batches:
                self._steps.evaluate(batch)
        metrics = {f"val_{name}": value for name, value in self._steps.metrics().items()}
        self._steps.pull()
        return self._checked(metrics)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Judge, and keep, the moving average of the weights, where the optimizer has one."""
        optimizer = self._model.optimizer
        if not optimizer.use_ema:
            yield
            return
        self._steps.pull()
        variables = self._model.trainable_variables
        trained = [keras.ops.convert_to_numpy(variable.value) for variable in variables]
        optimizer.finalize_variable_values(variables)
        self._steps.push()
        yield
        for variable, value in zip(variables, trained, strict=True):
            variable.assign(value)
        self._steps.push()

    def _checked(self, metrics: dict[str, float]) -> dict[str, float]:
        for name in ("loss", "val_loss"):
            if not math.isfinite(metrics.get(name, 0.0)):
                raise TrainingError(
                    f"The loss must stay finite. Received: {metrics[name]} in epoch"
                    f" {self._at.epoch + 1}. Try a `learning_rate` below"
                    f" {self._settings.learning_rate:g}."
                )
        return metrics

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        arrays = read_state(self._model) | name_arrays(BEST, self._best)
        self._checkpoint.save(Saved(facts=asdict(self._at), arrays=arrays))

    def _resume(self) -> None:
        saved = self._checkpoint.load() if self._checkpoint else None
        if saved is None:
            return
        self._at = Position(**saved.facts)
        self._best = arrays_named(BEST, saved.arrays)
        write_state(self._model, saved.arrays)
        self._steps.push()
        if not self._is_over():
            report(f"going on from epoch {self._at.epoch + 1}, batch {self._at.batch}")


@contextmanager
def _explaining_memory() -> Iterator[None]:
    """Say what to do when memory ends; backends have errors of their own for it."""
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if not isinstance(error, MemoryError) and not any(sign in text for sign in OUT_OF_MEMORY):
            raise
        raise TrainingError(
            "Memory must hold a batch and the network. It ended. Pass a smaller `batch_size` or"
            f" `image_size`, or take a larger machine. ({' '.join(text.split())[:200]})"
        ) from error
