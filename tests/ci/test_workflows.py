"""The workflows and cloudbuild.yaml, looked at offline: forms, pins, rights, commands."""

import os
import re
import shlex

import pytest
import yaml

from .conftest import ROOT, checked, parse, tool

FOLDER = ROOT / ".github" / "workflows"
PATHS = sorted(FOLDER.iterdir())
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in PATHS}
CLOUD_BUILD = ROOT / "cloudbuild.yaml"
YAMLLINT = """
extends: default
rules: {document-start: disable, line-length: {max: 120}, truthy: {check-keys: false}}
"""
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40})  # (v\d+\.\d+\.\d+)")
MAKE_TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
ENV = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}
INJECTION = """
on: issues
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.event.issue.title }}
"""


def jobs(*names):
    return [
        pytest.param(job, id=f"{name}-{key}")
        for name in names or WORKFLOWS
        for key, job in WORKFLOWS[name]["jobs"].items()
    ]


def steps(job, action):
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


def runs():
    return [
        pytest.param(step["run"], id=f"{name}-{key}-{index}")
        for name, workflow in WORKFLOWS.items()
        for key, job in workflow["jobs"].items()
        for index, step in enumerate(job["steps"])
        if "run" in step
    ]


def test_zizmor_finds_nothing():
    checked(tool("zizmor"), "--offline", "--persona=pedantic", "--quiet", ".github")


def test_zizmor_would_find_something(tmp_path):
    (tmp_path / "greet.yaml").write_text(INJECTION)

    with pytest.raises(AssertionError, match="template-injection"):
        checked(tool("zizmor"), "--offline", "--quiet", tmp_path / "greet.yaml")


def test_github_s_schema_holds():
    checked(tool("check-jsonschema"), "--builtin-schema=vendor.github-workflows", *PATHS)


def test_cloud_build_s_schema_holds():
    checked(tool("check-jsonschema"), "--builtin-schema=vendor.cloudbuild", CLOUD_BUILD)


def test_the_yaml_is_clean():
    checked(tool("yamllint"), "--strict", "--config-data", YAMLLINT, *PATHS, CLOUD_BUILD)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_their_version(path):
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert lines
    assert [line for line in lines if not PINNED.search(line)] == []


def test_an_action_has_one_version_in_all_workflows():
    found = {match for path in PATHS for match in PINNED.findall(path.read_text())}

    assert len(found) == len({action for action, _, _ in found})


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_has_no_rights_by_itself_and_runs_once_at_a_time(workflow):
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize("job", jobs())
def test_a_job_ends_in_time_on_a_named_system_and_keeps_no_token(job):
    assert job["timeout-minutes"] <= 120
    assert job["runs-on"] == "ubuntu-24.04"
    assert job["permissions"]["contents"] == "read"
    (checkout,) = steps(job, "actions/checkout")
    assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize("job", jobs("pull-request", "main"))
def test_what_is_not_released_has_no_secret_and_no_identity(job):
    assert "secrets." not in str(job)
    assert "environment" not in job
    assert "id-token" not in job["permissions"]


def test_the_one_job_of_a_pull_request_that_may_write_runs_the_script_of_its_base():
    writing = {
        name: job
        for name, job in WORKFLOWS["pull-request"]["jobs"].items()
        if "write" in job["permissions"].values()
    }

    assert list(writing) == ["comment"]
    (checkout,) = steps(writing["comment"], "actions/checkout")
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    saying, running = [each for each in writing["comment"]["steps"] if "run" in each]
    assert saying["run"].startswith("echo ")
    assert saying["if"] == "hashFiles('.ci/comment.py') == ''"  # the base may be from before it
    assert running["run"] == ".ci/comment.py dist/demo/comment.md"
    assert running["if"] == "hashFiles('.ci/comment.py') != ''"


@pytest.mark.parametrize("job", jobs("release", "rollback"))
def test_identities_are_of_jobs_that_people_let_in(job):
    has_identity = job["permissions"].get("id-token") == "write"

    assert has_identity == (job.get("environment") == "release")


def test_a_release_takes_nothing_from_caches():
    """Which jobs of a branch could have filled."""
    text = (FOLDER / "release.yaml").read_text() + (FOLDER / "rollback.yaml").read_text()

    assert "cache" not in text


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_on_one_target_whoever_deploys_or_rolls_back_waits_and_is_not_put_out(target):
    """Images, or another target's release that waits for reviewers, hold up no rollback."""
    release, rollback = WORKFLOWS["release"], WORKFLOWS["rollback"]
    queueing = {"cancel-in-progress": False, "queue": "max"}

    assert release["jobs"][target]["concurrency"] == {"group": f"deploy-{target}", **queueing}
    assert rollback["concurrency"] == {"group": "deploy-${{ inputs.target }}", **queueing}
    # YAML takes the key `on` for true.
    assert target in rollback[True]["workflow_dispatch"]["inputs"]["target"]["options"]
    assert release["concurrency"]["group"] == "${{ github.workflow }}-${{ github.ref }}"


def test_a_deployment_ends_before_the_token_of_identity_aware_proxy_does():
    assert WORKFLOWS["release"]["jobs"]["kubeflow"]["timeout-minutes"] < 60
    assert WORKFLOWS["rollback"]["jobs"]["rollback"]["timeout-minutes"] < 60


@pytest.mark.parametrize("job", jobs("release", "rollback"))
def test_who_has_no_google_cloud_logs_in_nowhere(job):
    given = [step["if"] for step in steps(job, "google-github-actions/auth")]

    assert set(given) <= {"vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER != ''"}


def test_nothing_is_published_before_the_tests_or_deployed_before_the_images():
    needs = {name: job.get("needs") for name, job in WORKFLOWS["release"]["jobs"].items()}

    assert needs == {"test": None, "images": "test", "kubeflow": "images", "vertex": "images"}


@pytest.mark.parametrize("command", runs())
def test_a_command_is_one_line_that_quotes_and_exists(command):
    assert len(command.splitlines()) == 1
    assert "${{" not in command  # values come by the environment, never as code
    checked(tool("shellcheck"), "--shell=bash", "-", input=f"{command}\n")
    program, *arguments = shlex.split(command)
    if program == "make":
        assert set(arguments) <= MAKE_TARGETS
    elif program == ".venv/bin/pawpetal":
        parse(arguments)
    elif program != "echo":
        assert program.startswith(".ci/")
        assert (ROOT / program).stat().st_mode & 0o111, f"{program} cannot be started"


def test_cloud_build_runs_the_same_scripts():
    read = yaml.safe_load(CLOUD_BUILD.read_text())
    ours = re.findall(r"\.ci/[\w.]+(?: kubeflow| vertex)?", _commands(read["steps"]))
    release = [step for job in WORKFLOWS["release"]["jobs"].values() for step in job["steps"]]

    theirs = re.findall(r"\.ci/[\w.]+(?: kubeflow| vertex)?", _commands(release))
    assert set(ours) == set(theirs)


def test_cloud_build_gives_the_scripts_what_they_ask_for():
    read = yaml.safe_load(CLOUD_BUILD.read_text())
    given = {name: set(_names(step)) for name, step in _by_id(read["steps"]).items()}
    usual = set(_names(read["options"]))
    release = WORKFLOWS["release"]["jobs"]

    for target in ("kubeflow", "vertex"):
        (asked,) = [set(step["env"]) for step in release[target]["steps"] if "env" in step]
        assert asked - {"KUBEFLOW_TOKEN"} <= given[target] | usual


@pytest.mark.parametrize("is_shallow", [True, False])
def test_cloud_build_fetches_main_into_whatever_clone_it_has(project, tmp_path, is_shallow):
    project.write("pyproject.toml", '[project]\nversion = "1.2.0"\n')
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message=One")
    project.git("commit", "--quiet", "--allow-empty", "--message=Two")
    project.git("tag", "v1.2.0")
    options = ["--quiet", "--branch=v1.2.0", *(["--depth=1"] if is_shallow else [])]
    project.git("clone", *options, project.folder.as_uri(), str(tmp_path / "clone"))
    (step,) = [
        each for each in yaml.safe_load(CLOUD_BUILD.read_text())["steps"] if each["id"] == "tag"
    ]
    command = step["args"][1].replace("$$", "$")  # as Cloud Build does

    done = checked("bash", "-c", command, cwd=tmp_path / "clone", env=ENV | {"TAG": "v1.2.0"})

    assert done.startswith("v1.2.0: ")


def test_cloud_build_s_own_images_can_be_pinned():
    read = yaml.safe_load(CLOUD_BUILD.read_text())

    used = {step["name"] for step in read["steps"]}
    assert used == {"$_DOCKER_IMAGE", "$_PYTHON_IMAGE"}
    assert {name.removeprefix("$") for name in used} <= set(read["substitutions"])


def _commands(steps):
    """All commands of steps, of GitHub or of Cloud Build, in one text."""
    return "\n".join(step.get("run") or " ".join(step.get("args", ())) for step in steps)


def _by_id(steps):
    return {step["id"]: step for step in steps}


def _names(holder):
    return [each.partition("=")[0] for each in holder.get("env", ())]
