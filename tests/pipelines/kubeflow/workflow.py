"""A scripted cluster: the nodes of the Argo workflow that would run a spec, moment by moment.

Which nodes there are, their names, ids, states, children and times follow a run that was recorded
from Kubeflow Pipelines 2.16, and its compiler to Argo; `test_workflow.py` holds the rules for ids
and omitted nodes to that record. No cluster was run for this.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kfp_server_api import (
    Configuration,
    PipelineTaskDetailChildTask,
    V2beta1PipelineTaskDetail,
    V2beta1RuntimeStatus,
)

_SHARED = {"local_vars_configuration": Configuration()}  # a new one for each model is slow
NEVER = datetime(1, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of one step."""

    log: str = ""
    fails: bool = False
    driver_fails: bool = False
    cached: bool = False
    polls: int = 1  # how often it is seen running; the log grows from one to the next


@dataclass
class Node:
    """A node of the workflow."""

    name: str  # WORKFLOW.root.train.executor
    display_name: str
    template: str
    phase: str
    start: datetime
    end: datetime = NEVER
    children: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The workflow at one time."""

    nodes: dict[str, Node]
    logs: dict[str, str]  # by pod
    phase: str


def node_id(workflow: str, name: str) -> str:
    """Argo's id of a node: the workflow's name and the 32-bit FNV-1a hash of the node's."""
    digest = 0x811C9DC5
    for byte in name.encode():
        digest = ((digest ^ byte) * 0x01000193) & 0xFFFFFFFF
    return workflow if name == workflow else f"{workflow}-{digest}"


def pod_name(workflow: str, node: Node) -> str:
    """Name of a node's pod."""
    return f"{workflow}-{node.template}-{node_id(workflow, node.name).rpartition('-')[2]}"


class Script:
    """Plays the run of one spec."""

    def __init__(
        self, workflow: str, spec: Any, outcomes: Mapping[str, Outcome], *, takes_branch: bool
    ) -> None:
        self._workflow, self._spec, self._outcomes = workflow, spec, outcomes
        self._takes_branch = takes_branch
        self._clock = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
        self._nodes: dict[str, Node] = {}
        self._logs: dict[str, str] = {}
        self._last: list[Node] = []  # whose children come next
        self._has_failed = False

    def moments(self) -> Iterator[Moment]:
        """The workflow, as often as something in it changes."""
        whole = self._add(self._workflow, "entrypoint", "Running", is_child=False)
        self._last = [whole]
        driver = self._add(f"{self._workflow}.root-driver", "system-dag-driver", "Pending")
        yield self._moment("Running")
        self._end(driver, "Succeeded")
        root = self._add(f"{self._workflow}.root", "root", "Running")
        self._last = [root]
        yield from self._play(self._spec.root.dag.tasks, root.name)
        phase = "Failed" if self._has_failed else "Succeeded"
        self._end(root, phase)
        self._end(whole, phase)
        yield self._moment(phase)

    def _play(self, tasks: Mapping[str, Any], parent: str) -> Iterator[Moment]:
        for name in _in_order(tasks):
            inner = self._spec.components[tasks[name].component_ref.name].dag.tasks
            if self._has_failed:
                self._omit(parent, name)
            elif inner:
                yield from self._play_branch(inner, f"{parent}.{name}")
            else:
                yield from self._play_step(f"{parent}.{name}", self._outcomes.get(name, Outcome()))

    def _play_branch(self, tasks: Mapping[str, Any], name: str) -> Iterator[Moment]:
        driver = self._add(f"{name}-driver", "system-dag-driver", "Running")
        yield self._moment("Running")
        self._end(driver, "Succeeded")
        branch = self._add(name, "comp-condition-1", "Running")
        if not self._takes_branch:
            self._end(branch, "Skipped")
            return
        self._last = [branch]
        yield from self._play(tasks, name)
        self._end(branch, "Failed" if self._has_failed else "Succeeded")

    def _play_step(self, name: str, outcome: Outcome) -> Iterator[Moment]:
        driver = self._add(f"{name}-driver", "system-container-driver", "Pending")
        yield self._moment("Running")
        self._has_failed = outcome.driver_fails
        self._end(driver, "Failed" if outcome.driver_fails else "Succeeded")
        if outcome.driver_fails:
            self._omit_node(name, "system-container-executor")
            return
        step = self._add(name, "system-container-executor", "Running")
        self._last = [step]
        executor = self._add(f"{name}.executor", "system-container-impl", "Pending")
        if outcome.cached:
            self._end(executor, "Skipped")
        else:
            yield from self._play_pod(executor, outcome)
        self._end(step, "Failed" if self._has_failed else "Succeeded")

    def _play_pod(self, executor: Node, outcome: Outcome) -> Iterator[Moment]:
        yield self._moment("Running")
        executor.phase = "Running"
        lines, pod = outcome.log.splitlines(keepends=True), pod_name(self._workflow, executor)
        for poll in range(outcome.polls):
            self._logs[pod] = "".join(lines[: len(lines) * (poll + 1) // outcome.polls])
            yield self._moment("Running")
        self._has_failed = outcome.fails
        self._end(executor, "Failed" if outcome.fails else "Succeeded")

    def _omit(self, parent: str, name: str) -> None:
        self._omit_node(f"{parent}.{name}-driver", "system-container-driver")
        self._omit_node(f"{parent}.{name}", "system-container-executor")

    def _omit_node(self, name: str, template: str) -> None:
        self._end(self._add(name, template, "Omitted"), "Omitted")

    def _add(self, name: str, template: str, phase: str, *, is_child: bool = True) -> Node:
        node = Node(name, name.rpartition(".")[2], template, phase, self._clock)
        identity = node_id(self._workflow, name)
        for last in self._last if is_child else ():
            last.children.append(identity)
        self._nodes[identity] = node
        self._last = [node]
        return node

    def _end(self, node: Node, phase: str) -> None:
        node.phase, node.end = phase, self._clock

    def _moment(self, phase: str) -> Moment:
        self._clock += TICK
        return Moment(nodes=copy.deepcopy(self._nodes), logs=dict(self._logs), phase=phase)


def _in_order(tasks: Mapping[str, Any]) -> list[str]:
    done: list[str] = []
    while len(done) < len(tasks):
        done.append(
            next(n for n in tasks if n not in done and set(tasks[n].dependent_tasks) <= set(done))
        )
    return done


def state(phase: str) -> str | None:
    """The API's state for Argo's phase; None where JSON leaves it out, as it does an enum's 0."""
    known = {"Pending", "Running", "Succeeded", "Skipped", "Failed"}
    return phase.upper() if phase in known else None


def task_details(run_id: str, created: datetime, moment: Moment) -> list[Any]:
    """What the API tells of a workflow's nodes."""
    return [
        V2beta1PipelineTaskDetail(
            run_id=run_id,
            task_id=str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
            display_name=node.display_name,
            create_time=created,
            start_time=node.start,
            end_time=node.end,
            state=state(node.phase),
            state_history=[
                V2beta1RuntimeStatus(update_time=node.start, state=state(node.phase), **_SHARED)
            ],
            child_tasks=[
                PipelineTaskDetailChildTask(pod_name=child, **_SHARED) for child in node.children
            ]
            or None,
            **_SHARED,
        )
        for identity, node in sorted(moment.nodes.items())
    ]
