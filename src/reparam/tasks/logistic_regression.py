"""Bayesian logistic regression with a Gaussian posterior, as a program (Mohamed et al. 2020, §8; Richter et al. 2020).

    value_i = log p(y_i|x_i, w) − KL(q(w) ‖ N(0, I)) / N,   q(w) a diagonal Gaussian, one global site

so that N times the mean of the values is the ELBO; with `kl: sampled`, log q(w) − log N(w; 0, I) takes the place of
the closed form. The mean and the log scale of q start at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reparam.distributions import Normal, standard_normal
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options:
    """Without `data`: made-up points in the plane, with labels from weights of the prior."""

    data: str | None = None
    points: int = 100
    """How many are made up."""
    kl: str = "analytic"
    """`analytic` or `sampled`."""

    def __post_init__(self) -> None:
        require("kl", self.kl, ("analytic", "sampled"))
        require_count("points", self.points)


@register("logistic_regression")
class LogisticRegression:
    """Two parameter groups, `mean` and `log_scale`, each with one entry per column and one for the bias.

    A row is its columns, a 1 for the bias, and the label: [N, D + 1]. Data are for training and testing alike as far as
    the data set has no split. Raises ReparamError for labels other than 0 and 1.
    """

    sense = +1.0
    binarisation = "none"
    log_weight = False

    def __init__(self, options: Mapping[str, Any], dataset: DataSet | None = None) -> None:
        self.options = read_options(Options, options)
        if dataset is None:
            self.train = self.test = _made_up(self.options.points)
        else:
            self.train = _rows(dataset.name, dataset.train, dataset.train_labels)
            self.test = _rows(dataset.name, dataset.test, dataset.test_labels)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """q = N(0, I); nothing is random."""
        zeros = torch.zeros(self.train.shape[1] - 1)
        return {"mean.weights": zeros, "log_scale.weights": zeros.clone()}

    def program(self, x: Tensor) -> Program:
        """The ELBO's term of each row of x [B, D + 1]: value [B] in nats."""
        size, columns, labels = len(self.train), x[:, :-1], x[:, -1]

        def elbo(params: Params, sample: Sample) -> Tensor:
            q = Normal(params["mean.weights"], params["log_scale.weights"].exp(), event_dims=1)
            w = sample("weights", q)
            logits = columns @ w
            prior = standard_normal(w)
            kl = q.kl(prior) if self.options.kl == "analytic" else q.log_prob(w) - prior.log_prob(w)
            return labels * logits - softplus(logits) - kl / size

        return elbo

    def log_prior(self, params: Params) -> Tensor:
        """0: the prior of the weights is part of the ELBO."""
        return params["mean.weights"].new_zeros(())


def _rows(name: str, columns: Tensor, labels: Tensor | None) -> Tensor:
    if labels is None or not bool(((labels == 0) | (labels == 1)).all()):
        raise ReparamError(f"task: logistic_regression needs labels 0 and 1, which data set {name!r} has not")
    return torch.cat([columns, torch.ones(len(columns), 1), labels[:, None].float()], 1)


def _made_up(points: int) -> Tensor:
    """Columns, bias and weights from N(0, 1), the same in every run."""
    source = generator("task", "logistic_regression", points)
    columns, weights = draw("normal", (points, 2), source), draw("normal", (3,), source)
    inputs = torch.cat([columns, torch.ones(points, 1)], 1)
    labels = draw("uniform", (points,), source) < torch.sigmoid(inputs @ weights)
    return torch.cat([inputs, labels[:, None].float()], 1)
