"""The compiled pipeline with each step in its container: as without, and none left over."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from components.common.errors import InputError
from pipelines.specs import parameters
from pipelines.targets.docker import DockerTarget
from tests.pipelines.command import (
    ROOT,
    TINY,
    finish,
    has_ended,
    is_running,
    kill,
    pawpetal,
    records,
    wait_for,
)

SOCKET = Path("/var/run/docker.sock")
NOBODY = 65534
SECRET = "hunter2-of-the-registry"  # noqa: S105
ARGUMENTS = {each.name: each.default for each in parameters("train_and_push")}

pytestmark = pytest.mark.usefixtures("docker_images")


def containers_of(home: Path) -> list[str]:
    asked = ["docker", "ps", "--all", "--quiet", "--filter", f"label=pawpetal.home={home}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def evaluation_of(home: Path, run_id: str) -> bytes:
    outputs = json.loads((home / "runs" / run_id / "outputs.json").read_text())
    return Path(outputs["evaluation"], "evaluation.json").read_bytes()


def digests(home: Path) -> dict[str, set[str]]:
    """Digests of the ingested photos and of the splits, over all runs of a home."""
    found: dict[str, set[str]] = {}
    for path in home.glob("runs/*/steps/*/*/*/manifest.json"):
        name = f"{path.parts[-3]}/{path.parts[-2]}"
        found.setdefault(name, set()).add(json.loads(path.read_text())["digest"])
    return found


def is_in_a_command_line(text: str) -> bool:
    """Whether a text stands in the command line of any process, which everybody can read."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we looked
            lines.append(path.read_bytes())
    return any(text.encode() in line for line in lines)


@pytest.fixture(scope="module")
def in_docker(docker_images, tmp_path_factory):
    """A home in which the run of `killed_everywhere` ran once, in containers."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    yield run_in_docker(tmp_path_factory)
    patch.undo()


def run_in_docker(tmp_path_factory):
    home = tmp_path_factory.mktemp("docker")
    registry = f"mlflow:sqlite:///{home}/elsewhere/mlflow.db"
    limits = ("--cpus", "2", "--memory", "6Gi")
    process = pawpetal(
        home, "run", "--on", "docker", *TINY, *limits, "--registry", registry, "--json"
    )
    wait_for(lambda: containers_of(home), "the container of the first step")
    told = {text: is_in_a_command_line(text) for text in (SECRET, str(home))}
    code, out, err = finish(process)
    assert code == 0, err
    return {"home": home, "summary": json.loads(out), "told": told, "registry": registry}


def test_containers_and_processes_give_the_same_photos_the_same_split_and_the_same_scores(
    in_docker, killed_everywhere
):
    contained, plain = in_docker["summary"], killed_everywhere["summary"]

    assert digests(in_docker["home"]) == digests(killed_everywhere["home"])
    assert set(digests(in_docker["home"])) == {
        "ingest/photos",
        "split/train",
        "split/validation",
        "split/test",
    }
    # Every score of every class and the confusion matrix, to the last bit of each float.
    assert evaluation_of(in_docker["home"], contained["run_id"]) == evaluation_of(
        killed_everywhere["home"], plain["run_id"]
    )
    assert contained["metrics"] == plain["metrics"]


def test_a_run_in_containers_says_all_that_a_plain_run_says(in_docker, killed_everywhere):
    contained, plain = in_docker["summary"], killed_everywhere["summary"]

    assert contained.keys() == plain.keys()
    assert contained["target"] == "docker"
    assert [step["status"] for step in contained["steps"]] == ["succeeded"] * 6
    assert contained["model"] == plain["model"]
    assert containers_of(in_docker["home"]) == []


def test_an_unchanged_run_takes_its_steps_from_the_cache(in_docker):
    home = in_docker["home"]
    again = ("run", "--on", "docker", *TINY, "--registry", in_docker["registry"], "--json")
    code, out, err = finish(pawpetal(home, *again))

    assert code == 0, err
    assert [step["cached"] for step in json.loads(out)["steps"]] == [True] * 5 + [False]


def test_credentials_reach_no_command_line_and_no_record(in_docker):
    assert in_docker["told"] == {SECRET: False, str(in_docker["home"]): True}
    texts = [path for path in in_docker["home"].rglob("*") if path.suffix in (".json", ".log")]
    assert texts
    assert not [path for path in texts if SECRET in path.read_text()]


def test_kill_minus_9_leaves_no_container(tmp_path):
    process = pawpetal(tmp_path, "run", "--on", "docker", "--dataset", "sample:flowers")
    wait_for(lambda: is_running(tmp_path, "ingest", set()), "the first step")
    wait_for(lambda: containers_of(tmp_path), "its container")

    kill(process, tmp_path)

    wait_for(lambda: not containers_of(tmp_path), "the end of the container")


def test_ctrl_c_leaves_no_container(tmp_path):
    process = pawpetal(tmp_path, "run", "--on", "docker", "--dataset", "sample:flowers")
    wait_for(lambda: containers_of(tmp_path), "the container of the first step")

    process.send_signal(signal.SIGINT)
    code, _, _ = finish(process)

    assert code == 130
    assert [record["status"] for record in records(tmp_path)] == ["cancelled"]
    assert containers_of(tmp_path) == []


def test_a_container_that_nobody_could_remove_goes_before_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path))
    process = pawpetal(tmp_path, "run", "--on", "docker", "--dataset", "sample:flowers")
    wait_for(lambda: containers_of(tmp_path), "the container of the first step")
    os.kill(process.pid, signal.SIGSTOP)  # it must not see the end of its runner
    runner = int(
        subprocess.run(
            ["pgrep", "--parent", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()[0]
    )
    os.killpg(runner, signal.SIGKILL)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    assert containers_of(tmp_path) != []

    DockerTarget().check(ARGUMENTS)

    assert containers_of(tmp_path) == []


def test_a_failing_step_fails_the_run_with_its_reason(photo_folder, tmp_path):
    folder = photo_folder({"cat": 40, "dog": 2})
    (folder / "dog").rename(tmp_path / "elsewhere")
    (folder / "dog").symlink_to(tmp_path / "elsewhere")  # which a container must find too
    dataset = f"folder:{folder}"

    code, out, err = finish(
        pawpetal(tmp_path / "home", "run", "--on", "docker", "--dataset", dataset, "--json")
    )

    summary = json.loads(out)
    assert code == 1
    assert [step["status"] for step in summary["steps"][:3]] == ["succeeded", "failed", "waiting"]
    assert summary["error"]["message"].startswith("Class 'dog' has 2 photos, and none of them")
    assert "Class 'dog' has 2 photos" in err


def test_a_container_that_somebody_removes_fails_its_step_with_a_reason(tmp_path):
    process = pawpetal(tmp_path, "run", "--on", "docker", "--dataset", "sample:flowers", "--json")
    wait_for(lambda: is_running(tmp_path, "ingest", set()), "the first step")
    (container,) = wait_for(lambda: containers_of(tmp_path), "its container")
    subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)

    code, out, _ = finish(process)

    summary = json.loads(out)
    assert code == 1
    assert summary["error"]["step"] == "ingest"
    assert summary["steps"][0]["status"] == "failed"
    assert Path(summary["error"]["log"]).is_file()


def test_a_step_that_needs_more_memory_than_it_may_have_says_so(tmp_path):
    code, out, _ = finish(pawpetal(tmp_path, "run", "--on", "docker", "--memory", "20Mi", "--json"))

    summary = json.loads(out)
    assert code == 1
    assert summary["error"]["step"] == "ingest"
    assert (
        "the step needed more memory than it was given; raise --memory"
        in (summary["error"]["message"])
    )


def test_photos_in_an_emulated_bucket_of_this_machine_are_reached(bucket, photo_folder, tmp_path):
    for path in photo_folder({"cat": 4, "dog": 4}).rglob("*.jpg"):
        bucket.blob(f"photos/{path.parent.name}/{path.name}").upload_from_filename(path)

    process = pawpetal(
        tmp_path / "home", "run", "--on", "docker", "--dataset", f"gs://{bucket.name}/photos"
    )
    wait_for(
        lambda: has_ended(tmp_path / "home", "ingest", set()),
        "the end of the first step",
    )
    kill(process, tmp_path / "home")

    (photos,) = digests(tmp_path / "home")["ingest/photos"]
    assert photos


def python_of_nobody() -> tuple[str, dict[str, object]]:
    """How to start Python with these sources as nobody; skips where nobody can read them."""
    if os.getuid() != 0:
        pytest.skip("only root can start a run as somebody else")
    libraries = sysconfig.get_path("purelib")
    for python in (
        sys.executable,
        f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}",
    ):
        started = {
            "cwd": ROOT,
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [SOCKET.stat().st_gid],
            "env": {**os.environ, "PYTHONPATH": f"{ROOT}:{libraries}"},
        }
        with contextlib.suppress(OSError):
            script = "import numpy, docker, pipelines.cli"
            if (
                subprocess.run([python, "-c", script], **started, capture_output=True).returncode
                == 0
            ):
                return python, started
    pytest.skip("nobody but root can read Python or the sources here")


def test_what_steps_write_is_the_callers():
    python, started = python_of_nobody()
    home = Path(tempfile.mkdtemp(prefix="pawpetal-", dir="/tmp"))  # nobody gets there
    os.chown(home, NOBODY, NOBODY)
    started["env"] |= {"PAWPETAL_HOME": str(home), "HOME": str(home)}

    process = subprocess.Popen(
        [python, "-m", "pipelines", "run", "--on", "docker", *TINY], **started
    )
    try:
        wait_for(lambda: has_ended(home, "ingest", set()), "the end of the first step")
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not containers_of(home), "the end of its containers")

    written = list(home.rglob("*"))
    assert [path for path in written if path.name == "manifest.json"]
    assert {path.stat().st_uid for path in written} == {NOBODY}
    shutil.rmtree(home)


def test_without_an_engine_nothing_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")

    code, out, err = finish(pawpetal(tmp_path / "home", "run", "--on", "docker", "--json"))

    assert (code, out) == (2, "")
    assert err.startswith("pawpetal: No Docker engine answers. Start it")
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "lots"}, r"`memory` must be a number with Mi or Gi, .*Received: 'lots'"),
        ({"cpus": 1000.0}, r"`cpus` must be at most \d+, which Docker has\. Received: 1000"),
        ({"cpus": -1.0}, r"`cpus` must be 0\.01 or more\. Received: -1"),
    ],
)
def test_limits_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DockerTarget(**settings).check(ARGUMENTS)


def test_a_missing_image_is_named_with_what_builds_it(monkeypatch):
    # As after a change of code.
    monkeypatch.setattr("pipelines.images.version", lambda name: "9.9.9")

    with pytest.raises(InputError, match=r"no image 'pawpetal-\w+:9\.9\.9-.*Build it: make images"):
        DockerTarget().check(ARGUMENTS)
