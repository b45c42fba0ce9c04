"""The bivariate normal experiment beside the notebook's points, and the ratio for Beta variables."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, curves, label, legend
from reparam.report.style import DASHES

CURVES = {
    "bivariate-lawtransport/pathwise": ("optimal transport", PALETTE[0]),
    "bivariate-lawcholesky/pathwise": ("Cholesky (reparameterization trick)", PALETTE[1]),
    "bivariate-lawcholesky/score_function": ("score function", PALETTE[2]),
}
TWICE = "bivariate-lawtransport/score_function"
"""The score function knows no path: its estimates are those of the other law, draw by draw."""
NOTEBOOK = {"transport": ((-0.25,), (0.12,)), "cholesky": ((-2.0, 0.0), (0.395, 0.395))}
"""Points (θ, variance) of the notebook's figure, read by eye, ± 10 %."""
NOTEBOOK_BETA = ((0.2, 0.5, 1.0, 2.0, 5.0, 10.0), (0.662, 0.705, 0.726, 0.732, 0.822, 0.891))


def bivariate(data: PaperData) -> Canvas | None:
    frame = data.series("variance", experiment="bivariate-*", x="theta")
    if frame.empty:
        return None
    figure, axes = canvas(columns=2, width=5.2, height=4.4)
    means = data.series("mean", experiment="bivariate-*", x="theta")
    both = set(frame["experiment"] + "/" + frame["estimator"]) - {TWICE}
    for number, (which, (name, colour)) in enumerate(curves(CURVES, both).items()):
        for ax, table in zip(axes[0], (frame, means), strict=True):
            rows = table[table["experiment"] + "/" + table["estimator"] == which]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("theta")
            # by turns, so that all of the curves that coincide are seen
            dashes = (
                (4.0 * number, (4, 4 * max(len(both) - 1, 0))) if ax is axes[0, 1] else DASHES[number % 4]
            )
            ax.plot(one["theta"], one["value"], color=colour, linestyle=dashes, label=name)
    for (theta, variance), colour in zip(NOTEBOOK.values(), PALETTE, strict=False):
        axes[0, 0].plot(theta, variance, "o", markerfacecolor="none", markeredgecolor=colour, markersize=6)
    axes[0, 0].plot(
        [], [], "o", markerfacecolor="none", markeredgecolor=INK, markersize=6, label="authors' notebook"
    )
    axes[0, 0].set_ylim(0, None)
    label(axes[0, 0], x="θ", y="variance of the gradient", title="variance")
    label(axes[0, 1], x="θ", y="mean of the gradient", title="the same mean")
    legend(axes[0, 0], columns=1)
    return figure


def beta(data: PaperData) -> Canvas | None:
    frame = data.series("ratio", experiment="beta", x="alpha")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.2)
    ax = axes[0, 0]
    for (estimator, rows), colour in zip(frame.groupby("estimator"), PALETTE, strict=False):
        name = {"rsvi_b4": "pathwise / RSVI, B = 4"}.get(str(estimator), f"pathwise / {estimator}")
        band(ax, rows, "alpha", "value", estimator=str(estimator), name=name, color=colour, linestyle="-")
    name = "authors' notebook (another f)"
    ax.plot(*NOTEBOOK_BETA, "o", markerfacecolor="none", markeredgecolor=INK, markersize=6, label=name)
    ax.set_xscale("log")
    ax.set_ylim(0, None)
    label(ax, x="α", y="ratio of variances", title="Beta(α, 1), f = z")
    legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "bivariate",
        "Two paths of one normal law",
        "∂/∂L₂₁ E[cos(z₁ + z₂)] at L = [[1, 0], [θ, 1]]: exact, by quadrature through the estimators' own paths. The "
        "paths and the score function have the same mean (right, dashed by turns); circles: read from the notebook, "
        "± 10 %.",
        bivariate,
        ("bivariate-*",),
    ),
    Figure(
        "beta",
        "Pathwise against RSVI for Beta variables",
        "Mean over seeds with a 95 % band. The notebook states neither f nor the second parameter: only the shape of "
        "the curve is comparable.",
        beta,
        ("beta",),
    ),
]
