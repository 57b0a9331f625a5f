"""What `versions.env` and the compiled spec say. Standard library only: any python3 runs it."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent
SPEC = FOLDER.parent.parent / "pipelines" / "specs" / "train_and_push.kubeflow.yaml"
IMAGES_VARIABLE = "PAWPETAL_IMAGES"
_IMAGE_LINE = re.compile(r"^ +image: (\S+)$", re.MULTILINE)


def versions() -> dict[str, str]:
    """The settings of `versions.env`, by name."""
    lines = (FOLDER / "versions.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def images() -> list[str]:
    """The images that the steps run in: those that the compiled spec names, sorted.

    The variable `PAWPETAL_IMAGES`, names with spaces between, says others.
    """
    named = os.environ.get(IMAGES_VARIABLE, "").split()
    return named or sorted(set(_IMAGE_LINE.findall(SPEC.read_text())))


if __name__ == "__main__":
    print("\n".join(images()))
