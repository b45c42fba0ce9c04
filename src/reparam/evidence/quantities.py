"""From histories to one number per seed.

A seed that has no number says why (`Lost`): it diverged, failed, is missing, or its history has no such
row. NaN is a number here: it is passed on, so that no rule can overlook it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from reparam.errors import ReparamError
from reparam.evidence.claims import Quantity
from reparam.evidence.history import CellResults, SeedResult
from reparam.registry import nearest

PROGRESS = "samples_seen"


class Lost(Exception):
    """A seed has no number; the message says why in a word or two."""


@dataclass(frozen=True)
class Results:
    """The cells of one paper at one scale, by experiment and estimator."""

    cells: dict[tuple[str, str], CellResults]

    @classmethod
    def of(cls, cells: Iterable[CellResults]) -> Results:
        return cls({(c.cell.experiment, c.cell.estimator): c for c in cells})

    @cached_property
    def metrics(self) -> set[str]:
        """Names of every metric that some seed of the paper measured."""
        seeds = (seed for cell in self.cells.values() for seed in cell.seeds.values())
        return set().union(*(seed.history["metric"].unique() for seed in seeds))

    def seed(self, experiment: str, estimator: str, seed: int) -> SeedResult:
        """Raises Lost unless the seed ended well."""
        result = self.cells[experiment, estimator].seeds.get(seed)
        if result is None:
            raise Lost("missing")
        if result.status != "ok":
            raise Lost(result.status)
        return result


def number(results: Results, quantity: Quantity, experiment: str, seed: int) -> float:
    """The number of one seed in one experiment. Raises Lost when there is none."""
    result = results.seed(experiment, quantity.estimator, seed)
    if quantity.reach is None:
        return _at(_values(result, quantity), quantity.at, result)
    level = number(results, quantity.reach, quantity.reach.experiment or experiment, seed)
    values = _values(result, quantity)
    if math.isnan(level) or values.isna().any():
        return math.nan
    reached = values[values >= level]
    if reached.empty:
        return math.inf
    seen = _measured(result, PROGRESS)
    if reached.index[0] not in seen.index:
        raise Lost(f"no {PROGRESS} at step {reached.index[0]}")
    return float(seen[reached.index[0]])


def option(spec: Any, name: str) -> float:
    """A numeric option of a spec by its dotted name (`task.latent`); ReparamError when there is none."""
    value = spec
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReparamError(
            f"claims.yaml: x: {name!r} is no numeric option of experiment {spec.get('experiment')!r}"
        )
    return float(value)


def require_metrics(results: Results, quantity: Quantity, experiment: str, claim: str) -> None:
    """Raise ReparamError when the cell has results but no cell of the paper measured a named metric."""
    cell = results.cells[experiment, quantity.estimator]
    if not any(seed.status == "ok" for seed in cell.seeds.values()):
        return
    known = results.metrics
    progress = PROGRESS if quantity.reach else _beside(quantity.at)
    for name in (quantity.metric, quantity.minus, progress):
        if name is not None and name != "step" and name not in known:
            where = f"{cell.cell.paper}/claims.yaml: claim {claim}"
            raise ReparamError(f"{where}: {experiment} measured no metric {name!r}{nearest(name, known)}")


def _values(result: SeedResult, quantity: Quantity) -> pd.Series:
    values = _measured(result, quantity.metric)
    if quantity.minus is None:
        return values
    other = _measured(result, quantity.minus)
    common = values.index.intersection(other.index)
    if common.empty:
        raise Lost(f"{quantity.metric} and {quantity.minus} share no row")
    return values[common] - other[common]


def _measured(result: SeedResult, metric: str) -> pd.Series:
    values = result.metric(metric)
    if values.empty:
        raise Lost(f"no {metric}")
    return values


def _beside(at: str | tuple[str, float | str]) -> str | None:
    """The metric of the same row that says which row is meant."""
    if isinstance(at, str):
        return None
    return at[1] if isinstance(at[1], str) else at[0]


def _at(values: pd.Series, at: str | tuple[str, float | str], result: SeedResult) -> float:
    match at:
        case "first":
            return float(values.iloc[0])
        case (order, str() as metric):
            judge = _measured(result, metric)
            judge = judge[judge.index.intersection(values.index)]
            if judge.empty:
                raise Lost(f"no row with {metric}")
            if judge.isna().any():
                return math.nan
            place = judge.argmax() if order == "largest" else judge.argmin()
            return float(values.loc[judge.index[int(place)]])
        case (progress, float() as most):
            steps = pd.Series(values.index, values.index)
            seen = steps if progress == "step" else _measured(result, progress)
            values = values[values.index.isin(seen.index[seen <= most])]
            if values.empty:
                raise Lost(f"no row at or before {progress} {most:g}")
    return float(values.iloc[-1])
