"""The scripted cluster follows what real ones were seen to do."""

import pytest

from tests.pipelines.kubeflow import specs
from tests.pipelines.kubeflow.workflow import Outcome, Script, node_id, state


@pytest.mark.parametrize(
    ("text", "digest"), [("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)  # published vectors of FNV-1a
def test_ids_are_the_workflow_and_a_32_bit_fnv_1a_hash(text, digest):
    assert node_id("workflow", text) == f"workflow-{digest}"


def last_moment(usual_spec, outcomes, *, takes_branch=True):
    spec = specs.parse(usual_spec.read_text()).spec
    *_, last = Script("w", spec, outcomes, takes_branch=takes_branch).moments()
    return last, {node.display_name: node for node in last.nodes.values()}


def test_each_step_is_a_driver_a_dag_and_an_executor(usual_spec):
    last, nodes = last_moment(usual_spec, {})

    names = [node.display_name for node in last.nodes.values()]
    assert names.count("executor") == 6
    assert {"root-driver", "root", "train-driver", "train", "condition-1", "push"} <= set(names)
    assert last.phase == "Succeeded"
    assert nodes["train-driver"].children == [node_id("w", "w.root.train")]
    assert nodes["train"].children == [node_id("w", "w.root.train.executor")]


def test_what_comes_after_a_failure_is_omitted_and_has_no_state(usual_spec):
    last, nodes = last_moment(usual_spec, {"split": Outcome(fails=True)})

    assert last.phase == nodes["split"].phase == nodes["root"].phase == "Failed"
    assert {nodes[name].phase for name in ("augment-driver", "augment", "train")} == {"Omitted"}
    assert state("Omitted") is None


def test_a_branch_that_is_not_taken_is_skipped_and_leaves_no_steps(usual_spec):
    last, nodes = last_moment(usual_spec, {}, takes_branch=False)

    assert nodes["condition-1"].phase == "Skipped"
    assert "push" not in nodes
    assert last.phase == "Succeeded"
