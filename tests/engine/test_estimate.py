"""One estimate at a time: noise by name, memory and tunables handed on, and bad input said in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import reparam
from reparam import (
    Bernoulli,
    Categorical,
    Exponential,
    Normal,
    Pathwise,
    Rebar,
    ScoreFunction,
    draw_noise,
    estimate,
    init_estimator,
)
from reparam.engine.gradient import Estimate, estimate_gradient
from reparam.errors import ReparamError

PARAMS = {"logits": torch.tensor([[0.3, -0.2], [0.1, 0.4], [-1.0, 0.6]])}


def bits(params, sample):
    return (sample("z", Bernoulli(logits=params["logits"])) - 0.3).square().sum(-1)


def gaussian(params, sample):
    z = sample("z", Normal(params["logits"], torch.ones(2)))
    return z.square().sum(-1)


def test_an_estimate_is_that_of_the_engine_without_history() -> None:
    params = {"logits": PARAMS["logits"].clone().requires_grad_()}
    noise = draw_noise(bits, params, "score_function", seed=3, step=5)
    found = estimate(bits, params, "score_function", noise)
    plain = estimate_gradient(ScoreFunction(), bits, PARAMS, noise)
    torch.testing.assert_close(found.gradient, plain.gradient, rtol=0, atol=0)
    assert found.value.shape == (3,) and found.evaluations == 1
    assert not found.gradient["logits"].requires_grad and not found.value.requires_grad


def test_noise_is_named_by_seed_and_step_and_shared_by_estimators() -> None:
    def drawn(estimator: Any, seed: int, step: int) -> torch.Tensor:
        return draw_noise(bits, PARAMS, estimator, seed, step)["z"]["uniform"]

    first = drawn("score_function", 1, 2)
    assert first.shape == (1, 3, 2)
    assert torch.equal(first, drawn(ScoreFunction(samples=4), 1, 2)[:1])
    for seed, step in ((2, 1), (1, 3), (0, 2)):
        assert not torch.equal(first, drawn("score_function", seed, step))


def test_a_number_is_the_seed_of_one_estimate_and_a_generator_moves_on() -> None:
    by_number = estimate(bits, PARAMS, "score_function", 7).gradient["logits"]
    by_name = estimate(
        bits, PARAMS, "score_function", draw_noise(bits, PARAMS, "score_function", 7)
    ).gradient["logits"]
    assert torch.equal(by_number, by_name)
    assert not torch.equal(by_number, estimate(bits, PARAMS, "score_function", 8).gradient["logits"])
    source = torch.Generator().manual_seed(1)
    first, second = (
        estimate(bits, PARAMS, ScoreFunction(samples=3), source).gradient["logits"] for _ in range(2)
    )
    again = estimate(bits, PARAMS, ScoreFunction(samples=3), torch.Generator().manual_seed(1)).gradient[
        "logits"
    ]
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_noise_comes_in_the_parameters_type() -> None:
    params = {"logits": PARAMS["logits"].double()}
    assert draw_noise(bits, params, "score_function")["z"]["uniform"].dtype == torch.float64
    for noise in (1, torch.Generator().manual_seed(1)):
        assert estimate(bits, params, "score_function", noise).gradient["logits"].dtype == torch.float64
    shared, source = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    value = estimate(gaussian, params, "pathwise", shared).value
    z = params["logits"] + torch.randn(3, 2, generator=source, dtype=torch.float64)
    torch.testing.assert_close(value, z.square().sum(-1), rtol=1e-12, atol=0)


def test_memory_is_handed_on() -> None:
    """After many estimates the moving average is near the mean of f, and is used."""
    estimator = ScoreFunction(baseline="moving_average")
    _, memory = init_estimator(bits, PARAMS, estimator)
    for step in range(100):
        found = estimate(bits, PARAMS, estimator, step, memory=memory)
        memory = found.memory
    average = memory["total"]["z"] / memory["weight"]
    assert abs(average - 0.6) < 0.3
    without = estimate(bits, PARAMS, estimator, 5, memory=init_estimator(bits, PARAMS, estimator)[1])
    assert not torch.equal(
        without.gradient["logits"], estimate(bits, PARAMS, estimator, 5, memory=memory).gradient["logits"]
    )
    assert torch.equal(
        without.gradient["logits"], estimate(bits, PARAMS, "score_function", 5).gradient["logits"]
    )


def test_a_given_signal_takes_the_place_of_f() -> None:
    zero = estimate(bits, PARAMS, "score_function", 1, signals={"z": torch.zeros(3)})
    assert torch.equal(zero.gradient["logits"], torch.zeros(3, 2))


def test_without_checks_it_is_a_pure_function() -> None:
    noises = [draw_noise(bits, PARAMS, "score_function", step=step) for step in range(3)]
    stacked = {"z": {"uniform": torch.stack([noise["z"]["uniform"] for noise in noises])}}

    def one(noise):
        return estimate(bits, PARAMS, "score_function", noise, tunables={}, memory={}, check=False).gradient

    lifted = torch.vmap(one)(stacked)["logits"]
    for row, noise in zip(lifted, noises, strict=True):
        torch.testing.assert_close(row, one(noise)["logits"])


def test_it_may_be_asked_for_without_grad_mode() -> None:
    outside = estimate(gaussian, PARAMS, "pathwise", 1).gradient["logits"]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(estimate(gaussian, PARAMS, "pathwise", 1).gradient["logits"], outside)


def program_of(value: Callable[[torch.Tensor], Any], law: Any = None) -> Any:
    def program(params, sample):
        return value(
            sample("z", Normal(params["logits"], torch.ones(2)) if law is None else law(params["logits"]))
        )

    return program


def twice(params, sample):
    law = Normal(params["logits"], torch.ones(2))
    return (sample("z", law) + sample("z", law)).sum(-1)


def two_sites(params, sample):
    z = sample("z", Bernoulli(logits=params["logits"]))
    return sample("w", Normal(params["logits"], z)).sum(-1)


def give(*arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: estimate(*arguments, **options)


BIT, NET, X = Bernoulli(logits=torch.zeros(2)), torch.nn.Linear(2, 2), torch.ones(3, 2)


def site(*arguments: Any) -> Callable[[], Any]:
    return give(lambda params, sample: sample(*arguments).sum(-1), PARAMS, "score_function", 1)


def observing(x: Any) -> Callable[[], Any]:
    def program(params, sample):
        sample("x", Exponential(torch.ones(3, 2)), observed=x)
        return bits(params, sample)

    return give(program, PARAMS, "score_function", 1)


NAN = {"logits": torch.tensor([[0.3, -0.2], [float("nan"), 0.4]])}
BAD = {
    "the plate": (
        give(program_of(lambda z: z.sum()), PARAMS, "pathwise", 1),
        "plate is (3,) but the program's value has shape ()",
    ),
    "a site twice": (give(twice, PARAMS, "pathwise", 1), "'z' is used twice"),
    "the law": (
        give(bits, PARAMS, "pathwise", 1),
        "pathwise needs a differentiable path, and sample site 'z' has a Bernoulli law; estimators for it: ",
    ),
    "no law": (
        give(program_of(lambda z: z, lambda p: torch.distributions.Normal(p, 1.0)), PARAMS, "pathwise", 1),
        "sample site 'z': Normal of torch.distributions is no law of reparam: give reparam.from_torch(law)",
    ),
    "a number as law": (site("z", 0.5), "sample site 'z': float is no law of reparam: give one"),
    "a law's class": (
        site("z", Bernoulli),
        "sample site 'z': Bernoulli is a class: give a law, Bernoulli(…)",
    ),
    "swapped": (site(BIT, "z"), "sample(name, law) was given Bernoulli, str: the name comes first"),
    "no name": (site(BIT), "sample(name, law) was given Bernoulli, NoneType: the name comes first"),
    "an empty name": (site("", BIT), "the name must be a non-empty string, got ''"),
    "a number as site": (site(3, BIT), "the name must be a non-empty string, got 3"),
    "no program": (
        give(None, PARAMS, "pathwise", 1),
        "must be a function program(params, sample), got NoneType",
    ),
    "a program of one argument": (
        give(lambda params: params, PARAMS, "pathwise", 1),
        "the program must take (params, sample), but <lambda>(params) does not: too many positional arguments",
    ),
    "a shared site": (
        give(lambda p, sample: sample("z", BIT).sum(-1) + p["logits"].sum(-1), PARAMS, "score_function", 1),
        "sample site 'z': the law's plate is () but the program's value has shape (3,); return one value per datum, "
        "or give the law event_dims, the number of trailing axes that form one event; if the site is shared by the "
        "plate, say so by event_dims=1",
    ),
    "a list observed": (
        observing([1.0, 0.0]),
        "sample site 'x': observed must be a tensor of the shape of the ",
    ),
    "observed of another shape": (
        observing(torch.ones(3)),
        "sample site 'x': observed must be a tensor of the shape of the Exponential law's sample, (3, 2), got one of "
        "shape (3,)",
    ),
    "observed out of support": (
        observing(-torch.ones(3, 2)),
        "sample site 'x': what is observed is outside the support of its Exponential law (log_prob is not finite)",
    ),
    "observed nan": (
        observing(torch.full((3, 2), float("nan"))),
        "'x': what is observed is outside the support",
    ),
    "a module with parameters of its own": (
        give(
            program_of(lambda z: z.sum(-1), lambda p: Bernoulli(logits=NET(X))), PARAMS, "score_function", 1
        ),
        "neither the program's value nor a law in it depends on params (logits), so every gradient is zero",
    ),
    "a program of constants": (
        give(lambda p, sample: sample("z", BIT).sum(-1), PARAMS, "score_function", 1),
        "call torch.func.functional_call(net, params, x), not net(x)",
    ),
    "nan logits": (
        give(bits, NAN, "score_function", 1),
        "'z': Bernoulli's logits must be finite, but holds nan",
    ),
    "scale": (
        give(program_of(lambda z: z.sum(-1), lambda p: Normal(p, -p.exp())), PARAMS, "pathwise", 1),
        "'z': Normal's scale must be positive, but holds -1.34986",
    ),
    "probs": (
        give(
            program_of(lambda z: z.sum(-1), lambda p: Bernoulli(probs=p.exp())), PARAMS, "score_function", 1
        ),
        "'z': Bernoulli's probs must be in [0, 1], but holds 1.34986",
    ),
    "too many states": (
        give(bits, {"logits": torch.zeros(3, 5000)}, "exact", 1),
        "exact: the sites have 2^5000 joint states, more than the 65536 that it enumerates; use another estimator",
    ),
    "no derivative": (
        give(program_of(lambda z: (z > 0).float().sum(-1)), PARAMS, "pathwise", 1),
        "no differentiable path leads from any site (z) to the value; use an estimator",
    ),
    "no site": (
        give(lambda params, sample: params["logits"].sum(-1), PARAMS, "pathwise", 1),
        "the program has no sample site",
    ),
    "a number as value": (
        give(lambda params, sample: 1.0, PARAMS, "pathwise", 1),
        "must return a floating-point tensor, one value per datum, not float",
    ),
    "an integer value": (
        give(program_of(lambda z: z, lambda p: Categorical(logits=p)), PARAMS, "score_function", 1),
        "not a tensor of torch.int64",
    ),
    "a name": (
        give(bits, PARAMS, "score_functions", 1),
        "unknown estimator 'score_functions'; did you mean 'score_function'?",
    ),
    "a class": (
        give(bits, PARAMS, ScoreFunction, 1),
        "estimator is the class ScoreFunction: give an object, ScoreFunction()",
    ),
    "no estimator": (
        give(bits, PARAMS, None, 1),
        "estimator must be a name or an estimator, such as 'disarm' or Disarm(), got NoneType",
    ),
    "a module": (
        give(bits, torch.nn.Linear(2, 2), "score_function", 1),
        "params must be a flat dict of tensors, got Linear; of a module give dict(module.named_parameters())",
    ),
    "nothing": (give(bits, {}, "score_function", 1), "params is empty"),
    "no entries": (
        give(bits, {"logits": torch.zeros(3, 0)}, "score_function", 1),
        "params hold no number to differentiate with respect to: 'logits' of shape (3, 0)",
    ),
    **{
        f"an empty {what}": (
            give(bits, {"logits": torch.zeros(shape), "other": torch.zeros(1)}, "exact", 1),
            f"sample site 'z': a Bernoulli law of shape {shape} has nothing to sample",
        )
        for what, shape in {"event": (3, 0), "plate": (0, 2), "vector": (0,)}.items()
    },
    "a site that is observed": (
        give(
            lambda p, sample: sample("x", Bernoulli(logits=p["logits"]), observed=p["logits"]).sum(-1),
            PARAMS,
            "score_function",
            1,
        ),
        "the program has no sample site",
    ),
    "a nested dict": (
        give(bits, {"q": PARAMS}, "score_function", 1),
        "params['q'] is a mapping: give one flat dict, with names such as 'q.weight'",
    ),
    "a list": (
        give(bits, {"logits": [0.0]}, "score_function", 1),
        "params['logits'] must be a tensor, got list",
    ),
    "integers": (
        give(bits, {"logits": torch.zeros(3, 2, dtype=torch.int64)}, "score_function", 1),
        "params['logits'] must be of a floating-point type, got torch.int64",
    ),
    "a number as name": (give(bits, {1: torch.zeros(3)}, "score_function", 1), "names are strings, got 1"),
    "devices": (
        give(bits, {**PARAMS, "other": torch.zeros(2, device="meta")}, "score_function", 1),
        "params lie on several devices (cpu, meta)",
    ),
    "noise of another program": (
        give(bits, PARAMS, "score_function", {"y": {}}),
        "noise: sample site 'z' needs a 'uniform' of shape (1, 3, 2), got none",
    ),
    "noise of another shape": (
        give(bits, PARAMS, "score_function", {"z": {"uniform": torch.rand(3, 2)}}),
        "got one of shape (3, 2)",
    ),
    "a negative seed": (give(bits, PARAMS, "score_function", -1), "noise must be an integer ≥ 0 (the seed"),
    **{
        f"{noise!r} as noise": (
            give(bits, PARAMS, "score_function", noise),
            "noise must be an integer ≥ 0 (the seed of this one estimate), a torch.Generator, or what "
            f"draw_noise(program, params, estimator, …) gave, got {noise!r}",
        )
        for noise in (1.0, None, "x", True)
    },
    "noise of a site that is a tensor": (
        give(bits, PARAMS, "score_function", {"z": torch.rand(3, 2)}),
        "noise: sample site 'z' needs a 'uniform' of shape (1, 3, 2), got none",
    ),
    "running averages left out": (
        give(bits, PARAMS, ScoreFunction(baseline="moving_average"), 1),
        "score_function with these options learns running averages, and would start afresh at each estimate: call "
        "tunables, memory = init_estimator(",
    ),
    "parameters of its own left out": (
        give(bits, PARAMS, Rebar(tuned="site"), 1),
        "rebar with these options learns parameters of its own, and would start afresh",
    ),
    "memory of another estimator": (
        give(bits, PARAMS, ScoreFunction(baseline="moving_average"), 1, memory={"mean": torch.zeros(())}),
        "memory of another estimator or program: memory['total']['z'] is missing, memory['weight'] is missing, "
        "memory['mean'] is unknown; init_estimator(",
    ),
    "memory of no estimator": (
        give(bits, PARAMS, "score_function", 1, memory={"weight": torch.zeros(())}),
        "memory of another estimator or program: memory['weight'] is unknown",
    ),
    "tunables of no estimator": (
        give(bits, PARAMS, "score_function", 1, tunables={"eta": torch.zeros(())}),
        "tunables of another estimator or program: tunables['eta'] is unknown",
    ),
    "tunables of another shape": (
        give(
            bits, PARAMS, Rebar(tuned="site"), 1, tunables={"eta.z": torch.ones(2), "log_temperature.z": 0.5}
        ),
        "tunables['log_temperature.z'] must be a tensor of shape (), got float, "
        "tunables['eta.z'] must be a tensor of shape (), got one of shape (2,); init",
    ),
    "a signal of no site": (
        give(bits, PARAMS, "score_function", 1, signals={"y": torch.zeros(3)}),
        "a learning signal is given for 'y', but the sampled sites are z",
    ),
    "a signal of another shape": (
        give(bits, PARAMS, "score_function", 1, signals={"z": torch.zeros(2)}),
        "the learning signal given for sample site 'z' has shape (2,)",
    ),
    "a seed": (
        lambda: draw_noise(bits, PARAMS, "score_function", seed=1.5),
        "seed must be an integer ≥ 0, got 1.5",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_said_in_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ReparamError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)


NOT_FINITE = {
    "f": (
        give(program_of(lambda z: (z[:, 0] - 0.5).log() + z[:, 1]), PARAMS, "score_function", 2),
        r"f is nan at plate entry \(\d,\), and all samples are finite: z = \[",
    ),
    "f of one of several samples": (
        give(program_of(lambda z: (z[:, 0] - 0.5).log() + z[:, 1]), PARAMS, Pathwise(samples=20), 2),
        r"f is nan at plate entry \(\d,\) of sample \d+, and all samples",
    ),
    "a law": (
        give(two_sites, {"logits": torch.full((3, 2), 0.1)}, "score_function", 1),
        "the first thing that is not finite is the density of sample site 'w': log q is ",
    ),
    "a derivative": (
        give(program_of(lambda z: (0 * z).abs().sqrt().sum(-1)), PARAMS, "pathwise", 1),
        "f and all samples are finite, but pathwise's gradient with respect to 'logits' is not",
    ),
}


@pytest.mark.parametrize(("call", "message"), NOT_FINITE.values(), ids=NOT_FINITE)
def test_what_is_not_finite_is_found(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_named_plate_entry_and_samples_are_those_of_the_draw() -> None:
    """One entry of five is beyond the range of log; the message names it and shows its sample."""
    params = {"logits": torch.tensor([1.0, 2.0, 3.0, -4.0, 5.0])[:, None]}

    def program(params, sample):
        return sample("z", Normal(params["logits"], torch.full((1,), 0.01))).log().sum(-1)

    z = -4 + 0.01 * draw_noise(program, params, "score_function", seed=1)["z"]["normal"][0, 3, 0]
    with pytest.raises(ReparamError) as caught:
        estimate(program, params, "score_function", 1)
    assert str(caught.value) == f"f is nan at plate entry (3,), and all samples are finite: z = [{z:g}]"


def test_every_public_name_is_there() -> None:
    for name in ("estimate", "draw_noise", "init_estimator"):
        assert callable(getattr(reparam, name))


def test_a_program_may_depend_on_params_by_its_value_alone_or_by_a_law_alone() -> None:
    assert (
        estimate(
            lambda p, sample: sample("z", BIT).sum(-1) * p["w"], {"w": torch.ones(())}, "exact", 1
        ).gradient["w"]
        == 1
    )
    assert estimate(bits, PARAMS, "score_function", 1).gradient["logits"].any()


def test_the_docstring_names_all_that_it_returns() -> None:
    assert f"Returns Estimate({', '.join(Estimate._fields)})" in inspect.getdoc(estimate)
