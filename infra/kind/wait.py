"""Wait with progress: `python -m infra.kind.wait nodes | deployments | URL [--timeout SECONDS]`.

Every ten seconds it says what it still waits for. Exit status 1 when the time is over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from infra.kind.settings import versions

INTERVAL_S = 10.0
SETTLING = ("ContainerCreating", "PodInitializing")  # reasons to wait that go by themselves

Item = dict[str, Any]  # an object of Kubernetes


def main(arguments: list[str] | None = None) -> int:
    """Wait for what the command line names."""
    parser = argparse.ArgumentParser(prog="infra.kind.wait", description=__doc__)
    parser.add_argument("what", help="'nodes', 'deployments', or an address that is to answer")
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS")
    given = parser.parse_args(arguments)
    missing, hint = _target(given.what)
    if wait(missing, timeout_s=given.timeout):
        return 0
    print(f"Not there after {given.timeout:.0f} s. {hint}", file=sys.stderr)
    return 1


def wait(
    missing: Callable[[], list[str]], *, timeout_s: float, interval_s: float = INTERVAL_S
) -> bool:
    """Ask until nothing is missing.

    Args:
        missing: Says what is missing now.
        timeout_s: How long to ask; at least once.
        interval_s: Time between two questions.

    Returns:
        False if something is missing still when the time is over.
    """
    start = time.monotonic()
    while names := missing():
        elapsed_s = time.monotonic() - start
        print(f"  {elapsed_s:4.0f} s  waiting for {', '.join(names)}", flush=True)
        if elapsed_s + interval_s > timeout_s:
            return False
        time.sleep(interval_s)
    return True


def unready_nodes(items: list[Item]) -> list[str]:
    """The nodes that cannot run pods yet."""
    names = [item["metadata"]["name"] for item in items if not _is_true(item, "Ready")]
    return names if items else ["a node to appear"]


def unready_deployments(items: list[Item]) -> list[str]:
    """The deployments that do not run whole, and why pods do not start, of all objects given."""
    deployments = [item for item in items if item["kind"] == "Deployment"]
    names = [item["metadata"]["name"] for item in deployments if not _runs(item)]
    reasons = sorted({reason for item in items for reason in _waiting_reasons(item)})
    if not deployments:
        return ["deployments to appear"]
    return [*names, f"({'; '.join(reasons)})"] if names and reasons else names


def silent(url: str) -> list[str]:
    """The address, while it does not answer with success."""
    # No proxy: an environment that has one would send even this address to it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=5).close()
    except OSError as error:
        return [f"{url} ({error})"]
    return []


def _target(what: str) -> tuple[Callable[[], list[str]], str]:
    """What asks for it, and what to do when it does not come."""
    wanted = versions()
    kubectl = f"kubectl --context kind-{wanted['CLUSTER']} --namespace {wanted['NAMESPACE']}"
    if what == "nodes":
        ask = _asker([*kubectl.split(), "get", "nodes"], unready_nodes)
        return ask, "Remove the cluster with make kind-down, then: make kind-up"
    if what == "deployments":
        ask = _asker([*kubectl.split(), "get", "deployments,pods"], unready_deployments)
        look = f"{kubectl} get pods; {kubectl} describe pod NAME"
        return ask, f"Look further: {look}. Then go on: make kind-up"
    return lambda: silent(what), "Does the cluster run? make kind-up"


def _asker(command: list[str], judge: Callable[[list[Item]], list[str]]) -> Callable[[], list[str]]:
    def ask() -> list[str]:
        asked = subprocess.run(  # noqa: S603  # our own command, no shell
            [*command, "--output=json"], capture_output=True, text=True, check=False
        )
        if asked.returncode:
            return [f"the cluster to answer ({asked.stderr.strip()[-200:]})"]
        return judge(json.loads(asked.stdout)["items"])

    return ask


def _is_true(item: Item, condition: str) -> bool:
    found = item.get("status", {}).get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in found)


def _runs(deployment: Item) -> bool:
    status = deployment.get("status", {})
    counts = (status.get(name, 0) for name in ("updatedReplicas", "readyReplicas"))
    is_seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(is_seen and min(counts) >= deployment["spec"].get("replicas", 1))


def _waiting_reasons(item: Item) -> list[str]:
    """E.g. "ImagePullBackOff: ghcr.io/mlflow/mlflow:v1", of the containers of a pod that wait."""
    containers = item.get("status", {}).get("containerStatuses", [])
    reasons = [(each.get("state", {}).get("waiting", {}), each["image"]) for each in containers]
    return [
        f"{waiting['reason']}: {image}"
        for waiting, image in reasons
        if waiting.get("reason", SETTLING[0]) not in SETTLING
    ]


if __name__ == "__main__":
    sys.exit(main())
