"""Checks JSON against the published models of the KFP API: names, types, enumerations.

The models are those of `kfp-server-api`, which is generated from the server's own OpenAPI document.
They are stricter here than in the server: a field that they lack is an error in both directions.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

import kfp_server_api
from kfp_server_api import models

# 64-bit integers, which protobuf's JSON writes as text and reads in both forms.
LONG = ("interval_second", "max_concurrency")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
PRIMITIVES = {"str": str, "int": int, "bool": bool, "float": (int, float)}

_serializer = kfp_server_api.ApiClient(kfp_server_api.Configuration())


class SchemaError(ValueError):
    """JSON that is not of its model."""


def check(value: Any, type_name: str, where: str = "body") -> None:
    """Check JSON against a type of the models, e.g. "V2beta1Run" or "list[V2beta1Run]"."""
    if inner := re.fullmatch(r"list\[(.*)\]", type_name):
        _expect(isinstance(value, list), where, "a list", value)
        for index, each in enumerate(value):
            check(each, inner[1], f"{where}[{index}]")
    elif inner := re.fullmatch(r"dict\(str, (.*)\)", type_name):
        _expect(isinstance(value, dict), where, "an object", value)
        for key, each in value.items():
            check(each, inner[1], f"{where}.{key}")
    elif type_name == "datetime":
        _expect(isinstance(value, str) and bool(TIME.fullmatch(value)), where, "a time", value)
    elif type_name in PRIMITIVES:
        _expect(_is_primitive(value, type_name, where), where, type_name, value)
    elif type_name != "object":
        _check_model(value, getattr(models, type_name), where)


def _is_primitive(value: Any, type_name: str, where: str) -> bool:
    if where.endswith(LONG):
        return isinstance(value, int) or str(value).lstrip("-").isdigit()
    if isinstance(value, bool) and type_name != "bool":
        return False
    return isinstance(value, PRIMITIVES[type_name])


def _check_model(value: Any, model: Any, where: str) -> None:
    if allowed := getattr(model, "allowable_values", None):
        _expect(value in allowed, where, f"one of {allowed}", value)
        return
    _expect(isinstance(value, dict), where, model.__name__, value)
    types = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    for key, each in value.items():
        _expect(key in types, where, f"fields of {model.__name__}", key)
        check(each, types[key], f"{where}.{key}")


def _expect(is_right: bool, where: str, what: str, received: Any) -> None:
    if not is_right:
        raise SchemaError(f"{where} must be {what}. Received: {received!r}")


def to_json(model: Any) -> Any:
    """JSON of a model's object, as the server writes it; checked."""
    value = _serializer.sanitize_for_serialization(_with_times(model))
    check(value, type(model).__name__)
    return value


def _with_times(value: Any) -> Any:
    """The same with times as Go writes them: UTC, `Z`, a year of four digits."""
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.UTC) if value.year > 1 else value
        return utc.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    if isinstance(value, dict):
        return {key: _with_times(each) for key, each in value.items()}
    if hasattr(value, "openapi_types"):
        return {
            value.attribute_map[name]: _with_times(getattr(value, name))
            for name in value.openapi_types
            if getattr(value, name) is not None
        }
    return value
