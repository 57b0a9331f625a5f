"""What the backend refuses of an uploaded spec, and of a run's parameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb2
from kfp.pipeline_spec import pipeline_spec_pb2 as spec_pb2

PIPELINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
KINDS = {
    spec_pb2.ParameterType.STRING: (str,),
    spec_pb2.ParameterType.NUMBER_INTEGER: (int, float),
    spec_pb2.ParameterType.NUMBER_DOUBLE: (int, float),
    spec_pb2.ParameterType.BOOLEAN: (bool,),
}


class SpecError(ValueError):
    """A spec, or parameters, that the backend would not take."""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A spec that was taken."""

    spec: Any  # PipelineSpec
    platform: Any  # PlatformSpec
    as_json: dict[str, Any]  # as the API gives it back


@functools.cache  # tests upload the same one again and again
def parse(text: str) -> Parsed:
    """Read a spec of one or two YAML documents as protobuf, refusing unknown fields."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built
    try:
        documents = list(yaml.load_all(text, loader))  # both loaders are safe ones
    except yaml.YAMLError as error:
        raise SpecError(f"unknown template format: {error}") from error
    if not 1 <= len(documents) <= 2 or not all(isinstance(each, dict) for each in documents):
        raise SpecError("unknown template format: pipeline spec is invalid")
    return parse_documents(documents[0], documents[1] if len(documents) > 1 else {})


def parse_documents(spec_json: dict[str, Any], platform_json: dict[str, Any]) -> Parsed:
    """The same for documents that are read."""
    spec = _parse(spec_json, spec_pb2.PipelineSpec())
    platform = _parse(platform_json, spec_pb2.PlatformSpec())
    deployment = _parse(
        json_format.MessageToDict(spec.deployment_spec), spec_pb2.PipelineDeploymentConfig()
    )
    if not PIPELINE_NAME.fullmatch(spec.pipeline_info.name):
        raise SpecError(f"pipeline's name is not valid: '{spec.pipeline_info.name}'")
    if not spec.root.dag.tasks:
        raise SpecError("pipeline spec is invalid: no root DAG")
    for component in (spec.root, *spec.components.values()):
        _check_tasks(component.dag.tasks, spec, deployment)
    _check_platform(platform, deployment)
    as_json = {"pipeline_spec": spec_json, "platform_spec": platform_json}
    return Parsed(
        spec=spec, platform=platform, as_json=as_json if platform_json else dict(spec_json)
    )


def _parse(document: Mapping[str, Any], message: Any) -> Any:
    try:
        return json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise SpecError(f"invalid v2 pipeline spec: {error}") from error


def _check_tasks(tasks: Mapping[str, Any], spec: Any, deployment: Any) -> None:
    for name, task in tasks.items():
        component = task.component_ref.name
        if component not in spec.components:
            raise SpecError(f"task '{name}': component spec for '{component}' not found")
        label = spec.components[component].executor_label
        if label and label not in deployment.executors:
            raise SpecError(f"executor with label '{label}' not found")
        for dependency in task.dependent_tasks:
            if dependency not in tasks:
                raise SpecError(f"task '{name}' depends on '{dependency}', which is not there")


def _check_platform(platform: Any, deployment: Any) -> None:
    if set(platform.platforms) - {"kubernetes"}:
        raise SpecError(f"unknown platform: {sorted(platform.platforms)}")
    for settings in platform.platforms.values():
        for label, executor in settings.deployment_spec.executors.items():
            if label not in deployment.executors:
                raise SpecError(f"platform settings for '{label}', which is no executor")
            _parse(json_format.MessageToDict(executor), kubernetes_pb2.KubernetesExecutorConfig())


def check_parameters(spec: Any, given: Mapping[str, Any]) -> None:
    """Refuse parameters that the spec does not take, or of another type."""
    declared = spec.root.input_definitions.parameters
    for name, parameter in declared.items():
        if name not in given:
            if not (parameter.is_optional or parameter.HasField("default_value")):
                raise SpecError(
                    f"parameter {name} is not optional, yet has neither default value nor user"
                    " provided value"
                )
            continue
        kinds, value = KINDS[parameter.parameter_type], given[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise SpecError(
                f"input parameter {name} requires type {kinds[0].__name__}, but the parameter"
                " value is not of that type"
            )
    if extra := sorted(set(given) - set(declared)):
        raise SpecError(f"parameter(s) provided are not required by pipeline: {', '.join(extra)}")
