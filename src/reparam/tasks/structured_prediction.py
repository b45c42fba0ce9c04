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
from reparam.tasks import read_options, register
from reparam.tasks.stochastic_layers import LayerOptions

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options(LayerOptions):
    """Those of all layers of discrete units."""

    layers: int = 2


@register("structured_prediction")
class StructuredPrediction:
    """p(z₁|upper) … p(z_L|z_{L−1}) p(lower|z_L); the value is log p(lower|z_L), in nats per datum.

    Its mean over the model's own units bounds log p(lower|upper) from below; the log of the mean of the exponentials of
    m of them is the m-sample bound (Raiko et al. 2015). Sites are z1, …, zL, each with what its layer sees as context.
    """

    sense = +1.0
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.valid, self.test = self.options.split(dataset)
        self.upper = (dataset.shape[0] + 1) // 2 * dataset.shape[1]
        """Pixels that are given: the middle row of an odd number goes to the upper half."""
        self.mean = self.train.mean(0)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `layers` and `pixels`."""
        options, units = self.options, self.options.variables
        sizes: dict[str, tuple[int, int]] = {}
        inputs = self.upper
        for i in range(1, options.layers + 1):
            sizes |= options.sizes(f"layers.z{i}", inputs, units.logits)
            inputs = units.width
        sizes |= options.sizes("pixels.lower", inputs, self.train.shape[1] - self.upper)
        params = dense.init(sizes, generator, options.start)
        options.start_pixels(params, "pixels.lower", self.mean[self.upper :])
        return params

    def program(self, x: Tensor) -> Program:
        """log p(lower|z_L) of each datum of x [B, D], value [B]."""
        return self._log_likelihood(x, self.options.variables)

    def relaxed(self, x: Tensor, temperature: float, prior_temperature: float | None = None) -> Program:
        """The same through Concrete units of this temperature (Maddison et al. 2017, Eq. 24).

        Raises ReparamError for a prior temperature of its own: nothing but the model is sampled here.
        """
        if prior_temperature is not None:
            raise ReparamError(
                "structured_prediction has no prior beside what is sampled: leave prior_temperature out"
            )
        return self._log_likelihood(x, RelaxedUnits(self.options.variables, temperature))

    def _log_likelihood(self, x: Tensor, units: Units | RelaxedUnits) -> Program:
        options = self.options
        given, wanted = x[:, : self.upper], x[:, self.upper :]
        if options.centre:
            given = given - self.mean[: self.upper].to(x)

        def log_likelihood(params: Params, sample: Sample) -> Tensor:
            seen = given
            for i in range(1, options.layers + 1):
                law = units.law(options.map(params, f"layers.z{i}", seen))
                seen = units.encode(sample(f"z{i}", law, context=seen))
            return Bernoulli(logits=options.map(params, "pixels.lower", seen)).log_prob(wanted)

        return log_likelihood

    def reconstruct(self, params: Params, x: Tensor, z: Mapping[str, Tensor]) -> Tensor:
        """The upper half of x [B, D] with the mean lower half at hard samples by site."""
        seen = self.options.variables.encode(z[f"z{self.options.layers}"])
        return torch.cat([x[:, : self.upper], self.options.map(params, "pixels.lower", seen).sigmoid()], -1)

    def log_prior(self, params: Params) -> Tensor:
        """The penalty on the weights, shape ()."""
        return self.options.penalty(params, len(self.train))
