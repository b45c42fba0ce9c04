"""Estimators of ∇ E[f]: one file per family, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam.estimators.base import Estimator, Terms, register, registry

__all__ = ["Estimator", "Terms", "get", "make", "names", "register"]


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
