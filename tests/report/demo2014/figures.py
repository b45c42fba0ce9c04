"""Figures of the made-up paper: one of each sort that the papers draw."""

from reparam.report.figures import Figure, PaperData, band, canvas, label, legend, pictures, published


def bound(data: PaperData):
    frame = data.series("elbo/test", experiment="fig2-*", x="samples_seen")
    if frame.empty:
        return None
    experiments = sorted(frame["experiment"].unique(), key=len)
    figure, axes = canvas(columns=len(experiments), sharey=True)
    for ax, experiment in zip(axes[0], experiments, strict=True):
        panel = frame[frame["experiment"] == experiment]
        for estimator, rows in panel.groupby("estimator"):
            band(ax, rows, "samples_seen", "value", estimator=str(estimator))
        ax.set_xscale("log")
        label(ax, x="samples seen", y="test bound", y_unit="nats per datum", title=f"Nz = {experiment[11:]}")
        if experiment == "fig2-latent3":
            published(ax, [1e4, 5e4, 2e5], [-27, -20.5, -18.4], estimator="pathwise", name="paper, Fig 2")
        legend(ax, columns=1)
    return figure


def gradient_variance(data: PaperData):
    frames = {
        g: data.series(f"gradient_variance/noise/{g}", x="samples_seen") for g in ("encoder", "decoder")
    }
    if all(frame.empty for frame in frames.values()):
        return None
    figure, axes = canvas(columns=2, sharey=True)
    for ax, (group, frame) in zip(axes[0], frames.items(), strict=True):
        for estimator, rows in frame.groupby("estimator"):
            band(ax, rows, "samples_seen", "value", estimator=str(estimator), geometric=True)
        ax.set(xscale="log", yscale="log")
        label(ax, x="samples seen", y="gradient variance", y_unit="nats²", title=group)
    legend(axes[0, 0], columns=1)
    return figure


def manifold(data: PaperData):
    arrays = data.arrays("manifold", "pathwise", 0)
    if "manifold" not in arrays:
        return None
    figure, axes = canvas(width=4.5, height=4.5)
    pictures(axes[0, 0], arrays["manifold"], columns=12)
    return figure


def fault(data: PaperData):
    raise KeyError("<i>no such column</i>")


FIGURES = [
    Figure(
        "bound",
        "Bound against samples seen",
        "Mean over seeds with a 95 % band; higher is better.",
        bound,
        ("fig2-*",),
    ),
    Figure(
        "gradient",
        "Gradient variance",
        "Noise part at frozen parameters, per parameter group.",
        gradient_variance,
        ("gradients",),
    ),
    Figure(
        "manifold",
        "Two-dimensional manifold",
        "Decoder means on an inverse-CDF grid.",
        manifold,
        ("manifold",),
    ),
    Figure("fullvb", "Full VB", "Bound of the program over the weights too.", lambda data: None, ("fullvb",)),
    Figure("fault", "A figure with a fault", "It says so.", fault, ("manifold",)),
]
