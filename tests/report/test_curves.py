"""Panels of trained models: which are drawn, where the floor is, and what stands on an axis of seconds."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from reparam.report import curves
from reparam.report.figures import PaperData
from reparam.report.style import canvas, line_style, theme


@pytest.fixture(autouse=True)
def _style():
    with theme():
        yield


def data(*estimators: str) -> PaperData:
    """Bounds that rise from −1000 to −10, seeds two apart; a step of the second seed takes twice as long."""
    rows = [
        ("vae", name, "c", seed, step, "elbo", -10.0 * (100 if step == 1 else 1) + 2 * seed + place)
        for place, name in enumerate(estimators)
        for seed in (0, 1)
        for step in (1, 50, 100)
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
    return PaperData("quick", table, cells.assign(step_seconds=0.1 * (cells["seed"] + 1)), lambda *_: {})


def test_panels_without_results_are_left_out() -> None:
    known = data("rebar")

    def draw(ax, name: str) -> None:
        curves.curve(ax, known, name, "elbo")

    titles = curves.with_results(known, {"vae": "A", "other": "B"}, "elbo")
    assert curves.with_results(known, {"vae": "A"}, "elbo", ("rebar", "relax")) == {"vae": "A"}
    assert curves.with_results(known, {"vae": "A"}, "elbo", ("relax",)) == {}
    assert [ax.get_title(loc="left") for ax in curves.panels(titles, draw).axes] == ["A"]
    assert curves.panels({}, draw) is None


def test_the_floor_cuts_the_start_off_and_seconds_are_the_seeds_mean() -> None:
    figure, axes = canvas()
    curves.curve(axes[0, 0], data("rebar", "newcomer"), "vae", "elbo", x="seconds")
    low, high = axes[0, 0].get_ylim()
    assert -11 < low < -10 and -7 < high < -6
    line = axes[0, 0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [0.15, 7.5, 15.0])
    assert len(figure.axes[0].lines) == 2


def test_levels_are_sorted_and_show_what_the_paper_alone_has() -> None:
    _, axes = canvas()
    frame = curves.last(data("nvil", "rebar").series("elbo"))
    curves.levels(axes[0, 0], frame, x_label="bound", paper={"rebar": -8.5, "concrete": -9.0})
    assert [text.get_text() for text in axes[0, 0].get_yticklabels()] == ["concrete", "NVIL", "REBAR"]
    dots = [line for line in axes[0, 0].lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in dots] == [-9.0, -9.0, -8.0, -8.5]


def test_the_last_row_or_the_largest_of_each_seed() -> None:
    frame = pd.DataFrame(
        {
            "experiment": "e",
            "estimator": "m",
            "seed": [0, 0, 1, 1],
            "step": [1, 2, 1, 2],
            "value": [5.0, 3.0, 1.0, 2.0],
        }
    )
    assert sorted(curves.last(frame)["value"]) == [2.0, 3.0]
    assert sorted(curves.last(frame, "largest")["value"]) == [2.0, 5.0]


def test_the_plane_has_a_row_for_what_has_no_bias_and_a_mark_for_its_cost() -> None:
    _, axes = canvas(rows=2)
    readings = pd.DataFrame(
        {
            "estimator": ["rebar", "disarm", "concrete"],
            "deviation": [1.0, 2.0, 0.5],
            "bias": [np.nan, np.nan, 0.1],
            "evaluations": [3.0, 2.0, 1.0],
        }
    )
    above, below = axes[0, 0], axes[1, 0]
    curves.bias_variance(above, below, readings)
    assert [text.get_text() for text in below.get_yticklabels()] == ["DisARM", "REBAR"]
    assert [line.get_marker() for line in below.lines[:2]] == ["s", "^"]
    (dot,) = above.lines
    assert dot.get_marker() == "o" and to_hex(dot.get_color()) == line_style("concrete")["color"]
    assert above.get_xlim() == below.get_xlim()


def test_names_of_neighbours_in_the_plane_stand_on_either_side() -> None:
    _, axes = canvas(rows=2)
    readings = pd.DataFrame(
        {
            "estimator": ["a", "b", "c"],
            "deviation": [1.0, 1.1, 1.0],
            "bias": [1.0, 1.01, 0.1],
            "evaluations": 1.0,
        }
    )
    curves.bias_variance(axes[0, 0], axes[1, 0], readings)
    sides = {text.get_text(): text.get_horizontalalignment() for text in axes[0, 0].texts}
    assert sides == {"a": "right", "b": "left", "c": "left"}


def test_the_best_reading_is_the_first_where_the_other_metric_is_best() -> None:
    known = data("rebar")
    loss = known.metrics.assign(metric="loss", value=[3.0, 1.0, 1.0, 2.0, np.nan, 5.0])
    known = PaperData("quick", pd.concat([known.metrics, loss]), known.cells, known.arrays)
    assert curves.at_best(known, "elbo", "vae", "loss")["step"].tolist() == [50, 1]
    assert curves.at_best(known, "elbo", "vae", "loss", largest=True)["step"].tolist() == [1, 100]
    assert curves.at_best(known, "elbo", "other", "loss").empty
