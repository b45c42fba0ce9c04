"""Estimators of ∇ E[f]: one file per family, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam.estimators.base import Estimator, Terms, register, registry

__all__ = ["Estimator", "Terms", "chosen", "get", "make", "names", "register"]


def names() -> list[str]:
    """The names of all estimators, installed plug-ins included."""
    return registry.names()


def get(name: str) -> type[Estimator]:
    """The class of the estimator called `name`; ReparamError with the nearest name when there is none."""
    return registry.get(name)


def make(name: str, options: Mapping[str, Any] | None = None) -> Estimator:
    """The estimator called `name` with these options.

    Raises ReparamError for an unknown name or option, with the nearest known one, and for a value that makes no sense.
    """
    return get(name)(**(options or {}))


def chosen(given: Mapping[str, Any]) -> dict[str, Estimator]:
    """The estimators of {label: options}, with `name` where the label is not the estimator's name; a null one is left
    out. ReparamError for an unknown name or option."""
    made = {}
    for label, options in given.items():
        if options is not None:
            own = {key: value for key, value in options.items() if key != "name"}
            made[label] = make(options.get("name", label), own)
    return made
