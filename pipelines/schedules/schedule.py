"""One schedule, as people write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.schedules.cron import Cron
from pipelines.specs import Value

TARGET, SCHEDULER = "target", "scheduler"  # who fires
LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One entry of `schedules.yaml`, checked as far as that goes without asking anybody."""

    name: str
    pipeline: str  # e.g. "retrain"
    cron: Cron | None = None  # when to fire; with `on_new_data`: when to look
    on_new_data: str = ""  # dataset URI: fire only where its photos changed; empty for always
    max_concurrency: int = 1  # runs of it at once
    catch_up: bool = False  # run each time that was missed, not one for all of them
    paused: bool = False
    on: str = LOCAL  # where its runs run: local, kubeflow or vertex
    fired_by: str = TARGET  # the target's own scheduler, or pawpetal's
    place: Mapping[str, Value] = field(default_factory=dict)  # settings of the target
    parameters: Mapping[str, Value] = field(default_factory=dict)  # as given

    @property
    def scheduler(self) -> str:
        """Which scheduler holds it: "local", "kubeflow" or "vertex"."""
        return self.on if self.fired_by == TARGET else LOCAL
