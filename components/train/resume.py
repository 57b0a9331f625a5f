"""Which checkpoints belong to a training: those of the very same one, stopped before its end."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
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

KEPT_S = 30 * 24 * 3600.0  # since the last checkpoint of a training


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
    _forget_abandoned(root, but=name)
    return Checkpoints(storage.join(root, name), every_s=every_s)


def _forget_abandoned(root: str, *, but: str) -> None:
    """Delete what nobody took up again for a month; in a bucket, its own rules do so."""
    if storage.is_remote(root) or not Path(root).is_dir():
        return
    for folder in Path(root).iterdir():
        # Each checkpoint renames a file within its folder.
        if folder.name != but and time.time() - folder.stat().st_mtime > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _describe(manifest: Manifest) -> list[str]:
    """Photos and their order; shards are named by their content."""
    return [manifest.digest, manifest.split_rule or "", *(shard.file for shard in manifest.shards)]
