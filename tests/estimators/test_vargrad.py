"""VarGrad is the leave-one-out score function, draw by draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.score_function import ScoreFunction
from reparam.estimators.vargrad import VarGrad
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block
from reparam.program import describe, follow, run


def setting(key: str, samples: int) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    problem = PROBLEMS[key]
    params = {name: p.double() for name, p in problem.params.items()}
    specs = VarGrad(samples=samples).noise(describe(problem.program, params))
    block = draw_block(specs, ("vargrad", key, samples), 1, dtype=torch.float64)
    return params, {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}


@pytest.mark.parametrize("samples", [2, 3, 5])
@pytest.mark.parametrize("key", PROBLEMS)
def test_it_equals_leave_one_out_to_rounding(key: str, samples: int) -> None:
    """One and two sites, shared sites, f that depends on the parameters directly: all problems there are."""
    params, noise = setting(key, samples)
    found, expected = (
        estimate_gradient(estimator, PROBLEMS[key].program, params, noise)
        for estimator in (
            VarGrad(samples=samples),
            ScoreFunction(baseline="leave_one_out", samples=samples),
        )
    )
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found.value, expected.value)


def test_it_is_the_gradient_of_half_the_variance_of_the_log_ratios() -> None:
    """As the paper defines it, for f = log p − log q with the guide's parameters in q only: then ∇ f is −∇ log q.

    The sample variance divides by samples − 1; dividing by samples would make the gradient (S − 1)/S of it.
    """
    params, noise = setting("bits_log_weight", 5)
    program = PROBLEMS["bits_log_weight"].program
    found = estimate_gradient(VarGrad(samples=5), program, params, noise).gradient["guide"]
    guide = params["guide"].clone().requires_grad_()
    traces = [
        run(program, params | {"guide": guide}, follow({"z": {"uniform": noise["z"]["uniform"][k]}}))
        for k in range(5)
    ]
    log_ratio = -torch.stack([trace.value for trace in traces])
    loss = 0.5 * ((log_ratio - log_ratio.mean(0)) ** 2).sum(0) / 4
    (downhill,) = torch.autograd.grad(loss.sum(), guide, retain_graph=True)
    (direct,) = torch.autograd.grad(-log_ratio.mean(0).sum(), guide)
    torch.testing.assert_close(found, -downhill + direct, rtol=1e-11, atol=1e-11)


def test_one_sample_has_no_variance() -> None:
    with pytest.raises(ReparamError, match="vargrad: samples must be an integer ≥ 2, got 1"):
        VarGrad(samples=1)
