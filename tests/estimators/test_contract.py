"""The contract of every estimator: unbiased per coordinate against exact oracles, per datum, compiled = eager.

A new estimator is tested by existing: CONFIGURATIONS is checked to name every registered one.
"""

from __future__ import annotations

import pytest
import torch
from scipy.stats import norm

from reparam import estimators
from reparam.engine.gradient import Runner, estimate_gradient
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.measure import oracle_checks
from reparam.measure.oracle_checks import admitted
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import describe

CASES = [
    pytest.param(name, options, key, id=f"{name}-{'-'.join(map(str, options.values()))}-{key}")
    for name in estimators.names()
    for options in estimators.get(name).card.settings
    for key in admitted(estimators.make(name, options))
]
COMPILED = ("bits_one_layer", "bits_two_layers", "bits_shared", "normal_one_layer", "one_hot_one_layer")
DRAWS = 40_000
FALSE_ALARM = 1e-4
"""Probability that a right estimator fails one test of all its coordinates (Bonferroni)."""


def test_a_check_of_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(ReparamError, match="estimator 'pathwize'; did you mean 'pathwise'"):
        oracle_checks.run(["pathwize"])


def estimates(name: str, options: dict, key: str, draws: int = DRAWS) -> dict[str, torch.Tensor]:
    """Gradient estimates [draws, *parameter] of a problem, one after another where memory is kept."""
    problem, estimator = PROBLEMS[key], estimators.make(name, options)
    sites = describe(problem.program, problem.params)
    noise = draw_block(estimator.noise(sites), ("contract", name, key), draws)
    tunables, memory = estimator.start(problem.params, sites, generator("contract", "init"))

    def one(noise, memory):
        return estimate_gradient(
            estimator, problem.program, problem.params, noise, tunables, memory, tune=False
        )

    if memory:  # let the averages settle on draws of their own, then hold them
        settling = draw_block(estimator.noise(sites), ("contract", "settle"), 50)
        for step in range(50):
            memory = one(pick(settling, step), memory).memory
    if not noise:
        single = one({}, memory).gradient
        return {name: entry.unsqueeze(0) for name, entry in single.items()}
    return torch.vmap(lambda draw: one(draw, memory).gradient)(noise)


def pick(noise: dict, step: int) -> dict:
    return {site: {role: draws[step] for role, draws in roles.items()} for site, roles in noise.items()}


def deviation(name: str, options: dict, key: str) -> float:
    """The largest deviation of the mean from the exact gradient, in units of what chance allows a right estimator."""
    estimator = estimators.make(name, options)
    exact = PROBLEMS[key].exact(estimator.card.objective, getattr(estimator, "samples", 1))
    found = estimates(name, options, key)
    bound = norm.isf(FALSE_ALARM / 2 / sum(entry.numel() for entry in exact.values()))
    largest = []
    for parameter, truth in exact.items():
        mean, draws = found[parameter].double().mean(0), len(found[parameter])
        tolerance = 1e-5 * (1 + truth.abs())
        if draws > 1:
            tolerance = tolerance + bound * found[parameter].double().std(0) / draws**0.5
        largest.append(((mean - truth).abs() / tolerance).max().item())
    return max(largest)


@pytest.mark.parametrize(
    ("name", "options", "key"),
    [case for case in CASES if estimators.make(*case.values[:2]).card.unbiased],
)
def test_mean_is_the_exact_gradient_per_coordinate(name: str, options: dict, key: str) -> None:
    assert deviation(name, options, key) <= 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}-{'-'.join(map(str, options.values()))}")
        for name in estimators.names()
        for options in estimators.get(name).card.settings
        if not estimators.make(name, options).card.unbiased
    ],
)
def test_what_claims_no_unbiasedness_is_biased_somewhere(name: str, options: dict) -> None:
    """Twice as far off as chance allows, on at least one problem: else its card promises too little."""
    problems = admitted(estimators.make(name, options))
    assert any(deviation(name, options, key) > 2 for key in problems)


OWN = {"bits_one_layer": "logits", "normal_one_layer": "loc"}
"""Problems with a parameter per datum, and which it is."""


@pytest.mark.parametrize(
    ("name", "options", "key"),
    [case for case in CASES if case.values[2] in OWN and case.values[0] != "exact"],
)
def test_a_datum_does_not_see_the_noise_of_another(name: str, options: dict, key: str) -> None:
    """Changing the noise of the last datum leaves the first datum's own parameters' gradient alone."""
    own, problem, estimator = OWN[key], PROBLEMS[key], estimators.make(name, options)
    sites = describe(problem.program, problem.params)
    specs = estimator.noise(sites)
    block = draw_block(specs, ("plate", key), 4)
    tunables, memory = estimator.start(problem.params, sites, generator("contract", "init"))

    def joined(site, role, step):
        draws, data = block[site][role], 0 if specs[site][role].copies is None else 1
        kept, changed = draws[0].narrow(data, 0, 1), draws[step].narrow(data, 1, 1)
        return torch.cat([kept, changed], dim=data)

    first, *others = (
        {site: {role: joined(site, role, step) for role in roles} for site, roles in block.items()}
        for step in range(4)
    )

    def gradient(noise):
        return estimate_gradient(
            estimator, problem.program, problem.params, noise, tunables, memory
        ).gradient[own]

    changed = [gradient(noise) for noise in others]
    assert all(torch.equal(gradient(first)[0], other[0]) for other in changed)
    assert not all(torch.equal(gradient(first)[1], other[1]) for other in changed)


def test_evaluations_count_the_runs_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `vmap` replaced by a loop, an estimate runs the program as often as it says, exactly."""

    def loop(function, in_dims=0):
        def mapped(tree):
            length = len(torch.utils._pytree.tree_leaves(tree)[0])
            outputs = [
                function(torch.utils._pytree.tree_map(lambda x, i=i: x[i], tree)) for i in range(length)
            ]
            return torch.utils._pytree.tree_map(lambda *x: torch.stack(x), *outputs)

        return mapped

    monkeypatch.setattr(torch, "vmap", loop)
    for label, options, key in (case.values for case in CASES):
        problem, estimator, runs = PROBLEMS[key], estimators.make(label, options), []

        class Counted(Runner):
            def __call__(self, params, choose, runs=runs):
                runs.append(1)
                return super().__call__(params, choose)

        sites = describe(problem.program, problem.params)
        block = draw_block(estimator.noise(sites), ("count",), 1)
        tunables, memory = estimator.start(problem.params, sites, generator("contract", "init"))
        terms = estimator.estimate(Counted(problem.program), problem.params, pick(block, 0), tunables, memory)
        assert len(runs) == terms.evaluations == estimator.card.evaluations(estimator, sites), (label, key)


def test_traced_and_compiled_gradients_equal_eager() -> None:
    """One graph with every estimator on COMPILED problems, in float32; compiled code may reorder sums."""
    problems = []
    for name, options, key in (case.values for case in CASES):
        if key in COMPILED:
            estimator, problem = estimators.make(name, options), PROBLEMS[key]
            sites = describe(problem.program, problem.params)
            noise = draw_block(estimator.noise(sites), ("compile", key), 2)
            problems.append(
                (
                    estimator,
                    problem,
                    noise,
                    *estimator.start(problem.params, sites, generator("contract", "init")),
                )
            )

    def gradients(params, noises):
        return [
            torch.vmap(
                lambda n, e=e, p=p, own=own, t=t, m=m: estimate_gradient(e, p.program, own, n, t, m).gradient
            )(noise)
            if noise
            else estimate_gradient(e, p.program, own, {}, t, m).gradient
            for (e, p, _, t, m), own, noise in zip(problems, params, noises, strict=True)
        ]

    arguments = ([p.params for _, p, _, _, _ in problems], [n for _, _, n, _, _ in problems])
    eager = gradients(*arguments)
    for path in ("traced", "compiled"):
        other = build(gradients, arguments, path)(*arguments)
        torch.testing.assert_close(other, eager, rtol=1e-4, atol=1e-5)
        assert any(g.abs().max() > 0.1 for g in other[0].values())
