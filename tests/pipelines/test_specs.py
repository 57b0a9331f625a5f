import shutil

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from kfp import components

from pipelines import specs
from pipelines.compiling import COMMITTED, GRAPHS, stale_specs
from pipelines.specs import FILLED_IN, Parameter, parameters, spec_path, step_names

# Inputs of steps that a pipeline feeds from other steps or names as its own.
PIPELINE = "train_and_push"


def documents(target):
    return list(yaml.safe_load_all(spec_path(PIPELINE, target).read_text()))


def test_committed_specs_are_what_compiling_gives():
    assert stale_specs() == {}


def test_a_changed_spec_is_called_stale_with_the_line_that_differs(tmp_path, monkeypatch):
    folder = tmp_path / "pipelines" / "specs"
    shutil.copytree(specs.FOLDER, folder)
    monkeypatch.setattr(specs, "FOLDER", folder)
    monkeypatch.setattr("pipelines.compiling.FOLDER", folder)
    path = folder / "train_and_push.vertex.yaml"
    path.write_text(path.read_text().replace("defaultValue: 0.7", "defaultValue: 0.6", 1))

    stale = stale_specs()

    assert list(stale) == [path]
    assert "-          defaultValue: 0.6\n+          defaultValue: 0.7" in stale[path]


def test_the_vertex_spec_is_one_document_and_the_kubeflow_spec_adds_only_kubernetes_settings():
    vertex, kubeflow = documents("vertex"), documents("kubeflow")

    assert len(vertex) == 1
    for executor in kubeflow[0]["deploymentSpec"]["executors"].values():
        del executor["container"]["resources"]
    del vertex[0]["root"]["dag"]["tasks"]["evaluate"]["cachingOptions"]
    assert kubeflow[0]["root"]["dag"]["tasks"]["evaluate"].pop("cachingOptions") == {}
    assert kubeflow[0] == vertex[0]
    assert list(kubeflow[1]["platforms"]) == ["kubernetes"]


def test_the_vertex_client_takes_the_plain_spec_and_every_parameter():
    given = {parameter.name: parameter.default for parameter in parameters(PIPELINE)}

    job = aiplatform.PipelineJob(
        display_name="test",
        template_path=str(spec_path(PIPELINE, "vertex")),
        pipeline_root="gs://bucket/root",
        parameter_values=given,
        project="project",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )

    request = job.to_dict()
    assert set(request["runtimeConfig"]["parameterValues"]) == set(given)
    tasks = request["pipelineSpec"]["root"]["dag"]["tasks"]
    assert set(tasks) == {"ingest", "split", "augment", "train", "evaluate", "condition-1"}


def test_every_target_has_a_spec_that_kfp_itself_loads():
    for pipeline, target in COMMITTED:
        loaded = components.load_component_from_file(str(spec_path(pipeline, target)))
        assert loaded.name == GRAPHS[pipeline].NAME


def test_steps_are_listed_in_the_order_they_run():
    assert step_names(PIPELINE) == ("ingest", "split", "augment", "train", "evaluate", "push")


def test_every_parameter_is_described_and_has_a_default():
    assert all(parameter.help for parameter in parameters(PIPELINE))
    assert {parameter.name for parameter in parameters(PIPELINE)}.isdisjoint(FILLED_IN)


def test_steps_and_pipeline_agree_on_defaults():
    spec = documents("vertex")[0]
    pipeline = spec["root"]["inputDefinitions"]["parameters"]
    for name, component in spec["components"].items():
        if "executorLabel" not in component:
            continue  # the gate's inner graph
        for key, declared in component["inputDefinitions"]["parameters"].items():
            if key == "shares":
                continue  # of workers, which the committed specs do not have
            assert (
                declared["defaultValue" if key != "dataset" else "parameterType"]
                == (pipeline[key]["defaultValue" if key != "dataset" else "parameterType"])
            ), f"{name}: {key}"


def test_only_push_is_never_taken_from_the_cache():
    spec = documents("vertex")[0]
    gate = spec["components"]["comp-condition-1"]["dag"]["tasks"]
    tasks = spec["root"]["dag"]["tasks"] | gate

    uncached = {name for name, task in tasks.items() if task.get("cachingOptions") == {}}

    assert uncached == {"push"}


@pytest.mark.parametrize("name", ["code_version", "dataset_fingerprint"])
def test_every_step_has_what_keeps_the_cache_honest(name):
    spec = documents("vertex")[0]
    steps = [one for one in spec["components"].values() if "executorLabel" in one]

    assert len(steps) == 6
    assert all(name in step["inputDefinitions"]["parameters"] for step in steps)


def test_a_value_of_another_type_is_refused_by_name():
    epochs = Parameter(name="epochs", type=int, default=0, help="")

    with pytest.raises(TypeError, match=r"`epochs` must be of type int\. Received: 'ten'"):
        epochs.parse("ten")


def test_a_whole_number_is_good_for_a_float_but_a_bool_is_no_int():
    assert Parameter(name="rate", type=float, default=0.0, help="").parse(1) == 1.0
    with pytest.raises(TypeError, match="Received: True"):
        Parameter(name="epochs", type=int, default=0, help="").parse(True)
