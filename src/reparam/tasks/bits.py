"""Independent bits with a quadratic cost: the toy of REBAR, RELAX, ARM and double control variates, as a program.

    E[1/D Σ_d (b_d − t)²],   b_d ~ Bernoulli(σ(θ_d))

Tucker et al. 2017, §5.1, and Grathwohl et al. 2018, §4.1 (D = 1, minimised); Titsias & Shi 2022 (D = 200, maximised).
The optimum is deterministic, and with t near ½ the gradient is small beside the noise of most estimators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.errors import ReparamError
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count

SENSES = {"minimise": -1.0, "maximise": +1.0}


@dataclass(frozen=True)
class Options:
    """Of the toy; raises ReparamError for a sense or a dimension that there is none of."""

    target: float = 0.45
    """t."""
    dimension: int = 1
    """D, the bits."""
    sense: str = "minimise"
    """Whether the mean cost is to become small (`minimise`) or large (`maximise`)."""
    start: float = 0.0
    """Every logit before training."""

    def __post_init__(self) -> None:
        require("sense", self.sense, tuple(SENSES))
        require_count("dimension", self.dimension)
        for name in ("target", "start"):
            if not math.isfinite(getattr(self, name)):
                raise ReparamError(f"task: {name} must be a finite number, got {getattr(self, name)!r}")


@register("bits")
class Bits:
    """One parameter group, `bits`, with the logits θ [D]; one datum, which says nothing."""

    binarisation = "none"
    log_weight = False

    def __init__(self, options: Mapping[str, Any], dataset: None = None) -> None:
        self.options = read_options(Options, options)
        self.sense = SENSES[self.options.sense]
        self.train = self.test = torch.zeros(1, 0)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """All logits at `start`; nothing is random."""
        return {"bits.logits": torch.full((self.options.dimension,), self.options.start)}

    def program(self, x: Tensor) -> Program:
        """The mean cost of D bits per datum of x [B, 0]: value [B]."""

        def cost(params: Params, sample: Sample) -> Tensor:
            logits = params["bits.logits"]
            b = sample("b", Bernoulli(logits=logits.expand(len(x), *logits.shape)))
            return (b - self.options.target).square().mean(-1)

        return cost

    def log_prior(self, params: Params) -> Tensor:
        """0: the logits have no prior."""
        return params["bits.logits"].new_zeros(())

    def expectation(self, params: Params) -> Tensor:
        """The exact mean cost, shape ()."""
        t, p = self.options.target, params["bits.logits"].sigmoid()
        return (p * (1 - t) ** 2 + (1 - p) * t**2).mean()
