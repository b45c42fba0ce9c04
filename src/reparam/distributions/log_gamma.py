"""Logarithms of standard gamma variables as functions of noise whose law depends on the shape: RSVI's and G-REP's.

Everything is entry by entry. Entries share `Part`: the logarithm of the variable, differentiable in the shape at fixed
noise, and log π of the noise (see `rejection.Draw`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from reparam.distributions.numerics import expm1_minus, log_gamma_excess
from reparam.distributions.rejection import first_accepted, pick
from reparam.noise import NoiseSpec

PROPOSALS = 10
"""At an acceptance of at least 0.951, for shapes of at least 1, all fail once in 10¹³ draws."""


class Part(NamedTuple):
    log_x: Tensor
    log_density: Tensor
    failed: Tensor


def rejection_noise(shape: tuple[int, ...], boost: int) -> dict[str, NoiseSpec]:
    """The base noise of `accept` for entries of this shape."""
    specs = {
        "proposal": NoiseSpec("normal", (*shape, PROPOSALS)),
        "accept": NoiseSpec("uniform", (*shape, PROPOSALS)),
    }
    return specs | ({"boost": NoiseSpec("uniform", (*shape, boost))} if boost else {})


def accept(alpha: Tensor, noise: Mapping[str, Tensor]) -> Part:
    """Marsaglia & Tsang's sampler (2000) at the shape α + B, brought down by x = x̃ Π u_i^(1/(α + i − 1)), i = 1 … B.

    Proposals are (a − ⅓) (1 + ε/√(9a − 3))³, a = α + B, ε standard normal. They are right for a > ⅓, at an acceptance
    that exceeds 0.95 from a = 1 on. Naesseth et al. 2017 (arXiv:1610.05683).
    """
    boost = noise["boost"].shape[-1] if "boost" in noise else 0
    raised = alpha + boost
    fixed, proposal = raised.detach().unsqueeze(-1), noise["proposal"]
    tiny = torch.finfo(proposal.dtype).tiny
    cube = 1 + proposal / (9 * fixed - 3).sqrt()
    log_cube = 3 * cube.clamp_min(tiny).log()
    log_accept = proposal.square() / 2 - (fixed - 1 / 3) * expm1_minus(log_cube)
    index, failed = first_accepted((cube > 0) & (noise["accept"].log() <= log_accept))
    log_cube = 3 * (1 + pick(proposal, index) / (9 * raised - 3).sqrt()).clamp_min(tiny).log()
    share = torch.log1p(-1 / (3 * raised))  # log((a − ⅓) / a)
    log_density = (
        (raised - 0.5) * share
        + 0.5 * raised.log()
        - log_gamma_excess(raised)
        - (raised - 1 / 3) * expm1_minus(log_cube)
    )
    log_x = raised.log() + share + log_cube
    if boost:
        steps = alpha.unsqueeze(-1) + torch.arange(boost, device=alpha.device)
        log_x = log_x + (noise["boost"].log() / steps).sum(-1)
    return Part(log_x, log_density, failed)


def standardize(alpha: Tensor, log_x: Tensor) -> Part:
    """ε = (log x − ψ(α)) / √ψ'(α), whose first two moments do not depend on α; `log_x` is a draw of the law.

    Ruiz et al. 2016 (arXiv:1610.02287).
    """
    center, spread = torch.digamma(alpha), torch.polygamma(1, alpha).sqrt()
    epsilon = ((log_x - center) / spread).detach()
    log_x = center + epsilon * spread
    log_density = alpha * log_x - log_x.exp() - torch.lgamma(alpha) + spread.log()
    return Part(log_x, log_density, torch.zeros_like(log_x, dtype=torch.bool))
