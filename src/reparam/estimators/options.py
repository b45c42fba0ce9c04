"""Options of estimators, checked against the annotations of their fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from reparam.errors import ReparamError
from reparam.registry import nearest


def check_options(name: str, kind: type, given: Mapping[str, Any]) -> None:
    """ReparamError, naming the estimator and the option, for one that is no field of `kind` or of another type.

    Fields may be bool, int, float (an integer will do, NaN will not), str, a Literal, or a union of these; what is
    annotated otherwise is for `__post_init__` to check.
    """
    hints = _hints(kind)
    for option, value in given.items():
        if option not in hints:
            raise ReparamError(f"estimator {name!r} has no option {option!r}{_why(kind, option, hints)}")
        if get_origin(hints[option]) is Literal and value not in get_args(hints[option]):
            raise ReparamError(
                f"{name}: unknown {option} {value!r}{nearest(str(value), get_args(hints[option]))}"
            )
        wanted = _wanted(hints[option], value)
        if wanted:
            raise ReparamError(f"{name}: {option} must be {wanted}, got {value!r}")


def lacks_decorator(kind: type) -> bool:
    """Whether a class has fields of its own, but no @dataclass that makes options of them."""
    own = [name for name, hint in get_annotations(kind).items() if "ClassVar" not in str(hint)]
    return bool(own) and "__dataclass_fields__" not in vars(kind)


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The type of each option."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)} if is_dataclass(kind) else {}


def _why(kind: type, option: str, known: Mapping[str, Any]) -> str:
    if option in get_annotations(kind) and lacks_decorator(kind):
        return f": write @dataclass(frozen=True) above the class {kind.__name__}, below @register"
    return nearest(option, known) if known else "; it has none"


def _wanted(hint: Any, value: Any) -> str | None:
    """What the value must be, in words, if it is not of this type."""
    if get_origin(hint) in (Union, UnionType):
        wanted = [_wanted(member, value) for member in get_args(hint)]
        return None if None in wanted else " or ".join(map(str, wanted))
    if get_origin(hint) is Literal:
        return None if value in get_args(hint) else f"one of {', '.join(map(repr, get_args(hint)))}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        bool: ("True or False", isinstance(value, bool)),
        int: ("an integer", number and isinstance(value, int)),
        float: ("a number", number and not math.isnan(value)),
        str: ("a string", isinstance(value, str)),
        NoneType: ("None", value is None),
    }
    words, fit = fits.get(hint, ("", True))
    return None if fit else words
