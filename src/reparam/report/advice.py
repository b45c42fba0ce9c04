"""Advice that a paper's folder gives (`advice.yaml`), each answer beside the claims that it rests on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

import jsonschema

from reparam.errors import ReparamError
from reparam.plan import yaml_file

FILE = "advice.yaml"


@dataclass(frozen=True)
class Evidence:
    """A claim that speaks for an answer, and what it says there; no verdict before it was ever judged."""

    paper: str
    claim: str
    says: str
    verdict: str = "not run"
    anchor: str = ""
    """The claim's id in the page; empty where the page has no such claim."""


@dataclass(frozen=True)
class Answer:
    """What to do when; `estimators` are names of the library."""

    when: str
    advice: str
    estimators: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Chart:
    """The questions and answers of one file, in its order."""

    paper: str
    title: str
    text: str
    answers: tuple[Answer, ...]


def read_advice(paper: str, folder: Path) -> Chart | None:
    """The advice of a paper's folder, before any verdict is known; None when it gives none.

    Raises ReparamError, in one line, for a file that cannot be read or is not of the form in schemas/advice.json.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    content = yaml_file.read(path, str(path))
    text = resources.files("reparam.report").joinpath("schemas/advice.json").read_text(encoding="utf-8")
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(json.loads(text)).iter_errors(content)
    )
    if error:
        raise ReparamError(f"{path}: {'.'.join(map(str, [*error.absolute_path, error.message]))}")
    return Chart(
        paper,
        content["title"],
        content["text"],
        tuple(
            Answer(
                entry["when"],
                entry["advice"],
                tuple(entry.get("estimators", ())),
                tuple(_evidence(found["claim"], found["says"]) for found in entry["evidence"]),
            )
            for entry in content["advice"]
        ),
    )


def _evidence(claim: str, says: str) -> Evidence:
    key, _, own = claim.partition("/")
    return Evidence(key, own, says)


class Judged(Protocol):
    """What the page knows of a claim."""

    @property
    def paper(self) -> str: ...
    @property
    def claim(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def anchor(self) -> str: ...


def judged(chart: Chart, claims: Iterable[Judged]) -> Chart:
    """The chart with the verdicts that the page has on the claims it names."""
    known = {(claim.paper, claim.claim): claim for claim in claims}

    def look_up(evidence: Evidence) -> Evidence:
        claim = known.get((evidence.paper, evidence.claim))
        if claim is None:
            return evidence
        return Evidence(evidence.paper, evidence.claim, evidence.says, claim.verdict, claim.anchor)

    answers = (
        Answer(one.when, one.advice, one.estimators, tuple(map(look_up, one.evidence)))
        for one in chart.answers
    )
    return Chart(chart.paper, chart.title, chart.text, tuple(answers))
