"""The experiments of a paper: experiments.yaml read, checked and expanded into cells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import reparam
from reparam.data.sources import names as data_sets
from reparam.errors import ReparamError
from reparam.plan import schema, yaml_file
from reparam.plan.cells import Cell
from reparam.registry import nearest

PAPERS = Path(reparam.__file__).parent / "papers"
FORMAT = 1
SECTIONS = ("task", "training", "evaluation", "measurements")
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Experiment:
    """An experiment at one scale, after its grid is expanded."""

    name: str
    base: str
    """Its key in experiments.yaml, before the grid's values were added to the name."""
    title: str
    cells: tuple[Cell, ...]


def papers(folder: Path = PAPERS) -> list[str]:
    """The papers of a folder: every sub-folder with an experiments.yaml is one."""
    return sorted(path.parent.name for path in folder.glob("*/experiments.yaml"))


def read(paper: str, folder: Path = PAPERS) -> dict[str, Any]:
    """The checked content of a paper's experiments.yaml; ReparamError names the faulty key."""
    file = folder / paper / "experiments.yaml"
    return dict(_read(paper, file, file.stat().st_mtime_ns if file.is_file() else 0))


@cache
def _read(paper: str, file: Path, _modified: int) -> Mapping[str, Any]:
    """A plan reads each file once per scale; callers change copies only."""
    where = f"{paper}/experiments.yaml"
    content: Mapping[str, Any] = yaml_file.read(file, where)
    schema.check(content, "experiments", where)
    _check_names([paper, *content["experiments"]], where)
    return content


def expand(paper: str, scale: str, folder: Path = PAPERS) -> list[Experiment]:
    """All experiments of a paper at a scale.

    Precedence: defaults < defaults.scales[scale] < experiment < experiment.scales[scale]. Mappings merge,
    anything else replaces; a null estimator, measurement or grid axis is dropped, a null scale is not run.

    Raises ReparamError for a faulty file, an unsafe or repeated name, a grid path that leads nowhere and an
    unknown data set.
    """
    content, where = read(paper, folder), f"{paper}/experiments.yaml"
    found: dict[str, Experiment] = {}
    for name, own in content["experiments"].items():
        merged = _at_scale(content.get("defaults", {}), own, scale)
        if merged is None:
            continue
        for suffix, variant in _grid(merged, f"{where}: experiments.{name}"):
            full = name + suffix
            if full in found:
                raise ReparamError(f"{where}: two experiments are called {full!r}: rename one")
            cells = tuple(_cells(paper, full, scale, variant, where))
            found[full] = Experiment(full, name, variant["title"], cells)
    return list(found.values())


def _at_scale(defaults: Mapping[str, Any], own: Mapping[str, Any], scale: str) -> dict[str, Any] | None:
    overlays = []
    for layer in (defaults, own):
        overlays += [{key: value for key, value in layer.items() if key != "scales"}]
        overlays += [layer.get("scales", {}).get(scale, {})]
    if overlays[3] is None or (overlays[1] is None and not overlays[3]):
        return None
    merged: dict[str, Any] = {}
    for overlay in overlays:
        merged = _merge(merged, overlay or {})
    return merged


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _grid(merged: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(suffix of the name, experiment) for every point of the grid; no suffix without a grid.

    An axis of several paths, set apart by commas, takes one value for all of them or a list with one for each.
    """
    axes = {paths: values for paths, values in (merged.get("grid") or {}).items() if values is not None}
    for point in itertools.product(*axes.values()):
        variant = deepcopy(merged)
        suffix = ""
        for axis, value in zip(axes, point, strict=True):
            paths, here = [path.strip() for path in axis.split(",")], f"{where}.grid.{axis}"
            values = value if isinstance(value, list) else [value] * len(paths)
            if len(values) != len(paths):
                raise ReparamError(f"{here}: {value!r} has {len(values)} values for {len(paths)} options")
            for path, own in zip(paths, values, strict=True):
                _set(variant, path, own, here)
            suffix += "".join(dict.fromkeys(map(_name, paths, values)))
        yield suffix, variant


def _name(path: str, value: Any) -> str:
    return f"-{path.rpartition('.')[2]}{str(value).lower() if isinstance(value, bool) else value}"


def _set(variant: dict[str, Any], path: str, value: Any, where: str) -> None:
    head, *rest = path.split(".")
    sections = (*SECTIONS, "estimators")
    if head not in sections or not rest:
        raise ReparamError(
            f"{where}: a grid path is <section>.<key>; unknown section {head!r}{nearest(head, sections)}"
        )
    here = variant.setdefault(head, {}) or {}
    variant[head] = here
    for step in rest[:-1]:
        if not isinstance(here.get(step), dict):
            known = [key for key, entry in here.items() if isinstance(entry, dict)]
            raise ReparamError(f"{where}: the path leads nowhere: no mapping {step!r}{nearest(step, known)}")
        here = here[step]
    here[rest[-1]] = value


def _cells(paper: str, experiment: str, scale: str, merged: Mapping[str, Any], where: str) -> Iterator[Cell]:
    estimators = _without_null(merged.get("estimators", {}))
    if not estimators:
        raise ReparamError(f"{where}: experiment {experiment!r} has no estimators at scale {scale}")
    _check_names([experiment, *estimators], where)
    sections = {section: merged.get(section) or {} for section in SECTIONS}
    sections["measurements"] = _without_null(sections["measurements"])
    data = sections["task"].get("data")
    if data is not None and data not in data_sets():
        raise ReparamError(
            f"{where}: experiment {experiment!r}: unknown data set {data!r}{nearest(data, data_sets())}"
        )
    procedure = merged.get("procedure", "train")
    if procedure == "train":
        schema.check(sections["training"], "training", f"{where}: experiments.{experiment}.training")
    seeds = merged.get("seeds", 1)
    for label, options in estimators.items():
        method = {
            "name": options.get("name", label),
            "options": {key: value for key, value in options.items() if key != "name"},
        }
        spec = {
            "format": FORMAT,
            "paper": paper,
            "experiment": experiment,
            "estimator": label,
            "procedure": procedure,
            "method": method,
            **sections,
        }
        yield Cell(
            scale=scale,
            paper=paper,
            experiment=experiment,
            estimator=label,
            spec=spec,
            seeds=tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds),
        )


def _without_null(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given for name, given in options.items() if given is not None}


def _check_names(names: list[Any], where: str) -> None:
    for name in names:
        if not isinstance(name, str) or not SAFE.fullmatch(name):
            raise ReparamError(
                f"{where}: the name {name!r} cannot be part of a path: use letters, digits, '-', '_', '.', "
                "beginning with a letter or digit"
            )
