"""Classification and regression by networks with random weights, or with dropout.

    value_i = log p(y_i|x_i, w) − s_i c KL(q(w) ‖ p(w)) / N

so that N times the mean of the values is the bound, with the KL divergence scaled by c. The divergence has no plate:
every datum of a minibatch bears its share s_i, which is 1, or, with `kl_weights: geometric`, M π_i, where the i-th of
an epoch's M minibatches has the weight π_i = 2^(M−i) / (2^M − 1) (Blundell et al. 2015, §3.4). With `kl: sampled`,
log q(w) − log p(w) takes the place of the closed form (§3.2); where each datum has weights of its own, of these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam import data
from reparam.distributions import Normal
from reparam.errors import ReparamError
from reparam.models import dense
from reparam.models.random_affine import WAYS
from reparam.models.random_network import ALPHAS, POSTERIORS, RandomNetwork
from reparam.models.weight_prior import log_mixture, log_uniform_divergence
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count
from reparam.tasks.validation import hold_out

if TYPE_CHECKING:
    from reparam.data import DataSet

RANGE = (0.0, 0.5)
"""Where the inputs of the regression lie."""
DEVIATION = 0.02
"""Of the regression's noise ε, printed as N(0, 0.02) and read as a standard deviation."""


@dataclass(frozen=True)
class Options:
    """Without `data`: the regression of Blundell et al. 2015, §5.2, with `points` rows for training and for testing."""

    data: str | None = None
    binarisation: str = "none"
    valid_size: int | None = None
    """Hold out this many training rows, the last ones, for validation, where the data set has none of its own."""
    train_size: int | None = None
    """Train on so many rows, drawn once for all (None: on all)."""
    points: int = 100
    pixel_scale: float = 1.0
    """What pixels in [0, 1] are multiplied by: 255/126 in Blundell et al. 2015."""
    width: int = 100
    depth: int = 2
    """Hidden layers, of `width` units each."""
    output_deviation: float = DEVIATION
    """Standard deviation of the regression's likelihood."""
    posterior: str = "gaussian"
    weights: str = "local"
    input_rate: float = 0.2
    hidden_rate: float = 0.5
    alphas: str = "fixed"
    initial_rho: float = -5.0
    start: str = "variance_scaling"
    """These seven are of `RandomNetwork`."""
    prior: str = "none"
    """`none`, `gaussian`, `mixture` (of two Gaussians, with `kl: sampled`) or `log_uniform`."""
    prior_deviations: tuple[float, ...] = (1.0,)
    """Of the prior's Gaussian, or of its two."""
    prior_weight: float = 0.5
    """Of the mixture's first component."""
    learn_prior: bool = False
    """Whether the Gaussian or mixture prior's numbers are learned."""
    kl: str = "analytic"
    """`analytic` or `sampled`, the latter where weights are sampled: `shared` or `per_example`."""
    kl_scale: float = 1.0
    """c: 1/3 in variational dropout A2 (Kingma et al. 2015, §5)."""
    kl_weights: str = "uniform"
    """`uniform` or `geometric`."""

    def __post_init__(self) -> None:
        for option in ("points", "width", "depth"):
            require_count(option, getattr(self, option))
        require("posterior", self.posterior, POSTERIORS)
        require("weights", self.weights, tuple(WAYS))
        require("alphas", self.alphas, ALPHAS)
        require("start", self.start, tuple(dense.STARTS))
        require("prior", self.prior, ("none", "gaussian", "mixture", "log_uniform"))
        require("kl", self.kl, ("analytic", "sampled"))
        require("kl_weights", self.kl_weights, ("uniform", "geometric"))
        for option in ("input_rate", "hidden_rate", "prior_weight"):
            value = getattr(self, option)
            if not 0 <= value < 1:
                raise ReparamError(f"task: {option} is {value!r}; give a number of at least 0 and below 1")
        self._check_prior()

    def _check_prior(self) -> None:
        """ReparamError for a prior, or a way to its divergence, that the posterior does not have."""
        independent = self.posterior in ("relative", "gaussian")
        relative = self.posterior in ("relative", "gaussian_dropout")
        if self.alphas != "fixed" and not relative:
            raise ReparamError(f"task: the posterior {self.posterior} has no α to learn: leave alphas out")
        if self.alphas == "weight" and self.posterior == "gaussian_dropout":
            raise ReparamError("task: noise on inputs has no α per weight: learn one per layer or unit")
        if self.prior == "log_uniform" and not relative:
            raise ReparamError(
                f"task: the prior log_uniform is for relative and gaussian_dropout, not {self.posterior}"
            )
        rates = self.input_rate, self.hidden_rate
        if self.prior == "log_uniform" and min(rates) == 0:
            raise ReparamError(
                "task: the divergence from log_uniform is infinite at α = 0: give rates above 0"
            )
        if self.alphas != "fixed" and max(rates) > 0.5:
            raise ReparamError(
                f"task: learned α are at most 1, so their rates at most 0.5, got {max(rates)!r}"
            )
        if self.prior in ("gaussian", "mixture") and not independent:
            raise ReparamError(
                f"task: the prior {self.prior} needs random weights, and {self.posterior} has none"
            )
        if len(self.prior_deviations) != (2 if self.prior == "mixture" else 1):
            raise ReparamError("task: prior_deviations are two for the prior mixture and else one")
        if not all(deviation > 0 for deviation in self.prior_deviations):
            raise ReparamError(f"task: prior_deviations must be positive, got {self.prior_deviations!r}")
        if self.prior == "mixture" and self.kl == "analytic":
            raise ReparamError("task: the divergence from a mixture has no closed form: give kl: sampled")
        if self.kl == "sampled" and (
            self.weights not in ("shared", "per_example") or self.prior not in ("gaussian", "mixture")
        ):
            raise ReparamError(
                "task: kl: sampled needs a prior gaussian or mixture, and sampled weights: shared or per_example"
            )
        if self.learn_prior and self.prior not in ("gaussian", "mixture"):
            raise ReparamError(f"task: the prior {self.prior} has nothing to learn: leave learn_prior out")


@register("bayesian_network")
class BayesianNetwork:
    """A row is its columns, the label (a class, or the output), and the share s of the divergence: [N, D + 2].

    Parameter groups are those of `RandomNetwork`, and `prior` where it is learned. Weights' sites are global under
    `shared` and `flipout`, else of the plate.
    """

    sense = +1.0
    log_weight = False

    def __init__(self, options: Mapping[str, Any], dataset: DataSet | None = None) -> None:
        self.options = read_options(Options, options)
        self.binarisation = "none"
        self.valid: Tensor | None = None
        if dataset is None:
            self.classes = 1
            self.train, self.test = (curve(self.options.points, split) for split in ("train", "test"))
        else:
            self._take(dataset)
        hidden = [self.options.width] * self.options.depth
        self.columns = self.train.shape[1] - 2
        self.network = RandomNetwork(
            (self.columns, *hidden, self.classes),
            posterior=self.options.posterior,
            weights=self.options.weights,
            input_rate=self.options.input_rate,
            hidden_rate=self.options.hidden_rate,
            alphas=self.options.alphas,
            initial_rho=self.options.initial_rho,
            start=self.options.start,
        )

    def _take(self, dataset: DataSet) -> None:
        """Rows and labels of a data set; labels that are no integers are the outputs of a regression."""
        if self.options.train_size is not None:
            dataset = data.subset(dataset, train=self.options.train_size)
        if dataset.train_labels is None or dataset.test_labels is None:
            raise ReparamError(
                f"task: {dataset.name} has no classes: bayesian_network needs a set with labels"
            )
        outputs = dataset.train_labels.is_floating_point()
        self.classes = 1 if outputs else int(dataset.train_labels.max()) + 1
        train, valid, test = hold_out(dataset, self.options.valid_size)
        self.train = self._rows(train, dataset.train_labels[: len(train)])
        self.test = self._rows(test, dataset.test_labels)
        if valid is not None:
            held_out = dataset.train_labels[len(train) :]
            self.valid = self._rows(valid, held_out if dataset.valid_labels is None else dataset.valid_labels)

    def _rows(self, x: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([self.options.pixel_scale * x, labels[:, None].to(x), torch.ones_like(x[:, :1])], 1)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The network's start, and the prior's where it is learned."""
        params = self.network.init(generator)
        if self.options.learn_prior:
            params |= {f"prior.{name}": entry.clone() for name, entry in self._prior.items()}
        return params

    @cached_property
    def _prior(self) -> dict[str, Tensor]:
        """The prior's numbers as given: log deviations, and of a mixture the log-odds of its weight."""
        numbers = {"log_deviations": torch.tensor(self.options.prior_deviations).log()}
        if self.options.prior == "mixture":
            numbers["logit"] = torch.tensor(self.options.prior_weight).logit()
        return numbers

    def at_step(self, x: Tensor, step: int, batch: int) -> Tensor:
        """Rows with the share that their minibatch has in the divergence; an epoch's minibatches are N / B, rounded."""
        if self.options.kl_weights == "uniform":
            return x
        count = max(1, round(len(self.train) / batch))
        share = count * 2.0 ** -(step % count + 1) / (1 - 2.0**-count)
        return torch.cat([x[..., :-1], torch.full_like(x[..., :1], share)], -1)

    def program(self, x: Tensor) -> Program:
        """The bound's term of each row of x [B, D + 2]: value [B] in nats."""
        columns, label, share = x[:, :-2], x[:, -2], x[:, -1]
        scale = self.options.kl_scale / len(self.train)

        def bound(params: Params, sample: Sample) -> Tensor:
            drawn: dict[str, tuple[Normal, Tensor]] = {}

            def noting(name: str, law: Any, context: Any = None, observed: Tensor | None = None) -> Tensor:
                z = sample(name, law, context, observed)
                drawn[name] = law, z
                return z

            likelihood = self.log_likelihood(self.network.outputs(params, columns, noting), label)
            if self.options.prior == "none":
                return likelihood
            return likelihood - scale * share * self._divergence(params, drawn)

        return bound

    def log_likelihood(self, outputs: Tensor, label: Tensor) -> Tensor:
        """log p(y|outputs), in nats: outputs [..., B, classes or 1], labels [B] → [..., B]."""
        if self.classes > 1:
            index = label.long().expand(outputs.shape[:-1]).unsqueeze(-1)
            return outputs.log_softmax(-1).gather(-1, index).squeeze(-1)
        standard = (label - outputs.squeeze(-1)) / self.options.output_deviation
        return (
            -0.5 * standard.square() - math.log(self.options.output_deviation) - 0.5 * math.log(2 * math.pi)
        )

    def predict(self, params: Params, x: Tensor, sample: Sample | None = None) -> Tensor:
        """The network's outputs for rows x [B, D + 2], with everything random at its mean, or sampled: [B, classes].

        Data do not share samples: independent weights are sampled locally, which every datum's law allows.
        """
        network = replace(self.network, weights="local")
        return network.outputs(params, x[:, :-2], sample)

    def log_prior(self, params: Params) -> Tensor:
        """0: the prior of the weights is part of the bound."""
        return next(iter(params.values())).new_zeros(())

    def _prior_of(self, params: Params) -> dict[str, Tensor]:
        """The prior's numbers, learned or as given."""
        if self.options.learn_prior:
            return {name: params[f"prior.{name}"] for name in self._prior}
        some = next(iter(params.values()))
        return {name: entry.to(some) for name, entry in self._prior.items()}

    def _divergence(self, params: Params, drawn: Mapping[str, tuple[Normal, Tensor]]) -> Tensor:
        """KL(q ‖ p) in nats, (), or log q − log p at what was drawn, () or [B]."""
        network, prior = self.network, self._prior_of(params)
        if self.options.prior == "log_uniform":
            parts = [log_uniform_divergence(network.alpha(params, i)).sum() for i in network.layers]
        elif self.options.kl == "analytic":
            laws = [network.law(params, i) for i in network.layers]
            parts = [law.kl(_centred(law.loc, prior)) for law in laws]
        elif self.options.prior == "gaussian":
            parts = [law.log_prob(w) - _centred(w, prior).log_prob(w) for law, w in drawn.values()]
        else:
            deviations = prior["log_deviations"].exp().unbind()
            parts = [
                law.log_prob(w) - log_mixture(w, prior["logit"], deviations).sum((-2, -1))
                for law, w in drawn.values()
            ]
        return torch.stack(parts).sum(0)


def _centred(w: Tensor, prior: Mapping[str, Tensor]) -> Normal:
    """The Gaussian prior of a layer's weights [..., outputs, inputs], one event."""
    return Normal(torch.zeros_like(w), prior["log_deviations"][0].exp().expand_as(w), event_dims=2)


def curve(points: int, split: str) -> Tensor:
    """Rows (x, y, 1) of y = x + 0.3 sin(2π(x + ε)) + 0.3 sin(4π(x + ε)) + ε, x uniform in RANGE, ever the same."""
    source = generator("task", "bayesian_network", split, points)
    low, high = RANGE
    x = low + (high - low) * draw("uniform", (points, 1), source)
    noise = DEVIATION * draw("normal", (points, 1), source)
    waves = sum(0.3 * torch.sin(k * math.pi * (x + noise)) for k in (2, 4))
    return torch.cat([x, x + waves + noise, torch.ones_like(x)], 1)
