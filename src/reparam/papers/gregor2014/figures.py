"""Where the ½ estimator is exact."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import Figure, PaperData, band, canvas, label, legend


def powers(data: PaperData) -> Canvas | None:
    degrees = data.wildcards("bias/*", experiment="powers")
    if not degrees:
        return None
    figure, axes = canvas(columns=len(degrees), width=3.4, height=3.4, sharey=True)
    for ax, degree in zip(axes[0], degrees, strict=True):
        for estimator, rows in data.series(f"bias/{degree}", experiment="powers", x="probability").groupby(
            "estimator"
        ):
            band(ax, rows, "probability", "value", estimator=str(estimator))
        label(ax, x="p", y="bias of the gradient", title=f"(b − t)$^{degree}$")
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
