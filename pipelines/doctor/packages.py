"""What a target needs installed here; found, and not imported, since that takes seconds."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from pipelines.doctor.check import Check, fail, ok

PYTHONS = ((3, 11), (3, 12))  # as pyproject.toml asks for
# Modules of each extra that a target may ask for.
EXTRAS: dict[str, tuple[str, ...]] = {
    "steps": (
        "cv2",
        "importlib_resources",
        "jinja2",
        "keras",
        "matplotlib",
        "numpy",
        "PIL",
        "simplejpeg",
        "tensorflow_datasets",
    ),
    "cpu": ("tensorflow",),
    "registry": ("alembic", "mlflow", "sqlalchemy", "sqlparse"),
    "docker": ("docker",),
    "vertex": ("google.cloud.aiplatform",),
}
NEEDED = {
    "local": ("steps", "cpu", "registry"),  # the extras gpu and tpu bring what cpu does
    "docker": ("docker",),
    "kubeflow": (),
    "vertex": ("vertex",),
}


def check_packages(on: str) -> Iterator[Check]:
    """Python's version, pawpetal's, and the extras that a target needs.

    Args:
        on: Name of the target.
    """
    yield _python()
    try:
        yield ok("pawpetal", version("pawpetal"))
    except PackageNotFoundError:
        command = f"{sys.executable} -m pip install -e ."
        yield fail("pawpetal", "its package is not installed, only its code is here", command)
    missing = {extra: _missing(extra) for extra in NEEDED[on]}
    lacking = [extra for extra, modules in missing.items() if modules]
    if lacking:
        modules = ", ".join(module for extra in lacking for module in missing[extra])
        extras = ",".join(NEEDED[on])
        command = f"{sys.executable} -m pip install 'pawpetal[{extras}]'"
        yield fail("packages", f"{modules} of the extra {' and '.join(lacking)} missing", command)
    elif NEEDED[on]:
        yield ok("packages", f"all of the extras {', '.join(NEEDED[on])}")


def _python() -> Check:
    current = platform.python_version()
    if sys.version_info[:2] in PYTHONS:
        return ok("Python", current)
    known = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    command = f"python{PYTHONS[-1][0]}.{PYTHONS[-1][1]} -m venv .venv && make setup"
    return fail("Python", f"{current}, and TensorFlow and kfp are both there for {known}", command)


def _missing(extra: str) -> list[str]:
    return [module for module in EXTRAS[extra] if not _is_there(module)]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is a part of
        return False
