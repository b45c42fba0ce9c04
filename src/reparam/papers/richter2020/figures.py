"""The identity by the size of the sample, and VarGrad against the oracle control variate."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, curves, label, legend

NAMES = {
    "vargrad": ("VarGrad", PALETTE[0]),
    "score_function_loo": ("score function, leave one out", PALETTE[1]),
    "score_function": ("score function", PALETTE[1]),
    "score_function_optimal": ("score function, optimal baseline (25 fresh)", PALETTE[6]),
}


def identity(data: PaperData) -> Canvas | None:
    if data.series("error", experiment="identity-*").empty:
        return None
    titles = {"identity-logistic": "logistic regression", "identity-bits": "four bits"}
    lines = {
        "error": ("divided by S − 1", PALETTE[0], "o"),
        "divided_by_s": ("divided by S", PALETTE[1], "s"),
        "undetached": ("samples not detached", PALETTE[7], "^"),
    }
    figure, axes = canvas(columns=2, width=4.4, height=3.6)
    for ax, (experiment, title) in zip(axes[0], titles.items(), strict=True):
        for metric, (name, colour, marker) in lines.items():
            rows = data.series(metric, experiment=experiment, estimator="vargrad")
            if not rows.empty:
                style: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "-"}
                band(ax, rows, "step", "value", estimator="vargrad", name=name, geometric=True, **style)
        ax.set_yscale("log")
        label(ax, x="samples S", y="largest difference", y_unit="relative", title=title)
    legend(axes[0, 0], columns=1)
    return figure


def dimension(data: PaperData) -> Canvas | None:
    oracle = data.series("oracle", experiment="dimension", x="kl")
    if oracle.empty:
        return None
    figure, axes = canvas(columns=3, width=4.2, height=3.6)
    variance, ratio, coefficient = axes[0]
    one = oracle[(oracle["seed"] == 0) & (oracle["estimator"] == oracle["estimator"].iloc[0])]
    variance.plot(
        one["kl"], one["value"], color=PALETTE[7], linestyle="--", label="oracle control variate (exact)"
    )
    measured = data.series("variance", experiment="dimension")
    for estimator, (name, colour) in curves(NAMES, measured["estimator"]).items():
        exact = data.series("exact", experiment="dimension", estimator=estimator, x="kl")
        exact = exact[exact["seed"] == 0]
        variance.plot(exact["kl"], exact["value"], color=colour, linewidth=1.2)
        ends = exact.merge(one[["step", "value"]], on="step", suffixes=("", "_oracle"))
        ratio.plot(ends["kl"], ends["value"] / ends["value_oracle"], color=colour, linewidth=1.2)
        style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 3.5, "linestyle": "none"}
        for ax, metric in ((variance, "variance"), (ratio, "ratio")):
            rows = data.series(metric, experiment="dimension", estimator=estimator, x="kl")
            if not rows.empty:
                band(ax, rows, "kl", "value", estimator=estimator, name=name, geometric=True, **style)
    ratio.axhline(1.25, color=PALETTE[7], linewidth=0.9, linestyle=":", label="S/(S − 1)")
    rows = data.series("coefficient_error", experiment="dimension", estimator="vargrad", x="kl")
    rows = rows[rows["seed"] == 0]
    coefficient.plot(rows["kl"], rows["value"], color=PALETTE[0], marker="o", markersize=3.5)
    for ax in axes[0]:
        ax.set_xscale("log")
        ax.set_yscale("log")
    label(variance, x="KL(q ‖ p)", x_unit="nats", y="S times the variance")
    label(ratio, x="KL(q ‖ p)", x_unit="nats", y="variance over the oracle's")
    label(coefficient, x="KL(q ‖ p)", x_unit="nats", y="|a* − E f| / |E f|")
    legend(variance, columns=1)
    legend(ratio, columns=1)
    return figure


def logistic(data: PaperData) -> Canvas | None:
    bound = data.series("elbo/train", experiment="logistic")
    if bound.empty:
        return None
    along = data.wildcards("variance/*/mean", experiment="logistic-variance")
    names = curves(NAMES | {"pathwise": ("pathwise", PALETTE[2])}, [*bound["estimator"], *along])
    figure, axes = canvas(columns=2, width=4.6, height=3.6)
    reference = data.series("variance/vargrad/mean", experiment="logistic-variance")
    for estimator, (name, colour) in names.items():
        style: dict[str, Any] = {"color": colour, "linestyle": "-"}
        own = bound[bound["estimator"] == estimator]
        if not own.empty:
            band(axes[0, 0], own, "step", "value", estimator=estimator, name=name, **style)
        rows = data.series(f"variance/{estimator}/mean", experiment="logistic-variance")
        if not rows.empty and len(rows) == len(reference):
            rows = rows.assign(value=rows["value"] / reference["value"])
            style |= {"geometric": True, "marker": "o"}
            band(axes[0, 1], rows, "step", "value", estimator=estimator, name=name, **style)
    axes[0, 1].set_yscale("log")
    label(axes[0, 0], x="step", y="bound", y_unit="nats per datum")
    label(axes[0, 1], x="step of VarGrad's training", y="variance over VarGrad's")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "identity",
        "VarGrad is the leave-one-out estimator, draw by draw",
        "The literal gradient of half the sample variance of log q/p against the library's estimator: equal to "
        "rounding where the variance divides by S − 1 and the samples are detached, and not otherwise.",
        identity,
        ("identity-*",),
    ),
    Figure(
        "dimension",
        "VarGrad against the oracle control variate",
        "Gaussians of 1 to 64 dimensions, five samples. Lines: exact. Points: measured. The coefficient that VarGrad"
        " uses on average, E f, approaches the optimal one as the KL grows; the variance comes to S/(S − 1) times "
        "the oracle's, since the others' mean is itself random. While the KL is small no baseline at all is better.",
        dimension,
        ("dimension",),
    ),
    Figure(
        "logistic",
        "Bayesian logistic regression",
        "100 points in the plane, five samples an estimate. Left: the bound along each estimator's own training. "
        "Right: the variance of one estimate of each along VarGrad's training, over its own; the optimal baseline "
        "costs 25 evaluations more.",
        logistic,
        ("logistic", "logistic-variance"),
    ),
]
