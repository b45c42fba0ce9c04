"""What an estimator promises, in a form that is shown to users and tested against what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reparam.distributions import Bernoulli, Law, Normal, Relaxable
from reparam.errors import ReparamError
from reparam.program import Site

Objective = Literal["expectation", "bound", "wake", "combination"]
"""What the estimate is a gradient of, for a program with value f and K = the estimator's `samples`:

- `expectation`: E[f];
- `bound`: E[log 1/K Σ_k exp f_k], the K-sample bound of a program whose value is a log weight;
- `wake`: Σ_k w̃_k ∇ log p_k for the model and Σ_k w̃_k ∇ log q_k for the sites' laws, with the normalised
  weights w̃ of the same programs (reweighted wake-sleep); it is no gradient of one function;
- `combination`: a sum of such, the card's `parts`.
"""


class Part(NamedTuple):
    """A term of a combination."""

    coefficient: float
    of: Literal["expectation", "bound", "wake", "model"]
    """`model`: the K-sample bound with the model's part of its gradient alone, Σ_k w̃_k ∇ log p_k."""
    samples: int
    """K, of all but the expectation."""


@dataclass(frozen=True)
class Requirement:
    """What an estimator needs of the law at each of its sites."""

    words: str
    holds: Callable[[Law], bool] = field(compare=False)
    scores: bool = False
    """Whether the estimator is made of scores ∇ log q: of angles, the cut of which moves with the law, such estimates
    are exact for periodic f only."""


LAW = Requirement("a law", lambda law: isinstance(law, Law))
ANY_LAW = Requirement(
    "a log density on a fixed support",
    lambda law: isinstance(law, Law) and law.fixed_support,
    scores=True,
)
PATH = Requirement("a differentiable path", lambda law: law.reparameterized)
PATH_AND_SCORE = Requirement(
    "a differentiable path and a fixed support",
    lambda law: law.reparameterized and law.fixed_support,
    scores=True,
)
RELAXATION = Requirement("a relaxation", lambda law: isinstance(law, Relaxable))
RELAXATION_OR_PATH = Requirement(
    "a relaxation or a differentiable path", lambda law: RELAXATION.holds(law) or PATH.holds(law)
)
REJECTION = Requirement("a rejection sampler", lambda law: hasattr(law, "accept"))
STANDARDIZATION = Requirement("a standardisation", lambda law: hasattr(law, "standardize"))
CDF = Requirement("a CDF", lambda law: hasattr(law, "cdf"))
MEAN = Requirement(
    "a mean in closed form that is not circular, and a fixed support",
    lambda law: hasattr(law, "mean") and law.fixed_support and not law.periodic,
)
"""Of an angle z, a function that is no more periodic than z itself has another mean when the cut moves with the law."""
FINITE_SUPPORT = Requirement("a finite support", lambda law: hasattr(law, "support"))
BITS = Requirement("a Bernoulli law", lambda law: isinstance(law, Bernoulli))
GAUSSIAN = Requirement("a Normal law", lambda law: isinstance(law, Normal))


@dataclass(frozen=True)
class Card:
    """An estimator's promises. Every field from `unbiased` on is checked by the contract suite.

    The class's card speaks of the default options. Where an option changes a promise, the instance has a card of its
    own (`restate` in `__post_init__`), so ask `estimator.card`.
    """

    title: str
    what: str
    """What it does, in a few sentences."""
    formula: str
    """The estimate for the parameters of one site's law q, in plain text: z a sample, ∂f the derivative of f in it, θ
    logits, μ a mean, τ a temperature, K samples. Parameters that f itself depends on have ∇ f at the samples on top of
    it."""
    when: str
    """When to use it, and when not."""
    paper: str
    """Authors, year, arXiv number where there is one, and equation."""
    unbiased: bool
    """Whether its mean is the exact gradient of its objective."""
    needs_derivative: bool
    """Whether it differentiates f with respect to a sample."""
    requires: Requirement
    evaluations: Callable[[Any, Mapping[str, Site]], int] = field(compare=False)
    """Evaluations of f per estimate: (the estimator, the sites of the program) → count."""
    tunables: frozenset[str] = frozenset()
    """Kinds of parameters of its own that it trains: the part of a tunable's name before the first dot."""
    objective: Objective = "expectation"
    parts: Callable[[Any], tuple[Part, ...]] | None = field(default=None, compare=False)
    """What a `combination` is made of: (the estimator) → its terms."""
    given_signal: bool = False
    """Whether learning signals may be given to it (see `Trace.signals`) in place of f's values: it never asks for f at
    other samples than those that the signals belong to."""
    settings: tuple[Mapping[str, Any], ...] = ({},)
    """Options under which the contract suite tests it; the first are the defaults."""


def parts(estimator: Any) -> tuple[Part, ...]:
    """What its mean is the gradient of, as a sum; ReparamError for a combination whose card does not say of what."""
    card = estimator.card
    if card.objective != "combination":
        samples = 1 if card.objective == "expectation" else getattr(estimator, "samples", 1)
        return (Part(1.0, card.objective, samples),)
    if card.parts is None:
        raise ReparamError(f"the card {card.title!r} calls its objective a combination: give its parts")
    return tuple(card.parts(estimator))
