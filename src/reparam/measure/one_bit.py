"""Estimators on one bit with a quadratic cost, against closed forms, over many probabilities at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.estimators import Estimator
from reparam.measure.lattice import lattice_moments
from reparam.oracles import one_bit as closed_forms
from reparam.program import Params, Sample

Closed = Callable[[Tensor, Tensor, Tensor], Tensor]
VARIANCES: dict[str, Closed] = {
    "score_function": lambda p, t, c: torch.stack(
        [closed_forms.reinforce(*each) for each in zip(p, t, (-c).tolist(), strict=True)]
    ),
    "score_function_loo": lambda p, t, c: closed_forms.leave_one_out(p, t),
    "arm": lambda p, t, c: closed_forms.arm(p, t),
    "disarm": lambda p, t, c: closed_forms.disarm(p, t),
}
"""Closed forms by the estimator's label, of (p, t, c)."""


class OneBit(NamedTuple):
    """One estimator at every combination of probability, target and constant: each [points]."""

    probability: Tensor
    target: Tensor
    constant: Tensor
    mean: Tensor
    exact_mean: Tensor
    variance: Tensor
    """Of the estimator, over a lattice of its noise."""


def one_bit(estimator: Estimator, options: Mapping[str, Any]) -> OneBit:
    """The gradient of E[(b − t)² + c] with respect to the logit of b ~ Bernoulli(p), by the estimator itself.

    Options: `probabilities`, `targets` and `constants`, all combined; `points` of the lattice (see `lattice_moments`:
    the probabilities should be multiples of its parts).
    """
    grid = list(product(options["probabilities"], options["targets"], options["constants"]))
    p, t, c = torch.tensor(grid, dtype=torch.float64).T
    params = {"bit.logits": torch.logit(p).unsqueeze(-1)}

    def cost(params: Params, sample: Sample) -> Tensor:
        b = sample("b", Bernoulli(logits=params["bit.logits"])).squeeze(-1)
        return (b - t).square() + c

    found = lattice_moments(estimator, cost, params, options["points"])
    mean, variance = (entries["bit.logits"].squeeze(-1) for entries in found)
    return OneBit(p, t, c, mean, closed_forms.mean(p, t), variance)
