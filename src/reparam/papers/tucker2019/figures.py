"""Signal, noise and bias of gradients of the importance-weighted bound on the toy."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, curves, label, legend

NAMES = {
    "iwae": ("total derivative (IWAE)", PALETTE[1]),
    "stl": ("path derivative (STL)", PALETTE[3]),
    "dreg": ("doubly reparameterized (DReG)", PALETTE[2]),
}


def against_samples(
    ax: Axes, data: PaperData, metric: str, experiment: str, without: tuple[str, ...] = ()
) -> bool:
    """One curve per estimator against K; whether there were any."""
    frame = data.series(metric, experiment=experiment, x="samples")
    frame = frame[~frame["estimator"].isin(without)]
    for estimator, (name, colour) in curves(NAMES, frame["estimator"]).items():
        rows = frame[frame["estimator"] == estimator]
        style = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 4}
        band(ax, rows, "samples", "value", estimator=estimator, name=name, geometric=True, **style)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    return not frame.empty


def signal_and_bias(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3)
    ratio, bias, exact = axes[0]
    drawn = [
        against_samples(ratio, data, "snr/guide", "samples"),
        against_samples(bias, data, "bias/guide", "samples", without=("iwae", "dreg")),  # unbiased: noise
        against_samples(exact, data, "bias/guide", "exact"),
    ]
    if not any(drawn):
        return None
    label(ratio, x="samples K", y="|mean| / standard deviation", title="signal to noise, b")
    label(bias, x="samples K", y="|bias| / |gradient|", title="bias, b")
    bias.set_ylim(bottom=0.1)
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
        "wrong mean; with one sample it has no bias, and lies below the middle panel. Right: means by quadrature over "
        "all noise; what lies at 1e-8 is the quadrature's own error.",
        signal_and_bias,
        ("samples", "exact"),
    )
]
