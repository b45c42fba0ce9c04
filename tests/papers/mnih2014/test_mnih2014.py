"""Table 1 as claims and as a table, the rates' ratios, and the figures."""

import pytest

from reparam.evidence.claims import load_claims
from reparam.papers.mnih2014.figures import FIGURES
from reparam.papers.mnih2014.tables import TABLE1
from reparam.plan import experiments
from reparam.report.style import theme

METRICS = ("elbo/test", "elbo/valid", "samples_seen", "evaluations")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_has_room_for_a_newcomer(figure, fabricate) -> None:
    with theme():
        canvas = figure.draw(fabricate("mnih2014", METRICS))
    assert canvas is not None


def test_the_table_s_numbers_are_among_the_claims() -> None:
    claims = load_claims(experiments.PAPERS / "mnih2014" / "claims.yaml", "mnih2014")
    stated = {-number["value"] for claim in claims for number in claim.numbers if number["value"] < 0}
    assert {value for row in TABLE1.values() for value in row.values()} <= stated


@pytest.mark.parametrize("scale", ["smoke", "quick", "standard", "paper"])
def test_rates_are_in_the_paper_s_ratio(scale: str) -> None:
    """3e-4 for the model, a fifth of it for q; wake-sleep 1e-4 for both: to two digits."""
    by_base = {
        e.base: e.cells[0].spec["training"]["optimiser"] for e in experiments.expand("mnih2014", scale)
    }
    nvil, wake_sleep = by_base["sbn"], by_base["wake-sleep"]
    assert nvil["rate"] / wake_sleep["rate"] == pytest.approx(3, rel=0.03)
    assert nvil["factors"] == by_base["ablation"]["factors"] == {"encoder": 0.2}
    assert wake_sleep["factors"] == {"encoder": 1.0} and by_base["ablation"]["rate"] == nvil["rate"]
