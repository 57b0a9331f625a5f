"""The Terraform files: who gets which role, what must never be in them, and what the check says."""

import functools
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from pipelines.deploy.vertex import DEPLOYED
from pipelines.deploy.vertex import FOLDER as LOG
from pipelines.google_cloud.permissions import APIS, NEEDS

from .conftest import ROOT

hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 reads the Terraform files")

FOLDER = ROOT / "infra" / "terraform"
FILES = sorted(FOLDER.rglob("*.tf"))
TABLE = ROOT / "docs" / "terraform.md"
WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yaml")}
PLACES = {
    "google_project_iam_member": "project",
    "google_storage_bucket_iam_member": "bucket",
    "google_artifact_registry_repository_iam_member": "repository",
    "google_service_account_iam_member": "account",
}
REPOSITORIES = {"images": "pawpetal", "specs": "pawpetal-specs"}
OTHERS = {
    "each.value": "people",
    "workload_identity_pool.github": "GitHub's jobs",
    "[kubeflow/pipeline-runner]": "steps in the cluster",
}
EVERYBODY = ("allUsers", "allAuthenticatedUsers")
BASIC = {"roles/owner", "roles/editor", "roles/viewer"}
# Of everything in a project: what ours need is bound to one bucket, one account.
TOO_WIDE = {
    "roles/iam.securityAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountUser",
    "roles/resourcemanager.projectIamAdmin",
    "roles/storage.admin",
    "roles/storage.objectAdmin",
}
DANGEROUS = {
    "a key": 'resource "google_service_account_key" "k" { service_account_id = "x" }',
    "the world": 'resource "google_storage_bucket_iam_member" "w" { member = "allUsers" }',
    "every Google account": 'resource "x" "w" { a = { b = ["allAuthenticatedUsers"] } }',
    "an owner": 'resource "google_project_iam_member" "o" { role = "roles/owner" }',
    "an editor in a list": 'locals { roles = ["roles/editor"] }',
    "all storage": 'resource "google_project_iam_member" "s" { role = "roles/storage.admin" }',
    "all accounts": """resource "google_project_iam_member" "a" {
      role = "roles/iam.serviceAccountUser"
    }""",
    "a policy that takes others' roles": 'resource "google_project_iam_policy" "p" {}',
}


def test_nothing_dangerous_is_in_the_files():
    assert [found for path in FILES for found in _dangers(_parse(path))] == []


@pytest.mark.parametrize("text", DANGEROUS.values(), ids=DANGEROUS)
def test_something_dangerous_would_be_found(text):
    assert _dangers(_plain(hcl2.loads(f"{text}\n")))


def test_every_role_is_in_the_table_and_the_reverse():
    rows = [row[:3] for row in _rows()]

    assert len(rows) == len(set(rows))
    assert set(rows) == set(_grants())


def test_every_role_has_a_comment_that_names_the_calls_of_the_table():
    for account, role, bound_to, calls in _rows():
        comment = _grants()[account, role, bound_to]
        named = re.findall(r"`([^`]+)`", calls)
        assert named, f"{account}, {role}: no call"
        assert [call for call in named if call not in comment] == [], f"{account}, {role}"


def test_roles_are_named_where_they_are_bound_and_nowhere_else():
    named = sum(path.read_text().count('"roles/') for path in FILES)

    assert named + 1 == len(_grants())  # and the role of our own


def test_the_role_of_our_own_changes_nothing_and_reads_no_data():
    role = _resource("accounts", "google_project_iam_custom_role")

    verbs = {permission.rpartition(".")[2] for permission in role["permissions"]}

    assert verbs == {"get", "getIamPolicy"}
    assert "storage.objects.get" not in role["permissions"]


def test_what_the_command_checks_before_a_run_is_granted():
    accounts = {"runner": "pawpetal-runner", "caller": "pawpetal-submitter"}
    needed = {(accounts[need.who], need.role, need.on) for need in NEEDS}
    granted = {(account, role, on.split()[0]) for account, role, on in _grants()}

    assert needed <= granted
    assert {each for each in granted if each[0] == "pawpetal-runner"} == {
        each for each in needed if each[0] == "pawpetal-runner"
    }


def test_the_apis_are_those_that_the_command_checks_and_the_one_to_log_in():
    (enabled,) = _parse(FOLDER / "modules/apis/main.tf")["locals"]

    assert set(enabled["always"]) == {*APIS, "iamcredentials.googleapis.com"}


def test_the_bucket_is_private_and_keeps_what_is_overwritten():
    bucket = _resource("bucket", "google_storage_bucket")

    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["versioning"] == [{"enabled": True}]
    assert bucket["force_destroy"] is False


def test_only_runs_and_checkpoints_expire():
    rules = _resource("bucket", "google_storage_bucket")["lifecycle_rule"]
    deleting = [rule["condition"][0] for rule in rules if rule["action"][0]["type"] == "Delete"]

    expiring = {"LIVE": [], "ARCHIVED": []}
    for condition in deleting:
        expiring[condition["with_state"]] += condition.get("matches_prefix", ["everything"])
    assert expiring == {
        "LIVE": ["pawpetal/checkpoints/", "pawpetal/runs/"],
        "ARCHIVED": ["everything", "pawpetal/checkpoints/"],
    }


def test_what_is_deployed_is_never_cleaned_up():
    images, specs = _kept("images"), _kept("specs")

    assert {"condition": [{"tag_state": "TAGGED", "tag_prefixes": [DEPLOYED]}]} in specs
    # An image is there three times: itself, its signature, the list of what is in it.
    assert {"most_recent_versions": [{"keep_count": 60}]} in images
    assert {"most_recent_versions": [{"keep_count": 20}]} in specs


def test_only_releases_of_one_repository_may_log_in():
    text = (FOLDER / "modules/ci/main.tf").read_text()
    condition = re.search(r'join\(" && ", \[(.*?)\]\)', text, re.DOTALL)[1]

    assert re.findall(r'"(.+)"', condition) == [
        "assertion.repository == '${var.repository}'",
        "assertion.repository_id == '${var.repository_id}'",
        "assertion.environment == '${var.environment}'",
        "assertion.ref.startsWith('refs/tags/${var.tag_prefix}')",
    ]


def test_the_workflows_have_the_environment_and_the_tags_that_google_cloud_trusts():
    variables = _parse(FOLDER / "modules/ci/variables.tf")["variable"]
    usual = {name: body.get("default") for each in variables for name, body in each.items()}
    read = {name: yaml.safe_load(path.read_text()) for name, path in WORKFLOWS.items()}
    jobs = [job for workflow in read.values() for job in workflow["jobs"].values()]

    assert {job["environment"] for job in jobs if "environment" in job} == {usual["environment"]}
    # YAML takes the key `on` for true.
    assert read["release"][True] == {"push": {"tags": [f"{usual['tag_prefix']}*"]}}


def test_ci_may_write_where_the_log_of_deployments_is_and_nowhere_else_in_the_bucket():
    text = (FOLDER / "modules/ci/deploy.tf").read_text()

    assert re.findall(r"expression = .*/objects/(.+?)'", text) == [f"{LOG}/"]
    roles = {role for account, role, on in _grants() if (account, on) == ("pawpetal-ci", "bucket")}
    assert roles == {"roles/storage.objectCreator", "roles/storage.objectViewer"}


def test_every_variable_that_the_workflows_need_for_google_cloud_is_printed():
    outputs = _parse(FOLDER / "examples/full/outputs.tf")["output"]
    (printed,) = [each["github_variables"] for each in outputs if "github_variables" in each]
    texts = [path.read_text() for path in WORKFLOWS.values()]
    asked = {name for text in texts for name in re.findall(r"\bvars\.(\w+)", text)}

    needed = {name for name in asked if name.startswith("GOOGLE_")} | {"IMAGE_REGISTRY"}
    assert set(printed["value"]) == needed


def test_the_command_that_is_printed_names_all_of_it():
    text = (FOLDER / "outputs.tf").read_text()

    assert '"pawpetal run --on vertex",' in text
    assert re.findall(r'"(--[a-z-]+) \$\{', text) == [
        "--project",
        "--region",
        "--bucket",
        "--service-account",
        "--image-registry",
    ]


def test_what_checkov_is_to_skip_has_a_reason():
    lines = [line for path in FILES for line in path.read_text().splitlines()]
    skips = [line.strip() for line in lines if "checkov:" in line]

    assert [
        line for line in skips if not re.match(r"# checkov:skip=CKV\w+: \S+ \S+ \S+", line)
    ] == []


def test_the_files_pass_the_check():
    checked = _check(FOLDER)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "terraform fmt: all files are formatted" in checked.stdout
    assert "terraform get full: 8 modules fit together" in checked.stdout
    assert re.search(r"Passed checks: [1-9]\d+, Failed checks: 0", checked.stdout)


@pytest.mark.parametrize(
    ("path", "good", "bad", "said"),
    [
        ("main.tf", "source     = ", "source = ", "terraform fmt: main.tf"),
        ("main.tf", "also       = ", "else       = ", 'An argument named "else" is not expected'),
        ("main.tf", "images     = module", "# images = module", 'argument "images" is required'),
        ("main.tf", 'module "apis" {', 'module "apis" {{', "Argument or block definition required"),
        ("modules/bucket/main.tf", '"enforced"', '"inherited"', "CKV_GCP_114"),
    ],
    ids=["format", "unknown input", "missing input", "syntax", "public bucket"],
)
def test_the_check_finds(tmp_path, path, good, bad, said):
    folder = shutil.copytree(FOLDER, tmp_path / "terraform")
    text = (folder / path).read_text()
    assert good in text
    (folder / path).write_text(text.replace(good, bad, 1))

    checked = _check(folder)

    assert checked.returncode != 0
    assert said in checked.stdout


def _check(folder):
    command = [FOLDER / "check", folder]
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@functools.cache
def _rows():
    """The table of roles: account, role, what it is bound to, calls."""
    rows = re.findall(r"(?m)^\| (.+?) \| `(\S+?)`.*? \| (.+?) \| (.+) \|$", TABLE.read_text())
    return [(account.strip("`"), role, bound_to, calls) for account, role, bound_to, calls in rows]


@functools.cache
def _grants():
    """The comment above each role that the files give, by account, role and what it is bound to."""
    grants = {}
    for path in FILES:
        for kind, name, body in _resources(_parse(path)):
            if kind in PLACES:
                key = (_account(body["member"]), _role(body["role"]), _bound_to(kind, body))
                grants[key] = _comment(path.read_text(), kind, name)
    return grants


def _account(member):
    ours = re.search(r"(?:google_service_account|var)\.(runner|submitter|ci|nodes)\b", member)
    if ours:
        return f"pawpetal-{ours[1]}"
    return next(name for part, name in OTHERS.items() if part in member)


def _role(role):
    if role.startswith("roles/"):
        return role
    assert role == "${google_project_iam_custom_role.doctor.name}"
    return _resource("accounts", "google_project_iam_custom_role")["role_id"]


def _bound_to(kind, body):
    place = PLACES[kind]
    if place == "repository":
        return f"{place} {REPOSITORIES[re.search(r'var.(.+).name', body['repository'])[1]]}"
    if place == "account":
        return f"{place} {_account(body['service_account_id'])}"
    return place


def _comment(text, kind, name):
    above = re.search(rf'((?:^#.*\n)+)resource "{kind}" "{name}"', text, re.MULTILINE)
    return " ".join(above[1].replace("#", "").split()) if above else ""


def _dangers(parsed):
    texts = set(_texts(parsed))
    found = [f"{role} is far too much" for role in texts & BASIC]
    found += [f"{who} is everybody" for who in EVERYBODY if any(who in text for text in texts)]
    for kind, name, body in _resources(parsed):
        if kind == "google_service_account_key":
            found.append(f"{name} is a key")
        if kind.endswith(("_iam_binding", "_iam_policy")):
            found.append(f"{kind}.{name} takes from others what they have")
        if kind.startswith("google_project_iam") and body.get("role") in TOO_WIDE:
            found.append(f"{name} holds in the whole project")
    return found


def _kept(name):
    """What a registry's cleanup policies keep, whatever the others delete."""
    parsed = _parse(FOLDER / "modules/registries/main.tf")
    (registry,) = [body for _, each, body in _resources(parsed) if each == name]
    keeping = [each for each in registry["cleanup_policies"] if each["action"] == "KEEP"]
    return [
        {key: each[key] for key in ("condition", "most_recent_versions") if key in each}
        for each in keeping
    ]


def _resource(module, kind):
    """The one resource of a kind in a module."""
    paths = (FOLDER / "modules" / module).glob("*.tf")
    (body,) = [body for path in paths for each, _, body in _resources(_parse(path)) if each == kind]
    return body


def _resources(parsed):
    return [
        (kind, name, body)
        for each in parsed.get("resource", [])
        for kind, named in each.items()
        for name, body in named.items()
    ]


def _texts(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _parse(path):
    return _plain(hcl2.loads(path.read_text()))


def _plain(value):
    """Without the quotes that python-hcl2 leaves around text, and what it adds."""
    if isinstance(value, dict):
        return {_plain(key): _plain(of) for key, of in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value[1:-1] if isinstance(value, str) and value.startswith('"') else value
