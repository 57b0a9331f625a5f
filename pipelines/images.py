"""Which images the specs name: tags that say what is inside, and where they are pulled from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from components.common.errors import InputError
from components.common.images import CPU, LIGHT
from pipelines.specs import step_images

ROOT = Path(__file__).parent.parent
# All that the images are built from, but for the base image and the compiled specs, which name the
# images themselves.
SOURCES = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "docker/Dockerfile",
    "docker/build.py",
    "docker/locks",
)
PACKAGES = ("components", "pipelines")
CODE = (".py", ".j2")


def tag() -> str:
    """The tag of the images of this code: `VERSION-DIGEST`, e.g. "0.1.0-3f9c2a1b7d20".

    It never moves, since caches and clusters both go wrong on a tag that does. Installed without
    its sources, pawpetal takes the tag that its compiled specs name.
    """
    if not (ROOT / "docker" / "Dockerfile").is_file():
        return next(iter(step_images("train_and_push"))).rpartition(":")[2]
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version('pawpetal')}-{digest.hexdigest()[:12]}"


def code_version() -> str:
    """Version of the steps' code where they run in images; part of the cache key."""
    version_, _, digest = tag().rpartition("-")
    return f"{version_}+{digest}"


def names_for(image: str) -> tuple[str, ...]:
    """Names of the images that a run starts, sorted.

    Args:
        image: Name of the one that trains.
    """
    return tuple(sorted({LIGHT, CPU, image}))


def reference(name: str, registry: str = "", digests: Mapping[str, str] | None = None) -> str:
    """The full reference of an image, by its digest where that is known, else by its tag.

    Never by both: Docker and containerd take that, CRI-O long did not, Vertex AI does not say.

    Args:
        name: Its name, e.g. "pawpetal-cpu".
        registry: Where it is pulled from, e.g. "localhost:5001" or
            "REGION-docker.pkg.dev/PROJECT/REPOSITORY"; empty for the images of the machine itself.
        digests: By name, e.g. "sha256:3f9c...", of images that were pushed there.

    Raises:
        InputError: If `registry` is no host and path.
    """
    if "://" in registry or registry != registry.strip():
        raise InputError(
            f"`image_registry` must be HOST[:PORT][/PATH], without a scheme. Received: '{registry}'"
        )
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    if digests and name in digests:
        return f"{prefix}{name}@{digests[name]}"
    return f"{prefix}{name}:{tag()}"


def _sources() -> list[Path]:
    named = [ROOT / source for source in SOURCES]
    files = [path for path in named if path.is_file()]
    files += [path for folder in named for path in folder.glob("*.lock")]
    for package in PACKAGES:
        files += [path for path in (ROOT / package).rglob("*") if path.suffix in CODE]
    return sorted(files)
