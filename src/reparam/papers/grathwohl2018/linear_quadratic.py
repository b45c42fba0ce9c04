"""Score-function against reparameterized policy gradients where both are possible: linear dynamics, quadratic cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Normal
from reparam.estimators import make
from reparam.measure.moments import gradient_moments
from reparam.noise import stream_seed
from reparam.program import Params, Program, Sample

FIRST_STATE, ACTION_COST = 1.0, 0.1


def problem(horizon: int, closed_loop: float, scale: float) -> tuple[Program, dict[str, Tensor]]:
    """The cost Σ_t x_t² + 0.1 u_t² (t < horizon) of x_{t+1} = x_t + u_t from x_0 = 1 under u_t ~ N(k x_t, σ²), each
    action a sample site; and k = closed_loop − 1 and log σ."""
    params = {
        "policy.gain": torch.tensor(closed_loop - 1, dtype=torch.float64),
        "policy.log_scale": torch.tensor(math.log(scale), dtype=torch.float64),
    }

    def program(params: Params, sample: Sample) -> Tensor:
        state = torch.full_like(params["policy.gain"], FIRST_STATE)
        cost = torch.zeros_like(state)
        for t in range(horizon):
            action = sample(f"u{t}", Normal(params["policy.gain"] * state, params["policy.log_scale"].exp()))
            cost = cost + state.square() + ACTION_COST * action.square()
            state = state + action
        return cost

    return program, params


def expected_cost(params: Params, horizon: int) -> Tensor:
    """E of the cost in closed form, by the second moments of the state: m ← (1 + k)² m + σ²."""
    gain, variance = params["policy.gain"], (2 * params["policy.log_scale"]).exp()
    moment = torch.full_like(gain, FIRST_STATE**2)
    cost = torch.zeros_like(gain)
    for _ in range(horizon):
        cost = cost + moment + ACTION_COST * (gain.square() * moment + variance)
        moment = (1 + gain).square() * moment + variance
    return cost


@procedure("linear_quadratic")
def linear_quadratic(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Variance of a policy gradient against the horizon, by the estimator itself; the exact gradient in closed form.

    Rows, step = horizon: horizon; for the gain k and log σ variance/<name>, relative_error/<name> (√variance over the
    size of the exact gradient) and bias_z/<name> (of the mean of all draws, in standard errors).
    """
    options, rows = spec["evaluation"], list[Row]()
    estimator = make(spec["method"]["name"], spec["method"]["options"])
    stream = stream_seed(spec["paper"], spec["experiment"], seed)
    for horizon in options["horizons"]:
        program, params = problem(horizon, float(options["closed_loop"]), float(options["scale"]))
        exact = torch.func.grad(expected_cost)(params, horizon)
        found = gradient_moments(program, params, estimator, int(options["draws"]), stream % 2**31)
        rows.append((horizon, "horizon", float(horizon)))
        for name, truth in exact.items():
            short, spread = name.removeprefix("policy."), found.variance[name].sqrt()
            off = (found.mean[name] - truth) / found.standard_error[name].clamp(min=1e-300)
            rows += [
                (horizon, f"variance/{short}", found.variance[name].item()),
                (horizon, f"relative_error/{short}", (spread / truth.abs()).item()),
                (horizon, f"bias_z/{short}", off.item()),
            ]
    return Findings(rows, {})
