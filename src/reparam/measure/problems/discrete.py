"""Programs with bits, one-hot vectors and indices: exact by enumeration."""

from __future__ import annotations

from torch import Tensor

from reparam.distributions import Bernoulli, Categorical, OneHotCategorical
from reparam.measure.problems.problem import Problem, tensors
from reparam.program import Params, Sample


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


PROBLEMS = {
    "bits_one_layer": Problem(
        bits_one_layer,
        tensors(logits=[[-0.2, 0.8, 0.3], [-1.0, 0.5, 1.2]], weights=[1.1, -0.7, 0.6]),
        own=("logits",),
    ),
    "bits_two_layers": Problem(
        bits_two_layers,
        tensors(
            top=[[1.2, 0.3], [0.6, 1.5]],
            low=[[0.9, -0.4], [1.5, -1.5]],
            link=[-1.5, -0.3],
            weights=[0.3, -0.3],
        ),
        own=("top", "low"),
    ),
    "bits_shared": Problem(
        bits_shared,
        tensors(shared=[1.2, 1.5], local=[[-0.4], [-1.1], [1.5]], targets=[1.5, -1.5, -1.5]),
        own=("local",),
    ),
    "bits_in_context": Problem(
        bits_in_context, tensors(logits=[0.4], inputs=[[-0.3], [0.3]], link=[0.6, 0.9], weights=[-0.4, 0.3])
    ),
    "one_hot_one_layer": Problem(
        one_hot_one_layer,
        tensors(
            logits=[[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]], [[0.4, -1.1, 0.1], [0.0, 0.6, -0.7]]],
            weights=[[1.1, -0.7, 0.6], [-0.4, 1.3, 0.2]],
        ),
        own=("logits",),
    ),
    "one_hot_two_layers": Problem(
        one_hot_two_layers,
        tensors(
            top=[[1.2, -1.4, -0.4], [1.4, -0.3, 0.3]],
            low=[[0.3, 0.9, -0.3], [0.5, -0.3, -0.3]],
            link=[[-0.3, -1.2, -1.4], [-0.4, 0.3, 0.5], [1.4, -1.4, -0.9]],
            weights=[-1.3, -1.4, -0.3],
        ),
        own=("top", "low"),
    ),
    "index_one_layer": Problem(
        index_one_layer,
        tensors(
            logits=[[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]], [[0.4, -1.1, 0.1], [0.0, 0.6, -0.7]]],
            weights=[[1.1, -0.7, 0.6], [-0.4, 1.3, 0.2]],
        ),
        own=("logits",),
    ),
    "index_two_layers": Problem(
        index_two_layers,
        tensors(
            top=[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]],
            link=[[1.2, -0.3], [-0.8, 0.9], [0.3, 1.0]],
            weights=[1.6, -0.8, 0.6],
        ),
        own=("top",),
    ),
    "index_above_bits": Problem(
        index_above_bits,
        tensors(
            top=[[-0.2, 0.8, 0.3], [1.0, -0.5, 0.2]],
            link=[[1.2, -0.3], [-0.8, 0.9], [0.3, -1.0]],
            weights=[1.6, -0.8, 0.6],
        ),
        own=("top",),
    ),
}
