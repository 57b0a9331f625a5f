"""What the steps of a run elsewhere left in a bucket, brought here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common import storage
from pipelines.runs import Run
from pipelines.targets.record import add_best, add_findings, add_model, add_scores

# By page: the step that makes it, and the step's output.
PAGES = {
    "data_report": ("ingest", "data_report"),
    "preview": ("augment", "preview"),
    "comparison": ("compare", "comparison"),
    "report": ("evaluate", "report"),
}


def add_results(run: Run, artifacts: Mapping[str, Mapping[str, str]], folder: Path) -> None:
    """Record the scores, the verdict and the version, and keep the pages.

    Args:
        run: Its record.
        artifacts: By step and output, gs:// URIs.
        folder: Where pages are kept.

    Raises:
        InputError: If something cannot be read.
        DataError: If Cloud Storage cannot be reached.
    """
    if uri := artifacts.get("ingest", {}).get("findings"):
        add_findings(run, [_read(uri)])
    if uri := artifacts.get("compare", {}).get("ranking"):
        candidates = _read(storage.join(uri, "ranking.json"))["candidates"]
        add_best(run, candidates[0], len(candidates))
    if uri := artifacts.get("evaluate", {}).get("evaluation"):
        add_scores(run, _read(storage.join(uri, "evaluation.json")))
    if uri := artifacts.get("push", {}).get("pushed"):
        add_model(run, _read(storage.join(uri, "pushed.json")))
    for name, (step, output) in PAGES.items():
        if uri := artifacts.get(step, {}).get(output):
            kept = folder / f"{name}.html"
            kept.write_bytes(storage.read_bytes(uri))
            setattr(run, name, str(kept))


def _read(uri: str) -> Any:
    return json.loads(storage.read_bytes(uri))
