"""RODEO: leave-one-out with control variates made by a discrete Stein operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    on_plate,
    path_noise,
    register,
)
from reparam.estimators.card import BITS, Card
from reparam.estimators.leave_one_out import Draws, hard_samples, others, with_controls
from reparam.estimators.networks import apply_network, init_network
from reparam.noise import Noise, NoiseSpec, draw
from reparam.program import Params


@register("rodeo")
@dataclass(frozen=True)
class Rodeo(Estimator):
    """Leave-one-out with two control variates of mean zero, (A h)(z) = 1/D Σ_i q(z⁽ⁱ⁾ | z₋ᵢ) [h(z⁽ⁱ⁾) − h(z)].

    z⁽ⁱ⁾ is z with bit i flipped: A is the Stein operator of Gibbs sampling, so E[A h] = 0 whatever h (Shi et al.
    2022). With s = ∇ log q the estimate is the mean over k of
    (f_k − mean of the other (f_j + α A h⁰_j)) s(z_k) + β A(h¹_k s)(z_k).

    h⁰_k and h¹_k are the two outputs of a small network H, averaged over the other samples j, of (ℓ_j(z), f_j), with
    ℓ_j(z) = ∂f(z_j) · (z − z_j): f at z as sample j would guess it, so that no further run of f is needed at the
    neighbours. α and β start at 0, which is leave-one-out; they and H are trained on the variance. This is the
    released `discrete_stein_avg` for K = 2 and `discrete_stein_output_avg` beyond. `hidden` units in H.

    With several sites each has its own H, α and β; its operator flips its own bits given the sites before it, and
    the baselines of all sites have the controls of all (a site shared by the plate adds nothing to the baselines
    of sites inside the plate).

    Raises ReparamError unless `samples` is at least 2 and `hidden` at least 1.
    """

    samples: int = 2
    """K ≥ 2, the samples that are each other's baseline."""
    hidden: int = 100
    """The units of the network."""
    card = Card(
        title="RODEO (discrete Stein operators)",
        what="Leave-one-out REINFORCE with two learned control variates, one for the baseline and one for the "
        "estimate; a Gibbs-sampling operator gives them mean zero whatever the learned network says.",
        formula="1/K Σ_k [(f(z_k) − 1/(K−1) Σ_{j≠k} (f(z_j) + α A h_j(z_j))) ∇ log q(z_k) + β A(h′_k ∇ log q)(z_k)],  "
        "A h(z) = 1/D Σ_i (E[h | z₋ᵢ] − h(z)),  h_k and h′_k outputs of a network, averaged over the samples "
        "j ≠ k, that is given f(z_j) and ∂f(z_j)·(z − z_j)",
        when="For bits and long trainings, when runs of f are dear and its derivatives useful: K values and "
        "gradients of f, and a small network to train per site.",
        paper="Shi et al. 2022 (arXiv:2202.09497)",
        unbiased=True,
        needs_derivative=True,
        requires=BITS,
        evaluations=lambda estimator, sites: estimator.samples,
        tunables=frozenset({"alpha", "beta", "surrogate"}),
        settings=({}, {"samples": 3, "hidden": 5}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "rodeo")
        check_samples(self.hidden, 1, "rodeo", "hidden")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        tunables: dict[str, Tensor] = {}
        for name, site in sites.items():
            tunables |= {f"{kind}.{name}": site.z.new_zeros(()) for kind in ("alpha", "beta")}
            network = init_network(f"surrogate.{name}", (2, self.hidden, 2), generator)
            # With α = β = 0 a last layer of zeros would never learn.
            network[f"surrogate.{name}.1.weight"] = (
                draw("normal", (2, self.hidden), generator) / self.hidden**0.5
            )
            tunables |= network
        return tunables, {}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values, sites = hard_samples(run, params, noise, lambda law: law.logits)
        constant = values.detach()
        signals = {name: on_plate(constant, site.log_q.ndim) for name, site in sites.items()}
        changes, owns, controls = {}, {}, {}
        for name, site in sites.items():
            surrogate = partial(apply_network, tunables, f"surrogate.{name}", activation=_leaky)
            changes[name], owns[name] = _stein(surrogate, site, signals[name])
            controls[name] = tunables[f"alpha.{name}"] * changes[name][..., 0]
        losses = [values.mean(0)]
        for name, site in sites.items():
            baseline = others(with_controls(constant, controls, site.log_q.ndim))
            estimate = changes[name][..., 1] * site.log_q + (owns[name] * site.statistic).sum(-1)
            loss = (signals[name] - baseline) * site.log_q + tunables[f"beta.{name}"] * estimate
            losses.append(loss.mean(0))
        return Terms(losses[0], tuple(losses), (1.0,) * len(losses), self.samples, memory, tune_variance=True)


def _stein(surrogate: Callable[[Tensor], Tensor], site: Draws, signal: Tensor) -> tuple[Tensor, Tensor]:
    """A h for both outputs of H [K, *plate, 2], and what A(h¹ s) has beyond (A h¹) s, per bit [K, *plate, D].

    s is z − p per logit, so s(z⁽ⁱ⁾) differs from s(z) in entry i alone, by 1 − 2 zᵢ.
    """
    logits, z = site.statistic.detach(), site.z
    flip = torch.sigmoid(torch.where(z > 0, -logits, logits))
    step = 1 - 2 * z
    z_j, slope_j, f_j = (_other(entry) for entry in (z, site.slope, signal))
    guess = (slope_j * (z - z_j)).sum(-1)
    neighbours = guess.unsqueeze(-1) + slope_j * step
    here = surrogate(torch.stack([guess, f_j], -1)).mean(0)
    there = surrogate(torch.stack([neighbours, f_j.unsqueeze(-1).expand_as(neighbours)], -1)).mean(0)
    change = (flip.unsqueeze(-1) * (there - here.unsqueeze(-2))).mean(-2)
    return change, flip * step * there[..., 1] / z.shape[-1]


def _other(values: Tensor) -> Tensor:
    """[K − 1, K, …]: for every sample, the K − 1 others."""
    return torch.stack([values.roll(shift, 0) for shift in range(1, len(values))])


def _leaky(hidden: Tensor) -> Tensor:
    return leaky_relu(hidden, 0.3)
