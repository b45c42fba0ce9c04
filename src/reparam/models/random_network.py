"""Fully connected ReLU networks whose weights, or the inputs of whose layers, are random.

| posterior | what is random | source |
|---|---|---|
| point | nothing | |
| binary_dropout | inputs of every layer, times Bernoulli(1 − p) / (1 − p) | Srivastava et al. 2014 |
| gaussian_dropout | inputs of every layer, times N(1, α): noise of type A | Kingma et al. 2015, §3.2 |
| relative | weights, independent N(θ, α θ²): noise of type B | Kingma et al. 2015, §3.1 |
| gaussian | weights, independent N(μ, σ²), σ = ln(1 + e^ρ) | Blundell et al. 2015, §3.2 |

Layer i owns `mean.<i>.weight` [outputs, inputs], `mean.<i>.bias` [outputs] and, by posterior, `rho.<i>.weight`,
`rho.<i>.bias` or `alpha.<i>.weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import linear, relu, softplus

from reparam.distributions import Normal, Uniform
from reparam.models import dense
from reparam.models.random_affine import WAYS
from reparam.program import Params, Sample

POSTERIORS = ("point", "binary_dropout", "gaussian_dropout", "relative", "gaussian")
ALPHAS = ("fixed", "layer", "unit", "weight")
NEAREST = 0.01
"""Learned ln α = −|a| starts at least this far from 0, where |a| has no derivative."""


@dataclass(frozen=True)
class RandomNetwork:
    """Sizes, the law of the noise and its start; parameters live in flat dicts, and nothing here changes."""

    widths: Sequence[int]
    """Inputs, hidden layers, outputs."""
    posterior: str = "gaussian"
    weights: str = "local"
    """How a minibatch shares the noise of weights: one of `random_affine.WAYS`."""
    input_rate: float = 0.2
    hidden_rate: float = 0.5
    """Rates p of dropout, of the first layer's inputs and of the others': α = p / (1 − p)."""
    alphas: str = "fixed"
    """Whether α is fixed, or learned per layer, per input unit or per weight, and kept in (0, 1]."""
    initial_rho: float = -5.0
    start: str = "variance_scaling"
    """How means start, one of `dense.STARTS`; biases start at zero."""

    @cached_property
    def layers(self) -> range:
        return range(len(self.widths) - 1)

    @property
    def independent(self) -> bool:
        """Whether it is the weights that are random, each on its own."""
        return self.posterior in ("relative", "gaussian")

    @property
    def joint_biases(self) -> bool:
        """Whether biases are columns of the random weights; in the other posteriors they are not random."""
        return self.posterior == "gaussian"

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `mean` and, by posterior, `rho` or `alpha`."""
        sizes = {f"mean.{i}": (self.widths[i], self.widths[i + 1]) for i in self.layers}
        params = dense.init(sizes, generator, self.start)
        for i in self.layers:
            weight = params[f"mean.{i}.weight"]
            if self.posterior == "gaussian":
                params[f"rho.{i}.weight"] = torch.full_like(weight, self.initial_rho)
                params[f"rho.{i}.bias"] = weight.new_full((len(weight),), self.initial_rho)
            elif self.alphas != "fixed":
                shape = {"layer": (), "unit": weight.shape[1:], "weight": weight.shape}[self.alphas]
                start = -self._alpha(i).log().clamp_max(-NEAREST)
                params[f"alpha.{i}.weight"] = start.expand(shape).clone()
        return params

    def rate(self, layer: int) -> float:
        """The rate p of the noise on the inputs of a layer, as given."""
        return self.hidden_rate if layer else self.input_rate

    def alpha(self, params: Params, layer: int) -> Tensor:
        """Relative variances of the posteriors `gaussian_dropout`, [inputs], and `relative`, [outputs, inputs].

        Learned ones are exp(−|a|): reflected where they would pass 1.
        """
        weight = params[f"mean.{layer}.weight"]
        shape = weight.shape if self.posterior == "relative" else weight.shape[1:]
        if self.alphas == "fixed":
            return self._alpha(layer).to(weight).expand(shape)
        return (-params[f"alpha.{layer}.weight"].abs()).exp().expand(shape)

    def law(self, params: Params, layer: int) -> Normal:
        """The independent law of a layer's weights [outputs, inputs (+ 1 for random biases)], one event."""
        mean = params[f"mean.{layer}.weight"]
        if self.posterior == "relative":
            return Normal(mean, mean.abs() * self.alpha(params, layer).sqrt(), event_dims=2)
        rho = params[f"rho.{layer}.weight"]
        if self.joint_biases:
            mean = torch.cat([mean, params[f"mean.{layer}.bias"][:, None]], 1)
            rho = torch.cat([rho, params[f"rho.{layer}.bias"][:, None]], 1)
        return Normal(mean, softplus(rho), event_dims=2)

    def outputs(self, params: Params, x: Tensor, sample: Sample | None = None) -> Tensor:
        """Of x [B, inputs]: [B, outputs]. Sites are `weights_<i>` or `inputs_<i>`; without `sample` all are at their
        means."""
        for i in self.layers:
            x = self._affine(params, i, x, sample)
            if i < self.layers[-1]:
                x = relu(x)
        return x

    def _affine(self, params: Params, layer: int, x: Tensor, sample: Sample | None) -> Tensor:
        weight, bias = params[f"mean.{layer}.weight"], params[f"mean.{layer}.bias"]
        if sample is None or self.posterior == "point":
            return linear(x, weight, bias)
        if not self.independent:
            return linear(x * self._factors(params, layer, x, sample), weight, bias)
        law = self.law(params, layer)
        if self.joint_biases:
            x = torch.cat([x, x.new_ones(len(x), 1)], 1)
        found = WAYS[self.weights](sample, f"weights_{layer}", x, law.loc, law.scale)
        return found if self.joint_biases else found + bias

    def _factors(self, params: Params, layer: int, x: Tensor, sample: Sample) -> Tensor:
        """What the inputs [B, inputs] of a layer are multiplied by."""
        name, ones = f"inputs_{layer}", torch.ones_like(x)
        if self.posterior == "gaussian_dropout":
            return sample(name, Normal(ones, self.alpha(params, layer).sqrt().expand_as(x)))
        kept = 1 - self.rate(layer)
        return (sample(name, Uniform(torch.zeros_like(x), ones)) < kept).to(x) / kept

    def _alpha(self, layer: int) -> Tensor:
        p = self.rate(layer)
        return torch.tensor(p / (1 - p))
