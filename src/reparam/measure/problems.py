"""Small programs whose exact gradients are known: the ground that every estimator is tested on."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Gamma,
    LogitRelaxedBernoulli,
    Normal,
    OneHotCategorical,
    VonMises,
    VonMisesFisher,
)
from reparam.errors import ReparamError
from reparam.estimators.card import Objective
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample


class Problem(NamedTuple):
    """A program and where to look at it."""

    program: Program
    params: dict[str, Tensor]
    own: tuple[str, ...] = ()
    """Parameters with an entry per datum on their first axis."""
    log_weight: bool = False
    """Whether the value is log p − log q with q the density of the sites: what `bound` and `wake` are made for."""

    def value(self, objective: Objective = "expectation", samples: int = 1) -> Tensor:
        """The exact objective on the value's plate, in double precision (of `wake`: the bound).

        `samples` is the number of copies of all sites in a `bound` or a `wake`.
        """
        return self._objective(objective, samples, self._params()).detach()

    def exact(self, objective: Objective = "expectation", samples: int = 1) -> dict[str, Tensor]:
        """The exact ∇ of Σ_plate of the objective, by parameter, in double precision."""
        params = {name: p.requires_grad_() for name, p in self._params().items()}
        total = self._objective(objective, samples, params).sum()
        gradients = torch.autograd.grad(total, list(params.values()))
        return dict(zip(params, gradients, strict=True))

    def _params(self) -> dict[str, Tensor]:
        return {name: p.to(torch.float64, copy=True) for name, p in self.params.items()}

    def _objective(self, objective: Objective, samples: int, params: Params) -> Tensor:
        if objective == "expectation":
            return objectives.expectation(self.program, params)
        if not self.log_weight:
            raise ReparamError(f"the value of this problem is no log weight, so it has no {objective}")
        exact = {"bound": objectives.bound, "wake": objectives.wake}[objective]
        return exact(self.program, params, samples)


def _params(**values: Any) -> dict[str, Tensor]:
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}


def bits_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, three bits; the value depends on the parameters directly, too."""
    z = sample("z", Bernoulli(logits=params["logits"]))
    weighted = (z * params["weights"]).sum(-1)
    return (weighted - 0.3).square() + 0.1 * params["logits"].sum(-1)


def bits_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; two bits above two bits."""
    top = sample("top", Bernoulli(logits=params["top"]))
    low = sample("low", Bernoulli(logits=params["low"] + (top * params["link"]).flip(-1)))
    return ((low - 0.4) * params["weights"]).sum(-1).square() + (top * low).sum(-1)


def bits_shared(params: Params, sample: Sample) -> Tensor:
    """Two bits shared by three data, one local bit each."""
    shared = sample("shared", Bernoulli(logits=params["shared"], event_dims=1))
    local = sample("local", Bernoulli(logits=params["local"]))
    return ((local.sum(-1) - params["targets"]) * (0.5 + shared.sum())).square()


def bits_in_context(params: Params, sample: Sample) -> Tensor:
    """Three data with inputs that the sites' laws, and baselines, look at; a bit above two bits."""
    x = params["inputs"].new_tensor([[1.0, -0.5], [0.2, 2.0], [-1.5, 0.3]])
    top = sample("top", Bernoulli(logits=params["logits"] + x @ params["inputs"]), context=x)
    low = sample("low", Bernoulli(logits=top * params["link"] + x), context=x)
    return ((low - 0.4) * params["weights"]).sum(-1).square() + 2 * (top * (low - 0.5)).sum(-1)


def one_hot_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, two variables of three categories each; the value depends on the parameters directly, too."""
    z = sample("z", OneHotCategorical(logits=params["logits"], event_dims=2))
    weighted = (z * params["weights"]).sum((-2, -1))
    return (weighted - 0.3).square() + 0.1 * params["logits"].sum((-2, -1))


def one_hot_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; a variable of three categories above one of three."""
    top = sample("top", OneHotCategorical(logits=params["top"]))
    low = sample("low", OneHotCategorical(logits=params["low"] + top @ params["link"]))
    return ((low - 0.4) * params["weights"]).sum(-1).square() + (top * low).sum(-1)


def index_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, two indices among three each; the value depends on the parameters directly, too."""
    z = sample("z", Categorical(logits=params["logits"], event_dims=1))
    costs = params["weights"].expand(*z.shape, 3).gather(-1, z.unsqueeze(-1))
    return (costs.sum((-2, -1)) - 0.3).square() + 0.1 * params["logits"].sum((-2, -1))


def index_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; an index among three above one among two."""
    top = sample("top", Categorical(logits=params["top"]))
    low = sample("low", Categorical(logits=params["link"][top]))
    return (params["weights"][top] - low - 0.3).square()


def index_above_bits(params: Params, sample: Sample) -> Tensor:
    """Two data; an index among three above two bits."""
    top = sample("top", Categorical(logits=params["top"]))
    low = sample("low", Bernoulli(logits=params["link"][top]))
    return ((low - 0.4).sum(-1) + params["weights"][top]).square() - 1.5


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


def bits_above_normal(params: Params, sample: Sample) -> Tensor:
    """Two data; two bits above one dimension."""
    top = sample("top", Bernoulli(logits=params["top"]))
    mean = (top * params["link"]).sum(-1, keepdim=True) + params["low"]
    low = sample("low", Normal(mean, torch.full_like(mean, 0.8)))
    return (low + 0.2 * low.square() + low * (top - 0.5)).sum(-1)


def normal_above_bits(params: Params, sample: Sample) -> Tensor:
    """Two data; one dimension above two bits."""
    top = sample("top", Normal(params["top"], torch.full_like(params["top"], 0.8)))
    low = sample("low", Bernoulli(logits=params["low"] + params["link"] * top))
    return ((low - 0.4) * params["weights"]).sum(-1).square() + (top * (low + 0.3)).sum(-1)


def bits_log_weight(params: Params, sample: Sample) -> Tensor:
    """Two data, two bits; parameters of the model (prior, decoder) and of the guide, which comes with its datum."""
    x = params["decoder"].new_tensor([0.5, -1.0])
    q = Bernoulli(logits=params["guide"])
    z = sample("z", q, context=x.unsqueeze(-1))
    prior = Bernoulli(logits=params["prior"].expand_as(z))
    decoded = Normal((z * params["decoder"]).sum(-1), torch.ones_like(x), event_dims=0)
    return prior.log_prob(z) + decoded.log_prob(x) - q.log_prob(z)


def bits_two_layer_log_weight(params: Params, sample: Sample) -> Tensor:
    """Two data; a bit above a bit in the guide, and the other way round in the model."""
    q_top = Bernoulli(logits=params["guide_top"])
    top = sample("top", q_top)
    q_low = Bernoulli(logits=params["guide_low"] + params["guide_link"] * top)
    low = sample("low", q_low)
    p_low = Bernoulli(logits=params["prior"].expand_as(low))
    p_top = Bernoulli(logits=params["decoder"] * (low - 0.3))
    return p_low.log_prob(low) + p_top.log_prob(top) - q_top.log_prob(top) - q_low.log_prob(low)


def one_hot_log_weight(params: Params, sample: Sample) -> Tensor:
    """Two data, one variable of three categories."""
    q = OneHotCategorical(logits=params["guide"])
    z = sample("z", q)
    prior = OneHotCategorical(logits=params["prior"].expand_as(z))
    return prior.log_prob(z) - (z @ params["decoder"] - 0.5).square() - q.log_prob(z)


def index_log_weight(params: Params, sample: Sample) -> Tensor:
    """Two data, an index among three each."""
    q = Categorical(logits=params["guide"])
    z = sample("z", q)
    prior = Categorical(logits=params["prior"].expand_as(params["guide"]))
    return prior.log_prob(z) - (params["decoder"][z] - 0.5).square() - q.log_prob(z)


def normal_log_weight(params: Params, sample: Sample) -> Tensor:
    """Two data, one dimension."""
    q = Normal(params["guide"], torch.full_like(params["guide"], 0.8))
    z = sample("z", q)
    prior = Normal(params["prior"].expand_as(z), torch.ones_like(z))
    x = Normal((z * params["decoder"]).sum(-1), params["decoder"].new_ones(2), event_dims=0)
    return prior.log_prob(z) + x.log_prob(params["decoder"].new_tensor([0.5, -1.0])) - q.log_prob(z)


_weighted = partial(Problem, log_weight=True)
PROBLEMS = {
    "bits_one_layer": Problem(
        bits_one_layer,
        _params(logits=[[-0.2, 0.8, 0.3], [-1.0, 0.5, 1.2]], weights=[1.1, -0.7, 0.6]),
        own=("logits",),
    ),
    "bits_two_layers": Problem(
        bits_two_layers,
        _params(
            top=[[1.2, 0.3], [0.6, 1.5]],
            low=[[0.9, -0.4], [1.5, -1.5]],
            link=[-1.5, -0.3],
            weights=[0.3, -0.3],
        ),
        own=("top", "low"),
    ),
    "bits_shared": Problem(
        bits_shared,
        _params(shared=[1.2, 1.5], local=[[-0.4], [-1.1], [1.5]], targets=[1.5, -1.5, -1.5]),
        own=("local",),
    ),
    "bits_in_context": Problem(
        bits_in_context, _params(logits=[0.4], inputs=[[-0.3], [0.3]], link=[0.6, 0.9], weights=[-0.4, 0.3])
    ),
    "one_hot_one_layer": Problem(
        one_hot_one_layer,
        _params(
            logits=[[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]], [[0.4, -1.1, 0.1], [0.0, 0.6, -0.7]]],
            weights=[[1.1, -0.7, 0.6], [-0.4, 1.3, 0.2]],
        ),
        own=("logits",),
    ),
    "one_hot_two_layers": Problem(
        one_hot_two_layers,
        _params(
            top=[[1.2, -1.4, -0.4], [1.4, -0.3, 0.3]],
            low=[[0.3, 0.9, -0.3], [0.5, -0.3, -0.3]],
            link=[[-0.3, -1.2, -1.4], [-0.4, 0.3, 0.5], [1.4, -1.4, -0.9]],
            weights=[-1.3, -1.4, -0.3],
        ),
        own=("top", "low"),
    ),
    "index_one_layer": Problem(
        index_one_layer,
        _params(
            logits=[[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]], [[0.4, -1.1, 0.1], [0.0, 0.6, -0.7]]],
            weights=[[1.1, -0.7, 0.6], [-0.4, 1.3, 0.2]],
        ),
        own=("logits",),
    ),
    "index_two_layers": Problem(
        index_two_layers,
        _params(
            top=[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]],
            link=[[1.2, -0.3], [-0.8, 0.9], [0.3, 1.0]],
            weights=[1.6, -0.8, 0.6],
        ),
        own=("top",),
    ),
    "index_above_bits": Problem(
        index_above_bits,
        _params(
            top=[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]],
            link=[[1.2, -0.3], [-0.8, 0.9], [0.3, -1.0]],
            weights=[1.6, -0.8, 0.6],
        ),
        own=("top",),
    ),
    "normal_one_layer": Problem(
        normal_one_layer,
        _params(loc=[[-0.4, -0.7], [-1.4, 1.0]], log_scale=[[0.3, -0.8], [0.3, -1.1]], weights=[0.4, -0.3]),
        own=("loc", "log_scale"),
    ),
    "normal_two_layers": Problem(
        normal_two_layers, _params(top=[[1.3], [0.3]], low=[[-1.1], [0.6]], link=[0.7]), own=("top", "low")
    ),
    "normal_shared": Problem(
        normal_shared,
        _params(shared=[0.4], local=[[-0.3], [1.1], [-1.4]], targets=[0.3, 1.3, 1.1]),
        own=("local",),
    ),
    "gamma_one_layer": Problem(
        gamma_one_layer,
        _params(log_shape=[[0.8], [0.2], [-0.5]], log_rate=[[0.4], [-0.3], [0.1]], weights=[1.2]),
        own=("log_shape", "log_rate"),
    ),
    "gamma_two_layers": Problem(
        gamma_two_layers, _params(top=[[1.2], [2.5]], low=[[0.9], [1.8]], link=[0.8]), own=("top", "low")
    ),
    "angles_one_layer": Problem(
        angles_one_layer,
        _params(loc=[[0.6], [-0.5], [1.8]], log_kappa=[[0.3], [1.2], [-0.4]], weights=[1.3]),
        own=("loc", "log_kappa"),
    ),
    "beta_one_layer": Problem(
        beta_one_layer,
        _params(log_first=[[0.6], [-0.4]], log_second=[[0.3], [1.1]], weights=[1.2]),
        own=("log_first", "log_second"),
    ),
    "simplex_one_layer": Problem(
        simplex_one_layer,
        _params(log_concentration=[[0.3, 1.0, 0.5], [1.2, 0.4, 0.2]], weights=[1.5, -1.2, 0.4]),
        own=("log_concentration",),
    ),
    "sphere_one_layer": Problem(
        sphere_one_layer,
        _params(
            direction=[[0.8, -0.5, 0.3], [0.3, 1.1, -0.6]], log_kappa=[0.2, 0.9], weights=[1.1, -0.8, 0.5]
        ),
        own=("direction", "log_kappa"),
    ),
    "logistic_one_layer": Problem(
        logistic_one_layer,
        _params(logits=[[0.9], [0.6], [-0.5], [1.2]], temperature=0.8, weights=[0.8]),
        own=("logits",),
    ),
    "bits_above_normal": Problem(
        bits_above_normal,
        _params(top=[[-0.2, 0.8], [0.3, -1.0]], link=[0.9, -0.7], low=[[0.2], [-0.4]]),
        own=("top", "low"),
    ),
    "normal_above_bits": Problem(
        normal_above_bits,
        _params(top=[[-1.4], [-0.3]], low=[[-1.0, -0.7], [1.5, 0.3]], link=[1.5, -0.7], weights=[-1.4, -1.5]),
        own=("top", "low"),
    ),
    "bits_log_weight": _weighted(
        bits_log_weight,
        _params(guide=[[0.3, -0.5], [1.4, 1.4]], prior=[0.4, -1.0], decoder=[-0.9, 0.5]),
        own=("guide",),
    ),
    "bits_two_layer_log_weight": _weighted(
        bits_two_layer_log_weight,
        _params(
            guide_top=[[-0.2], [0.7]],
            guide_low=[[-0.8], [1.3]],
            guide_link=[1.2],
            prior=[-1.4],
            decoder=[-1.4],
        ),
        own=("guide_top", "guide_low"),
    ),
    "one_hot_log_weight": _weighted(
        one_hot_log_weight,
        _params(
            guide=[[0.3, -0.5, 1.4], [1.4, 0.4, -1.0]], prior=[-0.9, 0.5, 0.3], decoder=[-1.4, 0.6, -0.3]
        ),
        own=("guide",),
    ),
    "index_log_weight": _weighted(
        index_log_weight,
        _params(
            guide=[[0.3, -0.5, 1.4], [1.4, 0.4, -1.0]], prior=[-0.9, 0.5, 0.3], decoder=[-1.4, 0.6, -0.3]
        ),
        own=("guide",),
    ),
    "normal_log_weight": _weighted(
        normal_log_weight, _params(guide=[[1.2], [0.9]], prior=[-0.4], decoder=[-0.4]), own=("guide",)
    ),
}
