"""Signal, noise and bias of gradients of the importance-weighted bound on the toy."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, label, legend

NAMES = {
    "iwae": "total derivative (IWAE)",
    "stl": "path derivative (STL)",
    "dreg": "doubly reparameterized (DReG)",
}
COLOURS = dict(zip(NAMES, (PALETTE[1], PALETTE[3], PALETTE[2]), strict=True))


def curves(ax: Axes, data: PaperData, metric: str, experiment: str, estimators: tuple[str, ...]) -> bool:
    """One curve per estimator against K; whether there were any."""
    drawn = False
    for estimator in estimators:
        frame = data.series(metric, experiment=experiment, estimator=estimator, x="samples")
        if frame.empty:
            continue
        drawn = True
        style = {"color": COLOURS[estimator], "linestyle": "-", "marker": "o", "markersize": 4}
        band(
            ax, frame, "samples", "value", estimator=estimator, name=NAMES[estimator], geometric=True, **style
        )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    return drawn


def signal_and_bias(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3)
    ratio, bias, exact = axes[0]
    drawn = [
        curves(ratio, data, "snr/guide", "samples", tuple(NAMES)),
        curves(bias, data, "bias/guide", "samples", ("stl",)),
        curves(exact, data, "bias/guide", "exact", tuple(NAMES)),
    ]
    if not any(drawn):
        return None
    label(ratio, x="samples K", y="|mean| / standard deviation", title="signal to noise, b")
    label(bias, x="samples K", y="|bias| / |gradient|", title="bias, b")
    label(exact, x="samples K", y="|bias| / |gradient|", title="exact bias, one dimension")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "signal-and-bias",
        "Signal, noise and bias on the toy",
        "Gradients for b of the bound of K samples, near the optimum; mean over seeds with a 95 % band. DReG's ratio "
        "rises as √K where the total derivative's falls as 1/√K. The path derivative has the highest ratio, about a "
        "wrong mean. Right: means by quadrature over all noise; what lies at 1e-8 is the quadrature's own error.",
        signal_and_bias,
        ("samples", "exact"),
    )
]
