"""Programs with continuous variables: exact by quadrature."""

from __future__ import annotations

import torch
from torch import Tensor

from reparam.distributions import (
    Beta,
    Dirichlet,
    Gamma,
    LogitRelaxedBernoulli,
    Normal,
    VonMises,
    VonMisesFisher,
)
from reparam.measure.problems.problem import Problem, tensors
from reparam.program import Params, Sample


def normal_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, two latent dimensions; the value depends on the parameters directly, too."""
    law = Normal(params["loc"], params["log_scale"].exp())
    z = sample("z", law)
    prior = Normal(torch.zeros_like(z), torch.ones_like(z))
    return ((z * params["weights"]).sum(-1) + 0.5).square() - law.kl(prior)


def normal_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; one dimension above one."""
    top = sample("top", Normal(params["top"], torch.full_like(params["top"], 0.7)))
    low = sample("low", Normal(params["low"] + params["link"] * top, torch.full_like(top, 0.8)))
    return (low * (1 + 0.5 * top) + 0.2 * low.square()).sum(-1)


def normal_shared(params: Params, sample: Sample) -> Tensor:
    """A weight shared by three data, one local dimension each."""
    shared = sample("shared", Normal(params["shared"], torch.full_like(params["shared"], 0.5), event_dims=1))
    local = sample("local", Normal(params["local"], torch.full_like(params["local"], 0.8)))
    return ((local + params["targets"]) * (shared + 0.2 * shared * local)).sum(-1)


def gamma_one_layer(params: Params, sample: Sample) -> Tensor:
    """Three data, one gamma variable each; the value depends on the parameters directly, too."""
    z = sample("z", Gamma(params["log_shape"].exp(), params["log_rate"].exp()))
    return (torch.log1p(z) * params["weights"] + torch.tanh(z - 1) + 0.1 * params["log_shape"]).sum(-1)


def gamma_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; a gamma variable above one whose rate it makes."""
    top = sample("top", Gamma(params["top"], torch.full_like(params["top"], 1.5)))
    low = sample("low", Gamma(params["low"], params["link"] * (0.5 + top)))
    return (torch.log1p(low) * (1.5 - torch.tanh(top)) + 0.4 * torch.tanh(low - 0.5)).sum(-1)


def angles_one_layer(params: Params, sample: Sample) -> Tensor:
    """Three data, one angle each; periodic, and the value depends on the parameters directly, too."""
    z = sample("z", VonMises(params["loc"], params["log_kappa"].exp()))
    return (torch.cos(z) * params["weights"] + 0.7 * torch.sin(2 * z) - 0.5 + 0.1 * params["loc"]).sum(-1)


def beta_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, one beta variable each; the value depends on the parameters directly, too."""
    z = sample("z", Beta(params["log_first"].exp(), params["log_second"].exp()))
    return (3 * z * params["weights"] - torch.sin(2 * z) - 0.8 + 0.1 * params["log_first"]).sum(-1)


def simplex_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, a point of the triangle each."""
    z = sample("z", Dirichlet(params["log_concentration"].exp()))
    return (z * params["weights"]).sum(-1) + z.prod(-1).sqrt()


def sphere_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, a direction in space each: drawn along a path."""
    z = sample("z", VonMisesFisher(params["direction"], params["log_kappa"].exp()))
    return (z * params["weights"]).sum(-1) + 0.4 * z.prod(-1)


def logistic_one_layer(params: Params, sample: Sample) -> Tensor:
    """Four data, the logit of one relaxed bit each: a differentiable path that is not Normal."""
    z = sample("z", LogitRelaxedBernoulli(params["temperature"], logits=params["logits"]))
    return (torch.log1p(z.square()) * params["weights"] - 1 + 0.4 * torch.tanh(z)).sum(-1)


PROBLEMS = {
    "normal_one_layer": Problem(
        normal_one_layer,
        tensors(loc=[[-0.4, -0.7], [-1.4, 1.0]], log_scale=[[0.3, -0.8], [0.3, -1.1]], weights=[0.4, -0.3]),
        own=("loc", "log_scale"),
    ),
    "normal_two_layers": Problem(
        normal_two_layers, tensors(top=[[1.3], [0.3]], low=[[-1.1], [0.6]], link=[0.7]), own=("top", "low")
    ),
    "normal_shared": Problem(
        normal_shared,
        tensors(shared=[0.4], local=[[-0.3], [1.1], [-1.4]], targets=[0.3, 1.3, 1.1]),
        own=("local",),
    ),
    "gamma_one_layer": Problem(
        gamma_one_layer,
        tensors(log_shape=[[0.8], [0.2], [-0.5]], log_rate=[[0.4], [-0.3], [0.1]], weights=[1.2]),
        own=("log_shape", "log_rate"),
    ),
    "gamma_two_layers": Problem(
        gamma_two_layers, tensors(top=[[1.2], [2.5]], low=[[0.9], [1.8]], link=[0.8]), own=("top", "low")
    ),
    "angles_one_layer": Problem(
        angles_one_layer,
        tensors(loc=[[0.6], [-0.5], [1.8]], log_kappa=[[0.3], [1.2], [-0.4]], weights=[1.3]),
        own=("loc", "log_kappa"),
    ),
    "beta_one_layer": Problem(
        beta_one_layer,
        tensors(log_first=[[0.6], [-0.4]], log_second=[[0.3], [1.1]], weights=[1.2]),
        own=("log_first", "log_second"),
    ),
    "simplex_one_layer": Problem(
        simplex_one_layer,
        tensors(log_concentration=[[0.3, 1.0, 0.5], [1.2, 0.4, 0.2]], weights=[1.5, -1.2, 0.4]),
        own=("log_concentration",),
    ),
    "sphere_one_layer": Problem(
        sphere_one_layer,
        tensors(
            direction=[[0.8, -0.5, 0.3], [0.3, 1.1, -0.6]], log_kappa=[0.2, 0.9], weights=[1.1, -0.8, 0.5]
        ),
        own=("direction", "log_kappa"),
    ),
    "logistic_one_layer": Problem(
        logistic_one_layer,
        tensors(logits=[[0.9], [0.6], [-0.5], [1.2]], temperature=0.8, weights=[0.8]),
        own=("logits",),
    ),
}
