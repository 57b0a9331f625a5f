"""The cluster's files, and what looks at them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
KIND = ROOT / "infra" / "kind"
ADDONS = KIND / "kustomize" / "addons"


def tool(name: str) -> str:
    """Where a program is, beside this Python or on the PATH; skips the test where it is nowhere."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="session")
def checked() -> subprocess.CompletedProcess[str]:
    """What the check says of this very machine."""
    command = [sys.executable, "-m", "infra.kind.check"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture
def addons() -> list[dict[str, Any]]:
    """The objects of the local kustomization, as its files hold them."""
    names = yaml.safe_load((ADDONS / "kustomization.yaml").read_text())["resources"]
    return [each for name in names for each in yaml.safe_load_all((ADDONS / name).read_text())]


@pytest.fixture(scope="session")
def rendered_addons() -> list[dict[str, Any]]:
    """The same as `kubectl kustomize` renders them: what the cluster would get."""
    command = [tool("kubectl"), "kustomize", str(ADDONS)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(rendered.stdout))
