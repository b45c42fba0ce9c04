"""Every card's formula, verbatim, beside a function that computes it, and both against the estimate, draw by draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import formulas as by_hand
import pytest
import torch
from torch import Tensor

from reparam import estimators
from reparam.engine.gradient import estimate_gradient
from reparam.noise import draw_block, generator
from reparam.program import describe

DRAWS = 6


class Formula(NamedTuple):
    text: str
    problems: tuple[str, ...]
    options: Mapping[str, Any]
    function: Callable[..., Tensor]


DISCRETE, ALL = ("bits", "one_hot"), ("bits", "one_hot", "normals")
GUMBEL = (
    "∇ f(s),  s = σ((θ + L)/τ) for bits, softmax((θ + G)/τ) for one-hot vectors,  L logistic, G Gumbel",
    DISCRETE,
    {"temperature": 0.6, "samples": 2},
    by_hand.softened,
)
VIMCO = (
    "Σ_k (L − L₋ₖ) ∇ log q(z_k) + Σ_k w̃_k ∇ f(z_k),  L = log 1/K Σ_j exp f_j,  w̃ = softmax f,  "
    "L₋ₖ = L with exp f_k replaced by the others' geometric (or arithmetic) mean"
)
DISARM = (
    "1/(K−1) Σ_k f(z_k) (z_k − z̄) / (1 − ρ) ∇ θ,  z̄ the mean of the K samples, ρ the correlation of two;  "
    "K = 2: ½ [f(z₁) − f(z₂)] (z₁ − z₂) σ(|θ|) ∇ θ"
)
LOCAL_DISARM = (
    "½ Σ_k (L − L_k) (z_k − z̃_k) σ(|θ|) ∇ θ + Σ_k w̃_k ∇ f(z_k),  z = 1[u > σ(−θ)],  z̃ = 1[u < σ(θ)],  "
    "L = log 1/K Σ_j exp f(z_j),  w̃ = softmax f,  L_k = L with z̃_k in the place of z_k"
)
RELAX = (
    "[f(z) − η c(s̃)] ∇ log q(z) + η ∇ c(s) − η ∇ c(s̃),  z = discretize(g), s = soften(g, τ),  "
    "s̃ = soften(g̃, τ), g̃ ~ p(g | z),  c = f + r or c = r, r a network"
)
RWS_DREG = (
    "Σ_k [a (w̃_k − w̃_k²) + (1 − a) w̃_k²] ∂f(z_k) ∇ z_k + Σ_k w̃_k ∇ [f(c_k) + log q(c_k)],  "
    "z_k = g(ε_k; φ), c_k the constant z_k,  w̃ = softmax f constant, f = log p − log q;  averaged over M groups of K"
)
SCORE = "(f(z) − b) ∇ log q(z),  z ~ q,  b a baseline that does not look at z"
FORMULAS: dict[str, list[Formula]] = {
    "annealed_straight_through": [
        Formula(
            "∂f(z) ∇ σ(aθ) for bits, ∂f(z) ∇ softmax(aθ) for one-hot vectors,  z ~ q,  "
            "a = min(maximum, slope + rate · n) after n changes",
            DISCRETE,
            {"rate": 0.3, "every": 10},
            by_hand.with_derivative_of(by_hand.annealed),
        )
    ],
    "arm": [
        Formula(
            "[f(1[u > σ(−θ)]) − f(1[u < σ(θ)])] (u − ½) ∇ θ,  u uniform",
            ("bits",),
            {"samples": 4},
            by_hand.arm,
        )
    ],
    "ciwae": [
        Formula(
            "Σ_k [β/K + (1 − β) w̃_k] ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f constant;  averaged over M "
            "groups of K",
            ("normals",),
            {"samples": 3, "groups": 2, "beta": 0.3},
            by_hand.ciwae,
        )
    ],
    "concrete": [Formula(*GUMBEL)],
    "disarm": [
        Formula(DISARM, ("bits",), {}, by_hand.disarm_of_two),
        Formula(DISARM, ("bits",), {"samples": 3}, by_hand.disarm_of_three),
    ],
    "double_control_variates": [
        Formula(
            "1/K Σ_k [(h_k − 1/(K−1) Σ_{j≠k} h_j) ∇ log q(z_k) − α g_k·∇ μ],  "
            "h_k = f(z_k) + α g_k·(z_k − μ),  g_k = 1/(K−1) Σ_{j≠k} ∂f(z_j),  μ = E[z]",
            DISCRETE,
            {"samples": 3},
            by_hand.double_control_variates,
        )
    ],
    "dreg": [
        Formula(
            "Σ_k w̃_k² ∂f(z_k) ∇ z_k + Σ_k w̃_k ∇ [f(c_k) + log q(c_k)],  z_k = g(ε_k; φ), c_k the constant z_k,  "
            "w̃ = softmax f constant, f = log p − log q;  averaged over M groups of K",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.dreg,
        )
    ],
    "exact": [Formula("Σ_z ∇[q(z) f(z)]", DISCRETE, {}, by_hand.exact)],
    "grep": [
        Formula(
            "∇ f(z) + f(z) ∇ log π(ε; φ),  z = T(ε; φ),  ε = T⁻¹(z) constant,  π its density;  "
            "log z = E[log z] + ε sd[log z] for gamma variables, logit z in its place for Beta",
            ("gammas",),
            {"samples": 2},
            by_hand.grep,
        )
    ],
    "gumbel_rao": [
        Formula(
            "∂f(z) 1/M Σ_m ∇ soften(g_m, τ),  z ~ q,  g_m ~ p(g | z),  g = θ + noise, the noise constant",
            DISCRETE,
            {"temperature": 0.6, "inner": 3, "samples": 2},
            by_hand.with_derivative_of(by_hand.averaged),
        )
    ],
    "gumbel_softmax": [Formula(*GUMBEL)],
    "half": [
        Formula(
            "Σ_i ∂_i f(z)·(z_i − c) ∇ log q(z_i),  z ~ q,  i over bits or one-hot vectors,  "
            "c = ½ for a bit, 1/C in every entry for one of C categories",
            DISCRETE,
            {"samples": 2},
            by_hand.with_derivative_of(by_hand.half),
        )
    ],
    "implicit": [
        Formula(
            "∂f(z) ∇ z,  ∇ z = −∇ F(z) / q(z) at constant z, for each entry,  F its CDF, q its density",
            ("normals",),
            {"samples": 2},
            by_hand.implicit,
        )
    ],
    "iwae": [
        Formula(
            "Σ_k w̃_k ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f constant;  averaged over M groups of K",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.iwae,
        )
    ],
    "jvi": [
        Formula(
            "K Σ_k w̃_k ∇ f(z_k) − (K − 1)/K Σ_i Σ_{k≠i} w̃_k⁻ⁱ ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f, "
            "w̃⁻ⁱ the same without sample i, constant;  averaged over M groups of K",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.jvi,
        )
    ],
    "jvi_dreg": [
        Formula(
            "Σ_k c_k ∂f(z_k) ∇ z_k + Σ_k v_k ∇ [f(c_k) + log q(c_k)],  c_k = K w̃_k² − (K − 1)/K Σ_{i≠k} (w̃_k⁻ⁱ)²,  "
            "v_k = K w̃_k − (K − 1)/K Σ_{i≠k} w̃_k⁻ⁱ,  z, w̃ as in jvi, c_k within f the constant z_k;  averaged over M "
            "groups of K",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.jvi_dreg,
        )
    ],
    "lax": [
        Formula(
            "[f(z) − r(z)] ∇ log q(z) + ∇ r(z),  z = g(ε; φ),  ε ~ p(ε),  r a network",
            ("normals",),
            {"samples": 2, "hidden": (4,)},
            by_hand.lax,
        )
    ],
    "local_disarm": [Formula(LOCAL_DISARM, ("bits",), {"samples": 3}, by_hand.local_disarm)],
    "measure_valued": [
        Formula(
            "[f(μ + σ r) − f(μ − σ r)] / (σ √(2π)) ∇ μ + [f(μ + σ m) − f(μ + σ n)] / σ ∇ σ,  r Weibull, "
            "m double-sided Maxwell, n normal;  summed over dimensions, the others staying at their sample",
            ("normals",),
            {"samples": 2},
            by_hand.measure_valued,
        )
    ],
    "muprop": [
        Formula(
            "[f(z) − f(z̄) − d·(z − z̄)] ∇ log q(z) + d·∇ μ,  μ = E[z] at the samples of the sites before, "
            "z̄ = E[z] at their z̄,  d = ∂f(z̄),  z̄ and d constant",
            DISCRETE,
            {"samples": 2},
            by_hand.muprop,
        )
    ],
    "nvil": [
        Formula(
            "(f(z) − C(x) − c) / max(1, s) · ∇ log q(z),  z ~ q,  C a network,  c and s the mean and standard "
            "deviation of f − C(x) over earlier estimates",
            ALL,
            {"hidden": 4},
            by_hand.nvil,
        )
    ],
    "pathwise": [Formula("∇ f(z),  z = g(ε; φ),  ε ~ p(ε)", ("normals",), {"samples": 2}, by_hand.pathwise)],
    "piwae": [
        Formula(
            "1/M Σ_m Σ_k w̃_mk [∇ f(z_mk) − ∇ ℓ(c_mk)] + Σ_m Σ_k W̃_mk ∇ ℓ(c_mk),  ℓ = f + log q = log p,  "
            "z = g(ε; φ), c the constant z,  w̃ = softmax f over k, W̃ over all, constant",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.piwae,
        )
    ],
    "rebar": [
        Formula(
            "[f(z) − η f(s̃)] ∇ log q(z) + η ∇ f(s) − η ∇ f(s̃),  z = discretize(g), s = soften(g, τ),  "
            "s̃ = soften(g̃, τ), g̃ ~ p(g | z)",
            DISCRETE,
            {"temperature": 0.6, "eta": 0.7, "coupled": False, "samples": 2},
            by_hand.rebar,
        )
    ],
    "reinmax": [
        Formula(
            "∂f(z) [2 J((z + π)/2) − ½ J(μ)] ∇ θ,  μ = E[z],  π = softmax(θ/τ), J(p) = diag(p) − p pᵀ for "
            "one-hot vectors,  π = σ(θ/τ), J(p) = p (1 − p) for bits",
            DISCRETE,
            {"temperature": 1.5, "samples": 2},
            by_hand.with_derivative_of(by_hand.reinmax),
        )
    ],
    "relax": [
        Formula(RELAX, DISCRETE, {"coupled": False, "hidden": (4,), "samples": 2}, by_hand.relax),
        Formula(RELAX, DISCRETE, {"coupled": False, "hidden": (4,), "surrogate": "network"}, by_hand.relax),
    ],
    "reweighted_wake_sleep": [
        Formula(
            "Σ_k w̃_k ∇ [f(z_k) + 2 log q(z_k)],  w̃ = softmax f constant,  f = log p − log q",
            ALL,
            {"samples": 3},
            by_hand.wake,
        )
    ],
    "rodeo": [
        Formula(
            "1/K Σ_k [(f(z_k) − 1/(K−1) Σ_{j≠k} (f(z_j) + α A h_j(z_j))) ∇ log q(z_k) + β A(h′_k ∇ log q)(z_k)],  "
            "A h(z) = 1/D Σ_i (E[h | z₋ᵢ] − h(z)),  h_k and h′_k outputs of a network, averaged over the samples "
            "j ≠ k, that is given f(z_j) and ∂f(z_j)·(z − z_j)",
            ("bits",),
            {"samples": 3, "hidden": 4},
            by_hand.rodeo,
        )
    ],
    "rsvi": [
        Formula(
            "∇ f(z) + f(z) ∇ log[q(z)/r(z)],  z = h(ε; φ),  ε the accepted noise, constant,  r the density of the "
            "proposals",
            ("gammas",),
            {"boost": 2, "samples": 2},
            by_hand.rsvi,
        )
    ],
    "rws_dreg": [
        Formula(RWS_DREG, ("normals",), {"samples": 3, "groups": 2}, by_hand.rws_dreg),
        Formula(RWS_DREG, ("normals",), {"samples": 3, "groups": 2, "share": 0.9}, by_hand.rws_dreg),
    ],
    "score_function": [
        Formula(SCORE, ALL, {"samples": 2}, by_hand.score_function),
        Formula(SCORE, ALL, {"baseline": "moving_average"}, by_hand.score_function),
    ],
    "st_gumbel_softmax": [
        Formula(
            "∂f(z) ∇ s,  s = soften(g, τ), z = discretize(g),  g = θ + noise",
            DISCRETE,
            {"temperature": 0.6, "samples": 2},
            by_hand.with_derivative_of(
                lambda p, z, draw, at: by_hand.soften(
                    p, by_hand.perturbed(p, draw["uniform"]), at.options["temperature"]
                )
            ),
        )
    ],
    "stl": [
        Formula(
            "Σ_k w̃_k [∇ f(z_k) + ∇ log q(c_k)],  z_k = g(ε_k; φ), c_k the constant z_k,  w̃ = softmax f "
            "constant, f = log p − log q;  averaged over M groups of K",
            ("normals",),
            {"samples": 3, "groups": 2},
            by_hand.stl,
        )
    ],
    "straight_through": [
        Formula(
            "∂f(z) ∇ μ,  z ~ q,  μ = E[z]",
            DISCRETE,
            {"samples": 2},
            by_hand.with_derivative_of(by_hand.own_mean),
        )
    ],
    "vargrad": [
        Formula(
            "−½ ∇ Var_k[f(z_k) − ℓ_k],  Var_k the sample variance over K − 1,  z_k ~ q and f(z_k) constant,  "
            "ℓ_k = log q(z_k) less its value",
            ALL,
            {"samples": 3},
            by_hand.vargrad,
        )
    ],
    "vimco": [
        Formula(VIMCO, ALL, {"samples": 3}, by_hand.vimco),
        Formula(VIMCO, ALL, {"samples": 3, "baseline": "arithmetic"}, by_hand.vimco),
    ],
    "mixed": [
        Formula(
            "∇ E_{z₁}[E_{z₂|z₁}[f]],  the outer gradient by one estimator, the inner by another",
            ("bits_above_normals",),
            {"sites": {"z": {"name": "exact"}, "low": {"name": "score_function"}}},
            by_hand.enumerated_above_score,
        )
    ],
}
MEMORY = {
    "annealed_straight_through": {"estimates": torch.tensor(25)},
    "nvil": {"mean": {"z": 0.8}, "variance": {"z": 6.0}, "weight": 0.7},
    "score_function": {"total": {"z": 0.5}, "weight": 0.4},
}
CASES = [
    (name, i, key) for name, all_ in FORMULAS.items() for i, one in enumerate(all_) for key in one.problems
]


def test_every_estimator_has_its_formula_here() -> None:
    own = [name for name in estimators.names() if estimators.get(name).__module__.startswith("reparam.")]
    assert sorted(FORMULAS) == own


@pytest.mark.parametrize("name", FORMULAS)
def test_the_card_says_the_formula(name: str) -> None:
    assert {formula.text for formula in FORMULAS[name]} == {estimators.get(name).card.formula}


@pytest.mark.parametrize(("name", "i", "key"), CASES)
def test_the_estimate_is_the_formula(name: str, i: int, key: str) -> None:
    formula, params = FORMULAS[name][i], by_hand.PROBLEMS[key]
    estimator, sites = estimators.make(name, formula.options), describe(by_hand.program, params)
    tunables, memory = estimator.start(params, sites, generator("formulas"))
    source = torch.Generator().manual_seed(3)
    tunables = {
        kind: torch.randn(entry.shape, generator=source, dtype=torch.float64)
        for kind, entry in tunables.items()
    }
    if memory:
        memory = torch.utils._pytree.tree_map(torch.as_tensor, MEMORY[name])
    block = draw_block(estimator.noise(sites), ("formulas", name), DRAWS, dtype=torch.float64)
    for step in range(DRAWS if block else 1):
        noise = {site: {role: n[step] for role, n in roles.items()} for site, roles in block.items()}
        found = estimate_gradient(estimator, by_hand.program, params, noise, tunables, memory, tune=False)
        at = noise if "link" in params else by_hand.At(noise.get("z", {}), formula.options, tunables, memory)
        expected = torch.func.grad(formula.function)(params, at)
        torch.testing.assert_close(found.gradient, expected, rtol=1e-9, atol=1e-9)
