"""Table 1 as claims and as a table, and the figures."""

import pytest

from reparam.evidence.claims import load_claims
from reparam.papers.mnih2016.figures import FIGURES
from reparam.papers.mnih2016.tables import TABLE1
from reparam.plan import experiments
from reparam.report.style import theme

METRICS = ("bound_1000/test", "bound_100/test", "signal_rms", "elbo/test", "samples_seen", "evaluations")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_has_room_for_a_newcomer(figure, fabricate) -> None:
    with theme():
        canvas = figure.draw(fabricate("mnih2016", METRICS))
    assert canvas is not None


def test_the_claims_numbers_are_those_of_the_table() -> None:
    claims = load_claims(experiments.PAPERS / "mnih2016" / "claims.yaml", "mnih2016")
    names = {"VIMCO": "vimco", "NVIL": "nvil", "RWS": "rws"}
    stated = {}
    for claim in claims:
        for number in claim.numbers:
            if number["what"].endswith("test NLL"):
                samples, method = number["what"].removeprefix("K = ").split(", ")
                stated[f"{names[method.split()[0]]}_{samples}"] = number["value"]
    assert stated == TABLE1


def test_labels_say_how_many_samples_there_are() -> None:
    for experiment in experiments.expand("mnih2016", "paper"):
        for cell in experiment.cells:
            samples = cell.spec["method"]["options"].get("samples", 1)
            assert cell.estimator.endswith(f"_{samples}")
