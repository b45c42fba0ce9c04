"""The toy, where a bias leads to a wrong optimum, and the auto-encoders: bounds, variances, and the plane of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.tucker2017.digitised import TABLE_1
from reparam.report.curves import (
    AUTO_ENCODERS,
    bias_variance,
    bounds_and_variances,
    curve,
    last,
    levels,
    panels,
    with_results,
)
from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, label, legend

START, LEAST = 0.2525, 0.2025
"""Expected losses at θ = 0 and at the optimum."""


def toy(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.2, height=4.2)
    drawn = False
    for ax, metric in zip(axes[0], ("expectation", "log_variance/bits"), strict=True):
        for estimator, rows in data.series(metric, experiment="toy").groupby("estimator"):
            drawn = True
            band(ax, rows, "step", "value", estimator=str(estimator))
        ax.xaxis.set_major_formatter(EngFormatter())
    optima(axes[0, 0])
    for ax in axes[0]:
        legend(ax)
    label(axes[0, 0], x="gradient steps", y="expected loss", title="Loss")
    label(axes[0, 1], x="gradient steps", y="ln variance of the gradient", title="Log variance")
    return figure if drawn else None


def relaxed_optimum(data: PaperData) -> Canvas | None:
    frame = data.series("loss", experiment="relaxed-optimum", x="temperature")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.0, height=3.8)
    ax: Axes = axes[0, 0]
    ax.plot(frame["temperature"], frame["value"], "o-", color=PALETTE[0], label="at the relaxed optimum")
    optima(ax)
    label(ax, x="temperature τ", y="expected loss of the bit")
    legend(ax, columns=1)
    return figure


def optima(ax: Axes) -> None:
    """Where the loss starts, and the least there is."""
    ax.axhline(LEAST, color=INK, linewidth=0.8, linestyle=":", label="the least loss")
    ax.axhline(START, color=INK, linewidth=0.8, linestyle="--", label="at the start")


TRAJECTORIES = {
    "trajectory": ("rebar", "Along adaptive REBAR, two linear layers"),
    "trajectory-omniglot": ("simple_muprop", "Along SimpleMuProp, Omniglot, two layers"),
}
"""By experiment, who leads."""
STRUCTURED = {
    "structured-layers1": "One linear layer",
    "structured-layers2": "Two linear layers",
}
CERTAIN = 5.0
"""Standard errors from which on a bias is one, among some hundreds of entries."""


def bounds(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        curve(ax, data, name, "elbo/train")
        label(ax, x="training steps", y="bound on training data", y_unit="nats")
        legend(ax)

    return panels(with_results(data, AUTO_ENCODERS, "elbo/train"), draw)


def structured(data: PaperData) -> Canvas | None:
    return bounds_and_variances(data, STRUCTURED, bound="elbo/train", axis="bound on training data")


def table(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        paper = TABLE_1.get(name) if data.on_papers_data else None
        frame = last(data.series("elbo/train", experiment=name))
        levels(ax, frame, x_label="bound on training data (nats)", paper=paper)

    return panels(with_results(data, AUTO_ENCODERS, "elbo/train"), draw, height=3.4)


def variances(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        if name in TRAJECTORIES:
            for who, rows in followed(data, name).items():
                band(ax, rows, "step", "value", estimator=who)
            ax.xaxis.set_major_formatter(EngFormatter())
        else:
            curve(ax, data, name, "running_log_variance/own", cut=False)
        label(ax, x="training steps", y="ln variance of the gradient")
        legend(ax)

    titles = {name: title for name, (_, title) in TRAJECTORIES.items()}
    titles |= {name: f"{title}: own training" for name, title in AUTO_ENCODERS.items()}
    return panels(with_results(data, titles, "running_log_variance/own"), draw)


def followed(data: PaperData, experiment: str) -> dict[str, pd.DataFrame]:
    """By estimator, the log variances on one trajectory."""
    prefix, leader = "running_log_variance/", TRAJECTORIES[experiment][0]
    names = data.metrics.loc[data.metrics["experiment"] == experiment, "metric"].unique()
    whole = [name for name in names if name.startswith(prefix) and name.count("/") == 1]
    who = {name: name.removeprefix(prefix) for name in whole}
    return {
        leader if label == "own" else label: data.series(name, experiment=experiment)
        for name, label in who.items()
    }


def plane(data: PaperData) -> Canvas | None:
    frame = data.metrics[data.metrics["experiment"] == "plane"]
    if frame.empty:
        return None
    frame = frame[frame["step"] == frame["step"].max()]
    readings = frame.groupby("metric")["value"].mean()
    group = "encoder"
    rows = [
        {
            "estimator": name,
            "deviation": np.sqrt(readings[f"variance/{name}/{group}"])
            / readings[f"reference_norm/{name}/{group}"],
            "bias": np.sqrt(max(readings[f"squared_bias/{name}/{group}"], 0.0))
            / readings[f"reference_norm/{name}/{group}"]
            if readings[f"bias_z/{name}/{group}"] > CERTAIN
            else np.nan,
            "evaluations": readings[f"evaluations/{name}"],
        }
        for name in (metric.split("/")[1] for metric in readings.index if metric.startswith("evaluations/"))
    ]
    if not rows:
        return None
    figure, axes = canvas(rows=2, width=7.0, height=3.6)
    bias_variance(axes[0, 0], axes[1, 0], pd.DataFrame(rows))
    return figure


FIGURES = [
    Figure(
        "toy",
        "One bit, t = 0.45 (§5.1)",
        "Plain gradient steps of rate 0.1, mean over seeds with a 95 % band. Dotted: the least expected loss; "
        "dashed: that of the start. rebar tunes τ and η, rebar_fixed keeps τ = 0.5 and η = 1.",
        toy,
        ("toy",),
    ),
    Figure(
        "relaxed-optimum",
        "Where the relaxation leads",
        "The expected loss of the bit at the logit that minimises the relaxed loss, by quadrature. Dotted: the least "
        "expected loss; dashed: that of a fair bit, at which training starts.",
        relaxed_optimum,
        ("relaxed-optimum",),
    ),
    Figure(
        "bounds",
        "Training bounds of the auto-encoders (Table 1)",
        "The bound of hard samples on training rows, mean over seeds with a 95 % band; the start is cut off. "
        "Smoke and quick train small networks on digits for some epochs.",
        bounds,
        tuple(AUTO_ENCODERS),
    ),
    Figure(
        "structured",
        "Structured prediction: the lower half of a digit from its upper half",
        "The mean of log p(lower half | units) over the model's units on training rows, the start cut off, and the "
        "natural logarithm of the mean variance of a gradient's entry, by running moments; means over seeds with 95 % "
        "bands.",
        structured,
        tuple(STRUCTURED),
    ),
    Figure(
        "table-1",
        "Training bounds at the end (Table 1)",
        "Dots: ours, with 95 % intervals over seeds, the best on top. Open circles, where the data are the "
        "paper's: its Table 1 as later papers quote it. concrete is at temperature 0.1.",
        table,
        tuple(AUTO_ENCODERS),
    ),
    Figure(
        "log-variance",
        "Log variance along training (Fig 2, App. Fig 6)",
        "The natural logarithm of the mean variance of a gradient's entry, by running moments of the estimates with "
        "minibatches in them. On one trajectory every estimator tunes its own control variate; only the leader moves "
        "the model.",
        variances,
        (*TRAJECTORIES, *AUTO_ENCODERS),
    ),
    Figure(
        "plane",
        "Bias and variance of every estimator on one trained model",
        "Of the encoder's gradient on one minibatch of digits, eight bits, against the exact gradient by "
        "enumeration; both axes over its norm. Marks tell the evaluations of f. nvil to relax have the control "
        "variates that they learned along the training. A bias is shown where it exceeds five standard errors in "
        "some entry.",
        plane,
        ("plane",),
    ),
]
