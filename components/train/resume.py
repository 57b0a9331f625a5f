"""Which checkpoints belong to a training: those of the very same one, stopped before its end."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras

from components.augment.policies import Policy
from components.common import storage
from components.common.manifest import Manifest
from components.common.model import ModelFolder
from components.train.loop.checkpoints import Checkpoints
from components.train.settings import TrainSettings


def find_checkpoints(
    root: str,
    settings: TrainSettings,
    policy: Policy,
    datasets: Sequence[Path],
    *,
    start: Path | None,
    versions: Sequence[str],
    every_s: float,
) -> Checkpoints | None:
    """Where a training keeps its state: a folder named by all that its result depends on.

    Args:
        root: Folder or gs:// URI of all trainings; empty keeps no state.
        settings: Resolved.
        policy: What may be done to training photos.
        datasets: Dataset folders that it reads.
        start: Folder of the model that it goes on from.
        versions: Of code and weights.
        every_s: Seconds from one checkpoint to the next.
    """
    if not root:
        return None
    facts = {
        "settings": settings.told(),
        "policy": asdict(policy),
        "datasets": [_describe(Manifest.load(folder)) for folder in datasets],
        "start": ModelFolder(start).digest() if start else "",
        "versions": [*versions, keras.version(), keras.backend.backend(), platform.machine()],
    }
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return Checkpoints(storage.join(root, name), every_s=every_s)


def _describe(manifest: Manifest) -> list[str]:
    """Photos and their order; shards are named by their content."""
    return [manifest.digest, manifest.split_rule or "", *(shard.file for shard in manifest.shards)]
