"""A grid within a cell: what is tried, what is chosen, and that nothing is tried twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import small

from reparam.cells import choice, procedures
from reparam.cells.procedures import Findings
from reparam.cells.status import CellKey
from reparam.cells.train import Outcome
from reparam.errors import ReparamError
from reparam.plan import schema

RATES = [0.001, 0.1, 0.02]


def spec(**choose: Any) -> dict[str, Any]:
    made = small.spec(samples=500)
    made["measurements"] = {"bound": {"points": 60, "samples": 2}}
    made["training"]["choose"] = {"over": {"training.optimiser.rate": RATES}, **choose}
    return made


def test_seeds_are_trained_with_the_best_candidate_and_no_other(tmp_path: Path) -> None:
    folder = small.run(tmp_path, spec(largest="elbo/test"))
    record = json.loads((folder / "choice.json").read_text())
    readings = [entry["readings"]["elbo/test"] for entry in record["candidates"]]
    assert len(set(readings)) == 3 and record["chosen"] == readings.index(max(readings))
    rate = RATES[record["chosen"]]
    fixed = small.spec(samples=500)
    fixed["measurements"] = spec()["measurements"]
    fixed["training"]["optimiser"]["rate"] = rate
    assert small.contents(folder) == small.contents(small.run(tmp_path / "fixed", fixed))
    status = json.loads((folder / "seed-0.json").read_text())
    assert status["runtime"]["chosen"] == {"training.optimiser.rate": rate}
    # The candidates' seed is none of those reported, so their readings are no seed's.
    least = small.run(tmp_path / "least", spec(smallest="elbo/test"))
    assert json.loads((least / "choice.json").read_text())["chosen"] == readings.index(min(readings))


def test_a_procedure_may_have_a_grid_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, int]] = []

    def study(made: Any, seed: int, device: Any) -> Findings:
        rate = made["training"]["optimiser"]["rate"]
        seen.append((rate, seed))
        return Findings([(1, "cost", abs(rate - 0.02))], {})

    monkeypatch.setattr(procedures, "get", lambda paper, name: study)
    folder = small.run(tmp_path, spec(smallest="cost") | {"procedure": "study"})
    assert seen == [*((rate, choice.SEED) for rate in RATES), *((0.02, seed) for seed in small.SEEDS)]
    status = json.loads((folder / "seed-0.json").read_text())
    assert status["runtime"]["chosen"] == {"training.optimiser.rate": 0.02}
    assert len(json.loads((folder / "choice.json").read_text())["candidates"]) == len(RATES)


def key(made: dict[str, Any], source: str = "source") -> CellKey:
    return CellKey(made, "0" * 64, source)


def outcome(value: float, diverged: int | None = None) -> Outcome:
    return Outcome(rows=[(1, "cost", 99.0), (2, "cost", value), (2, "other", 0.0)], diverged=diverged)


def test_a_choice_is_made_once_and_resumed(tmp_path: Path) -> None:
    tried: list[float] = []

    def train(own: Any, file: Path) -> Outcome:
        tried.append(own["training"]["optimiser"]["rate"])
        if len(tried) == 2:
            raise KeyboardInterrupt
        return outcome(-tried[-1])

    made = spec(smallest="cost")
    with pytest.raises(KeyboardInterrupt):
        choice.resolve(key(made), tmp_path, tmp_path, train)
    options, own = choice.resolve(key(made), tmp_path, tmp_path, train)
    assert tried == [0.001, 0.1, 0.1, 0.02]
    assert options == {"training.optimiser.rate": 0.1} and "choose" not in own["training"]
    assert choice.resolve(key(made), tmp_path, tmp_path / "other", train) == (options, own)
    assert len(tried) == 4
    choice.resolve(key(made, "another source"), tmp_path, tmp_path, train)
    assert len(tried) == 7


@pytest.mark.parametrize(
    ("outcomes", "chosen"),
    [
        ([outcome(1.0), outcome(3.0), outcome(2.0)], 1),
        ([outcome(1.0), outcome(3.0, diverged=2), outcome(2.0)], 2),
        ([outcome(float("nan")), outcome(float("inf")), outcome(-5.0)], 2),
        ([outcome(1.0, diverged=1), outcome(2.0, diverged=1), outcome(3.0, diverged=1)], 0),
    ],
)
def test_what_diverged_or_is_no_number_is_beaten_by_any(
    tmp_path: Path, outcomes: list[Outcome], chosen: int
) -> None:
    results = iter(outcomes)
    options, _ = choice.resolve(key(spec(largest="cost")), tmp_path, tmp_path, lambda *_: next(results))
    assert options == {"training.optimiser.rate": RATES[chosen]}


def test_a_metric_that_nothing_measures_and_a_path_to_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReparamError, match="nothing measures 'cots'; did you mean 'cost'"):
        choice.resolve(key(spec(largest="cots")), tmp_path, tmp_path, lambda *_: outcome(1.0))
    made = spec(largest="cost")
    made["training"]["choose"]["over"] = {"training.optimizer.rate": [1.0]}
    with pytest.raises(ReparamError, match="no such option"):
        choice.resolve(key(made), tmp_path, tmp_path, lambda *_: outcome(1.0))


@pytest.mark.parametrize("wrong", [{}, {"largest": "a", "smallest": "b"}, {"largest": "a", "best": "b"}])
def test_a_choice_names_one_metric(wrong: dict[str, str]) -> None:
    training = spec(**wrong)["training"]
    with pytest.raises(ReparamError, match="choose"):
        schema.check(training, "training", "here")
