"""The auto-encoders of Burda et al. 2016: Gaussian codes in one or several stochastic layers, binary pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, standard_normal
from reparam.models import dense
from reparam.program import Choose, Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count
from reparam.tasks.stochastic_layers import log_odds

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options:
    """`data`, `binarisation` and `published_split` are carried out before the task is built and recorded here.

    The defaults are the nets of Burda et al. 2016, App. C: 784-200-200-[50], and with two stochastic layers
    784-200-200-[100]-100-100-[50], each with the decoder that mirrors it.
    """

    data: str
    binarisation: str = "none"
    published_split: bool = False
    """Train on all rows that are published for training, those that we hold out for validation elsewhere among them."""
    layers: int = 1
    """Stochastic layers."""
    units: int = 50
    """Of the top layer; every layer below has twice as many as the one above it."""
    hidden: int = 200
    """Width of the maps next to the pixels; every map above is half as wide as the one below it."""
    depth: int = 2
    """Hidden layers in every map."""
    activation: str = "tanh"

    def __post_init__(self) -> None:
        for option in ("layers", "units", "hidden", "depth"):
            require_count(option, getattr(self, option))
        require("activation", self.activation, tuple(dense.ACTIVATIONS))

    def widths(self, layer: int) -> tuple[int, ...]:
        """Hidden layers of the maps between stochastic layer `layer` (1: next to the pixels) and what is below it."""
        return (max(1, self.hidden // 2 ** (layer - 1)),) * self.depth

    def size(self, layer: int) -> int:
        """Units of a stochastic layer; layer 1 is next to the pixels."""
        return int(self.units * 2 ** (self.layers - layer))


@register("deep_gaussian_vae")
class DeepGaussianVae:
    """q(z₁|x) q(z₂|z₁) … and N(z_L; 0, I) … p(z₁|z₂) p(x|z₁); the value is log p(x, z) − log q(z|x), in nats per datum.

    Its mean is the bound (ELBO); the log of the mean of the exponentials of K of them is the K-sample bound.
    Sites are z1, …, zL, each with what its layer sees as the context.
    """

    sense = +1.0
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.valid, self.test = dataset.train, dataset.valid, dataset.test

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `encoder` and `decoder`: weights by Glorot & Bengio 2010, biases 0, but that of the
        pixels at the log-odds of their means in the training data (Burda et al. 2016, code)."""
        options = self.options
        pixels = below = self.train.shape[1]
        sizes: dict[str, tuple[int, int]] = {}
        for i in range(1, options.layers + 1):
            units, hidden = options.size(i), options.widths(i)
            sizes |= dense.gaussian_sizes(f"encoder.z{i}", below, hidden, units)
            if i == 1:
                sizes |= dense.sizes("decoder.x", units, hidden, pixels)
            else:
                sizes |= dense.gaussian_sizes(f"decoder.z{i - 1}", units, hidden, below)
            below = units
        params = dense.init(sizes, generator, "glorot")
        params[f"decoder.x.{options.depth}.bias"] = log_odds(self.train.mean(0)).cpu()
        return params

    def program(self, x: Tensor) -> Program:
        """log p(x, z) − log q(z|x) of each datum of x [B, D], value [B]."""
        options = self.options

        def log_weight(params: Params, sample: Sample) -> Tensor:
            given, seen, log_q = {"x": x}, x, x.new_zeros(())
            for i in range(1, options.layers + 1):
                q = dense.gaussian(params, f"encoder.z{i}", seen, options.depth, options.activation)
                given[f"z{i}"] = z = sample(f"z{i}", q, context=seen)
                log_q, seen = log_q + q.log_prob(z), z
            return self._model(x)(params, lambda name, law: given[name]) - log_q

        return log_weight

    def model(self, like: Tensor) -> Program:
        """p(z_L) … p(z₁|z₂) p(x|z₁) with sites zL, …, z1 and x, as `like` [B, D]; the value is log p(x, z)."""
        return self._model(like)

    def _model(self, like: Tensor) -> Callable[[Params, Choose], Tensor]:
        options = self.options

        def log_joint(params: Params, choose: Choose) -> Tensor:
            top = params[f"encoder.z{options.layers}.mean.bias"]
            law: Any = standard_normal(top.expand(len(like), -1))
            value = like.new_zeros(())
            for i in range(options.layers, 0, -1):
                z = choose(f"z{i}", law)
                value = value + law.log_prob(z)
                if i > 1:
                    law = dense.gaussian(params, f"decoder.z{i - 1}", z, options.depth, options.activation)
            pixels = Bernoulli(logits=dense.apply(params, "decoder.x", z, options.depth, options.activation))
            return value + pixels.log_prob(choose("x", pixels))

        return log_joint

    def without(self, params: Params, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters of the model that has only some units left, {site: indices}; sites not named keep all.

        A unit leaves its layer of q and of p, and what saw it sees 0 in its place (Burda et al. 2016, §5.2 and code).
        """
        found = dict(params)
        for site, units in kept.items():
            above = f"encoder.z{int(site[1:]) + 1}"
            below = "decoder.x" if site == "z1" else f"decoder.z{int(site[1:]) - 1}"
            for name in (f"encoder.{site}", f"decoder.{site}"):
                for entry in (f"{name}.{head}.{part}" for head in dense.HEADS for part in ("weight", "bias")):
                    if entry in found:
                        found[entry] = found[entry][units]
            for entry in (f"{above}.0.weight", f"{below}.0.weight"):
                if entry in found:
                    found[entry] = found[entry][:, units]
        return found

    def log_prior(self, params: Params) -> Tensor:
        """0, shape (): the weights have no prior."""
        return next(iter(params.values())).new_zeros(())
