"""`pawpetal doctor`, as a person starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.google_cloud.double import GoogleDouble
from tests.google_cloud.project import BUCKET, METRIC, PROJECT_ID, REGION, SUBMITTER

ROOT = Path(__file__).parents[3]
VERTEX = ("--on", "vertex", "--project", "acme", "--region", REGION, "--bucket", BUCKET)


def doctor(home, *arguments, **environment):
    """Run it; gives its exit status, what it said, and what it said to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "--home", str(home), "doctor", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


def test_a_machine_in_order_is_ready(tmp_path):
    status, out, err = doctor(tmp_path / "home", "--dataset", "sample:flowers")

    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1].startswith("Ready for --on local: ")
    assert f"ok    home                {tmp_path}/home" in lines
    assert "ok    dataset             sample:flowers, drawn on the spot" in lines
    assert not (tmp_path / "home").exists()


def test_a_stopped_engine_is_told_with_what_mends_it_on_the_next_line(tmp_path):
    status, out, _ = doctor(
        tmp_path, "--on", "docker", DOCKER_HOST=f"unix://{tmp_path}/docker.sock"
    )

    assert status == 1
    lines = out.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("FAIL"))
    assert lines[place] == (
        f"FAIL  engine              none answers at unix://{tmp_path}/docker.sock:"
        " No such file or directory"
    )
    assert lines[place + 1].strip() == "→ unset DOCKER_HOST"
    assert lines[-1].startswith("Not ready for --on docker: 1 to mend, 1 skipped.")


def test_vertex_without_credentials_names_exactly_what_to_do(tmp_path):
    nobody = {
        "HOME": str(tmp_path),
        "CLOUDSDK_CONFIG": str(tmp_path),
        "GCE_METADATA_HOST": "127.0.0.1:1",
        "GOOGLE_APPLICATION_CREDENTIALS": "",
    }

    status, out, err = doctor(tmp_path, *VERTEX, **nobody)

    assert status == 1
    assert "FAIL  credentials         none: gcloud has left none here" in out
    assert "gcloud auth application-default login --project=acme\n" in out
    assert err == ""


def test_a_project_in_order_is_ready_and_one_without_quota_is_not(tmp_path):
    accelerator = ("--accelerator", "tpu:v5e:2x2")
    with GoogleDouble() as google:
        ready = doctor(tmp_path, *VERTEX, *accelerator)
        google.project.quotas[f"{METRIC}tpu_v5e", REGION] = 0
        status, out, _ = doctor(tmp_path, *VERTEX, *accelerator, "--json")

    assert (ready[0], ready[2]) == (0, "")
    told = json.loads(out)
    assert (status, told["on"], told["failed"]) == (1, "vertex", 1)
    assert [check["name"] for check in told["checks"] if check["status"] == "fail"] == ["quota"]


def test_what_could_not_be_seen_is_not_called_ready(tmp_path):
    with GoogleDouble() as google:
        google.project.revoke(
            f"projects/{PROJECT_ID}", f"projects/{PROJECT_ID}/roles/pawpetalDoctor", SUBMITTER
        )
        google.project.grant(f"projects/{PROJECT_ID}", "roles/browser", SUBMITTER)
        status, out, _ = doctor(tmp_path, *VERTEX)

    skipped = sum(line.startswith("skip") for line in out.splitlines())
    ready = sum(line.startswith("ok") for line in out.splitlines())
    assert (status, skipped > 0) == (0, True)
    said = f"Ready as far as can be seen, for --on vertex: {ready} ok, {skipped} skipped."
    assert out.splitlines()[-1] == said


def test_with_json_people_read_on_stderr(tmp_path):
    status, out, err = doctor(tmp_path, "--json")

    assert status == json.loads(out)["failed"] == 0
    assert "Ready for --on local" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "http://x"), "--host goes with --on kubeflow"),
        (("--on", "kubeflow"), "--on kubeflow needs --host"),
        (("--on", "vertex", "--project", "acme"), "--on vertex needs --region, --bucket"),
        (("--on", "docker", "--accelerator", "gpu"), "`accelerator` must be none, gpu:TYPE"),
    ],
)
def test_arguments_that_cannot_work_are_refused(tmp_path, arguments, said):
    status, out, err = doctor(tmp_path, *arguments)

    assert (status, out) == (2, "")
    assert said in err


def test_nothing_heavy_is_imported(tmp_path):
    script = (
        "import sys; from pipelines.cli import cli\n"
        "try: cli.main(['doctor', '--dataset', 'tfds:mnist'])\n"
        "except SystemExit as end: print(end.code, file=sys.stderr)\n"
        "print({'tensorflow', 'keras', 'kfp'} & set(sys.modules), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PAWPETAL_HOME": str(tmp_path)},
    )

    assert done.stderr.split("\n")[:2] == ["0", "set()"]
