"""Models that the benchmarks share: each as a program, and as plain PyTorch losses written by hand.

`losses[name](params)` draws its own noise and returns a scalar whose backward pass leaves one gradient estimate by that
estimator in the parameters, as people write it without a library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, linear, softplus

from reparam import Bernoulli, Gamma, Normal, OneHotCategorical
from reparam.program import Params, Program, Sample

Loss = Callable[[Params], Tensor]


class Net(NamedTuple):
    """A model at some parameters, on one fixed minibatch."""

    program: Program
    params: dict[str, Tensor]
    losses: dict[str, Loss]

    def only(self, group: str) -> Net:
        """The same with all parameters but those of one group held."""
        held = {name: entry for name, entry in self.params.items() if name.partition(".")[0] != group}
        free = {name: entry for name, entry in self.params.items() if name not in held}
        return Net(
            lambda given, sample: self.program({**held, **given}, sample),
            free,
            {name: lambda given, loss=loss: loss({**held, **given}) for name, loss in self.losses.items()},
        )

    @property
    def size(self) -> int:
        return sum(entry.numel() for entry in self.params.values())


def _weights(sizes: dict[str, tuple[int, int]], source: torch.Generator) -> dict[str, Tensor]:
    params = {}
    for name, (inputs, outputs) in sizes.items():
        params[f"{name}.weight"] = torch.randn(outputs, inputs, generator=source) / inputs**0.5
        params[f"{name}.bias"] = torch.zeros(outputs)
    return params


def _layer(params: Params, name: str, inputs: Tensor) -> Tensor:
    return linear(inputs, params[f"{name}.weight"], params[f"{name}.bias"])


def _log_bits(logits: Tensor, bits: Tensor) -> Tensor:
    return -binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(-1)


def one_bit() -> Net:
    """f(z) = (z − 0.3)² of one bit: nothing but overhead."""

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", Bernoulli(logits=params["q.logits"])) - 0.3).square().sum(-1)

    def score_function(params: Params) -> Tensor:
        logits = params["q.logits"]
        z = (torch.rand_like(logits) < torch.sigmoid(logits)).float()
        return (z - 0.3).square().sum(-1) * _log_bits(logits, z)

    return Net(program, {"q.logits": torch.zeros(1)}, {"score_function": score_function})


def belief_net(pixels: int, latent: int, batch: int) -> Net:
    """Bits below bits, linear both ways, with a learned prior: the bound of a sigmoid belief net."""
    source = torch.Generator().manual_seed(0)
    x = (torch.rand(batch, pixels, generator=source) < 0.3).float()
    params = _weights({"encoder": (pixels, latent), "decoder": (latent, pixels)}, source)
    params["prior.logits"] = torch.zeros(latent)

    def program(params: Params, sample: Sample) -> Tensor:
        q = Bernoulli(logits=_layer(params, "encoder", x))
        z = sample("z", q, context=x)
        prior = Bernoulli(logits=params["prior.logits"].expand_as(z))
        return Bernoulli(logits=_layer(params, "decoder", z)).log_prob(x) + prior.log_prob(z) - q.log_prob(z)

    def log_p(params: Params, z: Tensor) -> Tensor:
        return _log_bits(_layer(params, "decoder", z), x) + _log_bits(params["prior.logits"].expand_as(z), z)

    def score_function(params: Params) -> Tensor:
        logits = _layer(params, "encoder", x)
        z = (torch.rand_like(logits) < torch.sigmoid(logits)).float()
        log_q = _log_bits(logits, z)
        f = log_p(params, z) - log_q
        return (f + f.detach() * log_q).sum()

    def disarm(params: Params) -> Tensor:
        logits = _layer(params, "encoder", x)
        u, p = torch.rand_like(logits), torch.sigmoid(logits)
        z, mirrored = (u < p).float(), (u > 1 - p).float()
        f, g = (log_p(params, bits) - _log_bits(logits, bits) for bits in (z, mirrored))
        weight = 0.5 * (z - mirrored) * torch.sigmoid(logits.abs())
        learning = ((f - g).detach()[:, None] * weight.detach() * logits).sum(-1)
        return (0.5 * (f + g) + learning).sum()

    return Net(program, params, {"score_function": score_function, "disarm": disarm})


def gaussian_vae(pixels: int, hidden: int, latent: int, batch: int) -> Net:
    """A Gaussian code below bits, one hidden layer each way; the bound with its KL in closed form."""
    source = torch.Generator().manual_seed(0)
    x = (torch.rand(batch, pixels, generator=source) < 0.3).float()
    sizes = {"encoder.hidden": (pixels, hidden), "encoder.mean": (hidden, latent)}
    sizes |= {"encoder.spread": (hidden, latent), "decoder.hidden": (latent, hidden)}
    params = _weights({**sizes, "decoder.logits": (hidden, pixels)}, source)

    def encode(params: Params) -> tuple[Tensor, Tensor]:
        units = torch.tanh(_layer(params, "encoder.hidden", x))
        return _layer(params, "encoder.mean", units), _layer(params, "encoder.spread", units)

    def decode(params: Params, z: Tensor) -> Tensor:
        return _layer(params, "decoder.logits", torch.tanh(_layer(params, "decoder.hidden", z)))

    def program(params: Params, sample: Sample) -> Tensor:
        mean, spread = encode(params)
        q = Normal(mean, spread.exp())
        z = sample("z", q, context=x)
        kl = q.kl(Normal(torch.zeros(latent), torch.ones(latent)))
        return Bernoulli(logits=decode(params, z)).log_prob(x) - kl

    def pathwise(params: Params) -> Tensor:
        mean, spread = encode(params)
        z = mean + spread.exp() * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + (2 * spread).exp() - 1 - 2 * spread).sum()
        return _log_bits(decode(params, z), x).sum() - kl

    return Net(program, params, {"pathwise": pathwise})


def gamma_vae(pixels: int, latent: int, batch: int) -> Net:
    """A code of gamma variables with rate 1 below bits, linear both ways; the bound with a single-sample KL."""
    source = torch.Generator().manual_seed(0)
    x = (torch.rand(batch, pixels, generator=source) < 0.3).float()
    params = _weights({"encoder": (pixels, latent), "decoder": (latent, pixels)}, source)
    one = torch.ones(latent)

    def shape_of(params: Params) -> Tensor:
        return 1 + softplus(_layer(params, "encoder", x))

    def program(params: Params, sample: Sample) -> Tensor:
        q = Gamma(shape_of(params), one)
        z = sample("z", q, context=x)
        likelihood = Bernoulli(logits=_layer(params, "decoder", z)).log_prob(x)
        return likelihood + Gamma(one, one).log_prob(z) - q.log_prob(z)

    def pathwise(params: Params) -> Tensor:
        q = torch.distributions.Gamma(shape_of(params), one)
        z = q.rsample()
        return (_log_bits(_layer(params, "decoder", z), x).sum(-1) - z.sum(-1) - q.log_prob(z).sum(-1)).sum()

    return Net(program, params, {"pathwise": pathwise})


def one_hot_vae(pixels: int, variables: int, categories: int, batch: int) -> Net:
    """One-hot variables below bits, linear both ways, with a uniform prior."""
    source = torch.Generator().manual_seed(0)
    x = (torch.rand(batch, pixels, generator=source) < 0.3).float()
    flat = variables * categories
    params = _weights({"encoder": (pixels, flat), "decoder": (flat, pixels)}, source)

    def logits_of(params: Params) -> Tensor:
        return _layer(params, "encoder", x).unflatten(-1, (variables, categories)).log_softmax(-1)

    def program(params: Params, sample: Sample) -> Tensor:
        q = OneHotCategorical(logits=logits_of(params), event_dims=2)
        z = sample("z", q, context=x)
        return Bernoulli(logits=_layer(params, "decoder", z.flatten(-2))).log_prob(x) - q.log_prob(z)

    def score_function(params: Params) -> Tensor:
        logits = logits_of(params)
        index = (logits - (-torch.rand_like(logits).log()).log()).argmax(-1, keepdim=True)
        z = torch.zeros_like(logits).scatter(-1, index, 1.0)
        log_q = (z * logits).sum((-2, -1))
        f = _log_bits(_layer(params, "decoder", z.flatten(-2)), x) - log_q
        return (f + f.detach() * log_q).sum()

    return Net(program, params, {"score_function": score_function})
