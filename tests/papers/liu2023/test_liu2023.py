"""Enumerated means against estimates written out, the bias by degree and its order, the VAEs' plan, and the figures."""

import re

import pandas as pd
import pytest
import torch

from reparam import estimators
from reparam.cells import procedures
from reparam.papers.liu2023.figures import FIGURES, shapes, temperatures
from reparam.papers.liu2023.procedures import calls_of, exact_gradient, mean_estimate, polynomial
from reparam.plan import experiments
from reparam.report.figures import PaperData
from reparam.report.style import theme

LOGITS = torch.tensor([[0.3, -1.0, 0.5], [2.0, 0.0, -2.0]], dtype=torch.float64)


def rows(procedure: str, name: str, **evaluation: object) -> list:
    spec = {
        "paper": "liu2023",
        "experiment": "test",
        "method": {"name": name, "options": {}},
        "evaluation": {"categories": 3, "points": 4, **evaluation},
    }
    return procedures.get("liu2023", procedure)(spec, 0, torch.device("cpu")).rows


def test_polynomials_are_sums_over_indices() -> None:
    a, b, z = (torch.arange(n, dtype=torch.float64) for n in (2, 4, 2))
    z = z + 1
    expected = a @ z + z @ b.reshape(2, 2) @ z
    assert polynomial(z, [a, b.reshape(2, 2)]).item() == pytest.approx(expected.item(), rel=1e-14)


def test_means_are_those_of_estimates_by_hand() -> None:
    """f = z·A z: straight-through is Σ_z π(z) (diag π − π πᵀ)(A + Aᵀ) z, the gradient Σ_z π(z)(z − π) f(z)."""
    matrix = torch.tensor([[1.0, 2, 0], [-1, 0.5, 3], [0, 0, 2]], dtype=torch.float64)
    f = lambda z: polynomial(z, [torch.zeros(3, dtype=torch.float64), matrix])  # noqa: E731
    found = mean_estimate(estimators.make("straight_through"), f, LOGITS)
    truth = exact_gradient(f, LOGITS)
    corners = torch.eye(3, dtype=torch.float64)
    for i, logits in enumerate(LOGITS):
        pi = logits.softmax(0)
        jacobian = torch.diag(pi) - torch.outer(pi, pi)
        by_hand = sum(p * jacobian @ (matrix + matrix.T) @ z for p, z in zip(pi, corners, strict=True))
        exact = sum(p * (z - pi) * (z @ matrix @ z) for p, z in zip(pi, corners, strict=True))
        torch.testing.assert_close(found[i], by_hand, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(truth[i], exact, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("name", "degree"), [("straight_through", 1), ("reinmax", 2)])
def test_exact_up_to_a_degree_and_not_beyond(name: str, degree: int) -> None:
    found = {
        step: value
        for step, metric, value in rows("polynomials", name, degrees=[1, 2, 3])
        if metric == "bias"
    }
    assert all((value < 1e-12) == (step <= degree) for step, value in found.items())
    assert found[degree + 1] > 0.01


@pytest.mark.parametrize(("name", "expected"), [("straight_through", 1), ("reinmax", 2)])
def test_order_of_accuracy(name: str, expected: int) -> None:
    found = {metric: value for _, metric, value in rows("order", name, scales=[0.1, 0.05])}
    assert found["order"] == pytest.approx(expected, abs=0.1) and found["calls"] == 1


def test_every_call_of_f_is_counted() -> None:
    """rebar looks at the sample, and at two relaxations in one call."""
    assert calls_of(estimators.make("rebar", {}), lambda z: z.square().sum(-1), LOGITS) == 2


VAES = {
    ("vae-temperature0.5-units8-classes4", "reinmax"): -30.0,
    ("vae-temperature2.0-units8-classes4", "reinmax"): -20.0,
    ("vae-temperature0.5-units4-classes24", "reinmax"): -25.0,
    ("vae-straight-through-units8-classes4", "straight_through"): -28.0,
}
COLUMNS = ["experiment", "estimator", "cell", "seed", "step", "metric", "value"]


def vaes() -> PaperData:
    """Made-up bounds, two seeds 0.2 nats apart, which grow by a nat in the last step."""
    rows = [
        (experiment, estimator, "cell", seed, step, "elbo/train", bound + 0.2 * seed - 0.1 + (step - 2))
        for (experiment, estimator), bound in VAES.items()
        for seed in (0, 1)
        for step in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return PaperData("quick", table, table, lambda *_: {})


def test_a_panel_for_each_shape_has_the_bounds_by_temperature() -> None:
    with theme():
        canvas = temperatures(vaes())
    panels = {ax.get_title(loc="left"): ax for ax in canvas.axes}
    assert panels.keys() == {"8 × 4", "4 × 24"}
    lines = {line.get_label(): line.get_xydata().tolist() for line in panels["8 × 4"].lines}
    assert [[0.5, -30.0], [2.0, -20.0]] in [[[x, round(y, 9)] for x, y in line] for line in lines.values()]
    assert [[0.5, -28.0], [2.0, -28.0]] in [[[x, round(y, 9)] for x, y in line] for line in lines.values()]


def test_the_table_of_shapes_takes_the_best_temperature() -> None:
    with theme():
        canvas = shapes(vaes())
    texts = {ax.get_title(loc="left"): [text.get_text() for text in ax.texts] for ax in canvas.axes}
    assert texts == {"8 × 4": ["20.0, τ = 2", "28.0"], "4 × 24": ["25.0, τ = 0.5"]}


@pytest.mark.parametrize("scale", ["standard", "paper"])
def test_all_shapes_of_the_table_are_run_by_every_estimator(scale: str) -> None:
    cells = [
        c for e in experiments.expand("liu2023", scale) for c in e.cells if c.experiment.startswith("vae")
    ]
    found = {(c.spec["task"]["units"], c.spec["task"]["classes"], c.estimator) for c in cells}
    names = ("reinmax", "straight_through", "st_gumbel_softmax", "gumbel_rao_10", "gumbel_softmax")
    six = [(8, 4), (4, 24), (8, 16), (16, 12), (64, 8), (10, 30)]
    assert found == {(*shape, name) for shape in six for name in names}
    for cell in cells:
        heat = re.search(r"-temperature([\d.]+)", cell.experiment)
        assert cell.spec["method"]["options"].get("temperature") == (heat and float(heat[1]))


@pytest.mark.parametrize("figure", FIGURES[:2], ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    options = {"polynomials": {"degrees": [1, 2]}, "order": {"scales": [0.1, 0.05]}}
    table = pd.DataFrame(
        [
            (procedure, name, "cell", 0, *row)
            for procedure, evaluation in options.items()
            for name in ("straight_through", "reinmax")
            for row in rows(procedure, name, **evaluation)
        ],
        columns=COLUMNS,
    )
    with theme():
        assert figure.draw(PaperData("quick", table, table, lambda *_: {})) is not None
