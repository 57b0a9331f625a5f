"""The table of rights, and Terraform, which grants by it."""

from pathlib import Path
from typing import Any

import hcl2
import pytest

from pipelines.google_cloud.permissions import APIS, CALLER, DOCTOR, NEEDS, RUNNER, grouped

MODULES = Path(__file__).parents[3] / "infra" / "terraform" / "modules"
ACCOUNTS = {RUNNER: "runner", CALLER: "submitter"}
# What Terraform binds each role to, in the words of the table.
BOUND = {
    "google_project_iam_member": "project",
    "google_storage_bucket_iam_member": "bucket",
    "google_artifact_registry_repository_iam_member": "repository",
    "google_service_account_iam_member": "account",
}


def resources(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Kind and settings of each resource in a file of the module `accounts`."""
    parsed = hcl2.loads((MODULES / "accounts" / f"{name}.tf").read_text())
    return [
        (kind.strip('"'), settings)
        for resource in parsed["resource"]
        for kind, named in resource.items()
        for settings in named.values()
    ]


def granted(name: str) -> set[tuple[str, str]]:
    """What such a file grants: on what, and the role."""
    return {
        (BOUND[kind], settings["role"].strip('"'))
        for kind, settings in resources(name)
        if kind in BOUND
    }


@pytest.mark.parametrize("who", [RUNNER, CALLER])
def test_terraform_grants_what_is_needed(who):
    assert set(grouped(who)) <= granted(ACCOUNTS[who])


def test_the_runner_gets_nothing_beyond():
    assert granted("runner") == set(grouped(RUNNER))


def test_terraform_lets_the_submitter_look_at_what_is_checked_and_no_more():
    roles = [settings for kind, settings in resources("submitter") if kind not in BOUND]

    assert [[name.strip('"') for name in role["permissions"]] for role in roles] == [sorted(DOCTOR)]


def test_terraform_enables_every_api_that_is_asked_for():
    text = (MODULES / "apis" / "main.tf").read_text()

    assert [api for api in APIS if f'"{api}"' not in text] == []


def test_each_right_is_needed_once_by_each():
    keys = [(need.who, need.permission) for need in NEEDS]

    assert len(keys) == len(set(keys))


def test_each_right_names_its_call():
    assert all(need.call and need.role.startswith("roles/") for need in NEEDS)
