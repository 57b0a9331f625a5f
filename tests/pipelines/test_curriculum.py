"""A curriculum: the compiled graph, and once through the real runner."""

import json

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

from components.common.manifest import Manifest
from components.common.model import ModelFolder
from components.common.registry import open_registry
from pipelines.compiling import SpecSettings, compile_spec
from pipelines.specs import KUBEFLOW, PLAIN, parameters, step_names
from tests.pipelines.command import finish, pawpetal

EASY, HARD = "sample:pets?photos=40&seed=1", "sample:pets?photos=40&seed=2"


def compiled(path, target=PLAIN, **settings):
    compile_spec("curriculum", target, path, SpecSettings(**settings))
    return next(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("target", [KUBEFLOW, PLAIN])
def test_each_dataset_is_ingested_and_split_in_a_loop_over_the_curriculum(tmp_path, target):
    spec = compiled(tmp_path / "spec.yaml", target)

    (loop,) = (
        task for task in spec["root"]["dag"]["tasks"].values() if "parameterIterator" in task
    )
    item = "pipelinechannel--list-datasets-Output"
    assert loop["parameterIterator"] == {
        "itemInput": f"{item}-loop-item",
        "items": {"inputParameter": item},
    }
    inner = spec["components"][loop["componentRef"]["name"]]["dag"]["tasks"]
    assert set(inner) == {"ingest", "split"}
    dataset = inner["ingest"]["inputs"]["parameters"]["dataset"]
    assert dataset == {"componentInputParameter": f"{item}-loop-item"}


def test_join_takes_every_split_of_every_dataset(tmp_path):
    spec = compiled(tmp_path / "spec.yaml")

    given = spec["root"]["dag"]["tasks"]["join"]["inputs"]["artifacts"]
    keys = {name: each["taskOutputArtifact"]["outputArtifactKey"] for name, each in given.items()}
    assert keys == {
        "trains": "pipelinechannel--split-train",
        "validations": "pipelinechannel--split-validation",
        "tests": "pipelinechannel--split-test",
    }


def test_workers_share_each_ingest(tmp_path):
    spec = compiled(tmp_path / "spec.yaml", KUBEFLOW, num_workers=3)

    assert "comp-ingest-share" in spec["components"]


def test_steps_and_inputs():
    assert step_names("curriculum") == (
        *("list-datasets", "ingest", "split", "join", "augment", "train", "evaluate", "push"),
    )
    ours = {each.name for each in parameters("curriculum")}
    usual = {each.name for each in parameters("train_and_push")}
    assert ours == usual - {"dataset"} | {"curriculum"}


def test_the_vertex_client_takes_the_plain_spec(tmp_path):
    compiled(tmp_path / "spec.yaml")

    job = aiplatform.PipelineJob(
        display_name="test",
        template_path=str(tmp_path / "spec.yaml"),
        pipeline_root="gs://bucket/root",
        parameter_values={"curriculum": f"{EASY},{HARD}"},
        project="project",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )

    given = job.to_dict()["runtimeConfig"]["parameterValues"]
    assert given["curriculum"] == f"{EASY},{HARD}"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The home and the summary of a run over two small datasets."""
    home = tmp_path_factory.mktemp("curriculum")
    small = ("--architecture", "dense", "--image-size", "32", "--epochs", "1")
    arguments = ("--curriculum", f"{EASY},{HARD}", *small, "--min-accuracy", "0", "--json")
    code, out, err = finish(pawpetal(home, "run", "--pipeline", "curriculum", *arguments))
    assert code == 0, err
    return home, json.loads(out)


def test_every_dataset_is_a_turn_of_the_loop(learned):
    steps = [step["name"] for step in learned[1]["steps"]]

    assert steps == [
        *("list-datasets", "ingest", "split", "ingest-2", "split-2", "join"),
        *("augment", "train", "evaluate", "push"),
    ]


def test_the_model_was_trained_in_rounds_from_easy_to_hard(learned):
    home, summary = learned
    steps = home / "runs" / summary["run_id"] / "steps"
    (joined,) = steps.glob("*/join/train")
    (model,) = steps.glob("*/train/model")

    rounds = ModelFolder(model).rounds()

    assert [one["dataset"] for one in rounds] == [EASY, HARD]
    ends = [one.num_photos for one in Manifest.load(joined).rounds]
    assert [one["num_photos"] for one in rounds] == ends
    assert ends[1] == Manifest.load(joined).num_photos


def test_the_model_is_registered_under_the_name_of_the_last_dataset(learned, monkeypatch):
    home, summary = learned
    monkeypatch.setenv("PAWPETAL_HOME", str(home))

    assert summary["model"]["name"] == "pets"
    (version,) = open_registry("").versions("pets")
    assert version.labels["dataset"] == f"{EASY},{HARD}"
