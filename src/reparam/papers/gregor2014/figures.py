"""Where the ½ estimator is exact."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import Figure, PaperData, band, canvas, label, legend


def powers(data: PaperData) -> Canvas | None:
    names = sorted(name for name in data.metrics["metric"].unique() if str(name).startswith("bias/"))
    if not names:
        return None
    figure, axes = canvas(columns=len(names), width=3.4, height=3.4, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        for estimator, rows in data.series(name, experiment="powers", x="probability").groupby("estimator"):
            band(ax, rows, "probability", "value", estimator=str(estimator))
        label(ax, x="p", y="bias of the gradient", title=f"(b − t)$^{name.removeprefix('bias/')}$")
    legend(axes[0, 0])
    return figure


FIGURES = [
    Figure(
        "powers",
        "The ½ estimator on one bit",
        "Bias of dE[f]/dθ for f = (b − t)ᵏ, t = 0.45, exactly. ½ is the trapezoidal rule for f(1) − f(0): exact up to "
        "quadratics. Lines that lie on each other: score function and, where they are exact, the others.",
        powers,
        ("powers",),
    )
]
