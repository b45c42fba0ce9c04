"""The linear discrete VAE as one would write it by hand, by six estimators: the yardstick for the engine.

784-200 Bernoulli code seen as 2z − 1, learned prior, log p(x, z) − log q(z|x) as f. Logits losses, fused Adam, no host
synchronisation, noise drawn where it is used. The relaxations of REBAR and RELAX share their noise with the hard sample
(one further evaluation), and their temperature, coefficient and network descend on the squared norm of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEMPERATURE = 0.5


class PlainDiscreteVae(nn.Module):
    """Affine encoder and decoder; `tunables` are what REBAR and RELAX tune."""

    def __init__(self, pixels: int = 784, units: int = 200, surrogate_units: int = 10) -> None:
        super().__init__()
        self.encoder = nn.Linear(pixels, units)
        self.decoder = nn.Linear(units, pixels)
        self.prior = nn.Parameter(torch.zeros(units))
        self.tunables = nn.ParameterDict(
            {"log_temperature": torch.tensor(TEMPERATURE).log(), "eta": torch.tensor(1.0)}
        )
        self.surrogate = nn.Sequential(
            nn.Linear(units + pixels, surrogate_units), nn.Tanh(), nn.Linear(surrogate_units, 1)
        )
        self.surrogate_scale = nn.Parameter(torch.zeros(()))

    def model(self) -> list[Tensor]:
        return [*self.encoder.parameters(), *self.decoder.parameters(), self.prior]

    def tuned(self, estimator: str) -> list[Tensor]:
        """What this estimator trains besides the model."""
        own = list(self.tunables.values()) if estimator in ("rebar", "relax") else []
        return [*own, *self.surrogate.parameters(), self.surrogate_scale] if estimator == "relax" else own

    def f(self, z: Tensor, logits: Tensor, x: Tensor) -> Tensor:
        """log p(x, z) − log q(z|x) in nats, [..., B]."""
        pixels = self.decoder(2 * z - 1)
        likelihood = -F.binary_cross_entropy_with_logits(pixels, x.expand_as(pixels), reduction="none").sum(
            -1
        )
        return likelihood + log_bits(self.prior.expand_as(z), z) - log_bits(logits, z)


def log_bits(logits: Tensor, z: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logits, z, reduction="none").sum(-1)


def _bits(logits: Tensor) -> Tensor:
    return (torch.rand_like(logits) < logits.sigmoid()).float()


def score_function(vae: PlainDiscreteVae, x: Tensor) -> None:
    logits = vae.encoder(x)
    z = _bits(logits)
    f = vae.f(z, logits, x)
    (-(f + f.detach() * log_bits(logits, z)).mean()).backward()


def leave_one_out(vae: PlainDiscreteVae, x: Tensor) -> None:
    logits = vae.encoder(x).expand(2, -1, -1)
    z = _bits(logits)
    f = vae.f(z, logits, x)
    signal = (f - f.flip(0)).detach()
    (-(f + signal * log_bits(logits, z)).mean()).backward()


def gumbel_softmax(vae: PlainDiscreteVae, x: Tensor) -> None:
    logits = vae.encoder(x)
    z = ((logits + torch.rand_like(logits).logit(1e-6)) / TEMPERATURE).sigmoid()
    (-vae.f(z, logits, x).mean()).backward()


def disarm(vae: PlainDiscreteVae, x: Tensor) -> None:
    logits = vae.encoder(x)
    u = torch.rand_like(logits)
    p = logits.detach().sigmoid()
    z = torch.stack([(u > 1 - p).float(), (u < p).float()])
    f = vae.f(z, logits.expand_as(z), x)
    difference = (f[0] - f[1]).detach()[:, None]
    slope = 0.5 * difference * (z[0] - z[1]) * torch.maximum(p, 1 - p)
    (-(f.mean(0) + (slope * logits).sum(-1)).mean()).backward()


def rebar(vae: PlainDiscreteVae, x: Tensor) -> None:
    _relaxed(vae, x, lambda z: torch.zeros_like(z[:, 0]), vae.tuned("rebar"))


def relax(vae: PlainDiscreteVae, x: Tensor) -> None:
    def network(z: Tensor) -> Tensor:
        return vae.surrogate_scale * vae.surrogate(torch.cat([2 * z - 1, x], -1)).squeeze(-1)

    _relaxed(vae, x, network, vae.tuned("relax"))


def _relaxed(
    vae: PlainDiscreteVae, x: Tensor, network: Callable[[Tensor], Tensor], tuned: list[Tensor]
) -> None:
    logits = vae.encoder(x)
    theta = logits.detach()
    p, u = theta.sigmoid(), torch.rand_like(theta)
    g = theta + u.logit(1e-6)
    z = (g > 0).float()
    f = vae.f(z, logits, x)
    (-f.mean()).backward()

    # Drawn again given z and coupled, g is the same number with another slope: the uniform that it comes from keeps its
    # place within the part of [0, 1] that gives z, and the edge 1 − p of that part moves with θ.
    place = torch.where(z > 0, (u - (1 - p)) / p, u / (1 - p))
    slope_of_u = torch.where(z > 0, place - 1, -place) * p * (1 - p)
    given = 1 + slope_of_u / (u * (1 - u)).clamp_min(1e-6)

    temperature, eta = vae.tunables["log_temperature"].exp(), vae.tunables["eta"]
    s = (g / temperature).sigmoid()
    inputs = s if s.requires_grad else s.requires_grad_()
    control = vae.f(inputs, theta, x) + network(inputs)
    (slope,) = torch.autograd.grad(control.sum(), inputs, create_graph=True)
    relaxed = slope * s * (1 - s) / temperature * (1 - given)
    at_logits = (f.detach() - eta * control)[:, None] * (z - p) + eta * relaxed
    weight, bias = at_logits.T @ x / len(x), at_logits.mean(0)
    vae.encoder.weight.grad -= weight.detach()
    vae.encoder.bias.grad -= bias.detach()

    total = weight + vae_direct(vae.encoder.weight, weight)
    variance = total.square().sum() + (bias + vae_direct(vae.encoder.bias, bias)).square().sum()
    for entry, gradient in zip(tuned, torch.autograd.grad(variance, tuned, allow_unused=True), strict=True):
        entry.grad = gradient


def vae_direct(parameter: Tensor, estimate: Tensor) -> Tensor:
    """What f's own gradient added to this estimate: held constant while tuning."""
    return (-parameter.grad - estimate).detach()


ESTIMATORS: dict[str, Callable[[PlainDiscreteVae, Tensor], None]] = {
    "score_function": score_function,
    "leave_one_out": leave_one_out,
    "gumbel_softmax": gumbel_softmax,
    "disarm": disarm,
    "rebar": rebar,
    "relax": relax,
}


def optimisers(vae: PlainDiscreteVae, estimator: str) -> list[torch.optim.Optimizer]:
    """Fused Adam for the model, and one for what the estimator tunes."""
    found = [torch.optim.Adam(vae.model(), lr=1e-3, fused=True)]
    tuned = vae.tuned(estimator)
    return [*found, torch.optim.Adam(tuned, lr=1e-2, fused=True)] if tuned else found
