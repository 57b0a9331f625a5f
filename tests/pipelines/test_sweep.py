"""The sweep: its compiled specs, and one small run through the real local runner."""

import json
from pathlib import Path

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from kfp import components

from components.plan.plan import SWEPT
from pipelines import sweep
from pipelines.compiling import compile_spec
from pipelines.specs import KUBEFLOW, PLAIN
from tests.pipelines.command import finish, pawpetal

SMALL = (
    *("--pipeline", "sweep", "--dataset", "sample:pets?photos=40", "--architectures"),
    *("dense,residual", "--epochs", "1", "--min-accuracy", "0", "--json"),
)


@pytest.fixture(scope="module")
def specs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("specs")
    for target in (KUBEFLOW, PLAIN):
        compile_spec("sweep", target, folder / f"{target}.yaml")
    return {target: folder / f"{target}.yaml" for target in (KUBEFLOW, PLAIN)}


@pytest.fixture(scope="module")
def plain(specs) -> dict:
    (document,) = yaml.safe_load_all(specs[PLAIN].read_text())
    return document


def loop(plain: dict) -> tuple[dict, dict]:
    """The task that loops, and the tasks inside."""
    (task,) = (one for one in plain["root"]["dag"]["tasks"].values() if "parameterIterator" in one)
    return task, plain["components"][task["componentRef"]["name"]]["dag"]["tasks"]


@pytest.mark.parametrize("target", [KUBEFLOW, PLAIN])
def test_kfp_loads_the_spec_of_each_target(specs, target):
    assert components.load_component_from_file(str(specs[target])).name == sweep.NAME


def test_the_vertex_client_takes_the_plain_spec(specs):
    job = aiplatform.PipelineJob(
        display_name="test",
        template_path=str(specs[PLAIN]),
        pipeline_root="gs://bucket/root",
        parameter_values={"architectures": "residual,dense", "image_sizes": "32,64"},
        project="project",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )

    values = job.to_dict()["runtimeConfig"]["parameterValues"]
    assert values == {"architectures": "residual,dense", "image_sizes": "32,64"}


def test_candidates_come_from_plan_and_differ_in_what_is_swept(plain):
    task, inside = loop(plain)

    assert task["taskInfo"]["name"] == "candidates"
    assert task["dependentTasks"] == ["plan", "split"]
    swept = {
        name
        for name, given in inside["train"]["inputs"]["parameters"].items()
        if "parameterExpressionSelector" in given
    }
    assert swept == {"architecture", "image_size", "learning_rate"}
    assert (
        "parameterExpressionSelector" in inside["augment"]["inputs"]["parameters"]["augmentation"]
    )


def test_what_is_swept_is_no_input_beside_its_list(plain):
    inputs = plain["root"]["inputDefinitions"]["parameters"]

    assert set(SWEPT) <= set(inputs)
    assert not {"architecture", "augmentation", "image_size", "learning_rate"} & set(inputs)


def test_only_the_best_meets_the_test_photos(plain):
    tasks, (_, inside) = plain["root"]["dag"]["tasks"], loop(plain)

    assert set(inside) == {"augment", "train"}
    assert "test" not in json.dumps([inside, tasks["compare"]["inputs"]])
    model = tasks["evaluate"]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]
    assert model == {"outputArtifactKey": "best", "producerTask": "compare"}


def test_a_sweep_compares_judges_and_registers_and_knows_its_candidates_again(tmp_path):
    home = tmp_path / "home"

    code, out, err = finish(pawpetal(home, "run", *SMALL))

    assert code == 0, err
    run = json.loads(out)
    assert [step["name"] for step in run["steps"]] == [
        *("ingest", "plan", "split", "augment", "train", "augment-2", "train-2"),
        *("compare", "evaluate", "push"),
    ]
    assert {step["status"] for step in run["steps"]} == {"succeeded"}
    page = Path(run["comparison"]).read_text()
    assert "dense" in page
    assert "residual" in page
    assert Path(run["report"]).is_file()
    assert run["model"]["name"] == "pets"

    # One more network: the two are not trained again.
    more = [one if one != "dense,residual" else "dense,inception,residual" for one in SMALL]
    code, out, err = finish(pawpetal(home, "run", *more))

    assert code == 0, err
    trained = [step for step in json.loads(out)["steps"] if step["name"].startswith("train")]
    assert [step["cached"] for step in trained] == [True, False, True]
