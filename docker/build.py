"""Build the images by the plain builder or BuildKit: `python docker/build.py light cpu`.

They carry the tag that the compiled specs name. An image that is there already is not built again.
With `--push --image-registry HOST/PATH --digests FILE` they go to a registry, and FILE says under
which digests: {"pawpetal-light": "sha256:..."}, which `pawpetal deploy --digests` takes. With
`--signed-by`, an image that the registry has already is taken only where that workflow signed it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from components.common import images
from components.common.errors import DataError, InputError
from components.common.progress import format_seconds
from pipelines.images import ROOT, reference, tag
from pipelines.specs import step_images

KERAS_BACKENDS = {"tpu": "jax"}  # all others: tensorflow
CERTIFICATES = ROOT / "docker" / "ca" / "bundle.crt"
PUBLIC, LOCAL = "python:3.11-slim", "pawpetal-base:bookworm"  # base images
HOW_LONG = "minutes the first time, seconds after a change of code"
IMAGES = ("light", "cpu", "gpu", "tpu")
DIGEST = re.compile(r"(?i)\bdigest: (sha256:[0-9a-f]{64})")  # as `docker pull` and `push` end
# How `docker pull` says that a registry has none: the registry's own words (MANIFEST_UNKNOWN,
# NAME_UNKNOWN), those of the engine's store, those of containerd's.
MISSING = re.compile(
    r"(?:manifest|name) unknown|(?:manifest for|repository) \S+ not found|: not found\s*\Z"
)
ISSUER = "https://token.actions.githubusercontent.com"  # who tells cosign what a workflow is called


def main() -> int:
    """Build what the command line names; exit status 1 where a build or a push fails."""
    arguments = _arguments()
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
    registry = arguments.image_registry
    digests = {}
    try:
        for name, image in wanted.items() if registry else ():
            digests[name] = fetch(image, registry, arguments.signed_by)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    missing = {name: image for name, image in wanted.items() if not digests.get(name)}
    if not arguments.base_image:  # with another one, the builder knows what is the same
        missing = {name: image for name, image in missing.items() if not _is_there(image)}
    base_image = arguments.base_image or (LOCAL if _is_there(LOCAL) else PUBLIC)
    with _certificates(arguments.ca_bundle) if missing else contextlib.nullcontext():
        for name, image in missing.items():
            start = time.monotonic()
            print(f"Building {image} from {base_image}, {HOW_LONG} ...", flush=True)
            if _build(name, image, base_image=base_image, has_ca=bool(arguments.ca_bundle)):
                print(f"{image} could not be built: see above.", file=sys.stderr)
                return 1
            print(f"  built in {format_seconds(time.monotonic() - start)}", flush=True)
    if registry:
        for name, digest in digests.items():
            digests[name] = digest or push(wanted[name], registry)
        return _record(digests, wanted, arguments.digests)
    return _docker("images", "--filter", f"reference=pawpetal-*:{version}")


def fetch(image: str, registry: str, signed_by: str = "") -> str:
    """Take an image from a registry that has it already, as this machine's own.

    What was published under a tag stays: a release that is run again deploys the same bytes, though
    a second build would have other ones.

    Args:
        image: NAME:TAG.
        registry: HOST/PATH.
        signed_by: A regular expression of cosign for the workflow that must have signed it; empty
            takes what anybody put there who may write.

    Returns:
        Its digest; empty where the registry has none.

    Raises:
        DataError: If the registry does not say, or the image has no such signature. Building it
            anew would move a tag that must never move.
    """
    there = f"{registry.rstrip('/')}/{image}"
    done = _captured("docker", "pull", there)
    if done.returncode and MISSING.search(done.stdout):
        return ""
    found = DIGEST.search(done.stdout)
    if done.returncode or not found:
        print(done.stdout, file=sys.stderr)
        raise DataError(f"Whether {there} exists is not known: see above.")
    if signed_by:
        _verify(there, found[1], signed_by)
    if _docker("tag", there, image):
        raise DataError(f"{there} could not be named {image}: see above.")
    return found[1]


def _verify(there: str, digest: str, signed_by: str) -> None:
    """Check by digest what was pulled by tag: between the two, a tag could move."""
    done = _captured(
        "cosign",
        "verify",
        f"--certificate-oidc-issuer={ISSUER}",
        f"--certificate-identity-regexp={signed_by}",
        f"{there.rpartition(':')[0]}@{digest}",
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise DataError(
            f"{there} is there, and not signed by {signed_by}: see above. Somebody else pushed it,"
            " or a release ended before it was signed. Delete it there, and run this again."
        )


def push(image: str, registry: str) -> str:
    """Push an image of this machine, and say why where that fails.

    Returns:
        Its digest in the registry; empty where it could not be pushed.
    """
    there = f"{registry.rstrip('/')}/{image}"
    print(f"Pushing {there} ...", flush=True)
    if _docker("tag", image, there):
        return ""
    done = _captured("docker", "push", there)
    if not done.returncode and (found := DIGEST.search(done.stdout)):
        return found[1]
    print(done.stdout, file=sys.stderr)
    host = registry.partition("/")[0]
    print(f"{there} could not be pushed: see above. Log in: docker login {host}", file=sys.stderr)
    return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", nargs="+", choices=IMAGES, metavar="IMAGE", help=str(IMAGES))
    parser.add_argument(
        "--base-image", help=f"Debian with Python 3.11; default: {PUBLIC}, or {LOCAL} if there"
    )
    parser.add_argument(
        "--ca-bundle",
        default=_ca_bundle(),
        help="certificates that pip needs meanwhile; default: what pip is set to use",
    )
    parser.add_argument("--push", action="store_true", help="push them to --image-registry")
    parser.add_argument("--image-registry", default="", metavar="HOST[/PATH]", help="of --push")
    parser.add_argument(
        "--digests", type=Path, metavar="FILE", help="where --push writes what it pushed, as JSON"
    )
    parser.add_argument(
        "--signed-by",
        default="",
        metavar="REGEXP",
        help="--push takes what is there already only if this workflow of GitHub signed it; cosign",
    )
    arguments = parser.parse_args()
    if arguments.push != bool(arguments.image_registry):
        parser.error("--push and --image-registry go together.")
    if (arguments.digests or arguments.signed_by) and not arguments.push:
        parser.error("--digests and --signed-by go with --push.")
    try:
        reference(images.LIGHT, arguments.image_registry)
    except InputError as error:
        parser.error(str(error))
    return arguments


def _record(digests: dict[str, str], wanted: dict[str, str], path: Path | None) -> int:
    """Write and show digests; exit status 1 where one is missing."""
    if not all(digests.values()):
        return 1
    named = {f"pawpetal-{name}": digest for name, digest in sorted(digests.items())}
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(named, indent=1) + "\n")
    for name, digest in digests.items():
        print(f"{wanted[name]}  {digest}")
    return 0


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
    done = _captured(*command)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return done.returncode


def _captured(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command; what it prints, errors included, is in `stdout`."""
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


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
