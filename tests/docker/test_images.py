import re
import subprocess

import pytest

from pipelines.images import ROOT
from pipelines.targets.local import ALLOCATOR

from .conftest import NAMES, step_imports

each_image = pytest.mark.parametrize("name", NAMES)


@each_image
def test_an_image_runs_as_a_user_of_its_own_and_gives_no_entrypoint(name, details, facts):
    config = details[name]["Config"]

    assert config["User"] == "10001:10001"  # a number, or clusters cannot see it is not root
    assert facts[name]["user"] == [10001, 10001]
    assert 0 not in facts[name]["groups"]
    assert facts[name]["home"] == config["WorkingDir"] == "/home/pawpetal"
    assert config["Entrypoint"] is None
    assert config["Cmd"] == ["pawpetal", "--help"]


@each_image
def test_the_labels_say_what_an_image_is(name, images, details):
    prefix = "org.opencontainers.image."
    labels = {
        key.removeprefix(prefix): value for key, value in details[name]["Config"]["Labels"].items()
    }

    assert labels["title"] == f"pawpetal-{name}"
    assert labels["version"] == images[name].partition(":")[2]
    assert labels["licenses"] == "Apache-2.0"
    assert labels["description"]
    assert re.fullmatch(r"[0-9a-f]{40}|", labels["revision"])


@each_image
def test_the_tag_of_an_image_never_moves(name, images, details):
    assert re.fullmatch(rf"pawpetal-{name}:\d+\.\d+\.\d+-[0-9a-f]{{12}}", images[name])
    assert not any(each.endswith(":latest") for each in details[name]["RepoTags"])


@each_image
def test_an_image_holds_what_its_lock_names_and_nothing_else(name, images, facts):
    lock = (ROOT / "docker" / "locks" / f"{name}.lock").read_text()
    locked = {_normal(line) for line in re.findall(r"(?m)^[\w.-]+==[\w.!+]+", lock)}
    version = images[name].partition(":")[2].rpartition("-")[0]

    assert {_normal(line) for line in facts[name]["distributions"]} == {
        *locked,
        f"pawpetal=={version}",
    }


def test_the_light_image_is_light(details, facts):
    assert set(facts["light"]["missing"]) >= {"numpy", "pip", "setuptools", "tensorflow"}
    assert details["light"]["Size"] < 400e6


def test_the_cpu_image_has_kfp_without_the_client_of_kubernetes(facts):
    assert set(facts["cpu"]["missing"]) == {"kubernetes", "pip"}  # TensorFlow asks for setuptools


@each_image
def test_everything_is_compiled_so_that_steps_start_fast(name, facts):
    assert facts[name]["without_bytecode"] == []
    assert facts[name]["environment"]["PYTHONDONTWRITEBYTECODE"] == "1"


@each_image
def test_memory_is_allocated_as_in_runs_without_containers(name, facts):
    found = {key: value for key, value in facts[name]["environment"].items() if "MALLOC" in key}

    assert found == ALLOCATOR


@each_image
def test_the_body_of_every_step_finds_its_code_in_the_image_that_the_spec_names(name, facts):
    expected = {"light": "components.push.push", "cpu": "components.train.train"}

    assert any(expected[name] in statement for statement in step_imports(f"pawpetal-{name}"))
    assert {key: error for key, error in facts[name]["imports"].items() if error} == {}


@each_image
def test_the_command_says_how_it_is_used(name, facts):
    assert facts[name]["commands"]["help"]["status"] == 0
    assert "Usage: pawpetal" in facts[name]["commands"]["help"]["text"]


def test_the_light_image_can_compile_what_is_committed(facts):
    check = facts["light"]["commands"]["check"]

    assert check["status"] == 0, check["text"]


def test_an_image_runs_as_whoever_calls_and_writes_nothing_of_its_own(images):
    """As `--on docker` runs it: another user, no capability, and here even a read-only root."""
    command = "import components.push.push, kfp.dsl.executor_main; print('ready')"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--user=12345:12345", "--cap-drop=ALL", "--read-only"),
            *("--security-opt=no-new-privileges:true", "--network=none", "--env=HOME=/tmp"),
            *("--tmpfs=/tmp", images["light"], "python", "-c", command),
        ],
        capture_output=True,
        text=True,
    )

    assert (done.stdout.strip(), done.returncode) == ("ready", 0), done.stderr


def _normal(requirement: str) -> str:
    name, _, version = requirement.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"
