"""What is deployed: all pipelines, compiled for one place, with images by their digests."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from pathlib import Path

from components.common.errors import InputError
from pipelines.compiling import GRAPHS, SpecSettings, compile_spec
from pipelines.deploy import documents
from pipelines.deploy.checkout import Checkout, user
from pipelines.deploy.deployments import Release
from pipelines.google_cloud.requests import Submission, build_job
from pipelines.images import code_version, names_for
from pipelines.specs import KUBEFLOW
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.vertex import VertexTarget

TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

DeployTarget = KubeflowTarget | VertexTarget


def make_release(
    target: DeployTarget, checkout: Checkout, *, tag: str = "", digests: str = ""
) -> Release:
    """Compile all pipelines for a place.

    Args:
        target: The place.
        checkout: Where the code comes from.
        tag: For people; empty for the one in git or, without one, the version of the code.
        digests: JSON file with the digest of each image, by its name; empty to take images by tag.

    Raises:
        InputError: If the tag or a digest is none, or an image lacks one.
    """
    tag = tag or checkout.tag or code_version().replace("+", "-")
    if not TAG.fullmatch(tag):
        raise InputError(
            "`tag` must start with a letter or digit, and hold only letters, digits, dots, dashes"
            f" and underscores, 63 at most. Received: '{tag}'"
        )
    settings = dataclasses.replace(
        target.spec_settings(),
        digests=_read_digests(digests, target) if digests else {},
        use_cache=False,
    )
    return Release(
        tag=tag,
        code_version=code_version(),
        commit=checkout.commit,
        by=user(),
        specs={pipeline: _compile(pipeline, target, settings) for pipeline in GRAPHS},
    )


def _compile(pipeline: str, target: DeployTarget, settings: SpecSettings) -> bytes:
    if isinstance(target, KubeflowTarget):
        with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
            path = Path(scratch, "pipeline.yaml")
            compile_spec(pipeline, KUBEFLOW, path, settings)
            return path.read_bytes()
    spec = target.build_spec(pipeline, settings)
    root = f"{target.usual_storage()}/runs"
    job = build_job(spec, {}, target.place, name=pipeline, root=root)
    Submission(place=target.place, run_id=pipeline, job=job).check()
    return documents.write([spec])


def _read_digests(file: str, target: DeployTarget) -> dict[str, str]:
    """Digests by name of image.

    Raises:
        InputError: If the file holds no such thing, or lacks an image that a run starts.
    """
    try:
        found = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"`digests` '{file}' cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"`digests` '{file}' must hold one JSON object, image to digest.")
    for name in names_for(target.accelerator.image):
        if not DIGEST.fullmatch(str(found.get(name, ""))):
            raise InputError(
                f"`digests` '{file}' must hold the digest of each image that a run starts, e.g."
                f' "{name}": "sha256:..." with 64 hexadecimal digits. Received for {name}:'
                f" '{found.get(name, '')}'. docker/build.py --push --digests writes it."
            )
    registry = target.spec_settings().image_registry
    if not registry:
        raise InputError("`digests` needs `image_registry`, since only registries know digests.")
    return dict(found)
