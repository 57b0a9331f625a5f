"""Artifacts as a step sees them, without knowing kfp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from components.common.storage import write_atomically


class Artifact(Protocol):
    """What every kfp artifact has."""

    path: str
    metadata: dict[str, Any]


def write_metadata(artifact: Artifact) -> None:
    """Write an artifact's metadata as its file, for metrics, which have no other.

    kfp's local cache takes an artifact without a file for a deleted one, and runs the step again.

    Args:
        artifact: Metrics whose values were all logged.
    """
    content = json.dumps(artifact.metadata, indent=2)
    write_atomically(Path(artifact.path), content.encode())
