"""Structured prediction: the lower half of an image from its upper half, through layers of discrete units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.errors import ReparamError
from reparam.models import dense
from reparam.models.units import RelaxedUnits, Units
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require
from reparam.tasks.stochastic_layers import LayerOptions, log_odds
from reparam.tasks.validation import hold_out

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options(LayerOptions):
    """Those of all layers of discrete units, and the proposal's."""

    layers: int = 2
    proposal: str = "prior"
    """What units are sampled from: the model's own laws, the `prior`, or ones `learned` that see the whole image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require("proposal", self.proposal, ("prior", "learned"))


@register("structured_prediction")
class StructuredPrediction:
    """p(z₁|upper) … p(z_L|z_{L−1}) p(lower|z_L); the value is log p(lower|z_L), in nats per datum.

    Its mean over the model's own units bounds log p(lower|upper) from below; the log of the mean of the exponentials of
    m of them is the m-sample bound (Raiko et al. 2015). Sites are z1, …, zL, each with what its layer sees as context.
    Under a learned proposal q(z₁|image) q(z₂|z₁) … log p(z|upper) − log q(z) is added (Mnih & Rezende 2016, §5.3).
    """

    sense = +1.0
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.valid, self.test = hold_out(dataset, self.options.valid_size)
        self.upper = (dataset.shape[0] + 1) // 2 * dataset.shape[1]
        """Pixels that are given: the middle row of an odd number goes to the upper half."""
        self.mean = self.train.mean(0)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `layers`, `pixels` and, where it is learned, `proposal`."""
        options, units = self.options, self.options.variables
        sizes: dict[str, tuple[int, int]] = {}
        inputs = self.upper
        for i in range(1, options.layers + 1):
            sizes |= options.sizes(f"layers.z{i}", inputs, units.logits)
            inputs = units.width
        sizes |= options.sizes("pixels.lower", inputs, self.train.shape[1] - self.upper)
        if options.proposal == "learned":
            inputs = self.train.shape[1]
            for i in range(1, options.layers + 1):
                sizes |= options.sizes(f"proposal.z{i}", inputs, units.logits)
                inputs = units.width
        params = dense.init(sizes, generator, options.start)
        options.start_pixels(params, "pixels.lower", log_odds(self.mean[self.upper :]))
        return params

    def program(self, x: Tensor) -> Program:
        """log p(lower|z_L) of each datum of x [B, D], value [B]."""
        return self._log_weight(x, self.options.variables, self.options.variables)

    def relaxed(self, x: Tensor, temperature: float, prior_temperature: float | None = None) -> Program:
        """The same through Concrete units of this temperature (Maddison et al. 2017, Eq. 24).

        Raises ReparamError for a prior temperature where nothing but the model is sampled.
        """
        units = self.options.variables
        if prior_temperature is not None and self.options.proposal == "prior":
            raise ReparamError(
                "structured_prediction samples its prior: leave prior_temperature out, or learn the proposal"
            )
        above = temperature if prior_temperature is None else prior_temperature
        return self._log_weight(x, RelaxedUnits(units, temperature), RelaxedUnits(units, above))

    def _log_weight(self, x: Tensor, sampled: Units | RelaxedUnits, prior: Units | RelaxedUnits) -> Program:
        """The value with units `sampled`, and with `prior` ones in the model where it is not what is sampled from."""
        options = self.options
        whole = x - self.mean.to(x) if options.centre else x
        wanted = x[:, self.upper :]

        def log_weight(params: Params, sample: Sample) -> Tensor:
            seen, inferred, value = whole[:, : self.upper], whole, x.new_zeros(())
            for i in range(1, options.layers + 1):
                logits = options.map(params, f"layers.z{i}", seen)
                if options.proposal == "prior":
                    z = sample(f"z{i}", sampled.law(logits), context=seen)
                else:
                    q = sampled.law(options.map(params, f"proposal.z{i}", inferred))
                    z = sample(f"z{i}", q, context=inferred)
                    value = value + prior.law(logits).log_prob(z) - q.log_prob(z)
                seen = inferred = sampled.encode(z)
            return value + Bernoulli(logits=options.map(params, "pixels.lower", seen)).log_prob(wanted)

        return log_weight

    def reconstruct(self, params: Params, x: Tensor, z: Mapping[str, Tensor]) -> Tensor:
        """The upper half of x [B, D] with the mean lower half at hard samples by site."""
        seen = self.options.variables.encode(z[f"z{self.options.layers}"])
        return torch.cat([x[:, : self.upper], self.options.map(params, "pixels.lower", seen).sigmoid()], -1)

    def log_prior(self, params: Params) -> Tensor:
        """The penalty on the weights, shape ()."""
        return self.options.penalty(params, len(self.train))
