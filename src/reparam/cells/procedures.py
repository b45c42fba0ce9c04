"""Procedures that are not trainings: a paper's own exact or short experiments, found by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from reparam.errors import ReparamError
from reparam.registry import nearest

Row = tuple[int, str, float]


class Findings(NamedTuple):
    """What a procedure returns for one seed: rows (step, metric, value), and arrays for pictures."""

    rows: list[Row]
    arrays: dict[str, np.ndarray]


Procedure = Callable[[Mapping[str, Any], int, torch.device], Findings]
"""(spec, seed, device) → findings. Every random number comes from streams named by paper, experiment, seed."""


class Options(Mapping[str, Any]):
    """An experiment's `evaluation`, found at `where`; it notes what is read, so that a misspelt option is no default.

    `options[name]` raises ReparamError where the option is missing.
    """

    def __init__(self, given: Mapping[str, Any], where: str) -> None:
        self._given, self._where, self._read = given, where, set[str]()

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            given = ", ".join(self._given) or "none"
            raise ReparamError(f"{self._where}: the option {name!r} is missing (given: {given})")
        return self._given[name]

    def __contains__(self, name: object) -> bool:
        self._read.add(str(name))
        return name in self._given

    def get(self, name: str, default: Any = None) -> Any:
        """The option, or the default where it is not given."""
        return self._given[name] if name in self else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def require_all_read(self) -> None:
        """ReparamError, naming the first option that nothing asked for; one that is null asks for nothing."""
        for name, value in self._given.items():
            if name not in self._read and value is not None:
                raise ReparamError(
                    f"{self._where}: nothing reads the option {name!r}{nearest(name, self._read)}"
                )


_entries: dict[str, Procedure] = {}


def procedure(name: str) -> Callable[[Procedure], Procedure]:
    """Decorator: make the function known as the procedure `name` of its paper."""

    def add(function: Procedure) -> Procedure:
        _entries[f"{function.__module__.split('.')[-2]}/{name}"] = function
        return function

    return add


def get(paper: str, name: str) -> Procedure:
    """The procedure `name` of the paper; ReparamError with the nearest name when there is none."""
    package = importlib.import_module(f"reparam.papers.{paper}")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "figures":
            importlib.import_module(f"{package.__name__}.{module.name}")
    known = {key.partition("/")[2]: entry for key, entry in _entries.items() if key.startswith(f"{paper}/")}
    if name not in known:
        raise ReparamError(f"paper {paper}: unknown procedure {name!r}{nearest(name, [*known, 'train'])}")
    return known[name]
