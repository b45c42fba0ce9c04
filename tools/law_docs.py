"""Write docs/distributions.md, the gallery of laws, and a picture of each law and its gradient.

python tools/law_docs.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from reparam import distributions as d
from reparam.distributions import Law, Relaxable
from reparam.estimators.laws import LawSummary, laws, summarise_law
from reparam.noise import draw_block

DOCS = Path(__file__).resolve().parent.parent / "docs"
FILE, PICTURES = DOCS / "distributions.md", DOCS / "distributions"
DRAWS, SHOWN = 4000, 250
"""Samples of a picture's histogram, and those whose derivative is shown."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
HEADER = """\
# Distributions

Every law z = g(ε; φ): what it is, its base noise ε, what it offers, and a picture of it and of its gradient.
`reparam explain <law>` says the same in the terminal; names and parameters follow torch.distributions, or TensorFlow
Probability where torch has no such law. This page is written from the laws (`make docs`).

On the left of each picture is the law: the density (line) and a histogram of samples, of one entry where there are
several. On the right is the gradient: dz/dφ of this entry against z, at fixed noise, for each parameter φ: what the
pathwise gradient multiplies with ∂f/∂z. Discrete laws have no path; theirs is how the parameter moves each mass.
"""


class Setting(NamedTuple):
    """A law at some parameters, which are numbers, and the coordinate that its picture shows."""

    make: Callable[..., Law]
    at: Mapping[str, float]
    coordinate: int = 0


def vector(*entries: float) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)


def of(kind: Callable[..., Law], **at: float) -> Setting:
    """A law of one entry per parameter."""
    return Setting(lambda **given: kind(**{name: value.reshape(1) for name, value in given.items()}), at)


def _flow(size: Tensor) -> Law:
    base = d.Normal(torch.zeros_like(vector(0, 0)), torch.ones_like(vector(0, 0)))
    w = vector(1.2, 0.8)
    return d.NormalizingFlow(base, [d.PlanarFlow(size * vector(1.0, 0.5), w, vector(0.3)[0])])


SETTINGS = {
    "Bernoulli": of(d.Bernoulli, logits=0.6),
    "Beta": of(d.Beta, concentration1=2.0, concentration0=3.0),
    "Categorical": Setting(
        lambda logit: d.Categorical(logits=torch.cat([logit.reshape(1), vector(0.2, -0.5, 0.6)])),
        {"logit": 1.0},
    ),
    "Cauchy": of(d.Cauchy, loc=0.5, scale=0.8),
    "Dirichlet": Setting(
        lambda concentration: d.Dirichlet(torch.cat([concentration.reshape(1), vector(1.5, 2.5)])),
        {"concentration": 2.0},
    ),
    "ExpRelaxedCategorical": Setting(
        lambda temperature, logit: d.ExpRelaxedCategorical(
            temperature, logits=torch.cat([logit.reshape(1), vector(0.0, -0.5)])
        ),
        {"temperature": 0.7, "logit": 0.5},
    ),
    "Exponential": of(d.Exponential, rate=1.5),
    "FromCDF": Setting(
        lambda rate: d.FromCDF(
            lambda z, rate: 1 - (-(rate * z).square()).exp(), (rate.reshape(1),), support=(0.0, float("inf"))
        ),
        {"rate": 0.8},
    ),
    "FromInverseCDF": Setting(
        lambda skew: d.FromInverseCDF(
            lambda u, skew: skew * u.log() - (1 - u).log() / skew, (skew.reshape(1),)
        ),
        {"skew": 0.7},
    ),
    "FromStandardization": Setting(
        lambda bend: d.FromStandardization(lambda z, bend: z + bend * z.pow(3), (bend.reshape(1),)),
        {"bend": 0.2},
    ),
    "FromTriangularStandardization": Setting(
        lambda bend: d.FromTriangularStandardization(
            lambda z, bend: torch.stack(
                [z[..., 0] + bend[..., 0] * z[..., 0].pow(3), z[..., 1] - z[..., 0]], -1
            ),
            (bend * vector(1.0, 1.0),),
            shape=(2,),
        ),
        {"bend": 0.2},
        coordinate=1,
    ),
    "Gamma": of(d.Gamma, concentration=2.0, rate=1.5),
    "Gumbel": of(d.Gumbel, loc=0.5, scale=0.8),
    "HypersphericalUniform": Setting(lambda: d.HypersphericalUniform(4, dtype=torch.float64), {}),
    "Kumaraswamy": of(d.Kumaraswamy, concentration1=2.0, concentration0=3.0),
    "Laplace": of(d.Laplace, loc=0.5, scale=0.8),
    "LogNormal": of(d.LogNormal, loc=0.2, scale=0.5),
    "Logistic": of(d.Logistic, loc=0.5, scale=0.8),
    "LogitRelaxedBernoulli": Setting(
        lambda temperature, logits: d.LogitRelaxedBernoulli(temperature, logits=logits.reshape(1)),
        {"temperature": 0.7, "logits": 0.5},
    ),
    "MixtureSameFamily": Setting(
        lambda logit, loc, scale: d.MixtureSameFamily(
            d.Categorical(logits=torch.stack([logit, 0 * logit])),
            d.Normal(torch.stack([loc, loc - 3]), torch.stack([scale, 0 * scale + 1]), event_dims=0),
        ),
        {"logit": 0.3, "loc": 1.0, "scale": 0.6},
    ),
    "MultivariateNormal": Setting(
        lambda loc, below, diagonal: d.MultivariateNormal(
            loc * vector(0.0, 1.0),
            scale_tril=torch.stack([vector(1.0, 0.0), torch.stack([below, diagonal])]),
        ),
        {"loc": 0.5, "below": 0.7, "diagonal": 0.6},
        coordinate=1,
    ),
    "Normal": of(d.Normal, loc=0.5, scale=0.8),
    "NormalizingFlow": Setting(_flow, {"size": 1.5}),
    "OMTMultivariateNormal": Setting(
        lambda loc, below, diagonal: d.OMTMultivariateNormal(
            loc * vector(0.0, 1.0),
            scale_tril=torch.stack([vector(1.0, 0.0), torch.stack([below, diagonal])]),
        ),
        {"loc": 0.5, "below": 0.7, "diagonal": 0.6},
        coordinate=1,
    ),
    "OneHotCategorical": Setting(
        lambda logit: d.OneHotCategorical(logits=torch.cat([logit.reshape(1), vector(0.2, -0.5, 0.6)])),
        {"logit": 1.0},
    ),
    "RelaxedBernoulli": Setting(
        lambda temperature, logits: d.RelaxedBernoulli(temperature, logits=logits.reshape(1)),
        {"temperature": 0.7, "logits": 0.5},
    ),
    "RelaxedOneHotCategorical": Setting(
        lambda temperature, logit: d.RelaxedOneHotCategorical(
            temperature, logits=torch.cat([logit.reshape(1), vector(0.0, -0.5)])
        ),
        {"temperature": 0.7, "logit": 0.5},
    ),
    "StudentT": of(d.StudentT, df=3.0, loc=0.5, scale=0.8),
    "Uniform": of(d.Uniform, low=-0.5, high=1.5),
    "VonMises": of(d.VonMises, loc=0.5, concentration=2.0),
    "PowerSpherical": Setting(
        lambda concentration: d.PowerSpherical(vector(1.0, 0.0, 0.0), concentration), {"concentration": 4.0}
    ),
    "VonMisesFisher": Setting(
        lambda concentration: d.VonMisesFisher(vector(1.0, 0.0, 0.0), concentration), {"concentration": 2.0}
    ),
    "Weibull": of(d.Weibull, scale=1.2, concentration=1.8),
}


def numbers(setting: Setting) -> dict[str, Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in setting.at.items()}


def samples(setting: Setting, name: str) -> tuple[Tensor, dict[str, Tensor]]:
    """The coordinate shown of DRAWS samples, and its derivative in each parameter where the law has a path."""
    at = numbers(setting)
    law = setting.make(**at)
    noise = draw_block({"z": law.noise()}, ("gallery", name), DRAWS, dtype=torch.float64)["z"]

    def shown(at: dict[str, Tensor], noise: Mapping[str, Tensor]) -> Tensor:
        return setting.make(**at).path(noise).reshape(-1)[setting.coordinate]

    z = torch.vmap(lambda n: shown(at, n))(noise)
    slopes = torch.vmap(lambda n: torch.func.grad(shown)(at, n))(noise) if law.reparameterized and at else {}
    return z.detach(), {name: slope.detach() for name, slope in slopes.items()}


def picture(name: str) -> Figure:
    """The law and its gradient."""
    setting = SETTINGS[name]
    figure = Figure(figsize=(7.2, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    law = setting.make(**numbers(setting))
    if hasattr(law, "support"):
        _discrete(left, right, setting)
    else:
        _continuous(left, right, setting, name)
    words = ", ".join(f"{parameter} = {value:g}" for parameter, value in setting.at.items())
    left.set_title(words or "no parameters", fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.xaxis.label.set_size(9)
        axes.yaxis.label.set_size(9)
    return figure


def _continuous(left: Axes, right: Axes, setting: Setting, name: str) -> None:
    law = setting.make(**numbers(setting))
    z, slopes = samples(setting, name)
    low, high = z.quantile(0.01).item(), z.quantile(0.99).item()
    seen = (z >= low) & (z <= high)
    left.hist(z[seen].numpy(), bins=40, density=True, color="0.85")
    if sum(law.event) == 1:
        grid = torch.linspace(low, high, 200, dtype=torch.float64)
        density = torch.stack([law.log_prob(point.reshape(law.shape)).exp() for point in grid])
        inside = density.sum() * (grid[1] - grid[0])  # the histogram is that of the part which is seen
        left.plot(grid, density / inside, color="black", linewidth=1.2)
    left.set(
        xlabel="z" if sum(law.event) == 1 else f"z, entry {setting.coordinate + 1}",
        ylabel="density",
        yticks=[],
    )
    one = sum(law.event) == 1  # then the derivative is a function of z
    order = z[seen][:SHOWN].argsort()
    for colour, (parameter, slope) in zip(COLOURS, slopes.items(), strict=False):
        style = {"linewidth": 1.2} if one else {"linestyle": "none", "marker": ".", "markersize": 2.5}
        right.plot(z[seen][:SHOWN][order], slope[seen][:SHOWN][order], color=colour, label=parameter, **style)
    right.axhline(0, color="0.6", linewidth=0.6)
    right.set(xlabel=left.get_xlabel(), ylabel="dz/dφ")
    if slopes:
        right.legend(fontsize=8, frameon=False, markerscale=4)
    else:
        right.set_yticks([])
        right.text(0.5, 0.6, "no parameters, no gradient", transform=right.transAxes, ha="center", fontsize=9)


def _discrete(left: Axes, right: Axes, setting: Setting) -> None:
    def masses(at: dict[str, Tensor]) -> Tensor:
        law = setting.make(**at)
        return law.log_prob(law.support()).exp()  # type: ignore[attr-defined]

    at = numbers(setting)
    law = setting.make(**at)
    states = range(len(law.support()))  # type: ignore[attr-defined]
    left.bar(states, masses(at), color="0.7", width=0.6)
    ((parameter, change),) = torch.func.jacrev(masses)(at).items()
    right.bar(states, change, color=COLOURS[0], width=0.6, label=parameter)
    right.axhline(0, color="0.6", linewidth=0.6)
    word = "position of the 1" if isinstance(law, Relaxable) and len(states) > 2 else "z"
    left.set(xlabel=word, ylabel="mass", xticks=states)
    right.set(xlabel=word, ylabel="d mass/dφ", xticks=states)
    right.legend(fontsize=8, frameon=False)


def page() -> str:
    """The page's Markdown."""
    lines = [HEADER, " · ".join(f"[{name}](#{name.lower()})" for name in laws()), ""]
    return "\n".join([*lines, *(line for name in laws() for line in _section(summarise_law(name)))])


def _section(entry: LawSummary) -> Iterator[str]:
    yield from (f"## {entry.name}", "", f"`{entry.signature}`", "")
    for paragraph in entry.about:
        yield from (paragraph, "")
    yield from (f"![{entry.name} and its gradient](distributions/{entry.name}.svg)", "")
    for role, words in entry.noise:
        yield f"- base noise `{role}`: {words}"
    yield f"- path: {'differentiable in the parameters' if entry.law.reparameterized else 'not differentiable'}"
    yield f"- offers: {', '.join(f'`{name}`' for name, _ in entry.offers) or 'nothing beside `log_prob` and `path`'}"
    yield from (f"- torch.distributions: {entry.torch}", "")


def main() -> None:
    matplotlib.rcParams |= {"svg.hashsalt": "reparam", "svg.fonttype": "none", "font.family": "sans-serif"}
    PICTURES.mkdir(exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")
    for old in PICTURES.glob("*.svg"):
        if old.stem not in laws():
            old.unlink()
    for name in laws():
        picture(name).savefig(
            PICTURES / f"{name}.svg", metadata={"Date": None, "Creator": None}, facecolor="white"
        )


if __name__ == "__main__":
    main()
