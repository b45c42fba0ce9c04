"""Programs whose value is log p − log q, q the density of the sites: what bounds of several samples are made of."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Categorical, Normal, OneHotCategorical
from reparam.measure.problems.problem import Problem, tensors
from reparam.program import Params, Sample


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


weighted = partial(Problem, log_weight=True)
PROBLEMS = {
    "bits_log_weight": weighted(
        bits_log_weight,
        tensors(guide=[[0.3, -0.5], [1.4, 1.4]], prior=[0.4, -1.0], decoder=[-0.9, 0.5]),
        own=("guide",),
    ),
    "bits_two_layer_log_weight": weighted(
        bits_two_layer_log_weight,
        tensors(
            guide_top=[[-0.2], [0.7]],
            guide_low=[[-0.8], [1.3]],
            guide_link=[1.2],
            prior=[-1.4],
            decoder=[-1.4],
        ),
        own=("guide_top", "guide_low"),
    ),
    "one_hot_log_weight": weighted(
        one_hot_log_weight,
        tensors(
            guide=[[0.3, -0.5, 1.4], [1.4, 0.4, -1.0]], prior=[-0.9, 0.5, 0.3], decoder=[-1.4, 0.6, -0.3]
        ),
        own=("guide",),
    ),
    "index_log_weight": weighted(
        index_log_weight,
        tensors(
            guide=[[0.3, -0.5, 1.4], [1.4, 0.4, -1.0]], prior=[-0.9, 0.5, 0.3], decoder=[-1.4, 0.6, -0.3]
        ),
        own=("guide",),
    ),
    "normal_log_weight": weighted(
        normal_log_weight, tensors(guide=[[1.2], [0.9]], prior=[-0.4], decoder=[-0.4]), own=("guide",)
    ),
}
