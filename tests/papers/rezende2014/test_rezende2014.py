"""The formulas against mpmath, the procedures against formulas and wrong ones, the figures on their rows."""

from functools import partial

import mpmath
import numpy as np
import pytest
from findings import as_data, findings

from reparam.papers.rezende2014 import formulas
from reparam.papers.rezende2014.figures import FIGURES
from reparam.report.style import theme

GRID = {"mu": [0, 1.5], "s": [0.5, 2], "c": [1, 3]}


found = partial(findings, "rezende2014")


@pytest.mark.parametrize(
    ("formula", "sample"),
    [
        (formulas.pathwise_mean, lambda e, x, f, c, s: c * x),
        (formulas.pathwise_scale, lambda e, x, f, c, s: e * c * x),
        (formulas.second_derivative, lambda e, x, f, c, s: c),
        (formulas.score_mean, lambda e, x, f, c, s: e / s * f),
        (formulas.score_scale, lambda e, x, f, c, s: (e**2 - 1) / s * f),
        (formulas.variance, lambda e, x, f, c, s: f),
    ],
)
def test_formulas_agree_with_mpmath(formula, sample) -> None:
    mu, s, c = 1.3, 0.7, 2.0
    middle = formulas.mean(mu, s, c)

    def expect(power: int) -> float:
        def g(e):
            x = mu + s * e
            return mpmath.npdf(e) * sample(e, x, c * x**2 / 2 - middle, c, s) ** power

        return float(mpmath.quad(g, [-10, -3, 0, 3, 10]))

    assert formula(mu, s, c) == pytest.approx(expect(2) - expect(1) ** 2, abs=1e-9)


def test_quadrature_finds_a_wrong_formula_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = found("variance_formulas", GRID)
    assert all(value < 1e-12 for (_, name), value in rows.items() if "error" in name)
    assert rows[0, "least_ratio"] == pytest.approx(2.5, abs=1e-12)
    monkeypatch.setattr(formulas, "score_mean", lambda mu, s, c: 2 * c**2 * mu**2 + 2 * c**2 * s**2)
    assert found("variance_formulas", GRID)[0, "error/score_mean"] > 0.1


@pytest.mark.parametrize("name", ["pathwise", "score_function"])
def test_the_library_has_the_variances_of_the_formulas(name: str) -> None:
    """Eight settings of 20,000 draws from a fixed seed: their mean log ratio has a standard error of under 0.01."""
    rows = found("single_variable", GRID | {"evaluations": 20_000}, name)
    assert abs(rows[0, "log_ratio/mean"]) < 0.05 and abs(rows[0, "log_ratio/scale"]) < 0.05
    assert rows[7, "mu"] == 1.5 and rows[7, "exact/mean"] == formulas.exact(name, 1.5, 2, 3)[0]


def test_orders_in_the_dimension() -> None:
    sizes = {"dimensions": [16, 64], "fit_from": 16, "evaluations": 1024}
    assert abs(found("dimension", sizes)[0, "slope/mean"]) < 0.1
    rows = found("dimension", sizes, "score_function")
    assert abs(rows[0, "slope/mean"] - np.log(99 / 27) / np.log(4)) < 0.15
    assert rows[64, "exact/mean"] == pytest.approx(3 + 1.5 * 64)
    assert rows[16, "variance/scale"] == pytest.approx(rows[16, "exact/scale"], rel=0.2)
    assert (16, "exact/mean") not in found("dimension", sizes, "score_function", baseline="mean", fresh=1)


def test_bonnet_and_price() -> None:
    """z over 7 entries of a fixed seed: below 5 but once in 10⁵."""
    rows = found("bonnet_price", {"evaluations": 4096})
    assert rows[0, "bonnet_error"] < 1e-9 and rows[0, "price_error"] < 1e-9
    assert rows[0, "z/mean"] < 5 and rows[0, "z/scale_tril"] < 5


def test_importance_sampling_is_right_on_average() -> None:
    sizes = {"latent": 2, "pixels": 5, "points": 100, "inflation": 2.0, "samples": [10, 1000]}
    rows = found("importance_sampling", sizes)
    assert abs(rows[1000, "relative"] - 1) < 0.02 and rows[10, "bias"] < 0
    assert rows[1000, "rmse"] < 0.2 * rows[10, "rmse"]
    assert rows[0, "slope"] == pytest.approx(np.log(rows[1000, "rmse"] / rows[10, "rmse"]) / np.log(100))


def test_full_bayes_has_its_gradients() -> None:
    """z over 6 entries of a fixed seed."""
    sizes = {"prior_variance": 2.0, "parameters": 3, "data": 10, "evaluations": 4096}
    rows = found("full_bayes", sizes)
    assert rows[0, "kl_error"] < 1e-12 and rows[0, "z/mean"] < 5 and rows[0, "z/variance"] < 5


def test_the_imputation_error_is_within_epsilon() -> None:
    rows = found("imputation", {"states": 4, "bits": 4, "shares": [0, 0.5, 1]})
    assert rows[0, "epsilon"] == 0 and rows[0, "error"] == 0
    for i in (1, 2):
        assert 0.02 * rows[i, "epsilon"] < rows[i, "error"] <= rows[i, "epsilon"]


def test_figures_draw_what_there_is() -> None:
    shares = {"latent": 1, "pixels": 2, "points": 5, "inflation": 2.0, "samples": [10, 20]}
    sizes = {"dimensions": [2, 4], "fit_from": 2, "evaluations": 64}
    parts = [("importance-sampling", "pathwise", found("importance_sampling", shares))]
    for estimator in ("pathwise", "score_function"):
        parts.append(("dimension", estimator, found("dimension", sizes, estimator)))
        parts.append(
            ("single-variable", estimator, found("single_variable", GRID | {"evaluations": 64}, estimator))
        )
    data = as_data(parts)
    with theme():
        assert all(figure.draw(data) for figure in FIGURES)


def test_the_ratio_is_that_of_the_rows() -> None:
    settings = {(0, "mu"): 1.0, (0, "s"): 2.0, (1, "mu"): 3.0, (1, "s"): 1.0}
    variances = {"score_function": (9.0, 40.0), "pathwise": (3.0, 2.0)}
    parts = [
        ("single-variable", name, settings | {(i, "variance/mean"): value for i, value in enumerate(both)})
        for name, both in variances.items()
    ]
    (figure,) = (figure for figure in FIGURES if figure.name == "ratio")
    with theme():
        lines = {line.get_label(): line.get_xydata() for line in figure.draw(as_data(parts)).axes[0].lines}
    assert {tuple(xy) for xy in lines["measured, each seed and c"]} == {(0.25, 3.0), (9.0, 20.0)}
