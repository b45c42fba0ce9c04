"""The ½ estimator's bias against the trapezoidal rule, and the figure."""

import pytest
import torch

from reparam.cells import procedures
from reparam.papers.gregor2014.figures import FIGURES
from reparam.report.style import theme

TARGET, EXPONENTS, PROBABILITIES = 0.3, (1, 2, 3, 4), (0.2, 0.7)


def biases(name: str) -> dict[tuple[int, str], float]:
    options = {"target": TARGET, "exponents": EXPONENTS, "probabilities": PROBABILITIES}
    spec = {"method": {"name": name, "options": {}}, "evaluation": options}
    rows = procedures.get("gregor2014", "powers")(spec, 0, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def test_half_is_the_trapezoidal_rule() -> None:
    found = biases("half")
    for i, p in enumerate(PROBABILITIES):
        for k in EXPONENTS:
            left, right = k * (-TARGET) ** (k - 1), k * (1 - TARGET) ** (k - 1)
            exact = (1 - TARGET) ** k - (-TARGET) ** k
            expected = p * (1 - p) * ((left + right) / 2 - exact)
            assert found[i, f"bias/{k}"] == pytest.approx(expected, abs=1e-12)
    assert found[1, "worst/3"] == pytest.approx(0.21 / 2)


def test_the_score_function_has_no_bias_and_straight_through_has_for_quadratics() -> None:
    assert max(abs(value) for (_, name), value in biases("score_function").items() if "/" in name) < 1e-12
    found = biases("straight_through")
    for i, p in enumerate(PROBABILITIES):
        slope = 2 * (p * (1 - TARGET) - (1 - p) * TARGET)
        expected = p * (1 - p) * (slope - ((1 - TARGET) ** 2 - TARGET**2))
        assert found[i, "bias/2"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure, fabricate) -> None:
    with theme():
        assert figure.draw(fabricate("gregor2014", ("probability", "bias/1", "bias/3"))) is not None
