"""What a person sees of a run: the steps as they go, then what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from components.common.progress import format_seconds
from pipelines.runs import PAGES, SUBMITTED, SUCCEEDED, Run, Step
from pipelines.targets import Event, StepEnded, StepProgress

SECONDS_BETWEEN_LINES = 5.0  # where lines stay, as in a CI log
AGAIN = "mend it and run the same again: finished steps come from the cache"
_MARKS = {"succeeded": "[green]✓[/]", "failed": "[red]✗[/]"}


class Display:
    """Shows runs on a terminal (one live line a step) or in a file (a line now and then)."""

    def __init__(self, stream: TextIO, *, advice: str = AGAIN) -> None:
        """Show runs.

        Args:
            stream: Where.
            advice: What to do after one that failed.
        """
        self._advice = advice
        self._console = Console(file=stream, highlight=False, soft_wrap=True)

    def waiting(self, what: str) -> Status:
        """Show that something goes on, while it does."""
        return self._console.status(what)

    def show(self, run: Run, events: Iterable[Event]) -> None:
        """Show a run from its first step to its summary."""
        self._console.print(f"[bold]{run.run_id}[/]")
        with Status("", console=self._console) as status:
            last = 0.0
            for event in events:
                where = self._where(run, event.step)
                if isinstance(event, StepEnded):
                    self._console.print(self._ended(where, event.step))
                    continue
                text = f"{where} {escape(event.line)}" if isinstance(event, StepProgress) else where
                status.update(text)
                if (
                    not self._console.is_terminal
                    and time.monotonic() - last > SECONDS_BETWEEN_LINES
                ):
                    last = time.monotonic()
                    self._console.print(f"  {text}")
        self.summarise(run)

    def summarise(self, run: Run) -> None:
        """Show what came of a run."""
        rows = list(_rows(run, self._advice))
        width = max(len(name) for name, _ in rows)
        self._console.print()
        for name, text in rows:
            self._console.print(f"[bold]{name:{width}}[/]  {text}")

    def _where(self, run: Run, step: Step) -> str:
        width = max(len(each.name) for each in run.steps)
        return f"\\[{run.steps.index(step) + 1}/{len(run.steps)}] {step.name:{width}}"

    def _ended(self, where: str, step: Step) -> str:
        took = "[dim]cached[/]" if step.cached else format_seconds(step.seconds)
        return f"{_MARKS[step.status]} {where} {took}"


def _rows(run: Run, advice: str) -> Iterable[tuple[str, str]]:
    if run.findings:
        yield "Photos", _findings(run.findings)
    if run.status == SUBMITTED:
        yield "Status", "it goes on there, and nobody here follows it"
        if run.error:
            yield "Why", escape(run.error["message"])
    elif run.error:
        if run.data_report:
            yield "Data report", Path(run.data_report).as_uri()
        yield "Failed", f"[red]step {run.error['step']}[/]: {escape(run.error['message'])}"
        yield "Log", escape(run.error["log"])
        if "--no-cache" not in run.error["message"]:
            yield "Next", advice
    elif run.status != SUCCEEDED:
        yield "Status", run.status
    else:
        yield from _outcome(run)
    if run.warning:
        yield "Warning", f"[yellow]{escape(run.warning)}[/]"
    if run.url:
        yield "Page", escape(run.url)


def _outcome(run: Run) -> Iterable[tuple[str, str]]:
    scores = run.metrics
    if best := run.best:
        yield (
            "Best",
            f"{escape(best['name'])}, of {best['num_candidates']}: accuracy"
            f" {best['validation_accuracy']:.1%} on validation photos",
        )
    if scores:
        yield (
            "Accuracy",
            f"{scores['accuracy']:.1%} of {scores['num_photos']:.0f} test photos"
            f" (95 % interval {scores['accuracy_low']:.1%} to {scores['accuracy_high']:.1%})",
        )
    else:
        yield "Accuracy", "not known here: the log of evaluate could not be read; see the page"
    if run.gate:
        yield "Gate", _gate(run.gate)
    if run.model:
        version = f"{run.model['name']} version {run.model['version']}"
        yield "Registered", f"{escape(version)}, {escape(run.model['verdict'])}"
    yield "Time", format_seconds(run.seconds)
    for name in PAGES:
        if page := getattr(run, name):
            yield name.replace("_", " ").capitalize(), Path(page).as_uri()


def _gate(gate: Mapping[str, Any]) -> str:
    """What was asked of the model, and whether it was enough."""
    sign = ">=" if gate["accuracy"] >= gate["min_accuracy"] else "<"
    checks = [f"{gate['accuracy']:.4f} {sign} {gate['min_accuracy']:g}"]
    if "min_gain" in gate:
        sign = ">=" if gate["gain"] >= gate["min_gain"] else "<"
        gain = f"gain over the champion {gate['gain']:+.4f} {sign} {gate['min_gain']:g}"
        # These two stand for no champion, and for one that cannot be compared with.
        absent = {1: "no champion yet", -1: "the champion cannot be compared with: see the report"}
        checks.append(absent.get(gate["gain"], gain))
    if gate["passed"]:
        return f"[green]passed[/]: {', '.join(checks)}"
    return f"[yellow]held back[/], nothing was registered: {', '.join(checks)}"


def _findings(findings: Mapping[str, int]) -> str:
    """How much was found in the photos, worst first."""
    found = [f"{count} {name}{'s' * (count > 1)}" for name, count in findings.items() if count]
    color = "yellow" if findings["warning"] or findings["error"] else "green"
    return f"[{color}]{', '.join(found)}[/]: see the data report" if found else "nothing unusual"
