"""The paper's numbers as claims and as tables, its temperatures, and the figures."""

import pytest

from reparam.evidence.claims import load_claims
from reparam.papers.maddison2017.figures import FIGURES
from reparam.papers.maddison2017.tables import TEST
from reparam.plan import experiments
from reparam.report.style import theme

METRICS = ("bound_1000/test", "bound_100/test", "relaxed_bound_100/test", "elbo/test", "evaluations")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_has_room_for_a_newcomer(figure, fabricate) -> None:
    with theme():
        canvas = figure.draw(fabricate("maddison2017", METRICS))
    assert canvas is not None


def test_the_claims_numbers_are_those_of_the_tables() -> None:
    claims = load_claims(experiments.PAPERS / "maddison2017" / "claims.yaml", "maddison2017")
    stated = [n["value"] for c in claims if c.id not in ("CO-6",) for n in c.numbers]
    tables = [value for row in TEST.values() for value in row.values()]
    assert sorted(stated) == sorted([*tables, 55.4, 54.7, 1002.7, 119.61])


def test_temperatures_are_the_paper_s_by_arity() -> None:
    """(prior, posterior): binary (1/2, 2/3), 4-ary (2/3, 1), 8-ary (2/5, 2/3); in prediction one for everything."""
    wanted = {
        "arity-2": (0.5, 2 / 3),
        "arity-4": (2 / 3, 1),
        "arity-8": (0.4, 2 / 3),
        "structured": (None, 2 / 3),
    }
    wanted |= {"linear": (0.5, 2 / 3), "nonlinear": (0.5, 2 / 3)}
    wanted |= {"linear-omniglot": (0.5, 2 / 3), "nonlinear-omniglot": (0.5, 2 / 3)}
    for experiment in experiments.expand("maddison2017", "paper"):
        for cell in experiment.cells:
            method = cell.spec["method"]
            if method["name"] == "relaxed_bound" and experiment.base != "temperature":
                prior, posterior = wanted[experiment.base]
                assert method["options"].get("prior_temperature") == pytest.approx(prior), cell.path
                assert method["options"]["temperature"] == pytest.approx(posterior), cell.path
                samples = method["options"]["estimator"]["samples"]
                assert cell.estimator == f"concrete_{samples}"


def test_layers_of_any_arity_have_as_many_bits() -> None:
    for scale in ("quick", "paper"):
        bits = {
            cell.spec["task"]["units"] * (cell.spec["task"].get("classes", 2).bit_length() - 1)
            for experiment in experiments.expand("maddison2017", scale)
            if experiment.base.startswith("arity")
            for cell in experiment.cells
        }
        assert len(bits) == 1
