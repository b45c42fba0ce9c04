"""VarGrad against its definition draw by draw, and against the oracle control variate as the dimension grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Bernoulli, Normal, standard_normal
from reparam.engine.gradient import estimate_gradient
from reparam.measure.moments import begin
from reparam.noise import draw, draw_block, generator
from reparam.papers.richter2020 import exact as exactly
from reparam.program import Params, Sample, describe

Law = Callable[[Params], Any]


def _stopped(params: Params) -> dict[str, Tensor]:
    return {name: entry.detach() for name, entry in params.items()}


@procedure("per_draw")
def per_draw(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The gradient of half the sample variance of log q/p, samples detached, beside the estimator's, draw by draw.

    `evaluation`: `model` (`logistic`: a Bayesian logistic regression on 100 points in the plane with a Gaussian q;
    `bits`: four bits with a coupled target), `samples` (the S, in place of the estimator's own), `draws`. The value of
    the program has log q at stopped parameters, so that its own score, of mean zero, is left out as in the paper. In
    double precision. Rows at step = S: error, the largest difference of any entry over the largest entry of all;
    divided_by_s, the same for the variance that divides by S in place of S − 1, and factor, what that gradient must be
    multiplied by (least squares); undetached, the same as error for samples that are differentiated (`logistic` only).
    """
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "problem")
    law, log_p, params = {"logistic": _logistic, "bits": _bits}[options["model"]](source)

    def program(params: Params, sample: Sample) -> Tensor:
        z = sample("z", law(params))
        return log_p(z) - law(_stopped(params)).log_prob(z)

    rows: list[Row] = []
    for samples in options["samples"]:
        given = {**spec["method"]["options"], "samples": samples}
        estimator = estimators.make(spec["method"]["name"], given)
        sites = describe(program, params)
        axes = (spec["paper"], spec["experiment"], seed, "draws", samples)
        noise = draw_block(estimator.noise(sites), axes, options["draws"], dtype=torch.float64)
        _, memory = estimator.start(params, sites, generator(*axes, "init"))

        def ours(one: Any, estimator: Any = estimator, memory: Any = memory) -> dict[str, Tensor]:
            return estimate_gradient(estimator, program, params, one, memory=memory).gradient

        def literal(one: Any, divisor: int, detached: bool = True) -> dict[str, Tensor]:
            def loss(params: Params) -> Tensor:
                z = law(params).path(one["z"])
                ratio = law(params).log_prob(z.detach() if detached else z) - log_p(
                    z.detach() if detached else z
                )
                return -0.5 * (ratio - ratio.mean(0)).square().sum() / divisor

            return torch.func.grad(loss)(dict(params))  # type: ignore[no-any-return]

        found = _flat(torch.vmap(ours)(noise))
        paper = _flat(torch.vmap(lambda one, s=samples: literal(one, s - 1))(noise))
        divided = _flat(torch.vmap(lambda one, s=samples: literal(one, s))(noise))
        size = paper.abs().max()
        rows.append((samples, "error", ((found - paper).abs().max() / size).item()))
        rows.append((samples, "divided_by_s", ((found - divided).abs().max() / size).item()))
        rows.append((samples, "factor", ((found * divided).sum() / divided.square().sum()).item()))
        if options["model"] == "logistic":
            attached = _flat(torch.vmap(lambda one, s=samples: literal(one, s - 1, False))(noise))
            rows.append((samples, "undetached", ((found - attached).abs().max() / size).item()))
    return Findings(rows, {})


def _flat(gradients: Mapping[str, Tensor]) -> Tensor:
    """[draws, entries]."""
    return torch.cat([entry.flatten(1) for entry in gradients.values()], 1)


def _logistic(source: torch.Generator) -> tuple[Law, Callable[[Tensor], Tensor], dict[str, Tensor]]:
    """Weights in the plane, prior N(0, I), 100 points with labels from weights of the prior."""
    x, true = draw("normal", (100, 2), source, torch.float64), draw("normal", (2,), source, torch.float64)
    y = (draw("uniform", (100,), source, torch.float64) < torch.sigmoid(x @ true)).double()
    params = {n: 0.3 * draw("normal", (2,), source, torch.float64) for n in ("q.mean", "q.log_scale")}

    def law(params: Params) -> Normal:
        return Normal(params["q.mean"], params["q.log_scale"].exp())

    def log_p(w: Tensor) -> Tensor:
        logits = w @ x.T
        return (y * logits - torch.nn.functional.softplus(logits)).sum(-1) + standard_normal(w).log_prob(w)

    return law, log_p, params


def _bits(source: torch.Generator) -> tuple[Law, Callable[[Tensor], Tensor], dict[str, Tensor]]:
    """Four bits; the target's log mass is quadratic in them."""
    coupling, bias = (draw("normal", shape, source, torch.float64) for shape in ((4, 4), (4,)))
    params = {"q.logits": draw("normal", (4,), source, torch.float64)}

    def law(params: Params) -> Bernoulli:
        return Bernoulli(logits=params["q.logits"])

    def log_p(b: Tensor) -> Tensor:
        return ((b @ coupling) * b).sum(-1) + b @ bias

    return law, log_p, params


@procedure("control_variate")
def control_variate(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """S-sample gradients of −KL(q ‖ N(0, I)) for Gaussians q of growing dimension, against the oracle control variate.

    `evaluation`: `dimensions`, `draws`. q's means are 0.5 and its scales 0.7 in every coordinate, so that the KL grows
    with the dimension; the cell's estimator has S of its own (`samples`). Rows at step = D: dimension, kl (nats),
    variance (S times the mean over the parameters), oracle (the same with the optimal coefficients, exact), ratio of
    the two, and coefficient_error, the mean of |a* − E f| / |E f| over the parameters, which is how far the coefficient
    that VarGrad estimates is from the optimal one. Where it is known, exact: the estimator's own variance.
    """
    options = spec["evaluation"]
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    samples = int(getattr(estimator, "samples", 1))
    rows: list[Row] = []
    for dimension in options["dimensions"]:
        params = {"q.mean": torch.full((dimension,), 0.5), "q.log_scale": torch.full((dimension,), 0.7).log()}
        found = exactly.exact(*(entry.double().numpy() for entry in params.values()))

        def program(params: Params, sample: Sample) -> Tensor:
            q, constant = _gaussian(params), _gaussian(_stopped(params))
            z = sample("z", q)
            return standard_normal(z).log_prob(z) - constant.log_prob(z)

        axes = (spec["paper"], spec["experiment"], seed, "moments", dimension)
        moments = begin(estimator, program, params, axes, factorised=False).take(options["draws"])
        variance = samples * float(np.mean([moments.variance[name].mean().item() for name in params]))
        oracle = float(found.oracle.mean())
        error = np.abs(found.best / found.expectation - 1).mean()
        rows += [(dimension, "dimension", float(dimension)), (dimension, "kl", -found.expectation)]
        rows += [(dimension, "variance", variance), (dimension, "oracle", oracle)]
        rows += [(dimension, "ratio", variance / oracle), (dimension, "coefficient_error", float(error))]
        known = _known(spec["method"], found, samples)
        if known is not None:
            rows.append((dimension, "exact", samples * float(known.mean())))
    return Findings(rows, {})


def _gaussian(params: Params) -> Normal:
    return Normal(params["q.mean"], params["q.log_scale"].exp())


def _known(method: Mapping[str, Any], found: exactly.Exact, samples: int) -> Any:
    """The exact variances of the library's estimator, [2 D]; None where they are not known."""
    baseline = method["options"].get("baseline", "none")
    if method["name"] == "vargrad" or (method["name"], baseline) == ("score_function", "leave_one_out"):
        return exactly.leave_one_out(found, samples)
    if (method["name"], baseline) == ("score_function", "none"):
        return found.none / samples
    return None
