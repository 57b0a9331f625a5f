"""Everything that Google Cloud would refuse once a run has begun, asked before it begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from google.auth.exceptions import GoogleAuthError

from components.common.errors import CloudError, InputError
from components.common.google_cloud import GoogleCloud, endpoint, is_double
from components.common.network import why_unreachable
from pipelines.doctor.check import Check, fail, in_parallel, ok, skip
from pipelines.google_cloud.asking import DISABLED, Asking, refused
from pipelines.google_cloud.machines import Machine, machine_of
from pipelines.google_cloud.permissions import APIS
from pipelines.google_cloud.place import VertexPlace
from pipelines.google_cloud.resources import (
    check_apis,
    check_bucket,
    check_images,
    check_network,
    check_quota,
)
from pipelines.google_cloud.rights import check_caller, check_runner

FIRST = "cloudresourcemanager"  # the service that is asked first
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
QUOTA_PROJECT = "requires a quota project"  # of the refusal
NOTHING_ASKED = "APIs, bucket, rights, quota and images were not asked for"

__all__ = ["Check", "check_vertex"]


def check_vertex(cloud: GoogleCloud, place: VertexPlace) -> Iterator[Check]:
    """Look whether a run could go through; nothing is changed, and nothing costs.

    Args:
        cloud: Asks, as whoever would start the run.
        place: Where it would run, and with what.

    Yields:
        One check after another, as they are known. Where one failed that others build on, these
        are "skip".
    """
    machine = None
    try:
        machine = machine_of(place.accelerator, place.region)
        yield ok("region", f"{place.region} trains on {machine.machine_type}{_with(machine)}")
    except InputError as error:
        yield fail("region", str(error), "pass another --region or --accelerator")
    number = yield from _find_project(cloud, place.project)
    if not number:
        yield skip("the rest", NOTHING_ASKED)
        return
    asking = Asking(cloud, place, number)
    groups = [check_apis, check_bucket, check_runner, check_caller, check_images, check_network]
    quota = [partial(check_quota, asking, machine)] if machine else []
    yield from in_parallel([*(partial(group, asking) for group in groups), *quota])


def _with(machine: Machine) -> str:
    if machine.tpu_topology:
        return f", TPU {machine.tpu_topology}"
    if machine.accelerator_type:
        return f" with {machine.accelerator_count} {machine.accelerator_type}"
    return ""


def _find_project(cloud: GoogleCloud, project: str) -> Generator[Check, None, str]:
    """Look whether anything can be asked, and whether the project is there; gives its number."""
    address = endpoint(FIRST)
    host = urlsplit(address).hostname or ""
    known: list[Check] = []  # that credentials are good, only the first answer tells
    if not is_double(address):
        try:
            account = cloud.account()
        except CloudError as error:
            yield _no_credentials(error, project)
            return ""
        known = [ok("credentials", account or "those of a person, left by gcloud")]
        if why := why_unreachable(host):
            said = f"{host} cannot be reached: {why}"
            yield from known
            yield fail("reach", said, "export https_proxy=http://HOST:PORT, if there is one")
            return ""
    try:
        answer = cloud.get(FIRST, f"projects/{project}")
    except CloudError as error:
        check = _no_project(error, project)
        yield from known if check.name != "credentials" else ()
        yield check
        return ""
    yield from known
    if answer.get("state") != "ACTIVE":
        said = f"{project} is being deleted"
        yield fail("project", said, f"gcloud projects undelete {project}")
        return ""
    number = str(answer["name"].partition("/")[2])
    yield ok("project", f"{project}, number {number}")
    return number


def _no_credentials(error: CloudError, project: str) -> Check:
    command = _login(project)
    if shutil.which("gcloud") is None:
        command = f"install gcloud (https://cloud.google.com/sdk/docs/install), then: {command}"
    file = os.environ.get(KEY_FILE, "")
    if not file:
        said = f"none: gcloud has left none here, {KEY_FILE} is not set, and no machine of Google"
        return fail("credentials", f"{said} Cloud gives any", command)
    why = f": {_why(error.__cause__)}" if Path(file).exists() else ", which is not there"
    return fail("credentials", f"{KEY_FILE} names {file}{why}", f"unset {KEY_FILE}; {command}")


def _why(error: BaseException | None) -> str:
    """What is wrong with a file of credentials."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, GoogleAuthError):
        return str(error).partition("\n")[0]
    return "it holds no credentials"


def _no_project(error: CloudError, project: str) -> Check:
    """Why the first question got no answer."""
    said = str(error)
    if isinstance(error.__cause__, GoogleAuthError):  # by the server that gives tokens
        return fail("credentials", f"refused: {error.__cause__}", _login(project))
    if QUOTA_PROJECT in said:  # a person's login counts against no project by itself
        command = f"gcloud auth application-default set-quota-project {project}"
        return fail("credentials", "they name no project to count calls against", command)
    if error.reason == DISABLED:
        said = f"{FIRST}.googleapis.com is not enabled in {project}, and knows all others"
        return fail("project", said, f"gcloud services enable {' '.join(APIS)} --project={project}")
    if error.status in (403, 404):
        said = f"there is no {project}, or you may not see it"
        return fail("project", said, "gcloud projects list  # the ids of those that you may see")
    return refused("project", error)


def _login(project: str) -> str:
    return f"gcloud auth application-default login --project={project}"
