"""The measure-valued estimator of Normal laws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.distributions import Normal
from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    hard_run,
    on_plate,
    over_samples,
    path_noise,
    register,
    rerun,
)
from reparam.estimators.card import GAUSSIAN, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, Site


@register("measure_valued")
@dataclass(frozen=True)
class MeasureValued(Estimator):
    """Differences of f between two samples of one dimension: derivatives of measures (Mohamed et al. 2020, §6).

    With n standard normal, r Weibull (density r exp(−r²/2)) and m double-sided Maxwell (density
    m² exp(−m²/2)/√(2π)), for a mean μ and a scale σ:

    - ∂/∂μ = E[f(μ + σ r) − f(μ − σ r')] / (σ √(2π))
    - ∂/∂σ = E[f(μ + σ m) − f(μ + σ n)] / σ

    `coupled`: r' = r, and (m, n) are as n = m u with u uniform; else the two sides are independent. Here n is the
    base noise of the sample itself, so the second side of ∂/∂σ is the base run, and m² = n² + r² with the sign of n,
    which is that same law: 1 + 3 D runs of f per sample for D dimensions, and not 1 + 4 D. The other dimensions stay
    at their own sample, later sites are drawn again with the same noise. The mean over `samples` is taken.

    Raises ReparamError for `samples` below 1 and `coupled` that is no boolean.
    """

    samples: int = 1
    """Independent samples per estimate, averaged."""
    coupled: bool = True
    """Whether the two sides of a difference share their noise, which lowers the variance; else they are independent."""
    card = Card(
        title="Measure-valued (weak derivative)",
        what="Writes the derivative of a Normal density as the difference of two densities and runs f at a sample of "
        "each, one dimension at a time.",
        formula="[f(μ + σ r) − f(μ − σ r)] / (σ √(2π)) ∇ μ + [f(μ + σ m) − f(μ + σ n)] / σ ∇ σ,  r Weibull, "
        "m double-sided Maxwell, n normal;  summed over dimensions, the others staying at their sample",
        when="For few Normal dimensions and an f that cannot be differentiated or changes fast. It costs three "
        "runs of f per dimension, and one more.",
        paper="Mohamed et al. 2020 (arXiv:1906.10652)",
        unbiased=True,
        needs_derivative=False,
        requires=GAUSSIAN,
        evaluations=lambda estimator, sites: (
            estimator.samples * (1 + 3 * sum(map(_dimensions, sites.values())))
        ),
        settings=({}, {"coupled": False}, {"samples": 2}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "measure_valued")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        """The path's "normal"; "weibull" is uniform and makes r, and uncoupled "opposite" makes r' and "maxwell",
        normal, the n of m² = n² + r²."""
        wanted = path_noise(sites, self.samples)
        extra = {"weibull": "uniform"}
        if not self.coupled:
            extra |= {"opposite": "uniform", "maxwell": "normal"}
        for name, site in sites.items():
            for role, kind in extra.items():
                wanted[name][role] = NoiseSpec(kind, site.law.shape, copies=self.samples)  # type: ignore[arg-type]
        return wanted

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        runs: dict[str, int] = {}

        def one(draw: Noise) -> tuple[Tensor, list[Tensor]]:
            def later(name: str, law: Any) -> Tensor:
                return law.path(draw[name])

            base = hard_run(run, params, draw)
            losses = []
            for name, site in base.latent.items():
                law = site.law
                moved = torch.cat(
                    [_one_by_one(site.z, side, law.event_dims) for side in self._sides(law, draw[name])]
                )

                def again(z: Tensor, name: str = name) -> Tensor:
                    return rerun(run, params, base, name, z, later)

                runs[name] = len(moved)
                signals = on_plate(torch.vmap(again)(moved).detach(), 1 + len(law.plate))
                up, down, wide = signals.unflatten(0, (3, -1))
                own = on_plate(base.value.detach(), len(law.plate))
                by_loc = _on_event(up - down, law) / math.sqrt(2 * math.pi)
                by_scale = _on_event(wide - own, law)
                losses.append(law.sum_event((by_loc * law.loc + by_scale * law.scale) / law.scale.detach()))
            return base.value, losses

        values, losses = over_samples(one, noise)
        terms = (values.mean(0), *(loss.mean(0) for loss in losses))
        evaluations = self.samples * (1 + sum(runs.values()))
        return Terms(terms[0], terms, (1.0,) * len(terms), evaluations, memory)

    def _sides(self, law: Normal, draw: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """μ + σ r, μ − σ r' and μ + σ m, in the law's shape."""
        r = _weibull(draw["weibull"])
        opposite = r if self.coupled else _weibull(draw["opposite"])
        n = draw["normal" if self.coupled else "maxwell"]
        m = torch.copysign((n.square() + r.square()).sqrt(), n)
        return law.loc + law.scale * r, law.loc - law.scale * opposite, law.loc + law.scale * m


def _weibull(uniform: Tensor) -> Tensor:
    """r with density r exp(−r²/2): r²/2 is exponential."""
    return (-2 * uniform.log()).sqrt()


def _one_by_one(z: Tensor, side: Tensor, event_dims: int) -> Tensor:
    """[D, *z.shape]: z with the entry d of each event taken from `side`."""
    event = z.shape[z.ndim - event_dims :]
    count = event.numel()
    one = torch.eye(count, dtype=torch.bool, device=z.device)
    return torch.where(one.reshape(count, *(1,) * (z.ndim - event_dims), *event), side, z)


def _on_event(changes: Tensor, law: Normal) -> Tensor:
    """[D, *plate] in the law's shape."""
    return changes.movedim(0, -1).reshape(law.shape)


def _dimensions(site: Site) -> int:
    """Entries of one event."""
    return math.prod(site.law.shape[len(site.law.plate) :])
