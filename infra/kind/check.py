"""Say what `make kind-up` needs and does not find, all at once, before anything is made.

`python -m infra.kind.check [--skip NAME ...]`: exit status 0 where nothing is missing, else 1.
Reads only, and needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.kind.settings import images, versions

COMMAND_TIMEOUT_S = 20
NETWORK_TIMEOUT_S = 5
GIB = 2**30
# A machine of 12 GiB reports less: firmware and kernel keep some.
MEMORY_SLACK = 0.95
# What is fetched from each. A registry that wants to know who asks answers 401: it is there.
HOSTS = {
    "registry-1.docker.io": ("/v2/", "the node, the local registry, MySQL"),
    "ghcr.io": ("/v2/", "Kubeflow Pipelines, MLflow, object storage"),
    "quay.io": ("/v2/", "Argo Workflows"),
    "gcr.io": ("/v2/", "ML Metadata"),
    "github.com": ("/kubeflow/pipelines", "the manifests of Kubeflow Pipelines"),
}
ANSWERS = (200, 401)
MORE = "give Docker more (Docker Desktop: Settings, Resources), or take a larger machine"
SKIPPING = "To try without one of them: infra/kind/up --skip NAME [--skip NAME ...]"


@dataclass(frozen=True)
class Missing:
    """One thing that is not there."""

    what: str  # what is needed, and what was found
    remedy: str


@dataclass(frozen=True)
class Machine:
    """What the checks ask of this machine, asked once."""

    wanted: dict[str, str] = field(default_factory=versions)
    docker: dict[str, Any] = field(default_factory=lambda: docker_info())
    containers: frozenset[str] = field(default_factory=lambda: running_containers())

    @property
    def cluster_runs(self) -> bool:
        """Whether an earlier `make kind-up` got as far as the node."""
        return f"{self.wanted['CLUSTER']}-control-plane" in self.containers

    @property
    def where(self) -> str:
        """Where cores and memory were counted."""
        return "Docker" if self.docker else "this machine"


def main(arguments: list[str] | None = None) -> int:
    """Run the checks that the command line does not skip, and print what is missing."""
    parser = argparse.ArgumentParser(prog="infra.kind.check", description=__doc__)
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=CHECKS,
        metavar="NAME",
        help=", ".join(CHECKS),
    )
    skipped = parser.parse_args(arguments).skip
    machine = Machine()
    found = {name: check(machine) for name, check in CHECKS.items() if name not in skipped}
    missing = {name: items for name, items in found.items() if items}
    if missing:
        print(report(missing, met=[name for name in found if name not in missing]), file=sys.stderr)
        return 1
    print(
        f"Needs are met: {', '.join(found)}."
        + (f" Not checked: {', '.join(skipped)}." if skipped else "")
    )
    return 0


def report(missing: dict[str, list[Missing]], *, met: list[str]) -> str:
    """What is missing as a list for people, each thing with its remedy."""
    lines = ["The cluster cannot be made here yet. Missing:", ""]
    for name, items in missing.items():
        remedies = dict.fromkeys(item.remedy for item in items)  # each once, in order
        lines += [f"  {name:<9} {item.what}" for item in items]
        lines += [f"  {'':<9} -> {remedy}" for remedy in remedies]
    return "\n".join(
        [*lines, "", f"Met: {', '.join(met) or 'nothing'}. Nothing was made or changed.", SKIPPING]
    )


def check_docker(machine: Machine) -> list[Missing]:
    if machine.docker:
        return []
    return [Missing("a Docker engine that answers `docker info`", "install Docker, or start it")]


def check_kind(machine: Machine) -> list[Missing]:
    wanted = machine.wanted["KIND_VERSION"]
    found = re.search(r"v\d+\.\d+\.\d+\S*", run("kind", "version"))
    if found and found[0] == wanted:
        return []
    remedy = f"https://github.com/kubernetes-sigs/kind/releases/tag/{wanted}, or: go install"
    received = f"found {found[0]}" if found else "not found"
    return [Missing(f"kind {wanted}; {received}", f"{remedy} sigs.k8s.io/kind@{wanted}")]


def check_kubectl(machine: Machine) -> list[Missing]:
    minimum = machine.wanted["KUBECTL_MINIMUM"]
    found = re.search(
        r'"gitVersion": "v((\d+)\.(\d+)\S*)"', run("kubectl", "version", "--client", "-ojson")
    )
    if found and (int(found[2]), int(found[3])) >= tuple(map(int, minimum.split("."))):
        return []
    received = f"found {found[1]}" if found else "not found"
    return [
        Missing(
            f"kubectl {minimum} or later; {received}", "https://kubernetes.io/docs/tasks/tools/"
        )
    ]


def check_git(_machine: Machine) -> list[Missing]:
    if shutil.which("git"):
        return []
    return [Missing("git, by which kubectl reads manifests from GitHub", "install git")]


def check_cores(machine: Machine) -> list[Missing]:
    wanted = int(machine.wanted["CORES"])
    found = int(machine.docker.get("NCPU") or os.cpu_count() or 0)
    return (
        [] if found >= wanted else [Missing(f"{wanted} cores; {machine.where} has {found}", MORE)]
    )


def check_memory(machine: Machine) -> list[Missing]:
    wanted = int(machine.wanted["MEMORY_GIB"])
    found = int(machine.docker.get("MemTotal") or _memory_bytes()) / GIB
    if found >= wanted * MEMORY_SLACK:
        return []
    return [Missing(f"{wanted} GiB of memory; {machine.where} has {found:.1f}", MORE)]


def check_disk(machine: Machine) -> list[Missing]:
    if machine.cluster_runs:
        return []  # it holds already what it needs
    wanted = int(machine.wanted["DISK_GB"])
    folder = _nearest(Path(machine.docker.get("DockerRootDir") or "/"))
    found = shutil.disk_usage(folder).free / 1e9
    if found >= wanted:
        return []
    what = f"{wanted} GB free where Docker keeps its data; {folder} has {found:.0f}"
    return [Missing(what, "make room, e.g. with: docker image prune")]


def check_ports(machine: Machine) -> list[Missing]:
    wanted = machine.wanted
    ours = {"UI_PORT": machine.cluster_runs, "MLFLOW_PORT": machine.cluster_runs}
    ours["REGISTRY_PORT"] = wanted["REGISTRY_NAME"] in machine.containers
    taken = [
        wanted[name] for name, held in ours.items() if not held and is_taken(int(wanted[name]))
    ]
    remedy = "end what listens there: lsof -i :{0} or docker ps --filter publish={0}"
    return [
        Missing(f"port {port} of 127.0.0.1, which is taken", remedy.format(port)) for port in taken
    ]


def check_network(_machine: Machine) -> list[Missing]:
    with ThreadPoolExecutor() as pool:
        reasons = dict(zip(HOSTS, pool.map(why_unreachable, HOSTS), strict=True))
    remedy = "allow https to it; behind a proxy, set HTTPS_PROXY here and in Docker"
    return [
        Missing(f"{host}, for {HOSTS[host][1]}; {reason}", remedy)
        for host, reason in reasons.items()
        if reason
    ]


def check_images(machine: Machine) -> list[Missing]:
    if not machine.docker:
        return [Missing("the images of the steps; Docker cannot be asked", "make images")]
    there = run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    absent = [image for image in images() if image not in there]
    return [Missing(f"the image {image} in Docker", "make compile images") for image in absent]


CHECKS: dict[str, Callable[[Machine], list[Missing]]] = {
    "docker": check_docker,
    "kind": check_kind,
    "kubectl": check_kubectl,
    "git": check_git,
    "cores": check_cores,
    "memory": check_memory,
    "disk": check_disk,
    "ports": check_ports,
    "network": check_network,
    "images": check_images,
}


def docker_info() -> dict[str, Any]:
    """What `docker info` says of the engine; empty where none answers."""
    try:
        info: dict[str, Any] = json.loads(run("docker", "info", "--format", "{{json .}}"))
    except json.JSONDecodeError:
        return {}
    return info if info.get("ServerVersion") else {}


def running_containers() -> frozenset[str]:
    """The names of the containers that run."""
    return frozenset(run("docker", "ps", "--format", "{{.Names}}").split())


def run(*command: str) -> str:
    """What a command prints; nothing where it is not there, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  # our own commands, no shell
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def is_taken(port: int) -> bool:
    """Whether something holds a port of 127.0.0.1."""
    with socket.socket() as client:
        client.settimeout(1)
        if client.connect_ex(("127.0.0.1", port)) == 0:  # macOS lets one bind beside a listener
            return True
    with socket.socket() as listener:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # closed connections do not count
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def why_unreachable(host: str) -> str:
    """Why a host does not answer over https; asked through the environment's proxy, if any."""
    request = urllib.request.Request(f"https://{host}{HOSTS[host][0]}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S) as answer:  # noqa: S310  # https
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {getattr(error, 'reason', error)}"
    return "" if status in ANSWERS else f"answers with status {status}"


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that is here: Docker may run in a virtual machine."""
    return next(place for place in (folder, *folder.parents) if place.exists())


if __name__ == "__main__":
    sys.exit(main())
