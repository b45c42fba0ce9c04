"""What every paper's folder promises: a new one is tested by existing."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd
import pytest

from reparam import estimators
from reparam.cells import procedures
from reparam.evidence.claims import Claim, load_checked
from reparam.plan import experiments, sources
from reparam.plan.budgets import budgets
from reparam.plan.cells import SCALES, Cell
from reparam.report.figures import PaperData, load_figures
from reparam.report.style import theme

PAPERS = pytest.mark.parametrize("paper", experiments.papers())


@cache
def cells(paper: str) -> dict[str, list[Cell]]:
    return {scale: [c for e in experiments.expand(paper, scale) for c in e.cells] for scale in SCALES}


def claims(paper: str) -> tuple[Claim, ...]:
    """What they name is there, and no number that is only remembered is a target, or this raises."""
    return load_checked(experiments.PAPERS / paper / "claims.yaml", paper, cells(paper))


@PAPERS
def test_the_readme_says_what_was_run_and_what_was_chosen(paper: str) -> None:
    text = (experiments.PAPERS / paper / "README.md").read_text(encoding="utf-8")
    assert re.match(r"# \S", text)
    assert len(text.splitlines()) > 10


@PAPERS
def test_every_claim_can_be_judged_somewhere(paper: str) -> None:
    """Each rule's experiments are planned together at some scale of the claim's paper setting, if it has one."""
    planned = {scale: {(c.experiment, c.estimator) for c in found} for scale, found in cells(paper).items()}
    for claim in claims(paper):
        for rule in claim.rules:
            assert any(rule.matches(planned[scale]) for scale in claim.paper_setting or SCALES), claim.id


@PAPERS
def test_bounds_that_claims_read_have_the_samples_that_are_drawn_at_every_scale(paper: str) -> None:
    """A bound's metric is named by its number of samples, which a scale's settings could lower beneath its claims."""
    for found in cells(paper).values():
        planned = {(cell.experiment, cell.estimator): cell.spec for cell in found}
        reads = [
            (claim.id, planned[experiment, quantity.estimator]["measurements"], quantity.metric)
            for claim in claims(paper)
            for rule in claim.rules
            for match in rule.matches(planned)
            for experiment, quantity in rule.reads(match)
        ]
        for claim, measurements, metric in reads:
            name = re.fullmatch(r"(relaxed_)?bound_(\d+)/\w+", metric)
            if name:
                drawn = measurements["relaxed_bound" if name[1] else "multi_sample_bound"]["samples"]
                assert int(name[2]) in (drawn if isinstance(drawn, list) else [drawn]), (claim, metric)


@PAPERS
def test_every_experiment_runs_at_smoke(paper: str) -> None:
    """Grids may be cut short, but no experiment is left to the scales that need hours."""
    smoke = {experiment.base for experiment in experiments.expand(paper, "smoke")}
    assert smoke == {e.base for scale in SCALES for e in experiments.expand(paper, scale)}


@PAPERS
def test_methods_and_procedures_exist_with_these_options(paper: str) -> None:
    for cell in {cell.path: cell for found in cells(paper).values() for cell in found}.values():
        method, procedure = cell.spec["method"], cell.spec["procedure"]
        if method["name"] in estimators.names():
            estimators.make(method["name"], method["options"])
        if procedure == "train":
            assert method["name"] in {*estimators.names(), *sources.learners()}, cell.path
        else:
            procedures.get(paper, procedure)


WORDS: dict[str, dict[str, Any]] = {
    "loo": {"baseline": "leave_one_out"},
    "mean": {"baseline": "mean"},
    "optimal": {"baseline": "optimal"},
    "moving_average": {"baseline": "moving_average"},
    "independent": {"coupled": False},
    "c": {"centre": True},
    "vn": {"normalise": True},
    "idb": {"baseline_units": 100},
    "fixed": {"tuned": "none"},
}
SHORT = {"concrete": "relaxed_bound", "rws": "reweighted_wake_sleep"}


def said(label: str) -> tuple[str, dict[str, Any]] | None:
    """Estimator or learner, and the options that a label speaks of; a number alone is under `number`."""
    known = sorted({*estimators.names(), *SHORT}, key=len, reverse=True)
    name = next((name for name in known if re.match(rf"{name}(_|$)", label)), None)
    if name is None:
        return None
    options: dict[str, Any] = {}
    for boost, number, word in re.findall(
        r"_(b?)(\d[\d.]*)|_(moving_average|[a-z]+)", label.removeprefix(name)
    ):
        options |= WORDS[word] if word else {"boost" if boost else "number": float(number)}
    return name, options


def has(method: Mapping[str, Any], option: str, value: Any) -> bool:
    """Whether a method's options (or defaults) are so; a number is one of its counts, or else its temperature or its
    share of an objective, to two digits."""
    options = method["options"]
    if method["name"] in estimators.names():
        made = estimators.make(method["name"], options)
        options = {name: getattr(made, name) for name in dir(made) if not name.startswith("_")}
    if option != "number":
        return bool(options.get(option) == value)
    counts = {options[name] for name in ("inner", "samples", "groups") if name in options}
    counts |= {nested["samples"] for name, nested in options.items() if name == "estimator"}
    if counts and value.is_integer():
        return value in counts
    return value in {round(options[name], 2) for name in ("temperature", "beta", "share") if name in options}


@PAPERS
def test_labels_say_what_the_options_are(paper: str) -> None:
    """`rsvi_b3` has a boost of 3, `gumbel_rao_1000` averages 1,000 inner draws, `score_function_loo` leaves one out."""
    for cell in {cell.path: cell for found in cells(paper).values() for cell in found}.values():
        method, meant = cell.spec["method"], said(cell.estimator)
        if (
            meant
            and method["name"] != "mixed"
            and method["name"] in {*estimators.names(), *sources.learners()}
        ):
            name, options = meant
            assert method["name"] in {name, SHORT.get(name)}, cell.path
            assert all(has(method, *option) for option in options.items()), cell.path


@PAPERS
def test_budgets_are_given_for_the_scales_that_are_timed(paper: str) -> None:
    assert all(paper in budgets()[scale] for scale in ("smoke", "quick"))


FIGURES = [
    pytest.param(paper, figure, id=f"{paper}-{figure.name}")
    for paper in experiments.papers()
    for figure in load_figures(experiments.PAPERS / paper)
]


@pytest.mark.parametrize(("paper", "figure"), FIGURES)
def test_a_figure_names_what_it_uses_and_draws_nothing_from_nothing(paper: str, figure) -> None:
    known = {experiment.name for scale in SCALES for experiment in experiments.expand(paper, scale)}
    for glob in figure.experiments:
        assert any(figure.uses(name) for name in known), glob
    metrics = pd.DataFrame(columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    empty = PaperData("quick", metrics, metrics[["experiment", "estimator", "cell", "seed"]], lambda *_: {})
    with theme():
        assert figure.draw(empty) is None
