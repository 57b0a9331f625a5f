"""Retraining from the champion: the compiled graph, and twice through the real runner."""

import json

import pytest
import yaml

from components.common.model import ModelFolder
from pipelines.compiling import compile_spec
from pipelines.specs import KUBEFLOW, PLAIN, parameters, step_names
from tests.pipelines.command import finish, pawpetal

SMALL = ("--architecture", "dense", "--image-size", "32", "--epochs", "1", "--min-accuracy", "0")


def compiled(path, target):
    compile_spec("retrain", target, path)
    return next(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("target", [KUBEFLOW, PLAIN])
def test_push_is_behind_both_gates(tmp_path, target):
    spec = compiled(tmp_path / "spec.yaml", target)

    outer = spec["root"]["dag"]["tasks"]["condition-1"]
    inner = spec["components"][outer["componentRef"]["name"]]["dag"]["tasks"]["condition-2"]
    pushed = spec["components"][inner["componentRef"]["name"]]["dag"]["tasks"]
    # kfp's local runner finds a task's result outside conditions by the name Output alone.
    assert outer["triggerPolicy"]["condition"] == (
        "inputs.parameter_values['pipelinechannel--evaluate-Output'] >="
        " inputs.parameter_values['pipelinechannel--min_accuracy']"
    )
    assert inner["triggerPolicy"]["condition"] == (
        "inputs.parameter_values['pipelinechannel--evaluate-gain'] >="
        " inputs.parameter_values['pipelinechannel--min_gain']"
    )
    assert list(pushed) == ["push"]


def test_its_inputs_are_those_of_train_and_push_and_the_least_gain():
    ours = {each.name: each.default for each in parameters("retrain")}
    usual = {each.name: each.default for each in parameters("train_and_push")}

    assert ours == usual | {"warm_start": "champion", "min_gain": 0.0}
    assert step_names("retrain") == step_names("train_and_push")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory):
    """The summaries of two runs, and the models that they left: the second on more photos."""
    home = tmp_path_factory.mktemp("retrain")
    orders = (("40", "0"), ("50", "1"))  # photos, and a gain that no model reaches
    summaries, models = [], []
    for photos, min_gain in orders:
        dataset = ("--dataset", f"sample:pets?photos={photos}", "--min-gain", min_gain)
        arguments = ("run", "--pipeline", "retrain", *dataset, *SMALL, "--json")
        code, out, err = finish(pawpetal(home, *arguments))
        assert code == 0, err
        summaries.append(json.loads(out))
        (model,) = (home / "runs" / summaries[-1]["run_id"]).glob("steps/*/train/model")
        models.append(ModelFolder(model))
    return summaries, models


def test_the_first_run_has_no_champion_starts_anew_and_gives_one(retrained):
    summary, model = retrained[0][0], retrained[1][0]

    assert model.transfers() == []
    assert summary["gate"]["passed"]
    assert summary["gate"]["gain"] == 1.0  # by which no gate is closed
    assert summary["model"]["version"] == "1"
    assert summary["model"]["is_champion"]


def test_the_next_run_goes_on_from_the_champion(retrained):
    model = retrained[1][1]

    transfers = model.transfers()
    assert transfers
    assert {one["how"] for one in transfers} == {"copied"}  # the same network and classes


def test_a_model_that_gains_too_little_is_not_registered(retrained):
    summary = retrained[0][1]

    assert summary["status"] == "succeeded"
    assert not summary["gate"]["passed"]
    assert summary["gate"]["gain"] < 1
    assert summary["model"] is None
    assert [step["status"] for step in summary["steps"] if step["name"] == "push"] == ["skipped"]
