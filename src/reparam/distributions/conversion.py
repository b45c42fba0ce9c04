"""Laws as torch.distributions objects, and back; both share their parameters and stay differentiable in them.

A law whose event has more axes than the torch distribution of this name becomes `Independent`: log densities keep
their shape both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.distributions as td
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli as TorchLogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical as TorchExpRelaxedCategorical

from reparam.distributions.base import Law
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.beta import Beta
from reparam.distributions.categorical import Categorical, OneHotCategorical
from reparam.distributions.dirichlet import Dirichlet
from reparam.distributions.gamma import Gamma
from reparam.distributions.inverse_cdf import Exponential, Kumaraswamy, Uniform, Weibull
from reparam.distributions.location_scale import Cauchy, Gumbel, Laplace, LogNormal
from reparam.distributions.mixture import MixtureSameFamily
from reparam.distributions.multivariate_normal import MultivariateNormal
from reparam.distributions.normal import Normal
from reparam.distributions.relaxed import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from reparam.distributions.student_t import StudentT
from reparam.distributions.von_mises import VonMises
from reparam.errors import ReparamError


class Pair(NamedTuple):
    """A law and the torch distribution of the same name and parameters."""

    law: Callable[..., Law]
    torch: Callable[..., td.Distribution]
    parameters: tuple[str, ...]


PAIRS = (
    Pair(Bernoulli, td.Bernoulli, ("logits",)),
    Pair(Beta, td.Beta, ("concentration1", "concentration0")),
    Pair(Categorical, td.Categorical, ("logits",)),
    Pair(Cauchy, td.Cauchy, ("loc", "scale")),
    Pair(ExpRelaxedCategorical, TorchExpRelaxedCategorical, ("temperature", "logits")),
    Pair(Dirichlet, td.Dirichlet, ("concentration",)),
    Pair(Exponential, td.Exponential, ("rate",)),
    Pair(Gamma, td.Gamma, ("concentration", "rate")),
    Pair(Gumbel, td.Gumbel, ("loc", "scale")),
    Pair(Kumaraswamy, td.Kumaraswamy, ("concentration1", "concentration0")),
    Pair(Laplace, td.Laplace, ("loc", "scale")),
    Pair(LogNormal, td.LogNormal, ("loc", "scale")),
    Pair(LogitRelaxedBernoulli, TorchLogitRelaxedBernoulli, ("temperature", "logits")),
    Pair(
        MixtureSameFamily,
        td.MixtureSameFamily,
        ("mixture_distribution", "component_distribution"),
    ),
    Pair(MultivariateNormal, td.MultivariateNormal, ("loc", "scale_tril")),
    Pair(Normal, td.Normal, ("loc", "scale")),
    Pair(OneHotCategorical, td.OneHotCategorical, ("logits",)),
    Pair(RelaxedBernoulli, td.RelaxedBernoulli, ("temperature", "logits")),
    Pair(RelaxedOneHotCategorical, td.RelaxedOneHotCategorical, ("temperature", "logits")),
    Pair(StudentT, td.StudentT, ("df", "loc", "scale")),
    Pair(Uniform, td.Uniform, ("low", "high")),
    Pair(VonMises, td.VonMises, ("loc", "concentration")),
    Pair(Weibull, td.Weibull, ("scale", "concentration")),
)


def to_torch(law: Law) -> td.Distribution:
    """The torch.distributions object of this law, with the law's plate as its batch shape.

    Raises ReparamError for a law that torch.distributions does not have.
    """
    for kind, torch_kind, parameters in PAIRS:
        if type(law) is kind:
            given = {name: getattr(law, name) for name in parameters}
            distribution = torch_kind(
                **{name: to_torch(p) if isinstance(p, Law) else p for name, p in given.items()}
            )
            extra = law.event_dims - len(distribution.event_shape)
            return td.Independent(distribution, extra) if extra else distribution
    raise ReparamError(f"torch.distributions has no {type(law).__name__}; it has {_names()}")


def from_torch(distribution: td.Distribution) -> Law:
    """The law of this torch.distributions object; the batch shape becomes the plate.

    `Independent` may be wrapped around it. Raises ReparamError for a distribution that has no law here.
    """
    event_dims, base = len(distribution.event_shape), distribution
    while isinstance(base, td.Independent):
        base = base.base_dist
    for kind, torch_kind, parameters in PAIRS:
        if type(base) is torch_kind:
            given = {name: getattr(base, name) for name in parameters}
            parts = {n: from_torch(p) if isinstance(p, td.Distribution) else p for n, p in given.items()}
            return kind(**parts, event_dims=event_dims)
    raise ReparamError(f"there is no law for torch's {type(base).__name__}; there is one for {_names()}")


def _names() -> str:
    return ", ".join(pair.torch.__name__ for pair in PAIRS)  # type: ignore[attr-defined]
