"""NVIL: what is subtracted and divided, what is learned from what, and what normalising does to the mean."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forced import moments
from scipy.stats import norm
from torch import Tensor

from reparam import estimators
from reparam.distributions import Bernoulli, Categorical
from reparam.engine.gradient import Estimate, estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.nvil import Nvil
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.oracles import objectives
from reparam.program import Params, describe

DATA = torch.tensor([[1.0, -0.5], [0.2, 2.0], [-1.5, 0.3]])
PARAMS = {
    "logits": torch.tensor([0.4]),
    "inputs": torch.tensor([[0.8], [-0.6]]),
    "shift": torch.tensor([2.0]),
}


def program(params: Params, sample: Any) -> Tensor:
    """A bit per datum with an input; f lies far from 0 and differs between data."""
    z = sample("z", Bernoulli(logits=params["logits"] + DATA @ params["inputs"]), context=DATA)
    return (20 + 8 * DATA[:, 0] + (3 + DATA[:, 1]) * (z[:, 0] - 0.3)) * params["shift"]


def pick(estimator: Nvil, *axes: str | int) -> dict[str, dict[str, Tensor]]:
    block = draw_block(estimator.noise(describe(program, PARAMS)), ("nvil", *axes), 1)
    return {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}


def begin(estimator: Nvil) -> tuple[dict[str, Tensor], Any]:
    """Tunables other than the first ones, whose network says 0, and the first memory."""
    tunables, memory = estimator.init(describe(program, PARAMS), generator("nvil", "init"))
    source = generator("nvil", "tunables")
    return {
        name: 0.7 * torch.randn(entry.shape, generator=source) for name, entry in tunables.items()
    }, memory


def network(tunables: dict[str, Tensor]) -> Tensor:
    """C(x) for the three data, written out."""
    first, last = "baseline.z.0", "baseline.z.1"
    hidden = torch.tanh(DATA @ tunables[f"{first}.weight"].T + tunables[f"{first}.bias"])
    return (hidden @ tunables[f"{last}.weight"].T + tunables[f"{last}.bias"])[:, 0]


def sample_and_value(noise: Any) -> tuple[Tensor, Tensor]:
    z = (PARAMS["logits"] + DATA @ PARAMS["inputs"] + torch.logit(noise["z"]["uniform"][0]) > 0).float()
    return z, (20 + 8 * DATA[:, 0] + (3 + DATA[:, 1]) * (z[:, 0] - 0.3)) * PARAMS["shift"]


SWITCHES = [
    {"input_dependent": a, "centre": b, "normalise": c}
    for a in (True, False)
    for b in (True, False)
    for c in (True, False)
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_every_switch_does_its_part_over_a_history(switches: dict[str, bool]) -> None:
    """Four estimates by hand: signals of the estimates before, weighed by 0.8^age, make the mean and the deviation.

    The first estimate has neither. The baseline's loss has the update of the paper's algorithm: the signal as used,
    times ∇ C.
    """
    estimator = Nvil(**switches, hidden=7)
    tunables, memory = begin(estimator)
    assert bool(tunables) == switches["input_dependent"]
    seen: list[Tensor] = []
    for step in range(4):
        noise = pick(estimator, step)
        found = estimate_gradient(estimator, program, PARAMS, noise, tunables, memory)
        z, f = sample_and_value(noise)
        predicted = network(tunables) if switches["input_dependent"] else torch.zeros(3)
        residual, mean, scale = f - predicted, torch.tensor(0.0), torch.tensor(1.0)
        if seen:
            ages = torch.tensor([0.8**age for age in reversed(range(len(seen)))]).repeat_interleave(3)
            past = torch.cat(seen)
            average = (ages * past).sum() / ages.sum()
            if switches["centre"]:
                mean = average
            if switches["normalise"]:
                scale = ((ages * (past - average) ** 2).sum() / ages.sum()).sqrt().clamp(min=1)
                assert scale > 1
        advantage = (residual - mean) / scale
        logits = PARAMS["logits"] + DATA @ PARAMS["inputs"]
        score = advantage[:, None] * (z - logits.sigmoid())
        torch.testing.assert_close(found.gradient["logits"], score.sum(0), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.gradient["inputs"], DATA.T @ score, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.gradient["shift"], (f / PARAMS["shift"]).sum()[None])
        if tunables:
            leaves = {name: entry.clone().requires_grad_() for name, entry in tunables.items()}
            downhill = torch.autograd.grad(-(advantage * network(leaves)).sum(), list(leaves.values()))
            torch.testing.assert_close(
                list(found.tunable_gradient.values()), list(downhill), rtol=1e-4, atol=1e-4
            )
        seen.append(residual)
        memory = found.memory


def test_a_single_datum_has_a_deviation_from_the_start() -> None:
    """It is 0 after one estimate, whatever the decay, and rounding in single precision must not take it below."""

    def single(params, sample):
        return (sample("z", Bernoulli(logits=params["logits"])) - 0.3).square().sum(-1)

    params = {"logits": torch.zeros(2)}
    for decay in (0.1, 0.7, 0.8, 0.9, 0.99):
        estimator = Nvil(decay=decay)
        _, memory = estimator.init(describe(single, params), torch.Generator())
        for u in (0.2, 0.2, 0.2, 0.9):
            noise = {"z": {"uniform": torch.full((1, 2), u)}}
            found = estimate_gradient(estimator, single, params, noise, memory=memory)
            memory = found.memory
            assert found.gradient["logits"].isfinite().all()
            assert (memory["variance"]["z"] > 1e-3) if u == 0.9 else (memory["variance"]["z"] < 1e-10)
            assert memory["variance"]["z"] >= 0


def test_a_signal_narrower_than_one_is_not_widened() -> None:
    """Division by max(1, s): with a hundredth of the values, normalising changes nothing."""

    def narrow(params: Params, sample: Any) -> Tensor:
        return 0.01 * program(params, sample)

    results = []
    for normalise in (True, False):
        estimator = Nvil(normalise=normalise, hidden=7)
        tunables, memory = begin(estimator)
        tunables = {name: torch.zeros_like(entry) for name, entry in tunables.items()}
        for step in range(3):
            noise = pick(estimator, step)
            found = estimate_gradient(estimator, narrow, PARAMS, noise, tunables, memory)
            memory = found.memory
        results.append(found.gradient)
    assert 0 < memory["variance"]["z"] < 1
    torch.testing.assert_close(results[0], results[1])


DRAWS = 40_000
FALSE_ALARM = 1e-6
"""Of one test of all coordinates, for a right estimator."""


def test_normalising_divides_the_gradient_of_q_and_nothing_else() -> None:
    """Two sites with deviations of their own: the law's parameters of each are off by exactly that factor."""
    problem, estimator = PROBLEMS["bits_in_context"], Nvil()
    scales = {"top": 1.25, "low": 3.0}
    sites = describe(problem.program, problem.params)
    tunables, memory = estimator.init(sites, generator("nvil", "init"))
    source = generator("nvil", "tunables")
    tunables = {name: 0.3 * torch.randn(entry.shape, generator=source) for name, entry in tunables.items()}
    memory = memory | {"variance": {name: torch.tensor(s**2) for name, s in scales.items()}}
    noise = draw_block(estimator.noise(sites), ("nvil", "factor"), DRAWS)

    def one(noise: Any) -> dict[str, Tensor]:
        return estimate_gradient(estimator, problem.program, problem.params, noise, tunables, memory).gradient

    found, exact = torch.vmap(one)(noise), problem.exact()
    factors = {"logits": 1.25, "inputs": 1.25, "link": 3.0, "weights": 1.0}
    assert set(factors) == set(exact)
    bound = norm.isf(FALSE_ALARM / 2 / sum(entry.numel() for entry in exact.values()))
    for name, factor in factors.items():
        sample = found[name].double()
        error = sample.std(0) / DRAWS**0.5
        assert ((sample.mean(0) - exact[name] / factor).abs() <= bound * error).all(), name
    assert any(
        ((found[name].double().mean(0) - exact[name]).abs() > 10 * found[name].std(0) / DRAWS**0.5).any()
        for name in ("logits", "inputs", "link")
    )


def test_the_baseline_learns_the_expected_signal_of_each_datum() -> None:
    """Trained by its own loss, C(x) + c moves about E[f | x], and most of the variance is gone."""
    estimator = Nvil(hidden=20, normalise=False)
    tunables, memory = begin(estimator)
    optimiser = torch.optim.Adam(list(tunables.values()), lr=0.05)
    block = draw_block(estimator.noise(describe(program, PARAMS)), ("nvil", "train"), 800)

    def estimate(draw: Tensor, estimator: Nvil, tunables: Any, memory: Any) -> Estimate:
        return estimate_gradient(estimator, program, PARAMS, {"z": {"uniform": draw}}, tunables, memory)

    said = []
    for step in range(300):
        found = estimate(block["z"]["uniform"][step], estimator, tunables, memory)
        for name, entry in tunables.items():
            entry.grad = found.tunable_gradient[name]
        optimiser.step()
        memory = found.memory
        if step >= 150:
            said.append(network(tunables) + memory["mean"]["z"])
    p = (PARAMS["logits"] + DATA @ PARAMS["inputs"]).sigmoid()[:, 0]
    expected = (20 + 8 * DATA[:, 0] + (3 + DATA[:, 1]) * (p - 0.3)) * PARAMS["shift"]
    assert ((torch.stack(said).mean(0) - expected).abs() < 1).all()
    assert expected.std() > 15

    def spread(estimator: Nvil, tunables: Any, memory: Any) -> Tensor:
        draws = block["z"]["uniform"][300:]
        return torch.vmap(lambda u: estimate(u, estimator, tunables, memory).gradient["logits"])(draws).std()

    centred = Nvil(input_dependent=False, normalise=False)
    settled = {**memory, "mean": {"z": expected.mean()}}
    assert spread(estimator, tunables, memory) < 0.3 * spread(centred, {}, settled)


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_with_k_samples_the_mean_is_the_gradient_of_their_bound(samples: int) -> None:
    """To rounding, over all states, with a network, a mean and no normalising."""
    x = torch.tensor([0.7, -1.1], dtype=torch.float64)

    def weight(params: Params, sample: Any) -> Tensor:
        q_top = Bernoulli(logits=params["top"])
        top = sample("top", q_top, context=x)
        q_low = Bernoulli(logits=params["low"] * (0.5 + top))
        low = sample("low", q_low, context=torch.cat([x, top]))
        log_p = (params["model"] * (top - 0.3) * (low + 0.6)).sum(-1)
        return log_p - q_top.log_prob(top) - q_low.log_prob(low)

    params = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in (("top", 0.4), ("low", -0.7), ("model", 1.6))
    }
    estimator = Nvil(samples=samples, normalise=False, hidden=4)
    tunables, memory = estimator.init(describe(weight, params), generator("nvil", "init"))
    source = generator("nvil", "tunables")
    tunables = {name: torch.randn(entry.shape, generator=source).double() for name, entry in tunables.items()}
    memory = memory | {"mean": {"top": torch.tensor(0.4).double(), "low": torch.tensor(-1.3).double()}}
    found = moments(estimator, weight, params, tunables, memory)
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    bound = objectives.bound(weight, leaves, samples).sum()
    exact = dict(zip(leaves, torch.autograd.grad(bound, list(leaves.values())), strict=True))
    torch.testing.assert_close(found.mean, exact, rtol=1e-9, atol=1e-10)


def test_the_card_follows_the_options() -> None:
    assert not Nvil.card.unbiased and not Nvil().card.unbiased and Nvil(normalise=False).card.unbiased
    assert Nvil().card.objective == "expectation" and Nvil().card.given_signal
    assert Nvil(samples=2).card.objective == "bound" and not Nvil(samples=2).card.given_signal
    assert Nvil().card.tunables == {"baseline"} and not Nvil(input_dependent=False).card.tunables


def test_memory_is_of_floating_point_where_samples_are_indices() -> None:
    def choice(params: Params, sample: Any) -> Tensor:
        return params["costs"][sample("z", Categorical(logits=params["logits"]))]

    params = {"logits": torch.zeros(2, 3), "costs": torch.arange(3.0)}
    for estimator in (Nvil(), estimators.make("score_function", {"baseline": "moving_average"})):
        _, memory = estimator.init(describe(choice, params), generator("nvil"))
        assert all(leaf.is_floating_point() for leaf in torch.utils._pytree.tree_leaves(memory))


def test_a_list_makes_a_network_of_several_layers() -> None:
    estimator = estimators.make("nvil", {"hidden": [5, 4], "centre": False, "normalise": False})
    tunables, _ = begin(estimator)
    last = "baseline.z.2"
    hidden = DATA
    for layer in ("baseline.z.0", "baseline.z.1"):
        hidden = torch.tanh(hidden @ tunables[f"{layer}.weight"].T + tunables[f"{layer}.bias"])
    predicted = (hidden @ tunables[f"{last}.weight"].T + tunables[f"{last}.bias"])[:, 0]
    assert hidden.shape == (3, 4)
    noise = pick(estimator, 0)
    found = estimate_gradient(estimator, program, PARAMS, noise, tunables, {})
    z, f = sample_and_value(noise)
    score = (f - predicted)[:, None] * (z - (PARAMS["logits"] + DATA @ PARAMS["inputs"]).sigmoid())
    torch.testing.assert_close(found.gradient["logits"], score.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "nvil: hidden must be an integer ≥ 1, got 0"),
        ({"hidden": "10"}, "nvil: hidden must be an integer ≥ 1, got '10'"),
        ({"hidden": [10, 0]}, "nvil: every size in hidden must be an integer ≥ 1, got 0"),
        ({"decay": 1.0}, r"nvil: decay must lie in \[0, 1\), got 1.0"),
        ({"samples": 0}, "nvil: samples must be an integer ≥ 1, got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        estimators.make("nvil", options)
    assert "\n" not in str(caught.value)
