"""The configuration of a run: every key parsed and checked, whatever Snakemake's command line made of it."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reparam.errors import ReparamError
from reparam.plan import schema

ALL = ("all",)


@dataclass(frozen=True)
class Config:
    """What to run, and where. `("all",)` selects everything of its kind."""

    scale: str
    papers: tuple[str, ...] = ALL
    experiments: tuple[str, ...] = ALL
    """Names or glob patterns."""
    estimators: tuple[str, ...] = ALL
    seeds: tuple[int, ...] | None = None
    """None: each experiment's own."""
    oracles: str = "used"
    """Which estimators are checked against exact answers: those that are `used` in training, or `all`."""
    device: str = "auto"
    cells_per_job: int = 1
    """How many cells share a process."""
    wandb: str | None = None
    """None: WANDB_MODE from the environment, else offline."""


def parse(raw: Mapping[str, Any]) -> Config:
    """The configuration in `raw`, from YAML or from `--config key=value` (strings, floats, lists).

    Raises ReparamError for an unknown key (with the nearest known one), a wrong type, a value out of
    range and a seed given twice.
    """
    values: dict[str, Any] = {key: value for key, value in raw.items() if value is not None}
    for key in ("papers", "experiments", "estimators"):
        if key in values:
            values[key] = _names(values[key])
    if "seeds" in values:
        values["seeds"] = _seeds(values["seeds"])
    if values.get("wandb") == "null":
        values["wandb"] = None
    schema.check(values, "config", "configuration")
    checked: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Config(**checked)


def _names(value: Any) -> Any:
    """A comma list as a list; anything that is neither text nor a list is left for the schema to refuse."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return value


def _seeds(value: Any) -> list[int] | None:
    """`10` is a count (0 to 9), `0,3,5` and `7,` are lists of seeds, `null` each experiment's own."""
    if isinstance(value, str):
        if value.strip() in ("null", ""):
            return None
        if "," in value:
            value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        seeds = [_integer(seed) for seed in value]
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ReparamError(f"configuration: seeds: seed {twice[0]} is given twice")
        return seeds
    count = _integer(value)
    if count < 1:
        raise ReparamError(f"configuration: seeds: a count must be at least 1, got {value!r}")
    return list(range(count))


def _integer(value: Any) -> int:
    """The integer that an int, an integral float or a text stands for; ReparamError for anything else."""
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer():
        raise ReparamError(
            f"configuration: seeds: expected a count (10) or a list (0,3,5) of integers, got {reprlib.repr(value)}"
        )
    return int(number)
