"""The identity against wrong forms of it, the exact variances against enumeration by quadrature, the figures."""

from functools import partial

import numpy as np
import pytest
import torch
from findings import as_data, findings

from reparam.distributions import standard_normal
from reparam.oracles import variance
from reparam.papers.richter2020.exact import exact, leave_one_out
from reparam.papers.richter2020.figures import FIGURES
from reparam.papers.richter2020.procedures import _gaussian, _stopped
from reparam.report.style import theme

found = partial(findings, "richter2020")


@pytest.mark.parametrize("model", ["logistic", "bits"])
@pytest.mark.parametrize(
    ("name", "options"), [("vargrad", {}), ("score_function", {"baseline": "leave_one_out"})]
)
def test_the_identity_holds_in_every_draw(model: str, name: str, options: dict) -> None:
    rows = found("per_draw", {"model": model, "samples": [2, 4], "draws": 20}, name, **options)
    assert rows[2, "error"] < 1e-13 and rows[4, "error"] < 1e-13
    assert rows[2, "factor"] == pytest.approx(2) and rows[4, "factor"] == pytest.approx(4 / 3)
    assert rows[2, "divided_by_s"] == pytest.approx(0.5) and rows[4, "divided_by_s"] == pytest.approx(0.25)
    assert model == "bits" or rows[2, "undetached"] > 0.1


def test_another_estimator_is_not_vargrad() -> None:
    evaluation = {"model": "logistic", "samples": [3], "draws": 20}
    assert found("per_draw", evaluation, "score_function")[3, "error"] > 0.1


def test_exact_variances_agree_with_quadrature_over_all_samples() -> None:
    """Two coordinates by the library's own oracle: plain, with E f, and leave one out over pairs."""
    mean, log_scale = np.array([0.4, -0.2]), np.array([-0.3, 0.2])
    params = {"q.mean": torch.tensor(mean)[None], "q.log_scale": torch.tensor(log_scale)[None]}

    def program(params, sample):
        q, constant = _gaussian(params), _gaussian(_stopped(params))
        z = sample("z", q)
        return standard_normal(z).log_prob(z) - constant.log_prob(z)

    answer = exact(mean, log_scale)

    def entries(moments: variance.Moments) -> np.ndarray:
        return np.concatenate([moments.variance[name].numpy()[0] for name in params])

    plain = variance.score_function(program, params, nodes=12)
    np.testing.assert_allclose(entries(plain), answer.none, rtol=1e-9)
    centred = variance.score_function(program, params, baseline=answer.expectation, nodes=12)
    np.testing.assert_allclose(entries(centred), answer.mean_baseline, rtol=1e-9)
    for i in (0, 3):
        best = variance.score_function(program, params, baseline=float(answer.best[i]), nodes=12)
        assert entries(best)[i] == pytest.approx(answer.oracle[i], rel=1e-9)
    pairs = variance.leave_one_out(program, params, nodes=6)
    np.testing.assert_allclose(entries(pairs), leave_one_out(answer, 2), rtol=1e-9)


def test_measured_variances_are_the_exact_ones() -> None:
    """20,000 draws of 16 entries from a fixed seed; heavy tails leave some 3 %."""
    evaluation = {"dimensions": [8], "draws": 20_000}
    for name, options in (("vargrad", {"samples": 3}), ("score_function", {"samples": 2})):
        rows = found("control_variate", evaluation, name, **options)
        assert rows[8, "variance"] == pytest.approx(rows[8, "exact"], rel=0.15)
        assert rows[8, "ratio"] > 1
    rows = found("control_variate", {"dimensions": [4], "draws": 16}, "score_function", baseline="mean")
    assert (4, "exact") not in rows


def test_figures_draw_what_there_is() -> None:
    parts = [
        ("identity-bits", found("per_draw", {"model": "bits", "samples": [2, 3], "draws": 4}, "vargrad")),
        ("dimension", found("control_variate", {"dimensions": [1, 2], "draws": 16}, "vargrad", samples=2)),
        ("logistic", {(1, "elbo/train"): -0.2}),
        ("logistic-variance", {(1, "variance/vargrad/mean"): 0.1}),
    ]
    data = as_data((experiment, "vargrad", entries) for experiment, entries in parts)
    with theme():
        assert all(figure.draw(data) for figure in FIGURES)
