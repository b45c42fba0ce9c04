"""Quadrature against mpmath and closed forms, the procedures against quadrature, the figures on their rows."""

from functools import partial

import mpmath
import numpy as np
import pytest
from findings import as_data, findings

from reparam.errors import ReparamError
from reparam.papers.mohamed2020 import procedures as paper_procedures
from reparam.papers.mohamed2020.costs import COSTS, cost, grid
from reparam.papers.mohamed2020.exact import Gaussian, Pair, curves, quadratic
from reparam.papers.mohamed2020.figures import FIGURES
from reparam.report.style import theme

K = {"from": -3, "to": 3, "points": 7, "spacing": "linear"}
LOG = {"from": 0.5, "to": 5, "points": 5, "spacing": "log"}


found = partial(findings, "mohamed2020")


def test_quadrature_gives_the_closed_forms_of_the_quadratic() -> None:
    k = np.linspace(-3, 3, 13)
    by_quadrature, forms = curves(COSTS["quadratic"], k), quadratic(k)
    for name, pair in forms.items():
        for left, right in zip(by_quadrature[name], pair, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)
    wide = Gaussian(COSTS["quadratic"], k, mean=0.3, scale=1.7)
    for pair, form in (
        (wide.pathwise(), "pathwise"),
        (wide.score_function(wide.optimal()), "score_function_optimal"),
        (wide.mean_baseline(), "score_function_mean"),
    ):
        for left, right in zip(pair, quadratic(k, 0.3, 1.7)[form], strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-10)


def test_spot_values_at_one_standard_deviation() -> None:
    """The table of D = 1 and 2; a wrong coefficient of any closed form shows."""
    forms = quadratic(np.array([0.0, -1.0]))
    mean = {name: pair.mean for name, pair in forms.items()}
    assert [round(float(mean[n][0]), 4) for n in mean] == [30, 18, 14, 4, 1.093, 1.8197]
    assert [round(float(mean[n][1]), 4) for n in mean] == [87, 42, 38, 4, 4.3718, 3.4592]
    assert [float(pair.scale[0]) for pair in forms.values()] == [136, 96, 64, 12, 8, 24]


@pytest.mark.parametrize(("name", "k"), [("exponential", 3.0), ("cosine", 4.0)])
def test_variances_agree_with_mpmath(name: str, k: float) -> None:
    """Each form of estimate written out once more, under mpmath's quadrature."""
    f = {"exponential": lambda x: mpmath.exp(-k * x**2), "cosine": lambda x: mpmath.cos(k * x)}[name]
    edges = [-9, -4, -2, -1, 0, 1, 2, 4, 9]

    def normal(g):
        return mpmath.quad(lambda e: mpmath.npdf(e) * g(e), edges)

    def rayleigh(g):
        return mpmath.quad(lambda r: r * mpmath.exp(-(r**2) / 2) * g(r), [e for e in edges if e >= 0])

    def variance(expect, g):
        return float(expect(lambda e: g(e) ** 2) - expect(g) ** 2)

    at = Gaussian(COSTS[name], np.array([k]))
    slope = lambda e: mpmath.diff(f, 1 + e)  # noqa: E731
    none, path, coupled = at.no_baseline(), at.pathwise(), at.measure_valued(coupled=True)
    assert none.scale[0] == pytest.approx(variance(normal, lambda e: f(1 + e) * (e**2 - 1)), rel=1e-7)
    assert path.mean[0] == pytest.approx(variance(normal, slope), rel=1e-7)
    weight = 1 / mpmath.sqrt(2 * mpmath.pi)
    sides = variance(rayleigh, lambda r: weight * (f(1 + r) - f(1 - r)))
    assert coupled.mean[0] == pytest.approx(sides, rel=1e-7)


def test_leave_one_out_agrees_with_enumerated_pairs() -> None:
    """S = 2 on a grid of both samples: ½ (f − f′)(score − score′)."""
    at = Gaussian(COSTS["exponential"], np.array([2.0]))
    f, mass = at.f[0], np.outer(at.mass, at.mass)
    for i, score in enumerate(at.score):
        pairs = 0.5 * np.subtract.outer(f, f) * np.subtract.outer(score, score)
        exact = (mass * pairs**2).sum() - (mass * pairs).sum() ** 2
        assert at.leave_one_out(2)[i][0] == pytest.approx(exact, rel=1e-10)


def test_coupled_maxwell_agrees_with_draws() -> None:
    """400,000 draws of (m, m u) by numpy: the variance within 2 % (over 5 standard errors)."""
    source = np.random.default_rng(1)
    m = np.sqrt(source.chisquare(3, 400_000)) * source.choice([-1, 1], 400_000)
    f = lambda e: np.cos(2.0 * (1 + e))  # noqa: E731
    at = Gaussian(COSTS["cosine"], np.array([2.0]))
    for coupled, other in ((True, m * source.random(m.size)), (False, source.standard_normal(m.size))):
        assert at.measure_valued(coupled).scale[0] == pytest.approx(np.var(f(m) - f(other)), rel=0.02)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pathwise", {"samples": 2}),
        ("score_function", {}),
        ("score_function", {"baseline": "mean", "fresh": 3}),
        ("score_function", {"baseline": "leave_one_out", "samples": 3}),
        ("measure_valued", {}),
        ("measure_valued", {"coupled": False}),
    ],
)
def test_the_library_has_the_exact_variance(name: str, options: dict) -> None:
    """Means over five k of ln(measured / exact), from a fixed seed; a wrong coupling or baseline is far off."""
    rows = found("variance_curve", {"cost": "cosine", "k": LOG, "evaluations": 40_000}, name, **options)
    assert abs(rows[0, "log_ratio/mean"]) < 0.03 and abs(rows[0, "log_ratio/scale"]) < 0.03
    assert all(abs(rows[i, f"z/{p}"]) < 5 for i in range(5) for p in ("mean", "scale"))


def test_estimators_without_a_formula_have_a_curve_too() -> None:
    evaluation = {"cost": "quadratic", "k": K | {"points": 2}, "evaluations": 256, "alone": True}
    rows = found("variance_curve", evaluation, "score_function", baseline="moving_average")
    assert rows[1, "variance/scale"] > 0 and (0, "log_ratio/mean") not in rows


def test_crossings_and_dominance() -> None:
    rows = found("exact_curves", {"cost": "quadratic", "k": K})
    ends = [rows[0, f"crossing/mean/pathwise/measure_valued/{i}"] for i in (0, 1)]
    half = np.sqrt(np.pi / (4 - np.pi))
    np.testing.assert_allclose(ends, [1 - half, 1 + half], atol=1e-9)
    assert not any("scale/pathwise/measure_valued/" in metric for _, metric in rows)
    assert rows[0, "closed_form_error"] < 1e-10 and rows[0, "optimum_error/scale"] < 1e-6
    rows = found("dominance", {"costs": {"cosine": LOG, "exponential": LOG}})
    assert all(value > 0 for value in rows.values())
    rows = found("dominance", {"costs": {"quadratic": K | {"from": 0.5, "to": 1.5}}})
    assert rows[0, "beaten/measure_valued"] < 0


def test_the_line_search_finds_a_wrong_baseline_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Gaussian.optimal
    monkeypatch.setattr(Gaussian, "optimal", lambda self: Pair(*(1.01 * b for b in right(self))))
    rows = found("exact_curves", {"cost": "quadratic", "k": K})
    assert rows[0, "optimum_error/mean"] > 1e-3 and rows[0, "baseline_error"] > 1e-3


def test_the_vertex_lies_at_the_optimal_baseline() -> None:
    evaluation = {"cost": "quadratic", "k": 0, "multiples": [-1, 0, 1, 2, 3], "evaluations": 20_000}
    rows = found("shifted_cost", evaluation, "score_function")
    assert abs(rows[0, "best_multiple/mean"] - 1) < 0.1 and abs(rows[0, "best_multiple/scale"] - 1) < 0.1
    assert rows[1, "parabola/mean"] == pytest.approx(30) and rows[2, "parabola/scale"] == pytest.approx(64)
    assert rows[0, "mean_multiple/mean"] == pytest.approx(0.5)


def test_a_grid_goes_through_points_besides() -> None:
    even = {"from": 1, "to": 3, "points": 3, "spacing": "linear"}
    assert list(grid(even | {"through": [2, 2.5]})) == [1, 2, 2.5, 3]


def test_unknown_costs_and_grids() -> None:
    with pytest.raises(ReparamError, match="unknown cost 'cubic'"):
        cost("cubic")
    np.testing.assert_allclose(grid({"from": 1, "to": 4, "points": 3, "spacing": "log"}), [1, 2, 4])
    assert paper_procedures.PARAMETERS == ("mean", "scale")


def test_figures_draw_what_there_is() -> None:
    shifts = {"cost": "quadratic", "k": 0, "multiples": [0, 1, 2], "evaluations": 256}
    parts = [
        ("fig2-quadratic", found("variance_curve", {"cost": "quadratic", "k": K, "evaluations": 256})),
        ("exact-quadratic", found("exact_curves", {"cost": "quadratic", "k": K})),
        ("baseline-quadratic", found("shifted_cost", shifts)),
        ("logistic", {(1, "elbo/train"): -0.2}),
        ("logistic-variance", {(1, f"variance/pathwise/{group}"): 0.1 for group in ("mean", "log_scale")}),
    ]
    estimators = ("pathwise", "score_function")
    data = as_data(
        (experiment, estimator, entries) for experiment, entries in parts for estimator in estimators
    )
    with theme():
        assert all(figure.draw(data) for figure in FIGURES)


def test_the_logistic_panels_are_ratios_to_the_path() -> None:
    scales = {"pathwise": 2.0, "score_function": 50.0}
    rows = {
        (step, f"variance/{name}/{group}"): scale * (1 + step) * (3 if group == "mean" else 3 / (1 + scale))
        for name, scale in scales.items()
        for group in ("mean", "log_scale")
        for step in (0, 1)
    }
    bound = [("logistic", name, {(1, "elbo/train"): -1.0}) for name in scales]
    (figure,) = (figure for figure in FIGURES if figure.name == "logistic")
    with theme():
        axes = figure.draw(as_data([*bound, ("logistic-variance", "pathwise", rows)])).axes
    for ax, ratio in ((axes[1], 25.0), (axes[2], 25 * 3 / 51)):
        shown = {line.get_label(): line.get_ydata() for line in ax.lines}
        assert shown["score function"] == pytest.approx(ratio) and shown["pathwise"] == pytest.approx(1)
