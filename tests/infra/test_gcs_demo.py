"""`make demo-gcs`, small: photos from an emulated bucket, and all that the run leaves into it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "infra.gcs.demo", "--photos", "40", "--folder", str(folder)]
    options = ["--epochs", "1", "--min-accuracy", "0", "--image-size", "32"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder / "buckets/pawpetal-demo", folder / "home"


def names(bucket: Path, folder: str) -> list[str]:
    return sorted(
        path.relative_to(bucket / folder).as_posix()
        for path in (bucket / folder).rglob("*")
        if path.is_file()
    )


def test_the_bucket_holds_all_that_the_run_leaves(demo):
    _, bucket, home = demo
    (run,) = [path.name for path in (home / "runs").iterdir()]

    left = names(bucket, f"pawpetal/runs/{run}")

    assert {"run.json", "data_report.html", "preview.html", "report.html"} <= set(left)
    assert any(name.endswith("train/model/model.keras") for name in left)
    assert (
        json.loads((bucket / f"pawpetal/runs/{run}/run.json").read_text())["status"] == "succeeded"
    )
    datasets = names(bucket, "pawpetal/datasets/flowers")
    assert sum(name.endswith(".tfrecord") for name in datasets) == 4  # the whole, and its splits
    assert any(name.endswith("model.keras") for name in names(bucket, "pawpetal/models/flowers"))


def test_no_photo_is_left_on_this_machine(demo):
    _, _, home = demo

    assert list(home.rglob("*.tfrecord")) == []
    assert not (home / "datasets").exists()


def test_the_version_is_read_back_from_the_bucket(demo):
    _, _, home = demo
    (run,) = [json.loads(path.read_text()) for path in (home / "runs").glob("*/run.json")]

    assert run["model"]["version"] == "1"


def test_the_end_says_what_is_where_and_what_to_do_next(demo):
    output, bucket, _ = demo

    assert "Datasets in the bucket:" in output
    assert "files  gs://pawpetal-demo/pawpetal/models" in output.replace("/flowers", "")
    assert f"its buckets stay as files in {bucket.parent}" in output
    assert "pawpetal run --dataset gs://BUCKET/PHOTOS" in output
