"""Gradient moments along a training: any estimators, one trajectory, one noise, against an oracle or a reference."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import linear

from reparam import Bernoulli, Normal, ScoreFunction, measure
from reparam import gradient_moments as moments_of
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.measure.gradient_moments import Reference, summary
from reparam.measure.moments import Moments
from reparam.noise import draw, generator
from reparam.oracles import objectives

PIXELS, LATENT, BATCH = 5, 2, 4
DATA = (draw("uniform", (30, PIXELS), generator("test", "moments")) < 0.4).float()
PARAMS = {
    "encoder.weight": 0.7 * draw("normal", (LATENT, PIXELS), generator("test", "encoder")),
    "encoder.bias": torch.tensor([0.2, -0.4]),
    "decoder.weight": 0.7 * draw("normal", (PIXELS, LATENT), generator("test", "decoder")),
    "decoder.bias": torch.zeros(PIXELS),
}


def belief_net(x: torch.Tensor) -> Any:
    def program(params, sample):
        q = Bernoulli(logits=linear(x, params["encoder.weight"], params["encoder.bias"]))
        z = sample("z", q)
        likelihood = Bernoulli(logits=linear(z, params["decoder.weight"], params["decoder.bias"])).log_prob(x)
        return likelihood + Bernoulli(logits=torch.zeros_like(z)).log_prob(z) - q.log_prob(z)

    return program


def context(program: Any = belief_net, estimator: Any = None, **state: Any) -> measure.Context:
    task = SimpleNamespace(train=DATA, test=DATA, binarisation="none", program=program, sense=1.0)
    training = {"optimiser": {"name": "sgd", "rate": 0.1}}
    learner = GradientLearner(task, estimator or ScoreFunction(), training)
    held = {"tunables": {}, "memory": {}, **state}
    return measure.Context(task, learner, PARAMS, ("test", "moments"), torch.device("cpu"), held, BATCH)


def measured(where: measure.Context, **options: Any) -> measure.Measured:
    return measure.get("gradient_moments")(where, options)


def minibatch(where: measure.Context) -> torch.Tensor:
    from reparam.engine.minibatch import minibatch_indices

    return DATA[minibatch_indices(where.axes, 0, 1, BATCH, len(DATA))[0]]


LIST = {
    "score_function": {},
    "disarm": {},
    "exact": {},
    "st": {"name": "straight_through"},
    "loo": {"name": "score_function", "baseline": "leave_one_out", "samples": 2},
    "dropped": None,
}


def test_readings_are_those_of_the_moments_on_the_training_s_minibatch() -> None:
    """Variance, norms and errors per datum, from the public moments and the oracle on the same minibatch."""
    where = context()
    found = measured(where, estimators=LIST, draws=4000).metrics
    program = belief_net(minibatch(where))
    params = {name: entry.clone().requires_grad_() for name, entry in PARAMS.items()}
    truth = torch.autograd.grad(objectives.expectation(program, params).sum(), list(params.values()))
    exact = dict(zip(params, truth, strict=True))
    for label, evaluations in {"score_function": 1, "disarm": 2, "exact": 4, "loo": 2}.items():
        assert found[f"evaluations/{label}"] == evaluations
        for group in ("encoder", "decoder"):
            names = [name for name in PARAMS if name.startswith(group)]
            norm = sum(exact[name].square().sum().item() for name in names) ** 0.5 / BATCH
            assert found[f"reference_norm/{label}/{group}"] == pytest.approx(norm)
            assert found[f"reference_error/{label}/{group}"] == 0
            assert found[f"bias_z/{label}/{group}"] < 5.5
            error = found[f"standard_error/{label}/{group}"]
            assert error == pytest.approx((found[f"variance/{label}/{group}"] / 4000) ** 0.5)
            assert abs(found[f"mean_norm/{label}/{group}"] - norm) < 6 * error + 1e-5
            assert abs(found[f"squared_bias/{label}/{group}"]) < 12 * error**2 + 1e-9
            work = found[f"variance/{label}/{group}"] * evaluations
            assert found[f"work_variance/{label}/{group}"] == pytest.approx(work)
            if label != "exact":
                assert found[f"snr/{label}/{group}"] == pytest.approx(
                    norm / found[f"variance/{label}/{group}"] ** 0.5, rel=0.3
                )
                assert 0.9 < found[f"cosine/{label}/{group}"] <= 1
    assert found["variance/exact/encoder"] == 0 and math.isinf(found["snr/exact/encoder"])
    assert not any("dropped" in name for name in found)


def test_bias_shows() -> None:
    """The straight-through gradient of the encoder is biased, that of the decoder is not."""
    chosen = {label: LIST[label] for label in ("score_function", "disarm", "st")}
    found = measured(context(), estimators=chosen, draws=60_000).metrics
    assert found["bias_z/st/encoder"] > 10 and found["squared_bias/st/encoder"] > 0
    assert found["bias_z/st/decoder"] < 5.5
    assert found["variance/disarm/encoder"] < found["variance/score_function/encoder"]


def test_all_labels_and_steps_meet_one_noise_and_the_variance_is_that_of_the_public_moments() -> None:
    where = context()
    first = measured(where, estimators={"a": {"name": "disarm"}, "b": {"name": "disarm"}}, draws=500).metrics
    again = measured(where, estimators={"b": {"name": "disarm"}}, draws=500).metrics
    for quantity in ("variance", "mean_norm", "squared_bias"):
        name = f"{quantity}/a/encoder"
        assert first[name] == first[name.replace("/a/", "/b/")] == again[name.replace("/a/", "/b/")]
    public = moments_of(belief_net(minibatch(where)), PARAMS, "disarm", draws=50_000, seed=9)
    total = (
        sum(public.variance[name].sum().item() for name in PARAMS if name.startswith("encoder")) / BATCH**2
    )
    more = measured(where, estimators={"disarm": {}}, draws=50_000).metrics["variance/disarm/encoder"]
    assert more == pytest.approx(total, rel=0.1)


def test_a_reference_has_an_error_of_its_own() -> None:
    """With few draws its noise is in the bias's allowance, and drawn apart: the same estimator is not its own truth."""
    reference = {"name": "score_function", "draws": 3000}
    found = measured(context(), estimators={"score_function": {}}, draws=3000, reference=reference).metrics
    error = found["reference_error/score_function/encoder"]
    assert error == pytest.approx(found["standard_error/score_function/encoder"], rel=0.2)
    assert 0 < found["bias_z/score_function/encoder"] < 5.5
    assert abs(found["squared_bias/score_function/encoder"]) < 12 * 2 * error**2


def test_a_bound_is_held_against_the_oracle_of_its_bound() -> None:
    found = measured(context(), estimators={"vimco": {"samples": 3}, "disarm": {}}, draws=10_000).metrics
    for label in ("vimco", "disarm"):
        for group in ("encoder", "decoder"):
            assert found[f"bias_z/{label}/{group}"] < 5.5
    assert found["reference_norm/vimco/encoder"] != found["reference_norm/disarm/encoder"]


def test_the_cell_s_own_estimator_is_measured_as_trained() -> None:
    """With the training's average for a baseline; a stranger with one that has settled on its own."""
    own = ScoreFunction(baseline="moving_average")
    options = {"own": {"name": "score_function", "baseline": "moving_average"}}
    absurd = {"total": {"z": torch.tensor(500.0)}, "weight": torch.tensor(1.0)}
    as_trained = measured(context(estimator=own, memory=absurd), estimators=options, draws=500).metrics
    as_stranger = measured(context(memory=absurd), estimators=options, draws=500).metrics
    assert as_trained["variance/own/encoder"] > 100 * as_stranger["variance/own/encoder"]


def test_times_are_kept_apart_from_what_is_bit_identical() -> None:
    found = measured(context(), estimators={"disarm": {}}, draws=200)
    assert not any("seconds" in name for name in found.metrics)
    assert 0 < found.machine["seconds/disarm"] < 10
    product = found.metrics["variance/disarm/encoder"] * found.machine["seconds/disarm"]
    assert found.machine["variance_seconds/disarm/encoder"] == pytest.approx(product)
    on_the_way = measured(context()._replace(last=False), estimators={"disarm": {}}, draws=200)
    assert (on_the_way.metrics, on_the_way.machine) == (found.metrics, {})
    untimed = measured(context(), estimators={"disarm": {}}, draws=200, timed=False)
    assert (untimed.metrics, untimed.machine) == (found.metrics, {})


def test_what_is_not_finite_is_not_a_number_and_stops_nobody() -> None:
    def program(x: torch.Tensor) -> Any:
        def value(params, sample):
            z = sample("z", Normal(params["encoder.bias"].expand(len(x), 2), torch.ones(2)))
            return (z[:, 0] - 0.2).log() + params["decoder.bias"].sum()

        return value

    found = measured(context(program), estimators={"pathwise": {}, "score_function": {}}, draws=100).metrics
    assert math.isnan(found["variance/pathwise/encoder"]) and math.isnan(
        found["cosine/score_function/decoder"]
    )


def test_too_many_states_ask_for_a_reference() -> None:
    def program(x: torch.Tensor) -> Any:
        return lambda params, sample: sample(
            "z", Bernoulli(logits=params["encoder.bias"].sum().expand(len(x), 40))
        ).sum(-1)

    with pytest.raises(ReparamError, match=r"enumerate 2\^40 states; give a reference"):
        measured(context(program), estimators={"score_function": {}}, draws=100)
    with pytest.raises(ReparamError, match="did you mean 'disarm'"):
        measured(context(), estimators={"disam": {}}, draws=100)


def test_the_readings_of_known_moments() -> None:
    """Two entries by hand: mean (3, 4), truth (3, 2), variances (16, 9), 100 draws, 2 data."""
    moments = Moments(
        {"a.w": torch.tensor([6.0, 8.0])},
        {"a.w": torch.tensor([64.0, 36.0])},
        torch.zeros(()),
        3,
        100,
        {},
        {},
    )
    reference = Reference({"a.w": torch.tensor([6.0, 4.0])}, {"a.w": torch.tensor([0.0, 0.8])})
    found = summary(moments, reference, ["a.w"], data=2)
    assert found["mean_norm"] == pytest.approx(5)
    assert found["variance"] == pytest.approx(25)
    assert found["standard_error"] == pytest.approx(0.5)
    assert found["squared_bias"] == pytest.approx(4 - 0.25 - 0.16)
    assert found["bias_z"] == pytest.approx(2 / (0.09 + 0.16) ** 0.5)
    assert found["snr"] == pytest.approx(((25 - 0.25) / 25) ** 0.5)
    assert found["cosine"] == pytest.approx((9 + 8) / (5 * 13**0.5))
    assert found["work_variance"] == pytest.approx(75)
