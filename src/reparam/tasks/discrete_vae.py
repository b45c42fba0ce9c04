"""Variational auto-encoders whose codes are bits or choices, in one or several stochastic layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reparam.distributions import Bernoulli, Normal
from reparam.errors import ReparamError
from reparam.models import dense
from reparam.models.units import RelaxedUnits, Units
from reparam.program import Choose, Params, Program, Sample
from reparam.tasks import read_options, register, require
from reparam.tasks.stochastic_layers import LayerOptions, log_odds
from reparam.tasks.validation import hold_out

if TYPE_CHECKING:
    from reparam.data import DataSet


VARIANCE, LEAST_VARIANCE = -0.5, 1e-3
"""Where the variance of Normal pixels starts, before the softplus, and what it does not fall below."""


@dataclass(frozen=True)
class Options(LayerOptions):
    """Those of all layers of discrete units, and the prior's."""

    prior: str = "learned"
    """Logits of the top layer: `learned` from zero, or `uniform`, where they stay."""
    likelihood: str = "bernoulli"
    """Of pixels: `bernoulli`, or `gaussian` for grey levels, stretched to [−1, 1], with one learned variance per pixel
    (Titsias & Shi 2022, code)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require("likelihood", self.likelihood, ("bernoulli", "gaussian"))
        if self.likelihood == "gaussian" and self.binarisation != "none":
            raise ReparamError(
                f"task: likelihood: gaussian is for grey levels: binarisation {self.binarisation!r} leaves none"
            )
        require("prior", self.prior, ("learned", "uniform"))


@register("discrete_vae")
class DiscreteVae:
    """q(z₁|x) q(z₂|z₁) … and p(z_L) … p(z₁|z₂) p(x|z₁); the value is log p(x, z) − log q(z|x), in nats per datum.

    Its mean is the bound (ELBO); the log of the mean of the exponentials of K of them is the K-sample bound.
    Sites are z1, …, zL, each with what its layer sees as the context.
    """

    sense = +1.0
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.valid, self.test = hold_out(dataset, self.options.valid_size)
        if self.options.likelihood == "gaussian":
            self.train, self.test = 2 * self.train - 1, 2 * self.test - 1
            self.valid = None if self.valid is None else 2 * self.valid - 1
        self.mean = self.train.mean(0)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `encoder`, `decoder` and, where it is learned, `prior`."""
        options, units = self.options, self.options.variables
        sizes: dict[str, tuple[int, int]] = {}
        inputs = pixels = self.train.shape[1]
        for i in range(1, options.layers + 1):
            sizes |= options.sizes(f"encoder.z{i}", inputs, units.logits)
            inputs = units.width
        outputs = {"x": pixels} | {f"z{i}": units.logits for i in range(1, options.layers)}
        for name, count in outputs.items():
            sizes |= options.sizes(f"decoder.{name}", units.width, count)
        params = dense.init(sizes, generator, options.start)
        if options.likelihood == "bernoulli":
            options.start_pixels(params, "decoder.x", log_odds(self.mean))
        else:
            options.start_pixels(params, "decoder.x", self.mean)
            params["decoder.x.variance"] = torch.full((pixels,), VARIANCE)
        if options.prior == "learned":
            params["prior.logits"] = torch.zeros(units.logits)
        return params

    def program(self, x: Tensor) -> Program:
        """log p(x, z) − log q(z|x) of each datum of x [B, D], value [B]."""
        return self._log_weight(x, self.options.variables, self.options.variables)

    def relaxed(self, x: Tensor, temperature: float, prior_temperature: float | None = None) -> Program:
        """The same of Concrete units, densities included (Maddison et al. 2017, Eq. 20).

        Those of q have the temperature λ₁, those of p(z) the prior temperature λ₂ (None: λ₁, too).
        """
        units = self.options.variables
        above = temperature if prior_temperature is None else prior_temperature
        return self._log_weight(x, RelaxedUnits(units, temperature), RelaxedUnits(units, above))

    def _log_weight(self, x: Tensor, posterior: Units | RelaxedUnits, prior: Units | RelaxedUnits) -> Program:
        """The value with layers of q made of `posterior` units and those of p(z) of `prior` units."""
        options = self.options
        centred = x - self.mean.to(x) if options.centre else x

        def log_weight(params: Params, sample: Sample) -> Tensor:
            given, seen, log_q = {"x": x}, centred, x.new_zeros(())
            for i in range(1, options.layers + 1):
                q = posterior.law(options.map(params, f"encoder.z{i}", seen))
                given[f"z{i}"] = z = sample(f"z{i}", q, context=seen)
                log_q = log_q + q.log_prob(z)
                seen = posterior.encode(z)
            return self._model(x, prior)(params, lambda name, law: given[name]) - log_q

        return log_weight

    def model(self, like: Tensor) -> Program:
        """p(z_L) … p(z₁|z₂) p(x|z₁) with sites zL, …, z1 and x, as `like` [B, D]; the value is log p(x, z)."""
        return self._model(like, self.options.variables)

    def _model(self, like: Tensor, units: Units | RelaxedUnits) -> Callable[[Params, Choose], Tensor]:
        options = self.options

        def log_joint(params: Params, choose: Choose) -> Tensor:
            logits = params.get("prior.logits", like.new_zeros(options.variables.logits))
            law, value = units.law(logits.expand(len(like), -1)), like.new_zeros(())
            for i in range(options.layers, 0, -1):
                z = choose(f"z{i}", law)
                value, seen = value + law.log_prob(z), units.encode(z)
                if i > 1:
                    law = units.law(options.map(params, f"decoder.z{i - 1}", seen))
            pixels = self._pixels(params, seen)
            return value + pixels.log_prob(choose("x", pixels))

        return log_joint

    def _pixels(self, params: Params, seen: Tensor) -> Bernoulli | Normal:
        """p(x|z₁), [B, D]."""
        head = self.options.map(params, "decoder.x", seen)
        if self.options.likelihood == "bernoulli":
            return Bernoulli(logits=head)
        return Normal(head, softplus(params["decoder.x.variance"]).clamp(min=LEAST_VARIANCE).sqrt())

    def reconstruct(self, params: Params, x: Tensor, z: Mapping[str, Tensor]) -> Tensor:
        """The mean image of p(x|z₁) at hard samples by site, [B, D]; x itself is not looked at."""
        return self._pixels(params, self.options.variables.encode(z["z1"])).mean

    def log_prior(self, params: Params) -> Tensor:
        """The penalty on the weights, shape ()."""
        return self.options.penalty(params, len(self.train))
