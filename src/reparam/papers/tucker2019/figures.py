"""Signal, noise and bias of gradients of the importance-weighted bound, on the toy and on autoencoders."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import bounds_and_variances, curve, last, levels, panels, with_results
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


MODELS = {
    "generative-datamnist": "MNIST",
    "generative-dataomniglot": "Omniglot",
    "generative-datadigits": "Digits",
    "structured": "Lower halves",
}


def training(data: PaperData) -> Canvas | None:
    return bounds_and_variances(
        data, MODELS, bound="elbo/test", axis="one-sample test bound", group="encoder"
    )


def likelihood(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        levels(
            ax, last(data.series("bound_64/test", experiment=name)), x_label="test bound of 64 samples, nats"
        )

    return panels(with_results(data, MODELS, "bound_64/test"), draw, height=3.6)


def running(data: PaperData) -> Canvas | None:
    metric = "running_squared_snr/own/encoder"

    def draw(ax: Axes, name: str) -> None:
        curve(ax, data, name, metric, cut=False)
        ax.set_yscale("log")
        label(ax, x="training steps", y="mean² / variance")
        legend(ax)

    return panels(with_results(data, MODELS, metric), draw, height=3.6)


QUANTITIES = {
    "variance": "ln of the trace variance, nats² per unit²",
    "snr": "ln of |mean| / √trace variance",
    "paired_t": "ln of |t|, paired difference to IWAE",
}


def trajectory(data: PaperData) -> Canvas | None:
    if data.series("variance/iwae/encoder", experiment="trajectory").empty:
        return None
    figure, axes = canvas(columns=3, width=4.4, height=4.2)
    for ax, (metric, text) in zip(axes[0], QUANTITIES.items(), strict=True):
        names = data.wildcards(f"{metric}/*/encoder", experiment="trajectory")
        every = [
            data.series(f"{metric}/{name}/encoder", experiment="trajectory", estimator="iwae").assign(
                estimator=name
            )
            for name in names
        ]
        frame = last(pd.concat(every)) if every else pd.DataFrame(columns=["estimator", "value"])
        above = frame[frame["value"] > 0]  # an SNR that few draws cannot tell from noise reads 0
        levels(ax, above.assign(value=np.log(above["value"].astype(float))), x_label=text)
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
    ),
    Figure(
        "training",
        "Bounds and variances along training",
        "Autoencoders trained by each estimator; mean over seeds with a 95 % band. Variance: of an entry of the "
        "encoder's gradient, by running moments of each one's own training (decay 0.99), minibatches included.",
        training,
        ("generative-*", "structured"),
    ),
    Figure(
        "likelihood",
        "Test bound by estimator",
        "The bound of 64 samples at the end of training, mean over seeds with a 95 % interval, best on top.",
        likelihood,
        ("generative-*", "structured"),
    ),
    Figure(
        "running-signal",
        "Squared signal-to-noise ratio along training, by running moments",
        "As the authors' code measures it: the mean squared running mean of an entry of the encoder's gradient over "
        "its mean running variance. Noise alone reads 0.005.",
        running,
        ("generative-*", "structured"),
    ),
    Figure(
        "trajectory",
        "Variance, signal and bias at the same parameters",
        "All estimators at the end of one training by IWAE, on one minibatch and common noise; the encoder's gradient, "
        "mean over seeds with a 95 % interval. Right: |t| of the paired difference to IWAE's gradient, averaged over "
        "entries. Ratios that the draws cannot tell from noise are left out. Wake-sleep and the jackknife have other "
        "objectives, so that their means differ.",
        trajectory,
        ("trajectory",),
    ),
]
