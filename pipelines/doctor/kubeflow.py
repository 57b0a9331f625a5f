"""What a run on Kubeflow needs: a server that answers, lets one in, and is of a known release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import kfp

from components.common.errors import ClusterError, InputError
from pipelines.doctor.check import Check, fail, ok, skip
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.kubeflow_client import Health, LoginError, Server
from pipelines.targets.reach import HERE

FORWARD = "kubectl port-forward -n kubeflow svc/ml-pipeline-ui"
LOG_IN = "pass --token-file, --cookie-file or --iap-client-id"
OLDEST = 2  # release of the API that is spoken
UNUSED = "pawpetal-doctor"  # a name that no run has


def check_kubeflow(target: KubeflowTarget) -> Iterator[Check]:
    """Look whether the server takes runs; nothing is made there.

    Args:
        target: The cluster, and how to log in.
    """
    if urlsplit(target.host).scheme not in ("http", "https"):
        yield fail("server", f"'{target.host}' is no address", f"pass --host http://{target.host}")
        return
    try:
        target.login().check()
        server = Server(target.host, target.login())
        health = server.health()
    except (InputError, LoginError) as error:
        yield _no_login(error)
        return
    except ClusterError as error:
        yield fail("server", str(error), _start(target.host))
        yield skip("the rest", "its release, login and namespace are not known")
        return
    yield _release(target.host, health)
    yield from _check_namespace(target, health)


def _no_login(error: Exception) -> Check:
    """Who is not let in is told so in one sentence, and in another what helps."""
    said, has_hint, hint = str(error).rstrip(".").rpartition(". ")
    return fail("login", said, hint) if has_hint else fail("login", hint, LOG_IN)


def _start(host: str) -> str:
    parts = urlsplit(host)
    if parts.hostname in HERE:
        return f"{FORWARD} {parts.port or 80}:80"
    return f"curl {host}/apis/v2beta1/healthz  # by hand; kubectl get pods -n kubeflow tells more"


def _release(host: str, health: Health) -> Check:
    """Whether the server speaks the API that is asked."""
    if not health.version:
        return ok("server", f"{host} answers, and does not tell its release")
    theirs, ours = _numbers(health.version), _numbers(kfp.__version__)
    said = f"{host} runs Kubeflow Pipelines {health.version}"
    if theirs and theirs[0] < OLDEST:
        return fail("server", f"{said}, without the API of release {OLDEST}", "infra/kind/up")
    if theirs and theirs[:2] != ours[:2]:
        made_for = ".".join(map(str, ours[:2]))
        return ok("server", f"{said}; pawpetal was made for {made_for}, and may misread its steps")
    return ok("server", said)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _check_namespace(target: KubeflowTarget, health: Health) -> Iterator[Check]:
    """Whether one is let in, by a question that only who is let in gets an answer to."""
    if health.multi_user and not target.namespace:
        yield fail("namespace", "the server has many users", "pass --namespace NAME")
        return
    try:
        # Of no experiment, so of all in the namespace.
        target.connect().find_run(UNUSED, None)
    except LoginError as error:
        yield _no_login(error)
    except ClusterError as error:
        yield fail("login", str(error), "kubectl logs -n kubeflow deploy/ml-pipeline")
    else:
        where = f" in namespace {target.namespace}" if health.multi_user else ""
        yield ok("login", f"runs can be listed{where}")
