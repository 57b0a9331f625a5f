"""Specs as YAML: one document, and for Kubernetes a second one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# Ten times faster where libyaml was there to build with.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read(text: bytes) -> list[dict[str, Any]]:
    """The documents of a spec: the plain part, and perhaps settings of Kubernetes."""
    return list(yaml.load_all(text, _LOADER))  # both loaders are safe ones


def write(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Documents as YAML, the same for the same ones."""
    return bytes(yaml.dump_all(documents, Dumper=_DUMPER, encoding="utf-8", sort_keys=True))


def inputs(spec: Mapping[str, Any]) -> set[str]:
    """Names of the inputs that a compiled pipeline has."""
    return set(spec["root"].get("inputDefinitions", {}).get("parameters", {}))
