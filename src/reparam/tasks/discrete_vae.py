"""Variational auto-encoders whose codes are bits or choices, in one or several stochastic layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.models import dense
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require
from reparam.tasks.stochastic_layers import LayerOptions

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options(LayerOptions):
    """Those of all layers of discrete units, and the prior's."""

    prior: str = "learned"
    """Logits of the top layer: `learned` from zero, or `uniform`, where they stay."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
        self.train, self.valid, self.test = self.options.split(dataset)
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
        options.start_pixels(params, "decoder.x", self.mean)
        if options.prior == "learned":
            params["prior.logits"] = torch.zeros(units.logits)
        return params

    def prior(self, params: Params, plate: tuple[int, ...], like: Tensor) -> Any:
        """p(z_L) over a plate."""
        logits = params.get("prior.logits", like.new_zeros(self.options.variables.logits))
        return self.options.variables.law(logits.expand(*plate, -1))

    def program(self, x: Tensor) -> Program:
        """log p(x, z) − log q(z|x) of each datum of x [B, D], value [B]."""
        options, units = self.options, self.options.variables
        centred = x - self.mean.to(x) if options.centre else x

        def log_weight(params: Params, sample: Sample) -> Tensor:
            layers, seen, value = [], centred, x.new_zeros(())
            for i in range(1, options.layers + 1):
                q = units.law(options.map(params, f"encoder.z{i}", seen))
                z = sample(f"z{i}", q, context=seen)
                value = value - q.log_prob(z)
                seen = units.encode(z)
                layers.append((z, seen))
            value = value + self.prior(params, q.plate, x).log_prob(z)
            for i in range(1, options.layers):
                below, above = layers[i - 1][0], layers[i][1]
                value = value + units.law(options.map(params, f"decoder.z{i}", above)).log_prob(below)
            pixels = Bernoulli(logits=options.map(params, "decoder.x", layers[0][1]))
            return value + pixels.log_prob(x)

        return log_weight

    def log_prior(self, params: Params) -> Tensor:
        """The weights have no prior: 0, shape ()."""
        return next(iter(params.values())).new_zeros(())
