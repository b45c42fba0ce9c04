"""JSON schemas of what users write, and their violations in one line."""

from __future__ import annotations

import json
import reprlib
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from reparam.errors import ReparamError
from reparam.registry import nearest


@cache
def load(name: str) -> dict[str, Any]:
    """The schema `name` as a mapping: `config` or `experiments`."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("schemas", f"{name}.json").read_text())
    return schema


def check(data: object, name: str, where: str) -> None:
    """Raise ReparamError with the path of the faulty key unless `data` obeys the schema `name`.

    `where` begins the message: the file, or where the configuration came from.
    """
    error = best_match(Draft202012Validator(load(name)).iter_errors(data))
    if error is not None:
        path = ".".join(str(step) for step in error.absolute_path)
        raise ReparamError(f"{where}: {path}: {_say(error)}" if path else f"{where}: {_say(error)}")


def _say(error: ValidationError) -> str:
    """What is wrong with the value at the error's path, and what would be right."""
    shown = reprlib.repr(error.instance)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        return f"unknown key {str(unknown)!r}{nearest(str(unknown), known)}"
    if error.validator == "enum":
        values = [value for value in error.validator_value if value is not None]
        return f"unknown value {shown}{nearest(str(error.instance), values)}"
    if error.validator == "type":
        types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return f"expected {' or '.join(types)}, got {shown}"
    return str(error.schema.get("description", error.message))
