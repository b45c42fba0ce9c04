"""A small model for each place where the tutorial says that the trick is used (T1), trained by any estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam import data
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import (
    Bernoulli,
    Normal,
    NormalizingFlow,
    OneHotCategorical,
    PlanarFlow,
    standard_normal,
)
from reparam.engine import optimisers
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.estimators import make
from reparam.noise import draw, draw_block, generator
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample, follow, run


class Use(NamedTuple):
    """A program to be maximised, where it starts, its exact (or finely sampled) objective per datum, and what else is
    learnt."""

    program: Program
    params: dict[str, Tensor]
    objective: Callable[[Params], Tensor]
    elsewhere: tuple[str, ...] = ()
    """Parameters that no law depends on: their gradients need no path."""


def _exact(program: Program) -> Callable[[Params], Tensor]:
    return lambda params: objectives.expectation(program, params).mean()


def _draw(source: torch.Generator, *shape: int) -> Tensor:
    return draw("normal", shape, source)


def variational_autoencoder(source: torch.Generator) -> Use:
    """x ~ N(w z + b, s²) in three dimensions with one code, w, b and s learnt beside the guide; the bound in nats."""
    x = _draw(source, 100, 1) @ torch.tensor([[1.5, -1.0, 0.5]]) + 0.3 * _draw(source, 100, 3)
    params = {
        "encoder.weight": 0.1 * _draw(source, 3),
        "encoder.log_scale": torch.zeros(()),
        "decoder.weight": 0.1 * _draw(source, 3),
        "decoder.bias": torch.zeros(3),
        "decoder.log_scale": torch.zeros(()),
    }

    def program(params: Params, sample: Sample) -> Tensor:
        mean = (x @ params["encoder.weight"]).unsqueeze(-1)
        q = Normal(mean, params["encoder.log_scale"].exp().expand_as(mean))
        z = sample("z", q)
        scale = params["decoder.log_scale"].exp().expand_as(x)
        return Normal(z * params["decoder.weight"] + params["decoder.bias"], scale).log_prob(x) - q.kl(
            standard_normal(z)
        )

    return Use(program, params, _exact(program), ("decoder.weight", "decoder.bias", "decoder.log_scale"))


def stochastic_network(source: torch.Generator) -> Use:
    """Regression through a noisy hidden unit, h ~ N(u x + v, ¼); minus the squared error."""
    x = _draw(source, 100)
    y = torch.sin(1.5 * x) + 0.1 * _draw(source, 100)
    params = {"net.u": torch.tensor(0.1), "net.v": torch.tensor(0.0), "net.w": torch.tensor(0.1)}

    def program(params: Params, sample: Sample) -> Tensor:
        mean = params["net.u"] * x + params["net.v"]
        h = sample("h", Normal(mean, torch.full_like(mean, 0.5), event_dims=0))
        return -(y - params["net.w"] * torch.tanh(h)).square()

    return Use(program, params, _exact(program), ("net.w",))


def bayesian_network(source: torch.Generator) -> Use:
    """Regression y = w₁ tanh(2 x) + w₂ with a Gaussian posterior over both weights; the bound per datum in nats."""
    x = _draw(source, 50)
    y = 0.8 * torch.tanh(2 * x) - 0.4 + 0.3 * _draw(source, 50)
    params = {"weights.loc": torch.zeros(2), "weights.log_scale": torch.zeros(2)}

    def program(params: Params, sample: Sample) -> Tensor:
        q = Normal(params["weights.loc"], params["weights.log_scale"].exp(), event_dims=1)
        w = sample("w", q)
        mean = w[0] * torch.tanh(2 * x) + w[1]
        observed = Normal(mean, torch.full_like(mean, 0.3), event_dims=0).log_prob(y)
        return observed - q.kl(standard_normal(w)) / len(x)

    return Use(program, params, _exact(program))


def policy(source: torch.Generator) -> Use:
    """A Gaussian policy over a continuous action in one step: the reward of action a in state s is −(a − sin s)²."""
    s = 2 * _draw(source, 100)
    params = {"policy.weights": 0.1 * _draw(source, 3), "policy.log_scale": torch.tensor(0.0)}
    features = torch.stack([s, s**3 / 10, torch.ones_like(s)], -1)

    def program(params: Params, sample: Sample) -> Tensor:
        mean = features @ params["policy.weights"]
        action = sample("a", Normal(mean, params["policy.log_scale"].exp().expand_as(mean), event_dims=0))
        return -(action - torch.sin(s)).square()

    return Use(program, params, _exact(program))


def normalizing_flow(source: torch.Generator) -> Use:
    """Two planar maps fitted to a bent density by log p̃(z) − log q(z), finely sampled on noise of its own."""
    params = {f"flow.{part}{i}": 0.3 * _draw(source, 2) for i in range(2) for part in ("weight", "scale")}
    params |= {f"flow.bias{i}": torch.zeros(()) for i in range(2)}
    base = torch.zeros(64, 2)

    def law(params: Params) -> NormalizingFlow:
        flows = [
            PlanarFlow(params[f"flow.weight{i}"], params[f"flow.scale{i}"], params[f"flow.bias{i}"])
            for i in range(2)
        ]
        return NormalizingFlow(standard_normal(base), flows)

    def program(params: Params, sample: Sample) -> Tensor:
        q = law(params)
        z = sample("z", q)
        target = (
            -0.5 * (z[..., 0] / 1.5).square()
            - 0.5 * ((z[..., 1] - 0.5 * z[..., 0].square() + 1) / 0.4).square()
        )
        return target - q.log_prob(z)

    noise = {"z": {role: draw(w.kind, (30, *w.shape), source) for role, w in law(params).noise().items()}}

    def objective(params: Params) -> Tensor:
        return torch.vmap(lambda one: run(program, params, follow(one)).value.mean())(noise).mean()

    return Use(program, params, objective)


VARIABLES, CLASSES = 2, 8


def categorical_vae(source: torch.Generator) -> Use:
    """A VAE of 8 × 8 digits with two latent variables of eight classes each (T1 ex. 2); its bound by enumeration."""
    digits = data.prepare(data.load("digits"), "threshold")
    x = digits.train[:100].float()
    prior = OneHotCategorical(logits=torch.zeros(VARIABLES, CLASSES))
    sizes = {"encoder": (64, VARIABLES * CLASSES), "decoder": (VARIABLES * CLASSES, 64)}
    params = {f"{name}.weight": 0.05 * _draw(source, out, inputs) for name, (inputs, out) in sizes.items()}
    mean = x.mean(0).clamp(0.02, 0.98)
    params |= {"encoder.bias": torch.zeros(VARIABLES * CLASSES), "decoder.bias": torch.logit(mean)}

    def program(params: Params, sample: Sample) -> Tensor:
        logits = torch.nn.functional.linear(x - mean, params["encoder.weight"], params["encoder.bias"])
        q = OneHotCategorical(logits=logits.reshape(-1, VARIABLES, CLASSES), event_dims=2)
        z = sample("z", q, context=x).flatten(-2)
        decoded = torch.nn.functional.linear(z, params["decoder.weight"], params["decoder.bias"])
        return Bernoulli(logits=decoded).log_prob(x) - q.kl(
            OneHotCategorical(logits=prior.logits.expand_as(q.logits), event_dims=2)
        )

    return Use(program, params, _exact(program), ("decoder.weight", "decoder.bias"))


USES = {
    "variational_autoencoder": variational_autoencoder,
    "stochastic_network": stochastic_network,
    "bayesian_network": bayesian_network,
    "policy": policy,
    "normalizing_flow": normalizing_flow,
    "categorical_vae": categorical_vae,
}


@procedure("use")
def use(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Adam on a model of `USES`, all data in every step, one estimate per step.

    Rows at `points` evenly spaced steps and step 0: objective, per datum (nats, or minus a squared error); at the end
    objective_held, of a second training on the same noise in which the laws keep the parameters that they start with.
    """
    given, axes = spec["evaluation"], (spec["paper"], spec["experiment"], seed)
    model = USES[given["use"]](generator(*axes, "setting"))
    steps = int(given["steps"])
    due = {round(p) for p in np.linspace(0, steps, int(given["points"]) + 1)}
    rows: list[Row] = []
    for number, params in enumerate(training(spec, axes, model, tuple(model.params))):
        if number in due:
            rows.append((number, "objective", float(model.objective(params))))
    held: Params = model.params
    if model.elsewhere:
        *_, held = training(spec, axes, model, model.elsewhere)
    return Findings([*rows, (steps, "objective_held", float(model.objective(held)))], {})


def training(
    spec: Mapping[str, Any], axes: tuple[str | int, ...], model: Use, learnt: tuple[str, ...]
) -> Iterator[Params]:
    """The parameters before every step and after the last, where only those of `learnt` move."""
    estimator = make(spec["method"]["name"], spec["method"]["options"])
    sites = prepare(estimator, model.program, model.params)
    optimiser = optimisers.Adam(rate=spec["evaluation"]["rate"])
    steps = int(spec["evaluation"]["steps"])
    noise = draw_block(estimator.noise(sites), (*axes, "training"), steps)
    tunables, memory = estimator.start(model.params, sites, generator(*axes, "start"))
    params = dict(model.params)
    moments = optimiser.init({name: params[name] for name in learnt})
    yield params
    for number in range(steps):
        one = tree_map(lambda entry, number=number: entry[number], noise)
        found = estimate_gradient(estimator, model.program, params, one, tunables, memory, tune=False)
        downhill = {name: -found.gradient[name] for name in learnt}
        moved, moments = optimiser.update(downhill, moments, {name: params[name] for name in learnt})
        params, memory = params | moved, found.memory
        yield params
