"""Gradient estimates of a problem in double precision: their means, variances and variance objective."""

from __future__ import annotations

from typing import Any

import torch
from scipy.stats import norm
from torch import Tensor

from reparam.engine.gradient import estimate_gradient, prepare
from reparam.estimators import Estimator
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import Params, Program

DRAWS = 20_000
FALSE_ALARM = 1e-6
"""Of one look at all coordinates of a problem, for a right estimator (Bonferroni)."""


def doubles(key: str) -> dict[str, Tensor]:
    return {name: p.double() for name, p in PROBLEMS[key].params.items()}


def start(estimator: Estimator, program: Program, params: Params) -> tuple[dict[str, Tensor], Any, Any]:
    """(first tunables in double precision, memory, noise specs)."""
    sites = prepare(estimator, program, params)
    tunables, memory = estimator.start(params, sites, generator("sampled", "init"))
    return {name: value.double() for name, value in tunables.items()}, memory, estimator.noise(sites)


def shifted(tunables: Params, by: float = 0.2) -> dict[str, Tensor]:
    """Tunables away from their first values, where a network says 0."""
    source = generator("sampled", "shift")
    return {
        name: value + by * torch.randn(value.shape, generator=source).double()
        for name, value in tunables.items()
    }


def estimates_of(
    estimator: Estimator, program: Program, params: Params, draws: int, tunables: Any = None
) -> dict[str, Tensor]:
    """Gradient estimates [draws, *parameter]; estimators share the noise of equal roles."""
    first, memory, specs = start(estimator, program, params)
    tunables = first if tunables is None else tunables
    noise = draw_block(specs, ("sampled",), draws, dtype=torch.float64)

    def one(draw: Any) -> dict[str, Tensor]:
        return estimate_gradient(estimator, program, params, draw, tunables, memory).gradient

    return torch.vmap(one)(noise)


def estimates(estimator: Estimator, key: str, draws: int = DRAWS, tunables: Any = None) -> dict[str, Tensor]:
    """`estimates_of` the problem `key`."""
    return estimates_of(estimator, PROBLEMS[key].program, doubles(key), draws, tunables)


def largest_z(found: dict[str, Tensor], key: str) -> float:
    """The largest |z| of the means against the exact gradient; what is constant must be exact to 1e-9."""
    worst = 0.0
    for name, truth in PROBLEMS[key].exact().items():
        error = found[name].std(0) / len(found[name]) ** 0.5
        deviation = (found[name].mean(0) - truth).abs() - 1e-9 * (1 + truth.abs())
        worst = max(worst, (deviation.clamp(min=0) / (error + 1e-12)).max().item())
    return worst


def bound(key: str) -> float:
    coordinates = sum(p.numel() for p in PROBLEMS[key].params.values())
    return float(norm.isf(FALSE_ALARM / 2 / coordinates))


def total_variance(found: dict[str, Tensor]) -> float:
    return sum(entry.var(0).sum() for entry in found.values()).item()


def trained(
    estimator: Estimator,
    program: Program,
    params: Params,
    steps: int,
    rate: float,
    batch: int = 64,
    first: Any = None,
) -> Any:
    """The tunables after plain gradient descent on the mean of their gradients at frozen parameters."""
    tunables, memory, specs = start(estimator, program, params)
    tunables = tunables if first is None else first
    for step in range(steps):
        noise = draw_block(specs, ("train", step), batch, dtype=torch.float64)

        def one(draw: Any, tunables: Any = tunables) -> Any:
            return estimate_gradient(estimator, program, params, draw, tunables, memory).tunable_gradient

        slopes = torch.vmap(one)(noise)
        tunables = {name: value - rate * slopes[name].mean(0) for name, value in tunables.items()}
    return tunables


def assert_descends_on_the_squared_norm(estimator: Estimator, key: str) -> None:
    """Every tunable's gradient against central differences of |estimate|² at fixed noise."""
    program, params = PROBLEMS[key].program, doubles(key)
    first, memory, specs = start(estimator, program, params)
    tunables = shifted(first)
    block = draw_block(specs, ("objective", key), 1, dtype=torch.float64)
    noise = {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}

    def objective(tunables: Any) -> Tensor:
        found = estimate_gradient(estimator, program, params, noise, tunables, memory).gradient
        return torch.stack([entry.square().sum() for entry in found.values()]).sum()

    ours = estimate_gradient(estimator, program, params, noise, tunables, memory).tunable_gradient
    assert {name.split(".")[0] for name in tunables} == estimator.card.tunables
    step = 1e-5
    for name, value in tunables.items():
        steps = step * torch.eye(value.numel(), dtype=torch.float64).reshape(-1, *value.shape)
        slopes = torch.vmap(
            lambda s, name=name, value=value: (
                objective({**tunables, name: value + s}) - objective({**tunables, name: value - s})
            )
        )(steps)
        expected = (slopes / (2 * step)).reshape(value.shape)
        torch.testing.assert_close(ours[name], expected, rtol=1e-5, atol=1e-6, msg=name)
