"""List what an image holds: `python docker/sbom.py IMAGE -o FILE`, as CycloneDX JSON.

Asks the image's own Python and dpkg, so the list says what is there, not what was asked for. The
same image gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

# Runs in the image: its own distributions, those of the Python below, Debian's packages.
INSIDE = r"""
import glob, importlib.metadata, json, platform, subprocess, sys
below = glob.glob("/usr/lib/python3*/*-packages") + glob.glob("/usr/local/lib/python3*/*-packages")
found = importlib.metadata.distributions(path=sys.path + below)
listing = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
debian = subprocess.run(["dpkg-query", "-W", "-f", listing], stdout=subprocess.PIPE, check=True)
lines = debian.stdout.decode().splitlines()
release = platform.freedesktop_os_release()
print(json.dumps({
    "interpreter": platform.python_version(),
    "python": [[distribution.name, distribution.version] for distribution in found],
    "debian": [line.split("\t")[1:] for line in lines if line.startswith("ii")],
    "distro": f"{release['ID']}-{release['VERSION_ID']}",
}))
"""


def main() -> int:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image", metavar="IMAGE", help="reference of an image")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    text, num_components = sbom(arguments.image)
    arguments.output.write_text(text)
    print(f"{arguments.output}: {num_components} packages of {arguments.image}")
    return 0


def sbom(image: str) -> tuple[str, int]:
    """The list and the number of packages in it.

    Args:
        image: Reference of an image with Python and dpkg.

    Raises:
        RuntimeError: If the image is missing or holds no such program.
        ValueError: If the list breaks CycloneDX's schema.
    """
    (details,) = json.loads(_run("docker", "image", "inspect", image))
    inside = json.loads(
        _run("docker", "run", "--rm", "--network=none", "--entrypoint=python", image, "-c", INSIDE)
    )
    components = {component.purl: component for component in _components(inside)}.values()
    subject = _subject(image, details["Id"])
    bom = Bom(
        components=components,
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{image} {details['Id']}"),
        metadata=BomMetaData(
            component=subject,
            timestamp=datetime.fromisoformat(details["Created"][:19] + "+00:00"),
        ),
    )
    bom.register_dependency(subject, components)
    text = JsonV1Dot6(bom).output_as_string(indent=1) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"The list of {image} breaks CycloneDX's schema: {error}")
    return text, len(components)


def _components(inside: dict[str, Any]) -> Iterator[Component]:
    yield _component("CPython", PackageURL("generic", None, "python", inside["interpreter"]))
    for name, version in inside["python"]:
        yield _component(name, PackageURL("pypi", None, name, version))
    for name, version, architecture in inside["debian"]:
        qualifiers = {"arch": architecture, "distro": inside["distro"]}
        yield _component(name, PackageURL("deb", "debian", name, version, qualifiers))


def _component(name: str, purl: PackageURL) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=purl.version,
        purl=purl,
        bom_ref=purl.to_string(),
    )


def _subject(image: str, image_id: str) -> Component:
    name, _, tag = image.rpartition(":")
    return Component(
        type=ComponentType.CONTAINER,
        name=name or image,
        version=tag if name else None,
        bom_ref=image_id,
        properties=[Property(name="docker:image:id", value=image_id)],
    )


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command[:3])} ...` failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
