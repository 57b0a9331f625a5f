"""Ingest shared by parallel tasks: the compiled loop itself, run by kfp's local runner."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from components.common.errors import InputError
from components.common.manifest import Manifest
from components.ingest.ingest import Order, ingest_photos
from pipelines.compiling import SpecSettings, compile_spec
from pipelines.specs import PLAIN, parameters
from pipelines.targets.kubeflow import KubeflowTarget

# Runs the loop and ingest of a compiled spec; the steps after it are cut off.
SCRIPT = """
import json, sys
from kfp import components, local
job = json.loads(sys.argv[1])
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=job["root"])
components.load_component_from_file(job["spec"])(**job["arguments"])
"""


def without_later_steps(path) -> None:
    (spec,) = yaml.safe_load_all(path.read_text())
    dag = spec["root"]["dag"]
    for name in ("split", "augment", "train", "evaluate", "condition-1", "condition-2"):
        dag["tasks"].pop(name, None)
    del dag["outputs"], spec["root"]["outputDefinitions"]
    path.write_text(yaml.safe_dump(spec))


@pytest.mark.parametrize("num_workers", [2, 5])
def test_parallel_workers_give_the_dataset_of_one(photo_folder, tmp_path, num_workers):
    folder = photo_folder({"cat": 12, "dog": 12})
    alone = ingest_photos(
        Order(dataset=f"folder:{folder}", root=str(tmp_path / "alone")),
        tmp_path / "out",
        page=tmp_path / "out.html",
        data=tmp_path / "out.json",
    )
    spec = tmp_path / "spec.yaml"
    compile_spec("train_and_push", PLAIN, spec, SpecSettings(num_workers=num_workers))
    without_later_steps(spec)
    arguments = {each.name: each.default for each in parameters("train_and_push")}
    arguments |= {"dataset": f"folder:{folder}", "storage": str(tmp_path / "together")}
    job = {"spec": str(spec), "root": str(tmp_path / "steps"), "arguments": arguments}

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(job)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.sub(r"\x1b\[\d+m", "", done.stdout)  # in colours
    assert told.count("Executing task 'ingest-share'") == num_workers, told
    (found,) = (tmp_path / "steps").glob("*/ingest/photos")
    together = Manifest.load(found)
    assert together.digest == alone.digest
    assert together.shards == alone.shards
    ours, theirs = (
        (tmp_path / place / "datasets/photos" / alone.digest / alone.shards[0].file).read_bytes()
        for place in ("together", "alone")
    )
    assert ours == theirs


@pytest.mark.parametrize("number", [0, -1, 101])
def test_a_number_of_workers_that_makes_no_sense_is_refused(number):
    with pytest.raises(
        InputError, match=f"`num_workers` must be from 1 to 100. Received: {number}"
    ):
        SpecSettings(num_workers=number)


def test_workers_without_storage_are_refused_before_the_cluster_is_asked():
    target = KubeflowTarget(host="http://127.0.0.1:9", num_workers=2)
    arguments = {each.name: each.default for each in parameters("train_and_push")}
    arguments |= {"registry": "mlflow:http://mlflow:5000"}

    with pytest.raises(InputError, match="`storage` must be a gs:// folder where `num_workers`"):
        target.check(arguments)
