"""The estimators' formulas on one site of a tiny program, by hand with plain autograd.

A function of `At` returns a scalar whose gradient is the formula: what stands before a ∇ is `still`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot, softplus

from reparam.distributions import Bernoulli, Gamma, Normal, OneHotCategorical

CONTEXT = torch.tensor([0.4, -1.1], dtype=torch.float64)
Params = Mapping[str, Tensor]


def tensors(**entries: list[float]) -> dict[str, Tensor]:
    return {name: torch.tensor(entry, dtype=torch.float64) for name, entry in entries.items()}


PROBLEMS = {
    "bits": tensors(logits=[0.6, -0.9], weights=[0.8, -1.3]),
    "one_hot": tensors(logits=[0.5, -0.4, 0.1], weights=[0.8, -1.3, 0.2]),
    "normals": tensors(loc=[0.3, -0.6], scale=[0.9, 0.5], weights=[0.8, -1.3]),
    "gammas": tensors(shape=[0.6, 2.5], rate=[1.3, 0.8], weights=[0.8, -1.3]),
    "bits_above_normals": tensors(logits=[0.6, -0.9], link=[1.2, -0.7], weights=[0.8, -1.3]),
}


def f(p: Params, z: Tensor) -> Tensor:
    """Not linear, not additive, and a function of q's own parameters, too."""
    direct = next(p[name] for name in ("logits", "loc", "shape") if name in p)
    return ((z * p["weights"]).sum(-1) - 0.4).exp() + (direct.sin() * z).sum(-1)


def law(p: Params) -> Any:
    if "loc" in p:
        return Normal(p["loc"], p["scale"])
    if "shape" in p:
        return Gamma(p["shape"], p["rate"])
    return Bernoulli(logits=p["logits"]) if is_bits(p) else OneHotCategorical(logits=p["logits"])


def program(p, sample):
    z = sample("z", law(p), context=CONTEXT)
    return f(p, sample("low", Normal(z * p["link"], torch.ones_like(z))) if "link" in p else z)


# ---- the laws, without the laws' code --------------------------------------------------------------------------------


def is_bits(p: Params) -> bool:
    return len(p["logits"]) == 2


def log_q(p: Params, z: Tensor) -> Tensor:
    if "loc" in p:
        error = (z - p["loc"]) / p["scale"]
        return (-(error**2) / 2 - p["scale"].log() - math.log(2 * math.pi) / 2).sum(-1)
    if "shape" in p:
        height = p["shape"] * p["rate"].log() - torch.lgamma(p["shape"])
        return (height + (p["shape"] - 1) * z.log() - p["rate"] * z).sum(-1)
    if is_bits(p):
        return (z * p["logits"] - softplus(p["logits"])).sum(-1)
    return (z * p["logits"].log_softmax(-1)).sum(-1)


def perturbed(p: Params, u: Tensor) -> Tensor:
    if is_bits(p):
        return p["logits"] + u.log() - (1 - u).log()
    return p["logits"].log_softmax(-1) - (-u.log()).log()


def discretize(p: Params, g: Tensor) -> Tensor:
    return (g > 0).to(g) if is_bits(p) else one_hot(g.argmax(-1), 3).to(g)


def soften(p: Params, g: Tensor, temperature: Tensor | float) -> Tensor:
    return (g / temperature).sigmoid() if is_bits(p) else (g / temperature).softmax(-1)


def mean(p: Params) -> Tensor:
    return soften(p, p["logits"], 1.0)


def given(p: Params, z: Tensor, v: Tensor) -> Tensor:
    """The perturbed logits, drawn again with the uniforms v such that they give z."""
    if is_bits(p):
        zero = (-p["logits"]).sigmoid()
        return perturbed(p, torch.where(z > 0, zero + v * (1 - zero), v * zero))
    top = (-v.log() * z).sum(-1, keepdim=True)
    others = -(-v.log() / p["logits"].softmax(-1) + top).log()
    return torch.where(z > 0, -top.log(), others)


def sample(p: Params, noise: Mapping[str, Tensor]) -> Tensor:
    """With its derivative, where there is one."""
    if "loc" in p:
        return p["loc"] + p["scale"] * noise["normal"]
    if "shape" in p:  # without a derivative
        low, high = torch.full_like(p["shape"], -60.0), torch.full_like(p["shape"], 6.0)
        for _ in range(70):  # the quantile's logarithm, halved to the last digit
            half = (low + high) / 2
            below = torch.special.gammainc(still(p["shape"]), half.exp()) < noise["uniform"]
            low, high = torch.where(below, half, low), torch.where(below, high, half)
        return low.exp() / still(p["rate"])
    return discretize(p, perturbed(p, noise["uniform"]))


def states(p: Params) -> list[Tensor]:
    every = product((0.0, 1.0), repeat=2) if is_bits(p) else torch.eye(3).tolist()
    return [torch.tensor(state, dtype=torch.float64) for state in every]


# ---- the formulas ----------------------------------------------------------------------------------------------------


def still(p: Any) -> Any:
    return p.detach() if isinstance(p, Tensor) else {name: entry.detach() for name, entry in p.items()}


def slope(p: Params, z: Tensor) -> Tensor:
    """∂f(z), constant."""
    return still(torch.func.grad(lambda z: f(still(p), z))(still(z)))


class At(NamedTuple):
    """Where a formula is taken: K draws of the noise, by role, and what else the estimator has."""

    noise: dict[str, Tensor]
    options: Mapping[str, Any]
    own: Mapping[str, Tensor]
    """Its tunables."""
    memory: Any

    @property
    def draws(self) -> list[dict[str, Tensor]]:
        count = len(next(iter(self.noise.values())))
        return [{role: draw[k] for role, draw in self.noise.items()} for k in range(count)]

    def samples(self, p: Params) -> Tensor:
        return still(sample(p, self.noise))

    def network(self, prefix: str, inputs: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        weights = [self.own[f"{prefix}.{layer}.weight"] for layer in range(2)]
        biases = [self.own[f"{prefix}.{layer}.bias"] for layer in range(2)]
        return weights[1] @ activation(weights[0] @ inputs + biases[0]) + biases[1]


def mean_over_draws(one: Callable[[Params, dict[str, Tensor], At], Tensor]) -> Callable[[Params, At], Tensor]:
    return lambda p, at: torch.stack([one(p, draw, at) for draw in at.draws]).mean()


def exact(p: Params, at: At) -> Tensor:
    return torch.stack([log_q(p, z).exp() * f(p, z) for z in states(p)]).sum()


@mean_over_draws
def pathwise(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    return f(p, sample(p, draw))


@mean_over_draws
def implicit(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z = still(sample(p, draw))
    standard = (z - p["loc"]) / p["scale"]
    cdf, density = torch.erf(standard / 2**0.5) / 2, torch.exp(-(standard**2) / 2) / (2 * torch.pi) ** 0.5
    return f(p, z - (cdf - still(cdf)) / still(density / p["scale"]))


@mean_over_draws
def score_function(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z = still(sample(p, draw))
    b = at.memory["total"]["z"] / at.memory["weight"] if at.memory else 0.0
    return still(f(p, z) - b) * log_q(p, z) + f(p, z)


def vargrad(p: Params, at: At) -> Tensor:
    z = at.samples(p)
    log_ratio = still(f(p, z)) - (log_q(p, z) - still(log_q(p, z)))
    return -((log_ratio - log_ratio.mean()) ** 2).sum() / (len(z) - 1) / 2 + f(p, z).mean()


@mean_over_draws
def nvil(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z = still(sample(p, draw))
    predicted = at.network("baseline.z", CONTEXT, torch.tanh)[0]
    mean, deviation = at.memory["mean"]["z"], at.memory["variance"]["z"] ** 0.5
    signal = (f(p, z) - predicted - mean) / max(1.0, deviation.item())
    return still(signal) * log_q(p, z) + f(p, z)


@mean_over_draws
def muprop(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z, centre = still(sample(p, draw)), still(mean(p))
    d = slope(p, centre)
    signal = f(p, z) - f(p, centre) - (d * (z - centre)).sum()
    return still(signal) * log_q(p, z) + (d * mean(p)).sum() + f(p, z)


def vimco(p: Params, at: At) -> Tensor:
    z = at.samples(p)
    values = still(f(p, z))
    bound = values.exp().mean().log()
    total = f(p, z).exp().mean().log()
    for k in range(len(z)):
        others = torch.cat([values[:k], values[k + 1 :]])
        arithmetic = at.options.get("baseline") == "arithmetic"
        replaced = others.exp().mean() if arithmetic else others.mean().exp()
        without = ((others.exp().sum() + replaced) / len(z)).log()
        total = total + (bound - without) * log_q(p, z[k])
    return total


def wake(p: Params, at: At) -> Tensor:
    z = at.samples(p)
    weights = still(f(p, z).exp() / f(p, z).exp().sum())
    return (weights * (f(p, z) + 2 * log_q(p, z))).sum()


def bound_of_groups(p: Params, at: At) -> tuple[Tensor, Tensor, Tensor, Callable[[Tensor], Tensor]]:
    """Live samples, the same constant, f's normalised weights, and what folds samples into [K, M]."""
    z = sample(p, at.noise)

    def fold(entries: Tensor) -> Tensor:
        return entries.reshape(at.options["samples"], at.options["groups"])

    weights = fold(f(p, z)).exp()
    return z, still(z), still(weights / weights.sum(0)), fold


def iwae(p: Params, at: At) -> Tensor:
    z, _, w, fold = bound_of_groups(p, at)
    return (w * fold(f(p, z))).sum(0).mean()


def stl(p: Params, at: At) -> Tensor:
    z, c, w, fold = bound_of_groups(p, at)
    return (w * fold(f(p, z) + log_q(p, c))).sum(0).mean()


def dreg(p: Params, at: At) -> Tensor:
    z, c, w, fold = bound_of_groups(p, at)
    return (w**2 * fold(f(still(p), z)) + w * fold(f(p, c) + log_q(p, c))).sum(0).mean()


def ciwae(p: Params, at: At) -> Tensor:
    z, _, w, fold = bound_of_groups(p, at)
    beta = at.options["beta"]
    return ((beta / at.options["samples"] + (1 - beta) * w) * fold(f(p, z))).sum(0).mean()


def piwae(p: Params, at: At) -> Tensor:
    z, c, w, fold = bound_of_groups(p, at)
    joint = still(f(p, z).exp() / f(p, z).exp().sum())
    model = f(p, c) + log_q(p, c)
    return (w * fold(f(p, z) - model)).sum(0).mean() + (joint * model).sum()


def without(values: Tensor, i: int) -> Tensor:
    """Normalised weights [K, M] of all samples but the i-th, which has none."""
    kept = values.exp() * (torch.arange(len(values)) != i).unsqueeze(-1)
    return kept / kept.sum(0)


def jackknife_weights(values: Tensor, w: Tensor, power: int) -> Tensor:
    count = len(values)
    others = [without(values, i) ** power for i in range(count)]
    return count * w**power - (count - 1) / count * torch.stack(others).sum(0)


def jvi(p: Params, at: At) -> Tensor:
    z, _, w, fold = bound_of_groups(p, at)
    weights = jackknife_weights(still(fold(f(p, z))), w, 1)
    return (weights * fold(f(p, z))).sum(0).mean()


def jvi_dreg(p: Params, at: At) -> Tensor:
    z, c, w, fold = bound_of_groups(p, at)
    values = still(fold(f(p, z)))
    paths = jackknife_weights(values, w, 2) * fold(f(still(p), z))
    return (paths + jackknife_weights(values, w, 1) * fold(f(p, c) + log_q(p, c))).sum(0).mean()


def rws_dreg(p: Params, at: At) -> Tensor:
    z, c, w, fold = bound_of_groups(p, at)
    a = at.options.get("share", 1.0)
    paths = (a * (w - w**2) + (1 - a) * w**2) * fold(f(still(p), z))
    return (paths + w * fold(f(p, c) + log_q(p, c))).sum(0).mean()


@mean_over_draws
def arm(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    u, theta = draw["uniform"], p["logits"]
    z, twin = (u > (-theta).sigmoid()).double(), (u < theta.sigmoid()).double()
    change = still(f(p, z) - f(p, twin))
    return (change * (u - 0.5) * theta).sum() + (f(p, z) + f(p, twin)) / 2


def disarm_of_two(p: Params, at: At) -> Tensor:
    u, theta = at.noise["uniform"][0], p["logits"]
    z, twin = (u > (-theta).sigmoid()).double(), (u < theta.sigmoid()).double()
    change = still(f(p, z) - f(p, twin)) / 2
    return (change * (z - twin) * still(theta.abs().sigmoid()) * theta).sum() + (f(p, z) + f(p, twin)) / 2


def disarm_of_three(p: Params, at: At) -> Tensor:
    """The Dirichlet copula of three: the rarer value, of probability r, where an entry d of the simplex has
    (1 − d)² < r; two have it together with probability (2 √r − 1)², if that root is positive."""
    u, theta = at.noise["uniform"], p["logits"]
    rare = still((-theta.abs()).sigmoid())
    exponential = -torch.where(theta > 0, u, 1 - u).log()
    unlikely = (1 - exponential / exponential.sum(0)) ** 2 < rare
    z = torch.where(theta > 0, ~unlikely, unlikely).double()
    together = (2 * rare.sqrt() - 1).clamp(min=0) ** 2
    rho = (together - rare**2) / (rare * (1 - rare))
    weights = (z - z.mean(0)) / (1 - rho) / 2
    return (still(f(p, z))[:, None] * weights * p["logits"]).sum() + f(p, z).mean()


def local_disarm(p: Params, at: At) -> Tensor:
    u, theta = at.noise["uniform"], p["logits"]
    z, twin = (u > (-theta).sigmoid()).double(), (u < theta.sigmoid()).double()
    total = f(p, z).exp().mean().log()
    for k in range(len(z)):
        replaced = torch.cat([z[:k], twin[k : k + 1], z[k + 1 :]])
        change = still(f(p, z).exp().mean().log() - f(p, replaced).exp().mean().log()) / 2
        total = total + (change * (z[k] - twin[k]) * still(theta.abs().sigmoid()) * theta).sum()
    return total


def double_control_variates(p: Params, at: At) -> Tensor:
    z, mu, alpha = at.samples(p), mean(p), at.own["alpha.z"]
    count = len(z)
    slopes = [slope(p, z_k) for z_k in z]
    g = [torch.stack(slopes[:k] + slopes[k + 1 :]).mean(0) for k in range(count)]
    h = torch.stack([still(f(p, z[k]) + alpha * (g[k] * (z[k] - mu)).sum()) for k in range(count)])
    terms = [
        (h[k] - (h.sum() - h[k]) / (count - 1)) * log_q(p, z[k]) - alpha * (g[k] * mu).sum() + f(p, z[k])
        for k in range(count)
    ]
    return torch.stack(terms).mean()


def rodeo(p: Params, at: At) -> Tensor:
    z = at.samples(p)
    count = len(z)
    alpha, beta = at.own["alpha.z"], at.own["beta.z"]

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.3 * x)

    def h(k: int, output: int, x: Tensor) -> Tensor:
        guesses = [
            at.network("surrogate.z", torch.stack([(slope(p, z[j]) * (x - z[j])).sum(), f(p, z[j])]), leaky)
            for j in range(count)
            if j != k
        ]
        return still(torch.stack(guesses).mean(0)[output])

    def stein(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """A h(x) = 1/D Σ_i (E[h | x without bit i] − h(x)), the expectation's law a constant."""
        total = torch.zeros((), dtype=torch.float64)
        for i, on in enumerate(still(p["logits"].sigmoid())):
            one, zero = x.clone(), x.clone()
            one[i], zero[i] = 1.0, 0.0
            total = total + on * function(one) + (1 - on) * function(zero) - function(x)
        return total / len(x)

    controlled = [still(f(p, z[j])) + alpha * stein(lambda x, j=j: h(j, 0, x), z[j]) for j in range(count)]
    terms = []
    for k in range(count):
        baseline = (sum(controlled) - controlled[k]) / (count - 1)
        score = (still(f(p, z[k])) - baseline) * log_q(p, z[k])
        estimate = beta * stein(lambda x, k=k: h(k, 1, x) * log_q(p, x), z[k])
        terms.append(score + estimate + f(p, z[k]))
    return torch.stack(terms).mean()


def one_by_one(z: Tensor, side: Tensor) -> list[Tensor]:
    return [torch.where(torch.arange(len(z)) == i, side, z) for i in range(len(z))]


@mean_over_draws
def measure_valued(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z, mu, sigma = still(sample(p, draw)), still(p["loc"]), still(p["scale"])
    r, n = (-2 * draw["weibull"].log()).sqrt(), draw["normal"]
    m = n.sign() * (n**2 + r**2).sqrt()
    total = f(p, z)
    sides = [one_by_one(z, mu + sigma * side) for side in (r, -r, m, n)]
    for i, values in enumerate(zip(*sides, strict=True)):
        up, down, wide, own = (still(f(p, value)) for value in values)
        total = total + (up - down) / (sigma[i] * math.sqrt(2 * math.pi)) * p["loc"][i]
        total = total + (wide - own) / sigma[i] * p["scale"][i]
    return total


def relaxed_score(p: Params, z: Tensor, c: Callable, soft: Tensor, again: Tensor, eta: Any) -> Tensor:
    signal = still(f(p, z) - eta * c(again))
    return signal * log_q(p, z) + eta * (c(soft) - c(again)) + f(p, z)


@mean_over_draws
def rebar(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    g, tau = perturbed(p, draw["uniform"]), at.options["temperature"]
    z = still(discretize(p, g))
    again = soften(p, given(p, z, draw["conditional.uniform"]), tau)
    return relaxed_score(p, z, lambda x: f(still(p), x), soften(p, g, tau), again, at.options["eta"])


@mean_over_draws
def relax(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    g, tau = perturbed(p, draw["uniform"]), at.own["log_temperature.z"].exp()
    z = still(discretize(p, g))
    again = soften(p, given(p, z, draw["conditional.uniform"]), tau)

    def c(x: Tensor) -> Tensor:
        r = at.network("surrogate.z", torch.cat([2 * x - 1, CONTEXT]), torch.tanh)[0]
        with_f = at.options.get("surrogate") != "network"
        return f(still(p), x) * with_f + at.own["surrogate_scale.z"] * r

    return relaxed_score(p, z, c, soften(p, g, tau), again, at.own["eta.z"])


@mean_over_draws
def lax(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    z = still(sample(p, draw))

    def r(x: Tensor) -> Tensor:
        return at.own["surrogate_scale.z"] * at.network("surrogate.z", torch.cat([x, CONTEXT]), torch.tanh)[0]

    return still(f(p, z) - r(z)) * log_q(p, z) + r(sample(p, draw)) + f(p, z)


@mean_over_draws
def softened(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    return f(p, soften(p, perturbed(p, draw["uniform"]), at.options["temperature"]))


def with_derivative_of(moving: Callable[[Params, Tensor, dict[str, Tensor], At], Tensor]) -> Callable:
    """∂f(z) ∇ of what moves in the sample's place, and f's own ∇ at z."""

    @mean_over_draws
    def formula(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
        z = still(sample(p, draw))
        return (slope(p, z) * moving(p, z, draw, at)).sum() + f(p, z)

    return formula


def own_mean(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    return mean(p)


def relaxation(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    return soften(p, perturbed(p, draw["uniform"]), at.options["temperature"])


def half(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    if is_bits(p):
        return (z - 0.5) * (z * logsigmoid(p["logits"]) + (1 - z) * logsigmoid(-p["logits"]))
    return (z - 1 / 3) * log_q(p, z)


def reinmax(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    def jacobian(mean: Tensor) -> Tensor:
        return torch.diag(mean * (1 - mean)) if is_bits(p) else torch.diag(mean) - torch.outer(mean, mean)

    halfway = (z + soften(p, p["logits"], at.options["temperature"])) / 2
    return still(2 * jacobian(halfway) - jacobian(mean(p)) / 2) @ p["logits"]


def annealed(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    changes = at.memory["estimates"].item() // at.options["every"]
    return soften(p, min(5.0, 1.0 + at.options["rate"] * changes) * p["logits"], 1.0)


def averaged(p: Params, z: Tensor, draw: dict[str, Tensor], at: At) -> Tensor:
    """The noise g_m − θ is held: it has the derivative of θ alone."""
    theta = p["logits"]
    drawn = [given(p, z, v) for v in draw["conditional_uniform"].unbind(-1)]
    soft = [soften(p, theta + still(g - theta), at.options["temperature"]) for g in drawn]
    return torch.stack(soft).mean(0)


def enumerated_above_score(p: Params, noise: dict[str, dict[str, Tensor]]) -> Tensor:
    """Σ_z₁ ∇ [q(z₁) E[f | z₁]], the inner expectation by (f(z₂) − 0) ∇ log q(z₂ | z₁) + ∇ f(z₂)."""
    total = torch.zeros((), dtype=torch.float64)
    for above in states(p):
        below = {**p, "loc": above * p["link"], "scale": torch.ones(2, dtype=torch.float64)}
        z = still(below["loc"]) + noise["low"]["normal"][0]
        score = log_q(below, z) - still(log_q(below, z))
        total = total + log_q(p, above).exp() * (f(p, z) + still(f(p, z)) * score)
    return total


@mean_over_draws
def rsvi(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    raised = p["shape"] + at.options["boost"]
    d, c = raised - 1 / 3, 1 / (9 * raised - 3).sqrt()

    def accepts(entry: int, x: Tensor, u: Tensor) -> bool:
        v = (1 + c[entry] * x) ** 3
        return bool(v > 0) and bool(u.log() < x**2 / 2 + d[entry] * (1 - v + v.log()))

    pairs = [list(zip(*both, strict=True)) for both in zip(draw["proposal"], draw["accept"], strict=True)]
    noise = torch.stack([next(x for x, u in pairs[i] if accepts(i, x, u)) for i in range(len(pairs))])
    x = d * (1 + c * noise) ** 3
    log_q = (raised - 1) * x.log() - x - torch.lgamma(raised)
    log_stretch = (3 * c * d * (1 + c * noise) ** 2).log()  # −log r up to a constant
    z = x / p["rate"]
    for i, u in enumerate(draw["boost"].unbind(-1)):
        z = z * u ** (1 / (p["shape"] + i))
    return f(p, z) + still(f(p, z)) * (log_q + log_stretch).sum()


@mean_over_draws
def grep(p: Params, draw: dict[str, Tensor], at: At) -> Tensor:
    centre, spread = torch.digamma(p["shape"]), torch.polygamma(1, p["shape"]).sqrt()
    noise = still(((p["rate"] * sample(p, draw)).log() - centre) / spread)
    z = (centre + noise * spread).exp() / p["rate"]
    return f(p, z) + still(f(p, z)) * (log_q(p, z) + (z * spread).log().sum())
