"""Runs in a cluster or on Vertex AI that nobody follows any more, since their follower was killed.

They go on there, so that starting them again would run them twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from components.common.errors import CloudError, ClusterError
from pipelines.runs import CANCELLED, Run
from pipelines.specs import Value
from pipelines.targets.options import KUBEFLOW, make_target

POLL_S = 30.0
NOT_THERE = "not there"


def ask_how_it_goes(place: Mapping[str, Value], run: Run) -> str:
    """Ask the place of a run.

    Args:
        place: Where it runs, as schedules hold it.
        run: Its record.

    Returns:
        How it ended, as our records say it; empty while it runs; `NOT_THERE` if it never began.

    Raises:
        PawpetalError: If the place cannot be asked.
    """
    target: Any = make_target(
        str(place["on"]), {key: value for key, value in place.items() if key != "on"}
    )
    return _ask_kubeflow(target, run) if place["on"] == KUBEFLOW else _ask_vertex(target, run)


def _ask_kubeflow(target: Any, run: Run) -> str:
    from pipelines.targets.kubeflow_client import LoginError, UnreachableError
    from pipelines.targets.kubeflow_tasks import Tasks

    server = target.connect()
    # Killed before it noted the answer, it may have begun all the same: names are unique.
    remote_id = run.remote_id or server.find_run(run.run_id, server.experiment(target.experiment))
    if not remote_id:
        return NOT_THERE
    try:
        return Tasks(server.run(remote_id)).end
    except (LoginError, UnreachableError):
        raise
    except ClusterError:  # somebody deleted it
        return CANCELLED


def _ask_vertex(target: Any, run: Run) -> str:
    from components.common.google_cloud import GoogleCloud
    from pipelines.targets.vertex import SERVICE
    from pipelines.targets.vertex_tasks import Tasks

    if not run.remote_id:
        return NOT_THERE
    try:
        return Tasks(GoogleCloud().get(SERVICE, run.remote_id, region=target.region)).end
    except CloudError as error:
        if error.status == HTTPStatus.NOT_FOUND:  # its id is noted before it is sent
            return NOT_THERE
        raise
