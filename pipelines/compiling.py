"""Compile each graph into one spec a target; the specs are committed."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable
from pathlib import Path

from kfp import compiler
from kfp.dsl.graph_component import GraphComponent

from pipelines import train_and_push
from pipelines.specs import FOLDER, spec_path
from pipelines.targets import kubeflow

# Two specs, since the Vertex client cannot read the second document that Kubernetes settings add.
BUILDS: dict[tuple[str, str], Callable[[], GraphComponent]] = {
    ("train_and_push", "kubeflow"): lambda: train_and_push.build(kubeflow.adapt),
    ("train_and_push", "vertex"): train_and_push.build,
}


def compile_specs() -> list[Path]:
    """Write every spec, and say where."""
    paths = []
    for pipeline, target in BUILDS:
        path = spec_path(pipeline, target)
        compiler.Compiler().compile(BUILDS[pipeline, target](), str(path))
        paths.append(path)
    return paths


def stale_specs() -> dict[Path, str]:
    """Find specs that compiling now would change.

    Returns:
        By path of the committed spec, what would change, as a diff.
    """
    stale = {}
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        for pipeline, target in BUILDS:
            committed = spec_path(pipeline, target)
            fresh = Path(scratch, committed.name)
            compiler.Compiler().compile(BUILDS[pipeline, target](), str(fresh))
            before = committed.read_text() if committed.exists() else ""
            if before != fresh.read_text():
                stale[committed] = _diff(before, fresh.read_text(), committed)
    return stale


def _diff(before: str, after: str, path: Path) -> str:
    name = str(path.relative_to(FOLDER.parent.parent))
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (committed)", f"{name} (compiled)", n=1
    )
    return "\n".join(lines)
