"""Claims as data: load a paper's claims.yaml, validate it, and give every rule a digest.

Importing this module is cheap (no pandas), so a workflow can check claims before it runs anything.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import jsonschema

from reparam.errors import ReparamError
from reparam.plan import yaml_file
from reparam.registry import nearest

NEVER_A_TARGET = ("memory", "second-hand")
"""Tags of numbers that are shown and never judged by."""


@dataclass(frozen=True)
class Quantity:
    """Picks one number per seed.

    experiment: name, or a glob (one comparison per match); empty: the experiment that `left` matched; a * of
        `right` is what the one in `left` stands for
    at: "last", "first", (progress metric, value): the last row at or before that value, or ("largest" or "smallest",
        another metric): the row where that one is so, as a paper that stops early by its validation data does
    minus: a metric of the same row to subtract
    reach: level to reach; the number is then `samples_seen` at the first row at or above the level (inf if
    never)
    """

    experiment: str
    estimator: str
    metric: str
    at: str | tuple[str, float | str] = "last"
    minus: str | None = None
    reach: Quantity | None = None


@dataclass(frozen=True)
class Rule:
    """What to compare: `at_least`, `at_most`, or `target` within `margin`.

    An ordering is left − right at least `margin`; the margin of a ratio is a factor, that of an identity its
    tolerance.
    """

    kind: str
    left: Quantity
    right: Quantity | None = None
    at_least: float | None = None
    at_most: float | None = None
    target: float | None = None
    margin: float = 0.0
    x: str | None = None
    x_metric: str | None = None
    log: str = ""
    unit: str = ""

    @property
    def text(self) -> str:
        """The rule in symbols, as the tables show it."""
        subject = {"ordering": "left − right", "ratio": "left / right", "slope": "slope"}.get(
            self.kind, "left"
        )
        over, under = ("≥", "≤") if self.kind == "identity" else (">", "<")
        if self.at_least is not None:
            return f"{subject} {over} {self.at_least:g}"
        if self.at_most is not None:
            return f"{subject} {under} {self.at_most:g}"
        sign = "×/÷" if self.kind == "ratio" else "±"
        return f"{subject} = {self.target:g} {sign} {self.margin:g}"

    def reads(self, match: str) -> list[tuple[str, Quantity]]:
        """Every quantity the rule reads, with the experiment it is read in when `left` matched `match`."""
        sides = [(match, self.left)]
        if self.right is not None:
            sides.append((self._beside(match, self.right.experiment), self.right))
        if self.x_metric is not None:
            sides.append((match, replace(self.left, metric=self.x_metric, minus=None, reach=None)))
        return sides + [(q.reach.experiment or name, q.reach) for name, q in sides if q.reach is not None]

    def _beside(self, match: str, experiment: str) -> str:
        """The experiment of `right`: a `*` in it is what that of `left` stood for."""
        if "*" not in experiment:
            return experiment or match
        before, after = self.left.experiment.split("*")
        return experiment.replace("*", match[len(before) : len(match) - len(after)])

    def cells(self, match: str) -> list[tuple[str, str]]:
        """(experiment, estimator) of every cell the rule reads when `left` matched `match`."""
        return list(dict.fromkeys((experiment, q.estimator) for experiment, q in self.reads(match)))

    def matches(self, planned: Collection[tuple[str, str]]) -> list[str]:
        """Experiments that `left` matches and that are planned with every cell the rule reads.

        planned: (experiment, estimator) of the planned cells.
        """
        names = sorted(fnmatch.filter({experiment for experiment, _ in planned}, self.left.experiment))
        return [name for name in names if all(pair in planned for pair in self.cells(name))]


@dataclass(frozen=True)
class Claim:
    """A statement of a paper and how it is judged. `digest`: SHA-256 of its rules and paper setting."""

    paper: str
    id: str
    where: str
    statement: str
    numbers: tuple[Mapping[str, Any], ...]
    paper_setting: tuple[str, ...]
    rules: tuple[Rule, ...]
    unjudged: str | None
    reason: str | None
    digest: str


def load_claims(path: Path, paper: str) -> tuple[Claim, ...]:
    """Read and validate a claims.yaml. Raises ReparamError (one line: file, claim, what is wrong)."""
    content = yaml_file.read(path, str(path))
    errors = sorted(_validator().iter_errors(content), key=lambda e: list(map(str, e.absolute_path)))
    if errors:
        raise ReparamError(f"{path}: {_say(errors[0], content)}")
    claims = tuple(_claim(entry, paper, path) for entry in content["claims"])
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ReparamError(f"{path}: claim id {claim.id!r} is given twice; give each claim its own id")
        seen.add(claim.id)
        _refuse_doubtful_targets(claim, path)
    return claims


def _refuse_doubtful_targets(claim: Claim, path: Path) -> None:
    """Raise ReparamError where a rule is bound by a number that is tagged as one of NEVER_A_TARGET, and by no other."""
    trusted: set[float] = set()
    doubtful: dict[float, str] = {}
    for number in claim.numbers:
        tags = [tag for tag in NEVER_A_TARGET if tag in number["tag"]]
        for value in _written(number["value"]):
            if tags:
                doubtful[value] = tags[0]
            else:
                trusted.add(value)
    for rule in claim.rules:
        for bound in (rule.target, rule.at_least, rule.at_most):
            if bound is not None and abs(bound) in doubtful.keys() - trusted:
                raise ReparamError(
                    f"{path}: claim {claim.id}: the bound {bound:g} is tagged {doubtful[abs(bound)]}, which is never a "
                    "target; bound the rule by another number, or leave the claim unjudged"
                )


def _written(value: float | str) -> set[float]:
    """The sizes of all numbers in a value: a number, or a text such as "7.4 ± 0.1", "5e-2 / 1,635" or "2.8–3.7"."""
    if not isinstance(value, str):
        return {abs(float(value))}
    text = re.sub(r"(?<=\d),(?=\d{3})", "", value).replace("−", "-")
    return {float(found) for found in re.findall(r"\d*\.?\d+(?:[eE][-+]?\d+)?", text)}


def check_claims(
    claims: Iterable[Claim], experiments: Mapping[str, Iterable[str]], scales: Iterable[str], path: Path
) -> None:
    """Raise ReparamError when a claim names an experiment, estimator or scale that exists at no scale.

    experiments: name → labels of its estimators, over all scales.
    """
    known = {name: set(labels) for name, labels in experiments.items()}
    scales = set(scales)
    for claim in claims:
        for scale in claim.paper_setting:
            if scale not in scales:
                raise ReparamError(
                    f"{path}: claim {claim.id}: unknown scale {scale!r}{nearest(scale, scales)}"
                )
        for rule in claim.rules:
            for pattern, quantity in rule.reads(rule.left.experiment):
                matches = fnmatch.filter(known, pattern)
                if not matches:
                    raise ReparamError(
                        f"{path}: claim {claim.id}: unknown experiment {pattern!r}{nearest(pattern, known)}"
                    )
                labels = set().union(*(known[name] for name in matches))
                if quantity.estimator not in labels:
                    raise ReparamError(
                        f"{path}: claim {claim.id}: experiment {pattern!r} has no estimator "
                        f"{quantity.estimator!r}{nearest(quantity.estimator, labels)}"
                    )
            if not rule.matches({(name, label) for name in known for label in known[name]}):
                raise ReparamError(
                    f"{path}: claim {claim.id}: no experiment {rule.left.experiment!r} has every estimator "
                    f"of the {rule.kind} rule"
                )


class Planned(Protocol):
    """What a claim can name of a cell."""

    @property
    def experiment(self) -> str: ...
    @property
    def estimator(self) -> str: ...


def load_checked(path: Path, paper: str, cells: Mapping[str, Iterable[Planned]]) -> tuple[Claim, ...]:
    """The claims of a claims.yaml, checked against the paper's cells at every scale; raises as both do."""
    claims = load_claims(path, paper)
    experiments: dict[str, set[str]] = {}
    for cell in (cell for planned in cells.values() for cell in planned):
        experiments.setdefault(cell.experiment, set()).add(cell.estimator)
    check_claims(claims, experiments, cells, path)
    return claims


def digest(rules: Any, paper_setting: Any) -> str:
    """SHA-256 (hex) of the canonical JSON (sorted keys, no spaces) of a claim's rules and paper setting."""
    canonical = json.dumps(
        {"paper_setting": paper_setting, "rules": rules}, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def _validator() -> jsonschema.Draft202012Validator:
    text = resources.files("reparam.evidence").joinpath("schemas/claims.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def _say(error: jsonschema.ValidationError, content: Any) -> str:
    """One line for a schema error: the claim by its id, the place, and the nearest known key."""
    where, place = "", list(error.absolute_path)
    if len(place) >= 2 and place[0] == "claims":
        entry = content["claims"][place[1]]
        label = (
            entry.get("id", f"number {place[1] + 1}") if isinstance(entry, dict) else f"number {place[1] + 1}"
        )
        where, place = f"claim {label}: ", place[2:]
    at = ".".join(map(str, place))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema["properties"]
        unknown = next(key for key in error.instance if key not in known)
        return f"{where}{at + ': ' if at else ''}unknown key {unknown!r}{nearest(str(unknown), known)}"
    if error.validator == "oneOf":
        width = "tolerance" if error.instance.get("kind") == "identity" else "margin"
        return f"{where}{at}: give exactly one of at_least, at_most, or target with {width}"
    if error.validator == "not":
        return f"{where}a claim has either rules, or `unjudged` with its reason"
    return f"{where}{at + ': ' if at else ''}{error.message}"


def _claim(entry: Mapping[str, Any], paper: str, path: Path) -> Claim:
    rules, setting = entry.get("rules", []), entry.get("paper_setting", [])
    numbers = tuple(entry.get("numbers", []))
    units = {number.get("unit", "") for number in numbers}
    unit = units.pop() if len(units) == 1 else ""
    where = f"{path}: claim {entry['id']}"
    return Claim(
        paper=paper,
        id=entry["id"],
        where=entry["where"],
        statement=entry["statement"],
        numbers=numbers,
        paper_setting=tuple(setting),
        rules=tuple(_rule(rule, unit, where) for rule in rules),
        unjudged=entry.get("unjudged"),
        reason=entry.get("reason"),
        digest=digest(rules, setting),
    )


def _stars(experiment: str) -> float:
    """How many * a name has; infinite with another mark of a glob."""
    return math.inf if any(mark in experiment for mark in "?[") else experiment.count("*")


def _rule(entry: Mapping[str, Any], unit: str, where: str) -> Rule:
    kind, left, right = entry["kind"], entry["left"], entry.get("right")
    if right is not None:
        right = {**left, **right}
        if right["experiment"] == left["experiment"]:
            right["experiment"] = ""
    paired = right is not None and all(_stars(side["experiment"]) == 1 for side in (left, right))
    for quantity in (q for q in (right, left.get("reach"), (right or {}).get("reach")) if q):
        if _stars(quantity.get("experiment", "")) and not (paired and quantity is right):
            raise ReparamError(
                f"{where}: only `left` may match several experiments; leave `experiment` out here, or give left and "
                "right one * each, for the same"
            )
    x = entry.get("x")
    margin = entry.get("margin", entry.get("tolerance", 0.0))
    return Rule(
        kind=kind,
        left=_quantity(left),
        right=_quantity(right) if right is not None else None,
        at_least=entry.get("at_least", margin if kind == "ordering" else None),
        at_most=entry.get("at_most"),
        target=entry.get("target"),
        margin=margin,
        x=x if isinstance(x, str) else None,
        x_metric=x["metric"] if isinstance(x, dict) else None,
        log=entry.get("log", ""),
        unit=entry.get("unit", unit if kind in ("ordering", "value") else ""),
    )


def _quantity(entry: Mapping[str, Any]) -> Quantity:
    at, reach = entry.get("at", "last"), entry.get("reach")
    if isinstance(at, Mapping):
        ((progress, value),) = at.items()
        at = (progress, value if isinstance(value, str) else float(value))
    level = None
    if reach is not None:
        own = {"estimator": entry["estimator"], "metric": entry["metric"]}
        level = _quantity({"experiment": "", **own, **reach})
    return Quantity(entry["experiment"], entry["estimator"], entry["metric"], at, entry.get("minus"), level)
