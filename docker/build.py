"""Build the images by the plain builder or BuildKit: `python docker/build.py light cpu`.

They carry the tag that the compiled specs name. An image that is there already is not built again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from components.common import images
from components.common.progress import format_seconds
from pipelines.images import ROOT, reference, tag
from pipelines.specs import step_images

KERAS_BACKENDS = {"tpu": "jax"}  # all others: tensorflow
CERTIFICATES = ROOT / "docker" / "ca" / "bundle.crt"
PUBLIC, LOCAL = "python:3.11-slim", "pawpetal-base:bookworm"  # base images
HOW_LONG = "minutes the first time, seconds after a change of code"
IMAGES = ("light", "cpu", "gpu", "tpu")


def main() -> int:
    """Build what the command line names; exit status 1 where a build fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", choices=IMAGES, metavar="IMAGE", help=str(IMAGES))
    parser.add_argument(
        "--base-image", help=f"Debian with Python 3.11; default: {PUBLIC}, or {LOCAL} if there"
    )
    parser.add_argument(
        "--ca-bundle",
        default=_ca_bundle(),
        help="certificates that pip needs meanwhile; default: what pip is set to use",
    )
    arguments = parser.parse_args()
    if arguments.ca_bundle and not Path(arguments.ca_bundle).is_file():
        print(f"There is no file '{arguments.ca_bundle}' of certificates.", file=sys.stderr)
        return 1
    if shutil.which("docker") is None or _docker("info", quiet=True):
        print("No Docker engine answers. Install one, or start it: docker info", file=sys.stderr)
        return 1
    version = tag()  # once: code that is edited meanwhile must not change its mind
    wanted = {name: f"pawpetal-{name}:{version}" for name in arguments.images}
    if set(step_images("train_and_push")) != {reference(images.CPU), reference(images.LIGHT)}:
        print("The specs, which the images hold, are stale. Run: make compile", file=sys.stderr)
        return 1
    if not arguments.base_image:  # with another one, the builder knows what is the same
        wanted = {name: image for name, image in wanted.items() if not _is_there(image)}
    base_image = arguments.base_image or (LOCAL if _is_there(LOCAL) else PUBLIC)
    with _certificates(arguments.ca_bundle) if wanted else contextlib.nullcontext():
        for name, image in wanted.items():
            start = time.monotonic()
            print(f"Building {image} from {base_image}, {HOW_LONG} ...", flush=True)
            if _build(name, image, base_image=base_image, has_ca=bool(arguments.ca_bundle)):
                print(f"{image} could not be built: see above.", file=sys.stderr)
                return 1
            print(f"  built in {format_seconds(time.monotonic() - start)}", flush=True)
    return _docker("images", "--filter", f"reference=pawpetal-*:{version}")


@contextlib.contextmanager
def _certificates(bundle: str) -> Iterator[None]:
    """Lay the certificates where the builder finds them, for the time of one build at once."""
    with FileLock(CERTIFICATES.with_name(".lock")):
        if bundle:
            shutil.copyfile(bundle, CERTIFICATES)
        try:
            yield
        finally:
            if bundle:
                CERTIFICATES.unlink(missing_ok=True)


def _build(name: str, image: str, *, base_image: str, has_ca: bool) -> int:
    given = {
        "BASE_IMAGE": base_image,
        "IMAGE": name,
        "KERAS_BACKEND": KERAS_BACKENDS.get(name, ""),
        "PIP_CERT": "/build/ca/bundle.crt" if has_ca else "",
        "PIP_INDEX_URL": os.environ.get("PIP_INDEX_URL", ""),
        "REVISION": _revision(),
        "TAG": image.rpartition(":")[2],
    }
    build_args = [f"--build-arg={key}={value}" for key, value in given.items() if value]
    return _run_quietly(
        "docker",
        "build",
        "--network=host",  # the network as this machine sees it, its proxies included
        "--platform=linux/amd64",
        "--file=docker/Dockerfile",
        f"--tag={image}",
        *build_args,
        ".",
    )


def _is_there(image: str) -> bool:
    return not _docker("image", "inspect", image, quiet=True)


def _ca_bundle() -> str:
    """The certificates that pip is set to use on this machine, where it is."""
    return os.environ.get("PIP_CERT") or _output(
        sys.executable, "-m", "pip", "config", "get", "global.cert"
    )


def _run_quietly(*command: str) -> int:
    """Run a build; a builder prints some hundred lines, which matter where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return done.returncode


def _revision() -> str:
    return _output("git", "rev-parse", "HEAD")


def _output(*command: str) -> str:
    """What a command prints; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else ""


def _docker(*arguments: str, quiet: bool = False) -> int:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(["docker", *arguments], cwd=ROOT, stdout=output, stderr=output).returncode


if __name__ == "__main__":
    sys.exit(main())
