"""Gradient moments: exact ones on small problems, the same for every chunk, and clear words for what cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from scipy.stats import norm
from torch.nn.functional import linear

from reparam import (
    Bernoulli,
    Disarm,
    Normal,
    Pathwise,
    Rebar,
    ScoreFunction,
    estimate,
    gradient_moments,
    init_estimator,
)
from reparam.engine.gradient import prepare
from reparam.errors import ReparamError
from reparam.measure.problems import PROBLEMS
from reparam.measure.subject import BLOCK
from reparam.noise import draw_block

FALSE_ALARM = 1e-6
"""Of each test of all its entries (Bonferroni)."""
LOGITS = torch.tensor([[0.4, -0.3], [1.1, 0.2]])
TARGET = 0.3


def bits(params, sample):
    return (sample("z", Bernoulli(logits=params["logits"])) - TARGET).square().sum(-1)


def score_states() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(probability [B], score-function estimate [B, D]) of each state of the two bits of every datum."""
    p = torch.sigmoid(LOGITS.double())
    for state in product((0.0, 1.0), repeat=2):
        z = torch.tensor(state, dtype=torch.float64)
        f = (z - TARGET).square().sum()
        yield (p * z + (1 - p) * (1 - z)).prod(-1), f * (z - p)


def test_mean_and_variance_are_the_exact_ones() -> None:
    """Within the normal bounds of their exact standard errors, from the first four moments by enumeration."""
    draws = 200_000
    found = gradient_moments(bits, {"logits": LOGITS}, "score_function", draws=draws, seed=1)
    mean = sum(p[:, None] * g for p, g in score_states())
    variance = sum(p[:, None] * (g - mean) ** 2 for p, g in score_states())
    fourth = sum(p[:, None] * (g - mean) ** 4 for p, g in score_states())
    bound = float(norm.isf(FALSE_ALARM / 2 / mean.numel()))
    assert ((found.mean["logits"] - mean).abs() < bound * (variance / draws).sqrt()).all()
    error = ((fourth - variance**2) / draws).sqrt()
    assert ((found.variance["logits"] - variance).abs() < bound * error).all()
    torch.testing.assert_close(found.standard_error["logits"], (found.variance["logits"] / draws).sqrt())
    assert (found.evaluations, found.draws) == (1, draws)


def test_the_variance_is_that_of_one_estimate_of_all_its_samples() -> None:
    """Four samples: a quarter of the variance, within 5 % (its standard error is 0.7 %)."""
    one, four = (
        gradient_moments(bits, {"logits": LOGITS}, ScoreFunction(samples=k), draws=40_000) for k in (1, 4)
    )
    assert ((one.variance["logits"] / four.variance["logits"] / 4 - 1).abs() < 0.05).all()
    assert four.evaluations == 4


@pytest.mark.parametrize("key", ["bits_one_layer", "bits_two_layers", "bits_shared"])
def test_without_noise_the_mean_is_exact_and_the_variance_zero(key: str) -> None:
    problem = PROBLEMS[key]
    found = gradient_moments(problem.program, problem.params, "exact", draws=1000)
    for name, truth in problem.exact().items():
        torch.testing.assert_close(found.mean[name], truth.double(), rtol=1e-4, atol=1e-5)
        assert not found.variance[name].any() and not found.standard_error[name].any()
    torch.testing.assert_close(found.value, problem.value(), rtol=1e-4, atol=1e-5)


def test_the_seed_decides_and_the_chunk_does_not() -> None:
    """The same draws for chunks below, at and above a block of noise, with a rest or without, traced or not."""
    params = {"logits": LOGITS}
    whole = gradient_moments(bits, params, "disarm", draws=1300, seed=3)
    again = gradient_moments(bits, params, "disarm", draws=1300, seed=3)
    assert torch.equal(whole.mean["logits"], again.mean["logits"])
    assert torch.equal(whole.variance["logits"], again.variance["logits"])
    for chunk in (1, 7, 64, 100, 128, 200, 300, 5000):
        other = gradient_moments(bits, params, "disarm", draws=1300, seed=3, chunk=chunk)
        torch.testing.assert_close(other.mean["logits"], whole.mean["logits"], rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(other.variance["logits"], whole.variance["logits"], rtol=1e-5, atol=1e-9)
    other = gradient_moments(bits, params, "disarm", draws=1300, seed=4)
    assert not torch.allclose(other.mean["logits"], whole.mean["logits"], rtol=1e-3)


def test_moments_are_those_of_the_named_draws() -> None:
    """Against estimates one by one from the same streams: every draw counts, and counts once."""
    draws = 300
    found = gradient_moments(bits, {"logits": LOGITS}, "score_function", draws=draws, seed=5, chunk=32)
    specs = ScoreFunction().noise(prepare(ScoreFunction(), bits, {"logits": LOGITS}))
    blocks = [draw_block(specs, ("moments", 5, "draws", b), BLOCK)["z"]["uniform"] for b in range(3)]
    z = (LOGITS + torch.logit(torch.cat(blocks)[:draws, 0]) > 0).double()
    f = (z - TARGET).square().sum(-1, keepdim=True)
    estimates = f * (z - torch.sigmoid(LOGITS.double()))
    torch.testing.assert_close(found.mean["logits"], estimates.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.variance["logits"], estimates.var(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.value, f.mean(0)[:, 0], rtol=1e-5, atol=1e-6)


def test_estimators_of_one_seed_meet_the_same_noise() -> None:
    """The mean value of f is one and the same number for estimators that evaluate f at the law's own samples."""
    one = gradient_moments(bits, {"logits": LOGITS}, "score_function", draws=500, seed=2)
    two = gradient_moments(
        bits, {"logits": LOGITS}, ScoreFunction(baseline="moving_average"), draws=500, seed=2
    )
    assert torch.equal(one.value, two.value)


def test_running_averages_settle_first_and_are_then_held() -> None:
    """The moving average comes near E[f] before the first draw; handed in, it is used as it is."""
    estimator = ScoreFunction(baseline="moving_average", decay=0.99)
    params = {"logits": LOGITS}
    found = gradient_moments(bits, params, estimator, draws=5000, settle=400)
    average = found.memory["total"]["z"] / found.memory["weight"]
    assert abs(average - found.value.mean()) < 0.1
    plain = gradient_moments(bits, params, "score_function", draws=5000)
    assert (found.variance["logits"] < plain.variance["logits"]).all()
    unsettled = gradient_moments(bits, params, estimator, draws=5000, settle=0)
    torch.testing.assert_close(unsettled.variance["logits"], plain.variance["logits"])
    held = {"total": {"z": torch.tensor(3.0)}, "weight": torch.tensor(1.0)}
    given = gradient_moments(bits, params, estimator, draws=5000, memory=held)
    assert given.memory is held
    assert (given.variance["logits"] > plain.variance["logits"]).all()


def test_tunables_are_held_as_given() -> None:
    """REBAR with its control variate switched off has the larger variance."""
    params, estimator = {"logits": LOGITS}, Rebar(tuned="site")
    tunables, _ = init_estimator(bits, params, estimator)
    off = {name: torch.zeros_like(e) if name.startswith("eta") else e for name, e in tunables.items()}
    on, without = (
        gradient_moments(bits, params, estimator, draws=3000, tunables=t).variance["logits"].sum()
        for t in (None, off)
    )
    assert on < 0.8 * without


def test_signals_take_the_place_of_f() -> None:
    found = gradient_moments(
        bits, {"logits": LOGITS}, "score_function", draws=200, signals={"z": torch.zeros(2)}
    )
    assert not found.variance["logits"].any()


def test_every_estimator_and_law_of_the_problems_goes_through() -> None:
    """Sites in layers and sites shared by the plate; means within their own bounds of the exact gradient."""
    for key, estimator in [
        ("bits_two_layers", Disarm()),
        ("bits_shared", ScoreFunction(samples=2, baseline="leave_one_out")),
        ("normal_two_layers", Pathwise()),
        ("normal_one_layer", ScoreFunction()),
    ]:
        problem = PROBLEMS[key]
        found, exact = (
            gradient_moments(problem.program, problem.params, estimator, draws=20_000),
            problem.exact(),
        )
        bound = float(norm.isf(FALSE_ALARM / 2 / sum(entry.numel() for entry in exact.values())))
        for name, truth in exact.items():
            off = (found.mean[name] - truth).abs()
            assert (off <= bound * found.standard_error[name] + 1e-4 * (1 + truth.abs())).all(), (key, name)


def test_squares_that_overflow_are_taken_in_double_precision() -> None:
    def huge(params, sample):
        return 1e25 * bits(params, sample)

    plain = gradient_moments(bits, {"logits": LOGITS}, "score_function", draws=300)
    found = gradient_moments(huge, {"logits": LOGITS}, "score_function", draws=300)
    torch.testing.assert_close(found.variance["logits"], 1e50 * plain.variance["logits"], rtol=1e-4, atol=0)


def test_parameters_in_double_precision_stay_there() -> None:
    params = {"logits": LOGITS.double()}
    found = gradient_moments(bits, params, "score_function", draws=200)
    assert found.mean["logits"].dtype == torch.float64
    assert torch.equal(params["logits"], LOGITS.double())


def test_the_draw_that_is_not_finite_is_named() -> None:
    """f is not a number where z is beyond 3.4; the first such draw is found in the stream itself."""
    params = {"loc": torch.zeros(4, 1)}

    def program(params, sample):
        return (3.4 - sample("z", Normal(params["loc"], torch.ones(1)))).log().sum(-1)

    specs = Pathwise().noise(prepare(Pathwise(), program, params))
    z = torch.cat([draw_block(specs, ("moments", 0, "draws", b), BLOCK)["z"]["normal"] for b in range(20)])
    draw, _, entry, _ = (int(i) for i in (z > 3.4).nonzero()[0])
    assert draw > 100
    expected = f"draw {draw}: f is nan at plate entry ({entry},), and all samples are finite: z = ["
    for chunk in (16, 512):
        with pytest.raises(ReparamError, match=re.escape(expected)):
            gradient_moments(program, params, "pathwise", draws=2560, chunk=chunk)


def of(value: Callable[[torch.Tensor], Any]) -> Callable[[], Any]:
    def program(params, sample):
        return value(sample("z", Normal(params["logits"], torch.ones(2))))

    return lambda: gradient_moments(program, {"logits": LOGITS}, "score_function", draws=10)


BITS = (bits, {"logits": LOGITS}, "score_function")
BAD = {
    "one draw": (lambda: gradient_moments(*BITS, draws=1), "draws must be an integer ≥ 2, got 1"),
    "a part of a draw": (
        lambda: gradient_moments(*BITS, draws=1e5),
        "draws must be an integer ≥ 2, got 100000.0",
    ),
    "a seed": (lambda: gradient_moments(*BITS, seed=-1), "seed must be an integer ≥ 0, got -1"),
    "a chunk": (lambda: gradient_moments(*BITS, chunk=0), "chunk must be an integer ≥ 1, got 0"),
    "settling": (lambda: gradient_moments(*BITS, settle=-1), "settle must be an integer ≥ 0, got -1"),
    "a name": (lambda: gradient_moments(bits, {"logits": LOGITS}, "disam"), "did you mean 'disarm'?"),
    "parameters": (
        lambda: gradient_moments(bits, {"logits": None}, "disarm"),
        "params['logits'] must be a tensor",
    ),
    "support": (lambda: gradient_moments(bits, {"logits": LOGITS / 0}, "disarm"), "logits must be finite"),
    "a number read": (
        of(lambda z: z.sum(-1) * z.mean().item()),
        "the program must be made of tensor operations alone",
    ),
    "a branch": (
        of(lambda z: z.sum(-1) if z.mean() > 0 else -z.sum(-1)),
        "the program must be made of tensor operations alone",
    ),
    "numpy": (
        of(lambda z: torch.tensor(z.detach().numpy()).sum(-1)),
        "the program must be made of tensor operations alone",
    ),
    "no site": (
        lambda: gradient_moments(lambda p, sample: p["logits"].sum(-1), {"logits": LOGITS}, "disarm"),
        "the program has no sample site",
    ),
    "no entries": (lambda: gradient_moments(bits, {"logits": LOGITS[:0]}, "disarm"), "params hold no number"),
    "an empty site": (
        lambda: gradient_moments(bits, {"logits": LOGITS[:0], "other": LOGITS}, "disarm"),
        "sample site 'z': a Bernoulli law of shape (0, 2) has nothing to sample",
    ),
    "memory of no estimator": (
        lambda: gradient_moments(*BITS, memory={"weight": LOGITS}),
        "memory['weight'] is unknown",
    ),
    "own noise": (of(lambda z: z.sum(-1) + torch.rand(2)), "without random numbers of its own"),
}


def test_a_parameter_without_entries_is_no_obstacle() -> None:
    def with_empty(params, sample):
        return bits(params, sample) + params["empty"].sum()

    for empty_first in (True, False):
        params = {"logits": LOGITS, "empty": torch.zeros(0, 3)}
        params = dict(sorted(params.items(), reverse=not empty_first))
        found = gradient_moments(with_empty, params, "disarm", draws=300)
        plain = gradient_moments(bits, {"logits": LOGITS}, "disarm", draws=300)
        assert found.mean["empty"].shape == found.variance["empty"].shape == (0, 3)
        assert torch.equal(found.variance["logits"], plain.variance["logits"])
        assert estimate(with_empty, params, "disarm", 1).gradient["empty"].shape == (0, 3)


def test_a_layer_without_outputs_is_no_obstacle() -> None:
    """Fixed inputs of 4 columns for 2 data: a layer that is otherwise factorised."""
    inputs = torch.arange(8.0).reshape(2, 4) / 8

    def layers(params, sample):
        logits = [
            linear(inputs, params[f"{name}.weight"], params[f"{name}.bias"]) for name in ("none", "some")
        ]
        return (sample("z", Bernoulli(logits=torch.cat(logits, -1))) - 0.3).square().sum(-1)

    some = {"some.weight": torch.ones(3, 4), "some.bias": torch.zeros(3)}
    empty = {"none.weight": torch.zeros(0, 4), "none.bias": torch.zeros(0)}
    found = gradient_moments(layers, {**empty, **some}, "disarm", draws=300)
    assert found.mean["none.weight"].shape == (0, 4) and found.mean["some.weight"].shape == (3, 4)


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_said_in_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ReparamError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
