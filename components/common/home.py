"""The folder where one machine keeps its runs, its cache and its registry."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "PAWPETAL_HOME"
DEFAULT = "pawpetal-home"  # in the working directory, in sight: people want to open the reports


def home() -> Path:
    """The folder that `PAWPETAL_HOME` names, or `pawpetal-home` in the working directory."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).absolute()
