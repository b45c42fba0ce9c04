"""The tutorials' pictures show made-up results: what is computed from them, written, or drawn from arrays."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from findings import Rows, as_data
from matplotlib.figure import Figure as Canvas

from reparam.papers.tutorials.figures import FIGURES
from reparam.report.figures import PaperData
from reparam.report.style import readable, theme

BY_NAME = {figure.name: figure for figure in FIGURES}


def draw(name: str, *parts: tuple[str, str, Rows], **arrays: Any) -> Canvas:
    table = as_data(parts).metrics if parts else pd.DataFrame()
    with theme():
        canvas = BY_NAME[name].draw(PaperData("quick", table, table, lambda *_: arrays))
    assert canvas
    return canvas


def curve(metric: str, *values: float) -> Rows:
    return {(step, metric): value for step, value in enumerate(values)}


def texts(canvas: Canvas, panel: int = 0) -> str:
    return " ".join(text.get_text() for text in canvas.axes[panel].texts).replace("\n", " ")


def by_label(canvas: Canvas, panel: int) -> dict[str, np.ndarray]:
    return {str(line.get_label()): line.get_xydata() for line in canvas.axes[panel].lines}


def test_trick() -> None:
    costs = {
        "score_function": (800, 1),
        "score_function_loo": (90, 2),
        "measure_valued": (25, 4),
        "pathwise": (7, 1),
    }
    parts = [
        ("constant", name, curve("samples", samples) | curve("evaluations", evaluations))
        for name, (samples, evaluations) in costs.items()
    ]
    canvas = draw("trick", *parts, ("laws", "pathwise", curve("finite/normal", 0.75)))
    assert "75 %" in texts(canvas, 1)
    ax = canvas.axes[2]
    shown = {t.get_text(): bar.get_width() for t, bar in zip(ax.get_yticklabels(), ax.patches, strict=True)}
    assert shown == {readable(name): a * b for name, (a, b) in costs.items()}


def test_chart() -> None:
    canvas = draw(
        "chart",
        ("constant", "score_function", curve("variance", 60, 1)),
        ("constant", "pathwise", curve("variance", 4, 1)),
        ("frequency", "score_function", curve("variance", 1, 0.5)),
        ("frequency", "pathwise", curve("variance", 1, 65)),
        ("temperature", "gumbel_softmax", curve("relative_bias", 1, 1, 1, 1, 0.23)),
        ("discrete-problemcategories", "straight_through", curve("relative_bias", 0.31)),
        ("step", "pathwise", curve("relative_bias", 1, 1, 0.97)),
        ("categorical-vae", "score_function_loo", curve("objective", -30, -17)),
        ("categorical-vae", "gumbel_softmax", curve("objective", -30, -18)),
        ("categorical-vae", "straight_through", curve("objective", -30, -19)),
    )
    said = texts(canvas)
    for words in (
        "15 times less variance",
        "130 times the variance",
        "an error of 97 %",
        "bias 23 % (τ = 1), 31 %",
    ):
        assert words in said
    assert said.index("−17") < said.index("−18") < said.index("−19")


def test_insight_draws_the_draws() -> None:
    epsilon = np.linspace(-2, 2, 400)
    shown = by_label(draw("insight", epsilon=epsilon, z=0.4 + 1.3 * epsilon), 1)["400 draws of the run"]
    assert shown == pytest.approx(np.column_stack([epsilon, 0.4 + 1.3 * epsilon]))


def test_simplex_has_its_points_at_their_temperature() -> None:
    corners = np.eye(3)
    canvas = draw(
        "simplex", temperatures=np.array([0.001, 1000]), simplex_0=corners, simplex_1=corners[:1] * 0 + 1 / 3
    )
    titles = [ax.get_title(loc="left") for ax in canvas.axes]
    assert titles[0].startswith("τ = 0.001") and titles[1].startswith("τ = 1000")
    points, middle = (canvas.axes[i].lines[1].get_xydata() for i in (0, 1))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    assert distances == pytest.approx(1 - np.eye(3)) and middle == pytest.approx(
        points.mean(0, keepdims=True)
    )


def test_gamma() -> None:
    alphas = (1.5, 2.0, 4.0)
    rows = curve("alpha", *alphas) | curve("tutorial/mean", 2, 5, 50) | curve("proposal/mean", *alphas)
    places = {"tutorial_0": 1.0, "accepted_0": 3.0, "tutorial_2": 5.0, "accepted_2": 2.0}
    arrays = {name: np.full(50, place) for name, place in places.items()}
    canvas = draw("gamma", ("gamma", "implicit", rows), **arrays)
    means = by_label(canvas, 2)
    assert means["the tutorial's map"][:, 1] == pytest.approx(np.array([2, 5, 50]) / alphas)
    assert means["Marsaglia and Tsang's"][:, 1] == pytest.approx(1)
    for panel, step in ((0, 0), (1, 2)):
        for patch in canvas.axes[panel].patches:
            x, y = patch.get_xy().T
            name = "tutorial" if patch.get_label() == "the tutorial's map" else "accepted"
            assert x[y > 0].min() <= places[f"{name}_{step}"] <= x[y > 0].max()


def test_bounds() -> None:
    gap = curve("bound", -12, -11) | curve("likelihood", -10, -10) | curve("samples", 1, 5)
    noise = curve("samples", 1, 8) | curve("exact_total", 4, 2) | curve("total", 5, 3)
    noise |= curve("exact_data", 1.6, 1.6) | curve("exact_noise", 2.4, 0.3)
    canvas = draw("bounds", ("weighted-bound", "pathwise", gap), ("two-noises", "pathwise", noise))
    assert by_label(canvas, 0)["log p(x) − bound"] == pytest.approx(np.array([[1, 2], [5, 1]]))
    bars = {
        b.get_label(): [p.get_height() for p in b.patches]
        for b in canvas.axes[1].containers
        if hasattr(b, "patches")
    }
    assert bars["of the data, exact"] == pytest.approx([0.4, 0.4])
    assert bars["of the noise, exact"] == pytest.approx([0.6, 0.075])
    whole = next(
        line for line in canvas.axes[1].lines if len(line.get_ydata()) == 2 and line.get_marker() == "o"
    )
    assert whole.get_ydata() == pytest.approx([1.25, 0.75])


def test_training_shows_the_share_of_each_rise() -> None:
    canvas = draw(
        "training",
        ("categorical-vae", "score_function_loo", curve("objective", -30, -17)),
        ("uses-usepolicy", "pathwise", curve("objective", -8, -5, -4) | {(2, "objective_held"): -7}),
        ("uses-usepolicy", "score_function", curve("objective", -8, -7, -4)),
    )
    shares = by_label(canvas, 1)
    assert shares["policy"][:, 1] == pytest.approx([0, 75, 100])
    assert shares["policy, score function"][:, 1] == pytest.approx([0, 25, 100])
    (held,) = (xy for name, xy in shares.items() if name.startswith("_"))
    assert held == pytest.approx(np.array([[2, 25]]))
