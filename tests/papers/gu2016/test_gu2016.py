"""Tables 2 and 3 as claims and as tables, and the figures."""

import pytest

from reparam.evidence.claims import load_claims
from reparam.papers.gu2016.figures import FIGURES
from reparam.papers.gu2016.tables import TABLE2, TABLE3
from reparam.plan import experiments
from reparam.report.style import theme

METRICS = ("bound_100/test", "elbo/test", "evaluations")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_has_room_for_a_newcomer(figure, fabricate) -> None:
    with theme():
        canvas = figure.draw(fabricate("gu2016", METRICS))
    assert canvas is not None


@pytest.mark.parametrize(("claim", "table"), [("MP-1", TABLE2), ("MP-2", TABLE3)])
def test_the_claims_numbers_are_those_of_the_tables(claim: str, table: dict) -> None:
    claims = load_claims(experiments.PAPERS / "gu2016" / "claims.yaml", "gu2016")
    (numbers,) = (c.numbers for c in claims if c.id == claim)
    stated = [n["value"] for n in numbers if n["what"].startswith("MNIST")]
    assert stated == [value for row in table.values() for value in row.values()]
