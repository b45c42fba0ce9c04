"""The variance near the posterior against closed forms, and the figures on rows of the procedure."""

import numpy as np
import pytest
import torch
from findings import Rows, as_data, findings

from reparam.noise import generator
from reparam.papers.roeder2017 import procedures as paper_procedures
from reparam.papers.roeder2017.figures import FIGURES
from reparam.program import Params
from reparam.report.style import theme


def found(model: str, name: str, draws: int = 512, distances=(0.1, 0.01, 0), **options) -> Rows:
    evaluation = {"model": model, "distances": distances, "draws": draws}
    return findings("roeder2017", "landing", evaluation, name, **options)


def score_variance(params: Params) -> float:
    """Of ∇ log q for a diagonal Gaussian: Σ 1/σ² for the means, 2 for each log scale."""
    return (-2 * params["q.log_scale"]).exp().sum().item() + 2 * params["q.log_scale"].numel()


def test_the_path_derivative_lands() -> None:
    """z over 20 entries at two distances, of a fixed seed."""
    rows = found("conjugate", "stl", samples=1)
    assert rows[2, "variance"] < 1e-20 < 1e-7 < rows[1, "variance"]
    assert abs(rows[0, "slope"] - 2) < 0.2
    assert rows[0, "z"] < 5 and rows[1, "z"] < 5 and (2, "z") not in rows


def test_the_total_derivative_keeps_the_score() -> None:
    """512 draws of 20 entries: the trace is within 10 % of the closed form."""
    rows = found("conjugate", "pathwise")
    _, _, posterior = paper_procedures._conjugate(generator("roeder2017", "test", 0, "problem"))
    exact = score_variance(posterior)
    assert rows[2, "variance"] == pytest.approx(exact, rel=0.1)
    assert rows[2, "score_variance"] == pytest.approx(exact, rel=0.1)


def test_a_wrong_posterior_is_no_landing(monkeypatch: pytest.MonkeyPatch) -> None:
    right = paper_procedures._conjugate

    def wrong(source: torch.Generator):
        law, log_joint, posterior = right(source)
        return law, log_joint, {**posterior, "q.log_scale": posterior["q.log_scale"] + 0.01}

    monkeypatch.setattr(paper_procedures, "_conjugate", wrong)
    assert found("conjugate", "stl", samples=1)[2, "variance"] > 1e-5


def test_the_bound_of_equal_weights() -> None:
    assert found("conjugate", "stl", samples=3)[2, "variance"] < 1e-20
    rows = found("conjugate", "iwae", samples=3)
    assert rows[2, "relative"] == pytest.approx(1 / 3, rel=0.15) and (0, "z") not in rows


def test_mixtures_land_as_well() -> None:
    assert found("mixture", "stl", 256, samples=1)[2, "variance"] < 1e-20
    assert found("mixture", "pathwise", 256)[2, "relative"] == pytest.approx(1, rel=0.3)


def test_the_definition_weighs_to_the_first_power() -> None:
    """With squared weights, as in dreg, it is another estimate."""
    evaluation = {"samples": [1, 5], "draws": 3, "distance": 1}
    errors = [findings("roeder2017", "definition", evaluation, name)[0, "error"] for name in ("stl", "dreg")]
    assert errors[0] < 1e-12 < 0.1 < errors[1]


def test_figures_draw_what_there_is() -> None:
    curve = {(step, "expectation"): -np.exp(-step) for step in (1, 2)} | {(2, "variance/posterior"): 0.1}
    variances = {(step, f"variance/{name}/encoder"): 1.0 for step in (1, 2) for name in ("total_1", "path_1")}
    data = as_data(
        [
            ("fig1", "stl", curve),
            ("landing", "stl", found("conjugate", "stl", 16, samples=1)),
            ("table1-datadigits-layers1", "vae_1", {(2, "bound_5000/test"): -20.0}),
            ("variance", "total", variances),
        ]
    )
    with theme():
        assert all(figure.draw(data) for figure in FIGURES)


def test_the_legend_says_what_is_left_at_the_posterior() -> None:
    left = {"stl": 1e-25, "pathwise": 0.96}
    parts = [
        (
            "landing",
            name,
            {(0, "distance"): 0.1, (0, "relative"): 1.5, (1, "distance"): 0.0, (1, "relative"): end},
        )
        for name, end in left.items()
    ]
    (figure,) = (figure for figure in FIGURES if figure.name == "landing")
    with theme():
        texts = [text.get_text() for text in figure.draw(as_data(parts)).axes[0].get_legend().get_texts()]
    assert sorted(texts) == ["path derivative (STL); 0 at t = 0", "total derivative; 0.96 at t = 0"]
