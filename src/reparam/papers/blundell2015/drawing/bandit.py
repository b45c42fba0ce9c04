"""The bandit."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.papers.blundell2015.digitised import REGRET, STEPS
from reparam.papers.blundell2015.drawing.lines import PUBLISHED, by_rate, lines
from reparam.report.figures import INK, PALETTE, PaperData, canvas, label, legend

AGENTS = {
    "bandit-thompson": ("Thompson sampling, BBB", PALETTE[0]),
    "bandit-rho-initial_rho-2": ("Thompson sampling from ρ = −2", PALETTE[2]),
    "bandit-rho-initial_rho-8": ("Thompson sampling from ρ = −8", PALETTE[3]),
    "bandit-point-epsilon0.0": ("greedy", PALETTE[7]),
    "bandit-point-epsilon0.01": ("ε-greedy, 1 %", PALETTE[1]),
    "bandit-point-epsilon0.05": ("ε-greedy, 5 %", PALETTE[6]),
}
RATE = 1e-4
"""Where the experiment's name has none."""


def regrets(data: PaperData) -> Canvas | None:
    """A panel for each learning rate."""
    frame = data.series("regret", experiment="bandit-*")
    if frame.empty:
        return None
    frame = by_rate(frame, RATE)
    random = by_rate(data.series("regret/random", experiment="bandit-*"), RATE)
    rates = sorted(frame["rate"].unique())
    figure, axes = canvas(columns=len(rates), width=4.6)
    for ax, rate in zip(axes[0], rates, strict=True):
        lines(ax, frame[frame["rate"] == rate], AGENTS, "step")
        tossed = random[random["rate"] == rate].groupby("step")["value"].mean()
        ax.plot(tossed.index, tossed, color=INK, linestyle="--", linewidth=0.9, label="tossing a coin")
        if data.scale == "paper":
            for name, values in REGRET.items():
                ax.plot(STEPS, values, color=AGENTS[name][1], **PUBLISHED)
        ax.set_yscale("log")
        label(ax, x="steps", y="cumulative regret", title=f"learning rate {rate:g}")
    legend(axes[0, -1], columns=1)
    return figure
