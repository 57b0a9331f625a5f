"""Where runs run. Each target checks, starts and follows a run in its own way; all say the same.

`local` and `docker` run the compiled spec on this machine, by kfp's own local runner; `kubeflow`
submits it to a cluster, `vertex` to Vertex AI.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pipelines.runs import Run, Step


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A step begins."""

    step: Step


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """A step tells how it goes."""

    step: Step
    line: str


@dataclass(frozen=True, kw_only=True)
class StepEnded:
    """A step is done, was in the cache, or failed."""

    step: Step


Event = StepStarted | StepProgress | StepEnded


class Execution(Protocol):
    """One run of a pipeline on a target."""

    run: Run

    def follow(self) -> Generator[Event, None, None]:
        """Run it, or watch it run, to its end; `run` then holds how it went.

        Yields:
            What happens, as it happens.
        """


class Target(Protocol):
    """A place where runs run."""

    runs_here: ClassVar[bool]  # on this machine: with its files, and with what it reaches

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse what cannot work there, before anything starts.

        Args:
            arguments: Value of each input that people set.

        Raises:
            InputError: If the place is not ready, or an argument cannot work there.
        """

    def usual_storage(self) -> str:
        """Where photos and checkpoints are kept if nothing is said; empty for nowhere."""

    def usual_registry(self) -> str:
        """Which registry, if nothing is said; empty for the one of this machine."""

    def code_version(self) -> str:
        """Version of the code that steps run there; part of the cache key."""

    def start(
        self,
        pipeline: str,
        arguments: Mapping[str, Any],
        *,
        use_cache: bool = True,
        run_id: str = "",
    ) -> Execution:
        """Prepare a run.

        Args:
            pipeline: Name of the pipeline, e.g. "train_and_push".
            arguments: Value of each of its inputs.
            use_cache: Take a step's outputs from an earlier run with the same inputs and code.
            run_id: Name of the run; empty for one of the pipeline and the time.

        Raises:
            InputError: If there is a run of that name.
        """
