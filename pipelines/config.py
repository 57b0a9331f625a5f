"""YAML files that people write: settings of a run, and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from components.common.errors import InputError, unknown_name
from pipelines.specs import Value, parameters


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML's own would take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Read one mapping."""
        names = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if names.count(key.value) > 1:
                raise ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, setting: str) -> dict[str, Any]:
    """Read a file that holds one mapping.

    Args:
        path: Where it is.
        setting: What named it, for errors, e.g. "--config".

    Raises:
        InputError: If it is missing, or holds something else.
    """
    try:
        read = yaml.load(path.read_text(), _Loader)  # noqa: S506  # it is a safe one
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{setting}` must name a text file that can be read: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"'{path}' must be YAML: {' '.join(str(error).split())}") from error
    if not isinstance(read, dict):
        raise InputError(f"'{path}' must hold `name: value` lines. Received: {read!r}")
    return read


def parse_inputs(given: Mapping[Any, Any], pipeline: str, where: str = "") -> dict[str, Value]:
    """Check the names and types of inputs of a pipeline.

    Args:
        given: Value of each, as YAML gives it; names may have dashes.
        pipeline: Whose inputs they are.
        where: The file that gave them, for errors; empty where the caller says so.

    Raises:
        InputError: If there is no such input, or a value has another type.
    """
    known = {parameter.name: parameter for parameter in parameters(pipeline)}
    values = {}
    for key, value in given.items():
        name = str(key).replace("-", "_")
        if name not in known:
            raise unknown_name(f"{where}: option" if where else "option", str(key), known)
        try:
            values[name] = known[name].parse(value)
        except TypeError as error:
            raise InputError(f"'{where}': {error}" if where else str(error)) from error
    return values
