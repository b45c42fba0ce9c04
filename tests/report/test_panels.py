"""Tables beside ours: what the paper has, what we have, and whoever else is in the experiment."""

import pandas as pd
import pytest

from reparam.report.figures import PaperData
from reparam.report.panels import curves, tables
from reparam.report.style import theme

PAPER = {"a": {"nvil": 95.2, "absent": 93.0}}
TITLES = {"a": "first", "b": "second", "c": "not run"}
PANELS = {"first": {"a": ""}, "second": {"b": "own", "c": ""}, "third": {"c": ""}}


def data() -> PaperData:
    values = {("a", "nvil"): -90.0, ("a", "newcomer"): -80.0, ("b", "newcomer"): -70.0}
    rows = [
        (experiment, estimator, f"{experiment}/{estimator}", seed, step, metric, number)
        for (experiment, estimator), value in values.items()
        for seed in (0, 1)
        for step in (10, 20)
        for metric, number in (("bound/test", value - (20 - step) + seed), ("evaluations", 5.0 * step))
    ]
    columns = ["experiment", "estimator", "cell", "seed", "step", "metric", "value"]
    table = pd.DataFrame(rows, columns=columns)
    return PaperData("quick", table, table[["experiment", "estimator", "cell", "seed"]], lambda *_: {})


def test_rows_are_the_paper_s_labels_and_then_the_others() -> None:
    """The last reading's mean over seeds, negated, beside the paper's own number; what was not run has no row."""
    with theme():
        figure = tables(data(), "bound/test", PAPER, PANELS)
    assert figure is not None and len(figure.axes) == 4
    theirs, ours, *second = figure.axes
    names = [text.get_text() for text in ours.get_yticklabels()]
    assert names == ["NVIL", "absent", "newcomer"]
    assert [text.get_text() for text in second[1].get_yticklabels()] == ["own newcomer"]
    written = [[text.get_text() for text in ax.texts] for ax in (theirs, ours, *second)]
    assert written == [["95.2", "93"], ["89.5", "79.5"], [], ["69.5"]]
    assert "paper (MNIST)" in theirs.get_title("left") and "ours (quick)" in ours.get_title("left")


def test_curves_draw_every_estimator_against_evaluations() -> None:
    with theme():
        figure = curves(data(), "bound/test", TITLES)
    assert figure is not None and len(figure.axes) == 2
    lines = {line.get_label(): line for line in figure.axes[0].get_lines() if line.get_label()[0] != "_"}
    assert lines.keys() == {"NVIL", "newcomer"}
    assert lines["NVIL"].get_xdata().tolist() == [50.0, 100.0]
    assert lines["NVIL"].get_ydata() == pytest.approx([-99.5, -89.5])


def test_nothing_is_drawn_from_nothing() -> None:
    with theme():
        assert tables(data(), "another", PAPER, PANELS) is None
        assert curves(data(), "another", TITLES) is None
