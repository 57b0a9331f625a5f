"""A target on the double of Google Cloud, whose bucket is in the emulated Cloud Storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.common.home import VARIABLE
from pipelines.specs import FILLED_IN, parameters, step_names
from pipelines.targets.vertex import VertexTarget
from tests.google_cloud.double import GoogleDouble

BUCKET = "acme-pawpetal"
SCORES = {
    "accuracy": 0.9,
    "accuracy_low": 0.85,
    "accuracy_high": 0.94,
    "macro_f1": 0.89,
    "loss": 0.3,
    "num_photos": 90,
}
PUSHED = {
    "model_name": "flowers",
    "version": "3",
    "is_champion": True,
    "verdict": "champion: 0.9000 against 0.8800",
}
# What the steps leave: by step and output, files below the output's place.
LEFT = {
    "ingest": {"findings": json.dumps({"findings": []}), "data_report": "<p>photos</p>"},
    "augment": {"preview": "<p>preview</p>"},
    "evaluate": {"evaluation/evaluation.json": json.dumps(SCORES), "report": "<p>report</p>"},
    "push": {"pushed/pushed.json": json.dumps(PUSHED)},
}


@pytest.fixture
def vertex(google: GoogleDouble, gcs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A target whose clock is quick; the bucket is there, and empty."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "home"))
    bucket = gcs.bucket(BUCKET)
    if bucket.exists():
        bucket.delete_blobs(list(bucket.list_blobs()))
    else:
        bucket.create()
    return VertexTarget(
        project="acme", region="us-central1", bucket=BUCKET, poll_s=0.01, give_up_s=2.0
    )


def arguments(pipeline: str = "train_and_push", **given: Any) -> dict[str, Any]:
    """All inputs of a pipeline, as preflight would leave them."""
    usual = {parameter.name: parameter.default for parameter in parameters(pipeline)}
    filled = dict.fromkeys(FILLED_IN, "1")
    return {**usual, **filled, "registry": "mlflow:https://mlflow.acme.example", **given}


def leave(bucket: Any, left: Mapping[str, Mapping[str, str]] = LEFT) -> dict[str, dict[str, Any]]:
    """Write what steps leave; gives each step's outputs as the API tells them."""
    outputs: dict[str, dict[str, Any]] = {}
    for step, files in left.items():
        for path, content in files.items():
            name = path.partition("/")[0]
            bucket.blob(f"pawpetal/runs/1/{step}/{path}").upload_from_string(content)
            uri = f"gs://{bucket.name}/pawpetal/runs/1/{step}/{name}"
            outputs.setdefault(step, {})[name] = {"artifacts": [{"uri": uri}]}
    return outputs


def moment(
    state: str, done: str = "", running: str = "", *, outputs: Any = None, **fields: Any
) -> dict[str, Any]:
    """A part of a PipelineJob: the steps up to `done` have ended, `running` runs."""
    steps = list(step_names("train_and_push"))
    ended = steps[: steps.index(done) + 1] if done else []
    details = [
        {
            "taskName": step,
            "state": "SUCCEEDED" if step in ended else "RUNNING",
            "startTime": "2026-01-01T00:00:00Z",
            **({"endTime": "2026-01-01T00:01:30.250Z"} if step in ended else {}),
            "outputs": (outputs or {}).get(step, {}),
        }
        for step in [*ended, *([running] if running else [])]
    ]
    fields.setdefault("jobDetail", {"taskDetails": details})
    return {"state": f"PIPELINE_STATE_{state}", **fields}
