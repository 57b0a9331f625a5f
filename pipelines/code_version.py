"""The version of the steps' code: changes whenever a step might give another result."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import components

CODE = (".py", ".j2")  # what runs, and the templates of pages
# Libraries whose releases change what steps compute or write.
LIBRARIES = (
    "jax",
    "jinja2",
    "keras",
    "matplotlib",
    "mlflow-skinny",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "simplejpeg",
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-datasets",
)


@functools.cache
def code_version() -> str:
    """Digest the sources of all steps and the versions of what they compute with.

    Caches that look at image tags or function bodies alone give stale results when a library
    module behind a step changes; this text in a step's inputs prevents that.

    Returns:
        `VERSION+DIGEST`, e.g. "0.1.0+3f9c2a1b7d20".
    """
    digest = hashlib.sha256(f"python {platform.python_version()}\n".encode())
    digest.update(f"backend {os.environ.get('KERAS_BACKEND', '')}\n".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}\n".encode())
    root = Path(components.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.suffix in CODE:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{_version('pawpetal')}+{digest.hexdigest()[:12]}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
