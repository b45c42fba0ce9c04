"""Goodness of fit where samples underflow or round, in log space, and of mixtures whose components are far apart.

Mild parameters, and extremes that a dtype can hold, are in test_continuous.py; rejection in test_rejection.py.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from reparam.distributions import (
    Beta,
    Categorical,
    Gamma,
    Laplace,
    Law,
    MixtureSameFamily,
    Normal,
    StudentT,
)
from reparam.noise import draw, draw_block, generator

LEVEL = 1e-9
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for any test of this file."""
DRAWS = 2000


def uniform(found: Any) -> bool:
    return stats.kstest(np.asarray(found), "uniform").pvalue > LEVEL


def gamma_log_cdf(log_x: np.ndarray, a: float) -> np.ndarray:
    """log P(a, x), from the first terms of its series where x is small."""
    x = np.exp(np.maximum(log_x, -700))
    small = a * log_x - special.gammaln(a + 1) - a * x / (a + 1)
    with np.errstate(divide="ignore"):
        return np.where(log_x < -18, small, np.log(special.gammainc(a, x)))


def beta_log_cdf(y: np.ndarray, a: float, b: float) -> np.ndarray:
    """log I_z(a, b) at the logit y of z, from the first term of its series where z is small."""
    small = a * (y - np.log1p(np.exp(np.minimum(y, 0)))) - math.log(a) - special.betaln(a, b)
    with np.errstate(divide="ignore"):
        return np.where(y < -32 - math.log(max(1, b)), small, np.log(special.betainc(a, b, special.expit(y))))


def student_log_tail(log_t: np.ndarray, df: float) -> np.ndarray:
    """log P(T > t): t² / df is the odds of a beta variable of the shapes ½ and df/2."""
    return beta_log_cdf(math.log(df) - 2 * log_t, df / 2, 0.5) - math.log(2)


@pytest.mark.parametrize(
    ("found", "exact"),
    [
        *(
            (
                gamma_log_cdf(np.array(y), a),
                lambda a=a, y=y: mpmath.gammainc(a, 0, mpmath.exp(y), regularized=True),
            )
            for a in (1e-3, 0.02)
            for y in (-3000.0, -19.0, -17.0, -1.0, 1.5)
        ),
        *(
            (
                beta_log_cdf(np.array(y), a, b),
                lambda a=a, b=b, y=y: mpmath.betainc(a, b, 0, 1 / (1 + mpmath.exp(-y)), regularized=True),
            )
            for a, b in ((1e-3, 1e-3), (1e-3, 30.0), (0.1, 1e3), (30.0, 0.1))
            for y in (-3000.0, -41.0, -38.0, -5.0, 2.0)
        ),
        *(
            (
                student_log_tail(np.array(t), df),
                lambda df=df, t=t: (
                    mpmath.betainc(df / 2, 0.5, 0, 1 / (1 + mpmath.exp(2 * t) / df), regularized=True) / 2
                ),
            )
            for df in (1e-3, 0.05)
            for t in (-3.0, 0.0, 4.0, 600.0)
        ),
    ],
)
def test_the_cdfs_of_this_file_are_those_of_mpmath(found: np.ndarray, exact: Any) -> None:
    with mpmath.workdps(30):
        assert float(found) == pytest.approx(float(mpmath.log(exact())), rel=1e-9, abs=1e-9)


def quantiles(*name: str | int, shape: tuple[int, ...]) -> Tensor:
    return draw("uniform", (DRAWS, *shape), generator("extremes", *name), torch.float64)


def test_logarithms_of_gamma_variables_of_small_shapes() -> None:
    shapes, rates = (1e-4, 1e-3, 0.01, 0.05), (1e-3, 1.0, 1e3)
    alpha, rate = torch.meshgrid(
        *(torch.tensor(p, dtype=torch.float64) for p in (shapes, rates)), indexing="ij"
    )
    u = quantiles("gamma", shape=alpha.shape)
    logs = torch.vmap(lambda v: Gamma(alpha, rate).log_path({"uniform": v}))(u).numpy()
    for i, a in enumerate(shapes):
        for j, b in enumerate(rates):
            assert uniform(np.exp(gamma_log_cdf(logs[:, i, j] + math.log(b), a))), (a, b)


def test_logits_of_beta_variables_of_all_shapes() -> None:
    shapes = (1e-3, 0.1, 0.4, 1.0, 30.0, 1e3, 1e6)
    a, b = torch.meshgrid(*2 * (torch.tensor(shapes, dtype=torch.float64),), indexing="ij")
    u = quantiles("beta", shape=a.shape)
    logits = torch.vmap(lambda v: Beta(a, b).logit_path({"uniform": v}))(u).numpy()
    for i, first in enumerate(shapes):
        for j, second in enumerate(shapes):
            y = logits[:, i, j]
            below, above = beta_log_cdf(y, first, second), beta_log_cdf(-y, second, first)
            assert uniform(np.where(below < above, np.exp(below), -np.expm1(above))), (first, second)


def test_student_variables_of_few_degrees_of_freedom() -> None:
    """Values beyond the dtype are the last that it holds: at random between the ends of the mass there."""
    dfs, scales = (1e-3, 0.01, 0.05), (1e-6, 1.0, 1e6)
    df, scale = torch.meshgrid(*(torch.tensor(p, dtype=torch.float64) for p in (dfs, scales)), indexing="ij")
    u = quantiles("student", shape=df.shape)
    t = torch.vmap(lambda v: StudentT(df, 0 * df, scale).path({"uniform": v}))(u).numpy() / scale.numpy()
    jitter = quantiles("jitter", shape=()).numpy()
    for i, nu in enumerate(dfs):
        for j in range(len(scales)):
            log_t = np.log(np.abs(t[:, i, j]))
            tail = np.exp(student_log_tail(log_t, nu))
            tail = np.where(log_t > 670, jitter * math.exp(student_log_tail(np.array(670.0), nu)), tail)
            assert uniform(np.where(t[:, i, j] < 0, tail, 1 - tail)), (nu, scales[j])


LOGITS = torch.tensor([0.0, -12.0, 2.0], dtype=torch.float64)
LOC = torch.tensor([-1e6, 0.0, 3.0], dtype=torch.float64)
SCALE = torch.tensor([1e3, 1e6, 1e-4], dtype=torch.float64)
MIXTURES = {
    "Normal": (Normal(LOC, SCALE, event_dims=0), stats.norm(LOC, SCALE)),
    "Laplace": (Laplace(LOC, SCALE, event_dims=0), stats.laplace(LOC, SCALE)),
    "StudentT": (
        StudentT(torch.tensor([0.3, 1e5, 2.0]).double(), LOC, SCALE, event_dims=0),
        stats.t(torch.tensor([0.3, 1e5, 2.0]).double(), LOC, SCALE),
    ),
    "Gamma": (
        Gamma(torch.tensor([0.1, 1e5, 3.0]).double(), SCALE, event_dims=0),
        stats.gamma(torch.tensor([0.1, 1e5, 3.0]).double(), scale=1 / SCALE),
    ),
    "Beta": (
        Beta(torch.tensor([0.1, 1e5, 3.0]).double(), torch.tensor([2.0, 1e3, 30.0]).double(), event_dims=0),
        stats.beta(torch.tensor([0.1, 1e5, 3.0]).double(), torch.tensor([2.0, 1e3, 30.0]).double()),
    ),
}


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_of_components_of_other_orders(name: str, scale: float) -> None:
    """With weights that are equal, and down to e^−42."""
    component, reference = MIXTURES[name]
    law = MixtureSameFamily(Categorical(logits=scale * LOGITS), component)
    noise = draw_block({"z": law.noise()}, ("mixture", name), DRAWS, dtype=torch.float64)["z"]
    z = torch.vmap(law.path)(noise)
    weights = special.softmax(scale * LOGITS.numpy())
    assert uniform((weights * reference.cdf(z.numpy()[:, None])).sum(-1))


def test_mixtures_of_vectors_of_other_orders() -> None:
    """The first entry's CDF, and the second's given the first, by scipy."""
    loc = torch.stack([LOC, LOC.flip(0)], -1) / 1e3
    scale = torch.stack([SCALE, SCALE.roll(1)], -1) / 1e2
    law: Law = MixtureSameFamily(Categorical(logits=LOGITS / 6), Normal(loc, scale))
    noise = draw_block({"z": law.noise()}, ("mixture", "vectors"), DRAWS, dtype=torch.float64)["z"]
    first, second = torch.vmap(law.path)(noise).unsqueeze(-1).unbind(1)
    weights = special.log_softmax(LOGITS.numpy() / 6)
    parts = [stats.norm(loc[:, d].numpy(), scale[:, d].numpy()) for d in (0, 1)]
    assert uniform((np.exp(weights) * parts[0].cdf(first.numpy())).sum(-1))
    given = special.softmax(weights + parts[0].logpdf(first.numpy()), -1)
    assert uniform((given * parts[1].cdf(second.numpy())).sum(-1))
