"""Whether what is drawn has the law it should have, and the gradient that this law has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import integrate, special, stats
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import (
    Cauchy,
    Exponential,
    Gamma,
    Gumbel,
    Kumaraswamy,
    Laplace,
    Law,
    Logistic,
    Normal,
    OneHotCategorical,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    Weibull,
)
from reparam.noise import NoiseSpec, draw, draw_block, generator
from reparam.papers.tutorials.estimates import apart, measured
from reparam.program import Params, Sample

Array = NDArray[np.float64]
STEP = 1e-5
"""Of central differences of integrals that are known to about 1e-12."""


class Known(NamedTuple):
    """A law of ours, and its density and CDF written out."""

    law: Callable[..., Law]
    parameters: tuple[float, ...]
    density: Callable[..., Any]
    """p(z, *parameters)."""
    cdf: Callable[..., Any]
    support: tuple[float, float] = (-np.inf, np.inf)


def _located(law: Callable[..., Law], density: Callable[[Any], Any], cdf: Callable[[Any], Any]) -> Known:
    """A location–scale law, given by its standard member."""
    return Known(law, (0.4, 1.3), lambda z, m, s: density((z - m) / s) / s, lambda z, m, s: cdf((z - m) / s))


POSITIVE = (0.0, np.inf)
LAWS = {
    "normal": _located(Normal, lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi), special.ndtr),
    "laplace": _located(
        Laplace,
        lambda x: np.exp(-abs(x)) / 2,
        lambda x: np.where(x < 0, np.exp(-abs(x)) / 2, 1 - np.exp(-abs(x)) / 2),
    ),
    "logistic": _located(Logistic, lambda x: special.expit(x) * special.expit(-x), special.expit),
    "exponential": Known(
        Exponential, (0.8,), lambda z, r: r * np.exp(-r * z), lambda z, r: 1 - np.exp(-r * z), POSITIVE
    ),
    "weibull": Known(
        Weibull,
        (1.3, 1.7),
        lambda z, s, k: k / s * (z / s) ** (k - 1) * np.exp(-((z / s) ** k)),
        lambda z, s, k: 1 - np.exp(-((z / s) ** k)),
        POSITIVE,
    ),
    "kumaraswamy": Known(
        Kumaraswamy,
        (1.7, 2.4),
        lambda z, a, b: a * b * z ** (a - 1) * (1 - z**a) ** (b - 1),
        lambda z, a, b: 1 - (1 - z**a) ** b,
        (0.0, 1.0),
    ),
    "cauchy": _located(Cauchy, lambda x: 1 / (np.pi * (1 + x * x)), lambda x: 0.5 + np.arctan(x) / np.pi),
    "gumbel": _located(
        Gumbel, lambda x: np.exp(-x - np.exp(np.minimum(-x, 700))), lambda x: np.exp(-np.exp(-x))
    ),
}


def distance(samples: Any, cdf: Callable[[Array], Any]) -> float:
    """√n · D of Kolmogorov and Smirnov; above 2.6 with a probability of 3e-6 where the law is right."""
    values = np.sort(np.asarray(samples, dtype=float).ravel())
    share = np.asarray(cdf(values))
    count = len(values)
    above = np.arange(1, count + 1) / count - share
    return float(np.sqrt(count) * max(above.max(), (1 / count - above).max()))


def bell(z: Any) -> Any:
    """f of the gradients: bounded, so that every law can integrate it, and no wave, so that quadrature can."""
    return 1 / (1 + z * z)


@cache
def slopes(law: str) -> list[float]:
    """∂ E f / ∂ each parameter of a law of `LAWS`, by quadrature against its density and central differences."""
    known = LAWS[law]

    def mean(parameters: Sequence[float]) -> float:
        value, _ = integrate.quad(
            lambda z: bell(z) * known.density(z, *parameters),
            *known.support,
            epsabs=1e-12,
            epsrel=1e-12,
            limit=500,
        )
        return float(value)

    found = []
    for i in range(len(known.parameters)):
        ends = [[p + side * STEP * (j == i) for j, p in enumerate(known.parameters)] for side in (1, -1)]
        found.append((mean(ends[0]) - mean(ends[1])) / (2 * STEP))
    return found


@procedure("laws")
def laws(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Each law's path (T1 §3.2, §3.3): fit and gradient, for f = 1/(1 + z²).

    Rows at step 0, by law: fit/<law>, √n times the largest distance from the CDF; gradient_z/<law>, by the cell's
    estimator: the largest error in standard errors, against quadrature; finite/<law>, the share of draws at which ∂z/∂φ
    is finite. For the Normal law also mean_z and variance_z. Arrays: noise and samples of the Normal law.
    """
    draws = int(spec["evaluation"]["draws"])
    rows: list[Row] = []
    arrays: dict[str, Array] = {}
    for name, known in LAWS.items():
        inputs = [torch.tensor(p, dtype=torch.float64) for p in known.parameters]
        law, axes = known.law(*inputs), (spec["paper"], spec["experiment"], seed, "fit")
        noise = draw_block({name: law.noise()}, axes, draws, dtype=torch.float64)[name]

        def path(*values: Tensor, known: Known = known, noise: Any = noise) -> Tensor:
            return torch.vmap(lambda one: known.law(*values).path(one))(noise)

        z = path(*inputs)
        rows.append((0, f"fit/{name}", distance(known.cdf(z.numpy(), *known.parameters), lambda u: u)))
        jacobian = torch.func.jacfwd(path, argnums=tuple(range(len(inputs))))(*inputs)
        rows.append((0, f"finite/{name}", float(torch.stack(list(jacobian)).isfinite().double().mean())))

        def program(params: Params, sample: Sample, known: Known = known) -> Tensor:
            return bell(sample("z", known.law(*params.values())))

        params = {f"p{i}": entry for i, entry in enumerate(inputs)}
        exact = dict(zip(params, torch.tensor(slopes(name), dtype=torch.float64), strict=True))
        z_scores = apart(measured(spec, seed, program, params), exact)
        rows.append((0, f"gradient_z/{name}", max(float(entry) for entry in z_scores.values())))
        if name == "normal":
            loc, scale = known.parameters
            rows.append((0, "mean_z", abs(float(z.mean()) - loc) / (scale / draws**0.5)))
            spread = scale**2 * (2 / (draws - 1)) ** 0.5
            rows.append((0, "variance_z", abs(float(z.var()) - scale**2) / spread))
            arrays = {"epsilon": noise["normal"][:400].numpy(), "z": z[:400].numpy()}
    return Findings(rows, arrays)


PROBABILITIES = {
    "even": (0.25, 0.25, 0.25, 0.25),
    "uneven": (0.6, 0.3, 0.1),
    "extreme": (0.9989, 1e-3, 1e-4, 1e-30),
}


@procedure("gumbel")
def gumbel(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Gumbel-max and its relaxation (T1 §5.1, §5.2; T3), on `draws` draws.

    Rows at step 0: counts_z/<π>, the largest deviation of a category's count in standard deviations; gumbel_fit, of
    −log(−log u) to exp(−exp(−x)); softmax_error and sigmoid_error, of our relaxed laws' paths from the tutorial's
    formulas at the same noise; binary_fit, of the binary formula to the first entry of the two-class one (two samples).
    Then, at step = number of the temperature τ: temperature; distance_from_one_hot, the mean of 1 − max z; and
    distance_from_uniform, the largest |z − 1/K|. Arrays: noise and points on the simplex of three classes.
    """
    draws = int(spec["evaluation"]["draws"])
    source = generator(spec["paper"], spec["experiment"], seed)
    rows: list[Row] = []
    for name, probabilities in PROBABILITIES.items():
        pi = torch.tensor(probabilities, dtype=torch.float64)
        uniform = draw("uniform", (draws, len(pi)), source, torch.float64)
        chosen = OneHotCategorical(logits=pi.log().expand(draws, -1)).path({"uniform": uniform})
        deviation = (chosen.sum(0) - draws * pi).abs() / (draws * pi * (1 - pi)).sqrt().clamp(min=1)
        rows.append((0, f"counts_z/{name}", float(deviation.max())))
    uniform = draw("uniform", (draws, 3), source, torch.float64)
    g = -torch.log(-torch.log(uniform))
    rows.append((0, "gumbel_fit", distance(g, lambda x: np.exp(-np.exp(-x)))))
    log_pi = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    arrays = {}
    errors = []
    for number, tau in enumerate(spec["evaluation"]["temperatures"]):
        formula = torch.softmax((log_pi + g) / tau, -1)
        own = RelaxedOneHotCategorical(tau, logits=log_pi.expand(draws, -1)).path({"uniform": uniform})
        errors.append(float((own - formula).abs().max()))
        rows.append((number, "temperature", float(tau)))
        rows.append((number, "distance_from_one_hot", float((1 - own.max(-1).values).mean())))
        rows.append((number, "distance_from_uniform", float((own - 1 / 3).abs().max())))
        arrays[f"simplex_{number}"] = own[:400].numpy()
    arrays["temperatures"] = np.array(spec["evaluation"]["temperatures"], dtype=float)
    rows.append((0, "softmax_error", max(errors)))
    rows += _binary(draws, source)
    return Findings(rows, arrays)


def _binary(draws: int, source: torch.Generator) -> list[Row]:
    """The binary formula (T1 §5.2) at π = 0.3, τ = 0.6."""
    pi, tau = torch.tensor(0.3, dtype=torch.float64), 0.6
    u = draw("uniform", (draws,), source, torch.float64)
    formula = torch.sigmoid((u.log() - torch.log1p(-u) + pi.log() - torch.log1p(-pi)) / tau)
    own = RelaxedBernoulli(tau, probs=pi.expand(draws)).path({"uniform": u})
    two = torch.stack([pi, 1 - pi]).log().expand(draws, -1)
    other = draw("uniform", (draws, 2), source, torch.float64)
    first = RelaxedOneHotCategorical(tau, logits=two).path({"uniform": other})[:, 0]
    fit = stats.ks_2samp(own.numpy(), first.numpy(), method="asymp").statistic * (draws / 2) ** 0.5
    return [(0, "sigmoid_error", float((own - formula).abs().max())), (0, "binary_fit", float(fit))]


def tutorial_map(alpha: float, epsilon: Any) -> Any:
    """T1 §5.3 with β = 1: (α − 1/3 + ε / √(9α − 3))³."""
    return (alpha - 1 / 3 + epsilon / np.sqrt(9 * alpha - 3)) ** 3


def proposal(alpha: float, epsilon: Any) -> Any:
    """Marsaglia and Tsang 2000: (α − 1/3) (1 + ε / √(9α − 3))³, what the formula should have been."""
    return (alpha - 1 / 3) * (1 + epsilon / np.sqrt(9 * alpha - 3)) ** 3


@procedure("gamma_maps")
def gamma_maps(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The tutorial's map to a Gamma(α, 1) variable, Marsaglia and Tsang's, and the accepted draws (T1 §5.3).

    Rows at step = number of the α: alpha; <map>/mean and <map>/variance (exact, by quadrature), <map>/fit of draws, and
    <map>/mean_error, |mean/α − 1|, for the maps tutorial and proposal; accepted/fit, of our rejection sampler;
    gradient_z, that of d/dα E[z²] = 2α + 1 by the cell's estimator; <map>/slope, the same of the maps, exact.
    scale_error: mean of Gamma(α, rate β) at β = 2 over that of the tutorial's β z, less 1. Arrays: draws of each map.
    """
    draws = int(spec["evaluation"]["draws"])
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    gradient_z = _gradients(spec, seed, spec["evaluation"]["alphas"])
    rows: list[Row] = []
    arrays = {}
    for number, alpha in enumerate(spec["evaluation"]["alphas"]):
        source = generator(spec["paper"], spec["experiment"], seed, number)
        epsilon = draw("normal", (draws,), source, torch.float64).numpy()
        rows.append((number, "alpha", float(alpha)))
        for name, change in (("tutorial", tutorial_map), ("proposal", proposal)):
            z = change(alpha, nodes)
            mean = float((weights * z).sum())
            ends = [float((weights * change(alpha + side, nodes) ** 2).sum()) for side in (STEP, -STEP)]
            exact = {
                "mean": mean,
                "variance": float((weights * (z - mean) ** 2).sum()),
                "mean_error": abs(mean / alpha - 1),
                "fit": distance(change(alpha, epsilon), stats.gamma(alpha).cdf),
                "slope": (ends[0] - ends[1]) / (2 * STEP),
            }
            rows += [(number, f"{name}/{metric}", value) for metric, value in exact.items()]
            arrays[f"{name}_{number}"] = change(alpha, epsilon[:2000])
        law = Gamma(
            torch.full((draws,), float(alpha), dtype=torch.float64), torch.ones(draws, dtype=torch.float64)
        )
        noise = {role: _noise(wanted, source) for role, wanted in law.rejection_noise().items()}
        accepted = law.accept(noise).z.numpy()
        arrays[f"accepted_{number}"] = accepted[:2000]
        rows.append((number, "accepted/fit", distance(accepted, stats.gamma(alpha).cdf)))
        rows.append((number, "gradient_z", float(gradient_z[number])))
        rows.append((number, "scale_error", float(stats.gamma(alpha, scale=1 / 2).mean() / (2 * alpha)) - 1))
    return Findings(rows, arrays)


def _noise(wanted: NoiseSpec, source: torch.Generator) -> Tensor:
    return draw(wanted.kind, wanted.shape, source, torch.float64)


def _gradients(spec: Mapping[str, Any], seed: int, alphas: Sequence[float]) -> Tensor:
    """How many standard errors the cell's estimator of d/dα E[z²] is off 2α + 1, at each α."""

    def program(params: Params, sample: Sample) -> Tensor:
        return sample("z", Gamma(params["alpha"], torch.ones_like(params["alpha"]), event_dims=0)).square()

    params = {"alpha": torch.tensor(alphas, dtype=torch.float64)}
    return apart(measured(spec, seed, program, params), {"alpha": 2 * params["alpha"] + 1})["alpha"]
