"""The train step on Vertex AI, as far as a machine without it can run it: both of its containers.

The launcher's image asks the double for the job, and the container that the job names is run by
Docker, with a folder in place of the buckets that Vertex AI mounts.
"""

import json
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from components.augment.policies import find_policy
from components.train.custom_job.template import EXECUTOR_INPUT
from pipelines.targets.vertex import VertexTarget
from tests.google_cloud.double import GoogleDouble
from tests.pipelines.vertex.conftest import BUCKET, arguments

ROOT = f"{BUCKET}/pawpetal/runs/1/train_2"  # where the pipeline would put what the step leaves
INPUTS = {
    "train": "system.Dataset",
    "validation": "system.Dataset",
    "policy": "system.Artifact",
    "copies": "system.Dataset",
}
OUTPUTS = {"model": "system.Model", "metrics": "system.Metrics", "logs": "system.Artifact"}


def executor_input(**settings) -> str:
    """What Vertex AI would tell the step in place of {{$}}."""

    def artifacts(kinds, place):
        return {
            name: {
                "artifacts": [
                    {
                        "name": name,
                        "type": {"schemaTitle": kind},
                        "uri": f"gs://{place}/{name}",
                        "metadata": {},
                    }
                ]
            }
            for name, kind in kinds.items()
        }

    given = arguments(architecture="dense", image_size=32, batch_size=8)
    given |= {"registry": "", "storage": "", **settings}
    container = training_container()
    wanted = container["command"][3]  # the step's function, whose parameters it may be told
    known = {name: value for name, value in given.items() if f"    {name}: " in wanted}
    return json.dumps(
        {
            "inputs": {"parameterValues": known, "artifacts": artifacts(INPUTS, f"{BUCKET}/in")},
            "outputs": {
                "artifacts": artifacts(OUTPUTS, ROOT),
                "outputFile": f"/gcs/{ROOT}/executor_output.json",
            },
        }
    )


def launcher_container():
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET)
    submission = target.submission("train_and_push", arguments(), run_id="run-1")
    return submission.job["pipelineSpec"]["deploymentSpec"]["executors"]["exec-train"]["container"]


def training_container():
    target = VertexTarget(project="acme", region="us-central1", bucket=BUCKET)
    [job] = target.submission("train_and_push", arguments(), run_id="run-1").training_jobs()
    return job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]


def mount(folder: Path, train_folder: Path, validation_folder: Path) -> Path:
    """A folder with the step's inputs, that the containers' user may write to."""
    bucket = folder / BUCKET
    shutil.copytree(train_folder, bucket / "in" / "train")
    shutil.copytree(validation_folder, bucket / "in" / "validation")
    find_policy("none").save(bucket / "in" / "policy")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


def test_launcher_and_training_containers_train_the_model_between_them(
    google: GoogleDouble, gcs, gcs_server, docker_images, train_folder, validation_folder, tmp_path
):
    if not gcs.bucket(BUCKET).exists():
        gcs.create_bucket(BUCKET)
    mounted = mount(tmp_path / "gcs", train_folder, validation_folder)
    google.jobs.plans["customJobs"] = [{"state": "JOB_STATE_RUNNING"}]
    container = launcher_container()
    told = executor_input(epochs=1)
    environment = {**google.variables(), "STORAGE_EMULATOR_HOST": gcs_server}
    command = ["docker", "run", "--rm", "--network=host"]
    for name, value in environment.items():
        command += ["--env", f"{name}={value}"]
    command += ["--entrypoint", container["command"][0], docker_images["light"]]
    said = [told if each == "{{$}}" else each for each in container["args"]]
    launcher = subprocess.Popen(
        [*command, *container["command"][1:], *said, "--poll-s", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        job = wait_for_job(google, launcher)
        run = job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
        assert run["imageUri"].endswith(f"/{docker_images['cpu']}")
        trained = subprocess.run(
            [
                *("docker", "run", "--rm", f"--volume={mounted}:/gcs"),
                *(f"--entrypoint={run['command'][0]}", docker_images["cpu"]),
                *run["command"][1:],
                *run["args"],
            ],
            capture_output=True,
            text=True,
        )
        assert trained.returncode == 0, trained.stderr[-2000:]
        google.jobs.advance(job["name"], state="JOB_STATE_SUCCEEDED")
        assert launcher.wait(30) == 0, launcher.stdout.read()
    finally:
        launcher.kill()
        launcher.stdout.close()

    left = mounted / ROOT
    assert (left / "model" / "model.keras").is_file()
    outputs = json.loads((left / "executor_output.json").read_text())
    assert outputs["artifacts"]["model"]["artifacts"][0]["uri"] == f"gs://{ROOT}/model"


def wait_for_job(google: GoogleDouble, launcher: subprocess.Popen) -> dict:
    deadline = time.monotonic() + 60
    while not google.jobs.all("customJobs"):
        assert launcher.poll() is None, launcher.stdout.read()
        assert time.monotonic() < deadline, "no job was created"
        time.sleep(0.1)
    return google.jobs.all("customJobs")[0]


def test_training_whose_machine_is_taken_away_goes_on_from_the_bucket(
    gcs, gcs_server, docker_images, train_folder, validation_folder, tmp_path
):
    bucket = gcs.bucket(BUCKET)
    if not bucket.exists():
        bucket.create()
    mounted = mount(tmp_path / "gcs", train_folder, validation_folder)
    run = training_container()
    # So many epochs that it is certainly not done when it is asked to end.
    told = executor_input(epochs=3000, patience=3000, storage=f"gs://{BUCKET}/taken")
    command = ["docker", "run", "--rm", "--network=host", f"--volume={mounted}:/gcs"]
    command += ["--env", f"STORAGE_EMULATOR_HOST={gcs_server}", "--env", "PYTHONUNBUFFERED=1"]
    command += [f"--entrypoint={run['command'][0]}"]
    step = [
        *run["command"][1:],
        *(told if each == EXECUTOR_INPUT else each for each in run["args"]),
    ]

    def train_a_while() -> tuple[int, str]:
        name = f"pawpetal-test-{uuid.uuid4().hex[:8]}"
        process = subprocess.Popen(
            [*command, f"--name={name}", docker_images["cpu"], *step],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        for line in process.stdout:
            said += line
            if "epoch" in line and "validation" in line:
                subprocess.run(["docker", "kill", "--signal=TERM", name], capture_output=True)
                break
        said += process.communicate(timeout=60)[0]
        return process.returncode, said

    status, said = train_a_while()
    assert status == 143, said
    assert "its state is saved" in said
    assert list(bucket.list_blobs(prefix="taken/checkpoints/"))

    status, said = train_a_while()
    assert status == 143, said
    assert "going on from epoch" in said
