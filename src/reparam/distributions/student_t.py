"""Student's t law, drawn along its inverse CDF and differentiated implicitly."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reparam.distributions import incomplete_beta
from reparam.distributions.base import require
from reparam.distributions.inverse_cdf import InverseCDF, require_positive
from reparam.distributions.numerics import digamma_deficit, exp_in_range, log_gamma_excess


class StudentT(InverseCDF):
    """Entries loc + scale · t, with t of Student's law with `df` ν degrees of freedom.

    t² / ν is the odds of a beta variable of shapes ½ and ν/2. Path: the inverse CDF; dt/dν is implicit (Figurnov et al.
    2018). A t that the dtype cannot hold (small ν) is the last that it can, with derivative 0.
    """

    unbounded = True

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor, event_dims: int | None = None) -> None:
        super().__init__(df, loc, scale, event_dims=event_dims)
        self.df, self.loc, self.scale = df, loc, scale

    @classmethod
    def example(cls) -> StudentT:
        return cls(4 * torch.ones(3), torch.zeros(3), torch.ones(3))

    def validate(self) -> None:
        require(torch.isfinite(self.loc), "StudentT's loc", "finite", self.loc)
        require_positive(self, df=self.df, scale=self.scale)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape; NaN where df ≤ 1, where there is none."""
        return torch.where(self.df > 1, self.loc, torch.nan).expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape; infinite where df ≤ 2, NaN where df ≤ 1."""
        finite = self.scale.square() * (1 + 2 / (self.df - 2))
        variance = torch.where(self.df > 2, finite, torch.where(self.df > 1, torch.inf, torch.nan))
        return variance.expand(self.shape)

    def icdf(self, u: Tensor) -> Tensor:
        u, df = torch.broadcast_tensors(u, self.df.expand(self.shape))
        both = (2 * torch.minimum(u, 1 - u)).clamp(
            max=1 - torch.finfo(u.dtype).eps / 2
        )  # both tails beyond ±t
        odds = incomplete_beta.quantile(torch.log1p(-both), both.log(), torch.full_like(df, 0.5), df / 2)
        return self.loc + self.scale * (u - 0.5).sign() * exp_in_range((odds + df.log()) / 2)

    def cdf(self, z: Tensor) -> Tensor:
        t, df = torch.broadcast_tensors(self._standard(z), self.df)
        odds = 2 * t.abs().clamp(min=torch.finfo(t.dtype).tiny).log() - df.log()
        beyond = 0.5 * incomplete_beta.cdf(-odds, df / 2, torch.full_like(df, 0.5))
        return torch.where(t < 0, beyond, 1 - beyond)

    def log_prob(self, z: Tensor) -> Tensor:
        w = self._standard(z) / self.df.sqrt()
        near, far = w.clamp(-1, 1), w.abs().clamp(min=1)
        spread = torch.where(w.abs() < 1, torch.log1p(near.square()), 2 * far.log() + torch.log1p(far**-2))
        return self.sum_event(self._log_height() - (self.df + 1) / 2 * spread - self.scale.log())

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        half = self.df / 2
        slope = digamma_deficit(half) - digamma_deficit(half + 0.5) + torch.log1p(1 / self.df)
        return self.sum_event(
            ((half + 0.5) * slope - self._log_height() + self.scale.log()).expand(self.shape)
        )

    def _standard(self, z: Tensor) -> Tensor:
        return (z - self.loc) / self.scale

    def _log_height(self) -> Tensor:
        """log density at loc for scale 1, without cancellation for large df."""
        half = self.df / 2
        excess = log_gamma_excess(half + 0.5) - log_gamma_excess(half)
        return excess + (half - 0.5) * torch.log1p(1 / self.df) - 0.5 - 0.5 * math.log(2 * math.pi)
