from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from reparam.report import style
from reparam.report.figures import Figure, PaperData

LIGHT, DARK = "#ffffff", "#1b1f26"  # --raised of the page


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", style.PALETTE)
@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_colours_stand_out_on_both_pages(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3


def test_known_estimators_differ_in_colour_or_dash() -> None:
    assert style.INK not in style.PALETTE
    names = [name for name in style.STYLES if name != "score_function_average"]
    for one, other in combinations(names, 2):
        assert style.line_style(one) != style.line_style(other)


def test_an_estimator_looks_the_same_everywhere() -> None:
    assert style.line_style("an_invention") == style.line_style("an_invention")


def test_curves_are_the_known_ones_that_are_there_and_then_all_others() -> None:
    known = {"b": ("B", "#000000"), "a": ("A", "#ffffff"), "gone": ("", "")}
    found = style.curves(known, ["z_1", "a", "b", "a"])
    assert list(found) == ["b", "a", "z_1"] and found["b"] == ("B", "#000000")
    assert found["z_1"] == ("z 1", style.line_style("z_1")["color"])


def test_labels_are_written_as_papers_write_them() -> None:
    assert style.readable("rebar_0.1") == "REBAR 0.1"
    assert style.readable("score_function_loo") == "score function leave-one-out"


def frame(values: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(s, x, v) for s, row in values.items() for x, v in enumerate(row)], columns=["seed", "x", "v"]
    )


def drawn(values: dict[int, list[float]], **options: bool):
    _, axes = style.canvas()
    style.band(axes[0, 0], frame(values), "x", "v", estimator="pathwise", **options)
    return axes[0, 0]


def test_band_is_students_interval_over_seeds() -> None:
    ax = drawn({0: [1.0, 2.0], 1: [2.0, 4.0], 2: [4.0, 5.0]})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [7 / 3, 11 / 3])
    expected = stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval(0.95)
    edges = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose([edges[edges[:, 0] == 0, 1].min(), edges[edges[:, 0] == 0, 1].max()], expected)


def test_geometric_band_stays_positive() -> None:
    ax = drawn({0: [1.0, 1.0], 1: [100.0, 1.0]}, geometric=True)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [10, 1])
    assert ax.collections[0].get_paths()[0].vertices[:, 1].min() > 0


def test_a_diverged_seed_ends_the_band_and_is_marked() -> None:
    ax = drawn({0: [1.0, 2.0, 3.0], 1: [3.0, np.nan, np.nan]})
    full, rest, mark = ax.lines
    np.testing.assert_array_equal(full.get_ydata(), [2, np.nan, np.nan])
    np.testing.assert_array_equal(rest.get_ydata(), [np.nan, 2, 3])
    assert list(zip(mark.get_xdata(), mark.get_ydata(), strict=True)) == [(0, 3)]
    assert full.get_label() == "pathwise (1 of 2 ended early)"


@pytest.mark.parametrize(("zero", "geometric"), [(0.0, True), (-np.inf, False)])
def test_what_lies_below_the_axis_has_not_ended(zero: float, geometric: bool) -> None:
    ax = drawn({0: [1.0, zero], 1: [1.0, 2.0], 2: [1.0, 3.0], 3: [np.nan, 2.0]}, geometric=geometric)
    full, rest, marks = ax.lines
    assert np.isnan(full.get_ydata()).all()
    np.testing.assert_array_equal(rest.get_ydata(), [1, 2])
    assert list(marks.get_xdata()) == [1] and marks.get_transform() == ax.get_xaxis_transform()
    assert full.get_label() == "pathwise (1 of 4 fall below the axis)"


def test_where_most_seeds_lie_below_the_axis_there_is_no_line() -> None:
    ax = drawn({0: [-1.0, 0.0], 1: [-2.0, 1.0], 2: [4.0, 0.0]}, geometric=True)
    assert all(np.isnan(line.get_ydata()).all() for line in ax.lines[:2])
    assert list(ax.lines[2].get_xdata()) == [0, 1]


def test_one_seed_has_a_line_and_no_band() -> None:
    low, mean = style.interval(np.array([2.0]))[1::-1]
    assert np.isnan(low) and mean == 2


def test_pictures_fill_a_sheet_row_by_row() -> None:
    _, axes = style.canvas()
    style.pictures(axes[0, 0], np.arange(3)[:, None, None] * np.full((3, 2, 4), 0.25), columns=2)
    sheet = axes[0, 0].images[0].get_array()
    assert sheet.shape == (5, 9)
    assert sheet[0, 5] == 0.25 and sheet[3, 0] == 0.5
    empty = np.ma.masked_invalid(sheet).mask
    assert empty[4, 8] and empty[2, :].all() and empty[:, 4].all()


def test_series_joins_the_progress_metric_of_the_same_row() -> None:
    base = {"experiment": "e", "estimator": "m", "cell": "c", "seed": 0}
    rows = [
        base | {"step": s, "metric": m, "value": v}
        for s, m, v in [
            (1, "elbo", -3.0),
            (1, "samples_seen", 100.0),
            (2, "elbo", np.nan),
            (2, "samples_seen", 200.0),
        ]
    ]
    data = PaperData("quick", pd.DataFrame(rows), pd.DataFrame(), lambda *_: {})
    series = data.series("elbo", experiment="e*", x="samples_seen")
    np.testing.assert_array_equal(series[["samples_seen", "value"]], [[100, -3], [200, np.nan]])
    assert data.series("elbo", experiment="other").empty
    beside = data.beside(series, "elbo")
    np.testing.assert_array_equal(beside["elbo"], beside["value"])


def test_series_has_the_seconds_that_its_steps_took() -> None:
    rows = [
        {
            "experiment": "e",
            "estimator": "m",
            "cell": "c",
            "seed": seed,
            "step": 10,
            "metric": "elbo",
            "value": -3.0,
        }
        for seed in (0, 1)
    ]
    cells = [{"experiment": "e", "estimator": "m", "cell": "c", "seed": 1, "step_seconds": 0.5}]
    cells += [{**cells[0], "seed": 0, "step_seconds": np.nan}]
    data = PaperData("quick", pd.DataFrame(rows), pd.DataFrame(cells), lambda *_: {})
    np.testing.assert_array_equal(data.series("elbo", x="seconds")["seconds"], [np.nan, 5.0])
    assert data.series("other", x="seconds").empty


def test_wildcards_are_what_metrics_of_the_experiment_have_between() -> None:
    names = ["variance/a/mean", "variance/b_c/mean", "variance/a/scale", "variance/mean"]
    rows = [("e-1", name) for name in names] + [("other", "variance/d/mean")]
    data = PaperData(
        "quick", pd.DataFrame(rows, columns=["experiment", "metric"]), pd.DataFrame(), lambda *_: {}
    )
    assert data.wildcards("variance/*/mean", experiment="e-*") == ["a", "b_c"]


def test_a_figure_knows_its_experiments() -> None:
    figure = Figure("a", "A", "", lambda data: None, ("fig2-*",))
    assert figure.uses("fig2-latent3") and not figure.uses("fig3")


def test_a_newcomer_gets_a_colour_that_is_left() -> None:
    own = style.line_style("an_invention")["color"]
    found = style.curves({"rebar": ("REBAR", own), "relax": ("RELAX", style.INK)}, ["an_invention", "rebar"])
    assert found["rebar"] == ("REBAR", own) and "relax" not in found
    assert found["an_invention"][1] in set(style.PALETTE) - {own}
    assert style.curves({}, ["an_invention"]) == {"an_invention": ("an invention", own)}


def test_a_row_has_the_mean_its_interval_and_its_name() -> None:
    _, axes = style.canvas()
    ax, values = axes[0, 0], np.array([1.0, 2.0, 6.0])
    style.spread(ax, 1, values, colour=style.PALETTE[0], text="{:.1f} nats")
    style.row_names(ax, ["first", "second"])
    low, high = stats.t.interval(0.95, 2, loc=3.0, scale=stats.sem(values))
    ((ends),) = ax.collections[0].get_segments()
    np.testing.assert_allclose(ends, [[low, 1], [high, 1]])
    assert [text.get_text() for text in ax.texts] == ["3.0 nats"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["first", "second"]
    assert ax.yaxis_inverted()
