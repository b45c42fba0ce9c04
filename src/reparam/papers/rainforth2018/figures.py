"""Signal-to-noise ratios of the toy beside Theorem 1, and autoencoders by what they climb."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import curve, last, levels
from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    readable,
)

NAMES = {"guide": ("b, inference network", PALETTE[1], "-"), "prior": ("μ, model", PALETTE[0], "--")}


def ratios(ax: Axes, data: PaperData, experiment: str, x: str) -> bool:
    """Measured ratios with bands, and near the optimum the leading terms as thin lines; whether there were any."""
    drawn = False
    for parameter, (name, colour, line) in NAMES.items():
        frame = data.series(f"snr/{parameter}", experiment=experiment, x=x)
        for estimator, rows in frame.groupby("estimator"):
            drawn, own = True, estimator == "iwae"
            dash = line if own else line_style(str(estimator))["linestyle"]
            style = {"color": colour, "linestyle": dash, "marker": "o", "markersize": 4}
            text = name if own else f"{name}, {readable(str(estimator))}"
            band(ax, rows, x, "value", estimator=str(estimator), name=text, geometric=True, **style)
        leading = data.series(f"leading/{parameter}", experiment=experiment, x=x).groupby(x)["value"].mean()
        if len(leading) and experiment != "far":
            ax.plot(leading.index, leading, color=INK, linewidth=0.9, linestyle=":")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    return drawn


def against_samples(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3, sharey=True)
    near, groups, far = axes[0]
    drawn = [
        ratios(near, data, "samples", "samples"),
        ratios(groups, data, "groups", "groups"),
        ratios(far, data, "far", "samples"),
    ]
    if not any(drawn):
        return None
    naive = data.series("snr_naive/guide", experiment="samples", estimator="iwae", x="samples")
    style = {"color": PALETTE[7], "linestyle": "-."}
    name = "b, its own mean as signal"
    band(near, naive, "samples", "value", estimator="iwae", name=name, geometric=True, **style)
    near.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="leading terms, Theorem 1")
    label(near, x="samples K", y="|mean| / standard deviation", title="near the optimum, M = 1")
    label(groups, x="bounds averaged M", y="|mean| / standard deviation", title="near the optimum, K = 16")
    label(far, x="samples K", y="|mean| / standard deviation", title="far from the optimum")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


NUMBERS = ("iwae", "piwae_8_8", "miwae_8_8", "ciwae_0.5", "vae")
TABLE1 = {
    "bound_64/test": (-86.11, -85.74, -85.69, -86.08, -86.69),
    "bound_5000/test": (-84.52, -84.46, -84.97, -85.24, -86.21),
    "difference": (-1.59, -1.28, -0.72, -0.84, -0.47),
}
"""Of MNIST, second-hand."""


def table1(data: PaperData) -> Canvas | None:
    bound = last(data.series("bound_64/test", experiment="autoencoder"))
    if bound.empty:
        return None
    both = data.beside(bound, "bound_5000/test")
    frames = {
        "bound_64/test": bound,
        "bound_5000/test": last(data.series("bound_5000/test", experiment="autoencoder")),
        "difference": both.assign(value=both["value"] - both["bound_5000/test"]),
    }
    titles = {"bound_64/test": "bound of 64 samples", "bound_5000/test": "log p(x) by 5,000 samples"}
    figure, axes = canvas(columns=3, width=4.4, height=3.6)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        numbers = dict(zip(NUMBERS, TABLE1[metric], strict=True)) if data.on_papers_data else {}
        levels(ax, frame, x_label="nats", paper=numbers)
        ax.set_title(titles.get(metric, "their difference, −KL(Q‖P)"))
    return figure


def signal_along(data: PaperData) -> Canvas | None:
    if data.series("snr/encoder", experiment="autoencoder").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8, height=3.8)
    for ax, group in zip(axes[0], ("encoder", "decoder"), strict=True):
        curve(ax, data, "autoencoder", f"snr/{group}", cut=False)
        label(ax, x="training steps", y="|mean| / √trace variance", title=group)
        legend(ax)
    return figure


FIGURES = [
    Figure(
        "signal-to-noise",
        "Signal-to-noise ratio of gradients of the importance-weighted bound (§3)",
        "Total derivative (iwae) on the linear-Gaussian toy; mean over seeds with a 95 % band, each seed with its "
        "own data and perturbation. Near the optimum the inference network's ratio falls as 1/√K while the model's "
        "rises as √K; averaging M bounds lifts both as √M. Grey: what one sees without a better estimate of the "
        "mean. Far from the optimum one sample has all the weight, and no rate is seen.",
        against_samples,
        ("samples", "groups", "far"),
    ),
    Figure(
        "table1",
        "Autoencoders with 64 samples (§5, Table 1)",
        "Test data at the end of training, mean over seeds with a 95 % interval, best on top. Open circles, on the "
        "paper's data: its table, second-hand. The two numbers in a name are M and K. The difference is one of two "
        "noisy numbers: above zero it is noise, since the bound of 5,000 samples is never the lower one in truth.",
        table1,
        ("autoencoder",),
    ),
    Figure(
        "signal-along",
        "Signal-to-noise ratio during training (§5)",
        "Of each one's own gradient on one minibatch along its own training, mean over seeds with a 95 % band.",
        signal_along,
        ("autoencoder",),
    ),
]
