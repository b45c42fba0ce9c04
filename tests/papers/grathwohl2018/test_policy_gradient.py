"""Policy gradients through the real agent: exact means, padding, tracing, and what is read."""

import itertools
import json
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from reparam import estimators
from reparam.errors import ReparamError
from reparam.noise import draw_block, generator
from reparam.papers.grathwohl2018 import environments
from reparam.papers.grathwohl2018.agents import SITE, Agent, Start
from reparam.papers.grathwohl2018.linear_quadratic import (
    ACTION_COST,
    FIRST_STATE,
    expected_cost,
    linear_quadratic,
)
from reparam.papers.grathwohl2018.policy_gradient import (
    Run,
    episodes_to_solve,
    policy_gradient,
    update_for,
)

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Fork:
    """Three steps between two actions; what is seen depends on all of the past, and one early choice ends it."""

    observations: ClassVar[int] = 3
    actions: ClassVar[int] = 2
    discrete: ClassVar[bool] = True
    limit: ClassVar[int] = 3
    solved: ClassVar[float] = 1.0
    batched: ClassVar[bool] = True

    def reset(self, axes, count):
        start = np.array([1.0, 0.0, 0.5])
        return start if count == 1 else np.repeat(start[:, None], count, 1)

    def step(self, state, action):
        time, past, _ = state
        found = np.array([time + 1, 0.7 * past + action, past - action * time])
        return found, 1.0 + 2.0 * action * time - past, (time == 2) & (past > 0.9) & (action == 0)


@dataclass(frozen=True)
class Linear:
    """x' = x + u at the cost x² + 0.1 u², for two steps."""

    observations: ClassVar[int] = 1
    actions: ClassVar[int] = 1
    discrete: ClassVar[bool] = False
    limit: ClassVar[int] = 2
    solved: ClassVar[float] = 0.0
    batched: ClassVar[bool] = True

    def reset(self, axes, count):
        return np.full((1,) if count == 1 else (1, count), FIRST_STATE)

    def step(self, state, action):
        return state + action, -(state[0] ** 2 + ACTION_COST * action[0] ** 2), np.zeros_like(state[0], bool)


def agent(environment: Any, layers: tuple[int, ...], name: str, options: Any) -> Agent:
    return Agent(environment, estimators.make(name, options), layers, "tanh", 0.0)


def begin(made: Agent) -> Start:
    """Parameters and tunables away from where they start, so that baselines and control variates say something."""
    start, source = made.start(("test", "policy gradient")), generator("test", "moved")

    def moved(entries, by):
        return {
            name: entry + by * torch.randn(entry.shape, generator=source, dtype=torch.float64)
            for name, entry in entries.items()
        }

    return Start(moved(start.params, 0.3), moved(start.tunables, 0.5), start.memory)


def exact_gradient(made: Agent, start: Start) -> dict[str, torch.Tensor]:
    """∇ Σ over action sequences of their probability times their return, walked through by hand."""

    def value(params):
        total = torch.zeros((), dtype=torch.float64)
        for actions in itertools.product((0, 1), repeat=3):
            state, chance, gained, alive = made.environment.reset((), 1), 1.0, 0.0, True
            for step, action in enumerate(actions):
                if not alive:  # count what comes after the end once
                    chance = chance * (actions[step] == 0)
                    continue
                hidden = torch.from_numpy(state)
                hidden = torch.tanh(params["policy.0.weight"] @ hidden + params["policy.0.bias"])
                head = params["policy.1.weight"] @ hidden + params["policy.1.bias"]
                chance = chance * head.softmax(-1)[action]
                state, reward, over = made.environment.step(state, action)
                gained, alive = gained + reward, not over
            total = total + chance * gained
        return total

    return torch.func.grad(value)(start.params)


def rolled(made: Agent, start: Start, count: int, seed: int = 0) -> tuple[Any, ...]:
    """States, noise, signals and mask of `count` episodes, [count, T, …]."""
    env = made.environment
    noise = draw_block(made.noise(), ("test", seed), count, dtype=torch.float64)
    drawn = made.perturbations(noise).reshape(count, env.limit, env.actions)
    found = environments.roll_out(env, made.acting(start.params, True), np.moveaxis(drawn, 0, -1), ("test",))
    states = torch.from_numpy(np.moveaxis(found.states, -1, 0).copy())
    signals = torch.from_numpy(environments.rewards_to_go(found.rewards, 1.0).T.copy())
    return states, noise, signals, torch.from_numpy(np.arange(env.limit)[None, :] < found.lengths[:, None])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("score_function", {}),
        ("nvil", {"hidden": [4, 3], "centre": False, "normalise": False}),
        ("relax", {"hidden": [4, 3], "surrogate": "network"}),
        ("relax", {"hidden": [3], "surrogate": "network", "coupled": False}),
    ],
    ids=str,
)
def test_the_mean_is_the_exact_gradient_on_a_tiny_decision_process(name: str, options: Any) -> None:
    """20,000 episodes by the real roll-out; every entry within 5.6 standard errors (1e-6 over 22 entries and four)."""
    made = agent(Fork(), (4,), name, options)
    start = begin(made)
    states, noise, signals, alive = rolled(made, start, 20_000)
    assert 0.05 < (~alive[:, 2]).double().mean() < 0.95
    with torch.no_grad():
        found = torch.vmap(lambda s, n, r, a: made.gradient(start, s, n, r, a, tune=False).gradient)(
            states, noise, signals, alive
        )
    exact = exact_gradient(made, start)
    for key, draws in found.items():
        error = draws.std(0) / math.sqrt(len(draws))
        assert ((draws.mean(0) - exact[key]).abs() < 5.6 * error + 1e-12).all(), key
    size = torch.cat([entry.flatten() for entry in exact.values()]).abs().max()
    assert (
        size > 20 * max(float(draws.std(0).max() / len(draws) ** 0.5) for draws in found.values()) / 5.6
    )  # it has power


def test_lax_and_the_score_function_have_the_exact_mean_with_real_actions() -> None:
    """Linear dynamics, quadratic cost: 20,000 episodes against the closed form, within 5.6 standard errors."""
    for name, options in (("score_function", {}), ("lax", {"hidden": [4]})):
        made = agent(Linear(), (), name, options)
        start = begin(made)
        gain, scale = (
            start.params["policy.0.weight"].reshape(()),
            start.params["policy.log_scale"].reshape(()),
        )
        params = {**start.params, "policy.0.bias": torch.zeros(1, dtype=torch.float64)}
        start = start._replace(params=params)
        states, noise, signals, alive = rolled(made, start, 20_000)
        with torch.no_grad():
            found = torch.vmap(
                lambda s, n, r, a, made=made, start=start: (
                    made.gradient(start, s, n, r, a, tune=False).gradient
                )
            )(states, noise, signals, alive)
        exact = torch.func.grad(expected_cost)({"policy.gain": gain, "policy.log_scale": scale}, 2)
        for key, truth in (("policy.0.weight", "gain"), ("policy.log_scale", "log_scale")):
            draws = found[key].flatten()
            error = draws.std() / len(draws) ** 0.5
            assert abs(draws.mean() + exact[f"policy.{truth}"]) < 5.6 * error
            assert error < 0.2 * exact[f"policy.{truth}"].abs()


def test_the_closed_form_of_the_cost_is_that_of_one_step_by_hand() -> None:
    gain, scale = torch.tensor(-0.3, dtype=torch.float64), torch.tensor(-0.5, dtype=torch.float64)
    found = expected_cost({"policy.gain": gain, "policy.log_scale": scale}, 1)
    assert found.item() == pytest.approx(1 + 0.1 * (0.09 + math.exp(-1.0)), rel=1e-12)


@pytest.mark.parametrize("name", ["pathwise", "score_function"])
def test_both_policy_gradients_have_the_mean_of_the_closed_form(name: str) -> None:
    """3,000 draws at two horizons: each of four means within 5.2 standard errors (1e-6), and small ones at that."""
    options = {"horizons": [1, 3], "closed_loop": 0.5, "scale": 0.5, "draws": 3_000}
    spec = {**SPEC, "method": {"name": name, "options": {}}, "evaluation": options}
    rows = {(step, metric): value for step, metric, value in linear_quadratic(spec, 0, CPU).rows}
    for horizon in (1, 3):
        for parameter in ("gain", "log_scale"):
            assert abs(rows[horizon, f"bias_z/{parameter}"]) < 5.2
            if name == "pathwise":
                assert rows[horizon, f"relative_error/{parameter}"] / 3_000**0.5 < 0.1
    if name == "pathwise":  # by hand for one step: ∂/∂k is 0.2 u x with u ~ N(k, σ²), x = 1
        assert rows[1, "variance/gain"] == pytest.approx(0.04 * 0.25, rel=0.15)


SPEC = {
    "paper": "grathwohl2018",
    "experiment": "test",
    "method": {"name": "relax", "options": {"surrogate": "network", "hidden": [3]}},
    "task": {
        "environment": "cartpole",
        "hidden": [3],
        "activation": "relu",
        "discount": 0.99,
        "entropy": 0.01,
    },
    "training": {"batch": 1, "episodes": 3, "optimiser": {"name": "adam", "rate": 0.01}},
    "evaluation": {"every": 2, "episodes": 3},
}


def with_method(name: str, **options: Any) -> dict[str, Any]:
    return {**SPEC, "method": {"name": name, "options": options}}


def test_padding_changes_nothing_and_actions_are_those_of_the_law() -> None:
    made = replace(Agent.of(SPEC), entropy=0.3)
    start = begin(made)
    states, noise, signals, alive = rolled(made, start, 2)
    for i in range(2):
        length = int(alive[i].sum())
        whole = {SITE: {role: leaf[i] for role, leaf in noise[SITE].items()}}
        cut = {SITE: {role: leaf[i][..., :length, :] for role, leaf in noise[SITE].items()}}
        with torch.no_grad():
            padded = made.gradient(start, states[i], whole, signals[i], alive[i], tune=False).gradient
            exact = made.gradient(start, states[i, :length], cut, signals[i, :length], tune=False).gradient
        for key in exact:
            torch.testing.assert_close(padded[key], exact[key], rtol=1e-12, atol=1e-12)
        law = made.law(start.params, states[i, :length])
        actions = law.path({"uniform": cut[SITE]["uniform"][0]}).argmax(-1).numpy()
        state = states[i, 0].numpy()
        for step in range(1, length):
            state, _, _ = made.environment.step(state, actions[step - 1])
            np.testing.assert_allclose(state, states[i, step].numpy(), atol=1e-12)


def test_the_traced_update_is_the_eager_one_for_every_length() -> None:
    """With running averages, which begin as one and the same zero."""
    spec = with_method("nvil", hidden=[3])
    key = json.dumps([spec["task"], spec["method"]])
    made = Agent.of(spec)
    start = begin(made)
    source = generator("test", "lengths")
    with torch.no_grad():
        for length in (50, 2, 3, 4, 200, 1):
            states = torch.randn(length, 4, generator=source, dtype=torch.float64)
            noise = {SITE: {"uniform": torch.rand(1, length, 2, generator=source, dtype=torch.float64)}}
            signals = torch.randn(length, generator=source, dtype=torch.float64)
            traced, eager = (update_for(key, path)(start, states, noise, signals) for path in (True, False))
            torch.testing.assert_close(traced, eager, rtol=1e-12, atol=1e-12)
            start = start._replace(memory=eager[2])


def test_a_training_reads_what_it_says() -> None:
    found = policy_gradient(SPEC, 0, CPU)
    rows = {(step, metric): value for step, metric, value in found.rows}
    assert len(rows) == len(found.rows)
    assert {step for step, _ in rows} == {0, 2, 3}
    returns = found.arrays["returns"]
    assert rows[2, "return"] == rows[2, "return/100"] == returns[:2].mean()
    assert (
        rows[3, "return"] == returns[2] and rows[3, "return/100"] == rows[3, "return/mean"] == returns.mean()
    )
    assert rows[3, "frames"] == returns.sum() == found.arrays["lengths"].sum()
    # RELAX without a trained surrogate is the score function, draw by draw.
    assert rows[0, "log_variance"] == pytest.approx(rows[0, "log_variance/plain"], rel=1e-12)
    assert rows[3, "log_variance"] != rows[3, "log_variance/plain"]
    variances = [rows[step, "log_variance"] for step in (0, 2, 3)]
    assert rows[3, "log_variance/mean"] == pytest.approx(np.mean(variances))
    assert rows[3, "episodes_to_solve"] == math.inf
    assert policy_gradient(SPEC, 0, CPU).rows == found.rows
    assert policy_gradient(SPEC, 1, CPU).rows != found.rows


def test_an_update_descends_on_variance_and_climbs_the_return() -> None:
    """One step of plain gradient ascent with the first episode's estimate, by hand."""
    spec = {
        **SPEC,
        "training": {**SPEC["training"], "optimiser": {"name": "sgd", "rate": 0.1}, "episodes": 1},
    }
    with torch.no_grad():
        run = Run(spec, 0)
        before = run.start
        noise = draw_block(run.specs, (*run.axes, "episodes", 0), 50, dtype=torch.float64)
        first = {SITE: {role: leaf[0] for role, leaf in noise[SITE].items()}}
        run.findings()
        length = run.lengths[0]
        rewards = np.ones(length)
        signals = torch.from_numpy(environments.rewards_to_go(rewards, 0.99))
        states = [run.agent.environment.reset((*run.axes, "reset", 0), 1)]
        cut = {SITE: {"uniform": first[SITE]["uniform"][..., :length, :]}}
        head = np.empty(0)
        act = run.agent.acting(before.params, False)
        for step in range(length - 1):
            perturbation = -np.log(-np.log(first[SITE]["uniform"][0, step].numpy()))
            head = run.agent.environment.step(states[-1], act(states[-1], perturbation))[0]
            states.append(head)
        found = run.agent.gradient(before, torch.from_numpy(np.stack(states)), cut, signals)
        for name, entry in run.start.params.items():
            torch.testing.assert_close(entry, before.params[name] + 0.1 * found.gradient[name])
        for name, entry in run.start.tunables.items():
            torch.testing.assert_close(entry, before.tunables[name] - 0.1 * found.tunable_gradient[name])


def test_advantages_are_those_of_the_definition() -> None:
    """Σ_l (γλ)^l δ_{t+l}, for one episode and for several, and γλ = γ gives returns less V."""
    task = {**SPEC["task"], "environment": "cartpole_force", "activation": "tanh"}
    task["critic"] = {"hidden": [4], "fits": 2, "rate": 0.01, "trace": 0.9}
    spec = {**with_method("lax", hidden=[3]), "task": task}
    with torch.no_grad():
        run = Run(spec, 0)
        noise = draw_block(run.specs, ("test", "advantages"), 2, dtype=torch.float64)
        drawn = np.moveaxis(run.agent.perturbations(noise).reshape(2, 200, 1), 0, -1)
        act = run.agent.acting(run.start.params, True)
        found = environments.roll_out(run.agent.environment, act, drawn, ("test",))
        to_go, signals = run._signals(found)
        for i in range(2):
            length = int(found.lengths[i])
            values = run.critic.values(torch.from_numpy(found.states[:length, :, i].copy())).numpy()
            errors = 1 + 0.99 * np.append(values[1:], 0) - values
            for t in (0, length // 2, length - 1):
                by_hand = sum((0.99 * 0.9) ** k * error for k, error in enumerate(errors[t:]))
                assert signals[t, i].item() == pytest.approx(by_hand, rel=1e-10)
                assert to_go[t, i].item() == pytest.approx(sum(0.99**k for k in range(length - t)), rel=1e-10)
            assert not signals[length:, i].any()
        states = torch.from_numpy(found.states[: found.lengths[0], :, 0].copy())
        before = (run.critic.values(states) - 3.0).square().mean()
        run.critic.fits = 60
        run.critic.fit(states, torch.full((len(states),), 3.0, dtype=torch.float64))
        assert (run.critic.values(states) - 3.0).square().mean() < 0.5 * before


def test_a_batch_takes_whole_episodes_until_it_is_full() -> None:
    spec = {
        **SPEC,
        "training": {**SPEC["training"], "batch": 60, "episodes": 1},
        "evaluation": {"every": 9, "episodes": 0},
    }
    found = policy_gradient(spec, 0, CPU)
    lengths = found.arrays["lengths"]
    assert lengths.sum() >= 60 > lengths[:-1].sum()
    assert not [metric for _, metric, _ in found.rows if "variance" in metric]


def test_frames_are_limited_by_environment() -> None:
    training = {"batch": 1, "frames": {"cartpole": 50, "lunar_lander": 1}, "optimiser": {"name": "adam"}}
    lengths = policy_gradient({**SPEC, "training": training}, 0, CPU).arrays["lengths"]
    assert lengths.sum() >= 50 > lengths[:-1].sum()


def test_solved_is_when_a_hundred_returns_exceed_the_level() -> None:
    assert episodes_to_solve([200.0] * 99, 195.0) is None
    assert episodes_to_solve([200.0] * 100, 195.0) == 100
    assert episodes_to_solve([0.0] * 50 + [200.0] * 200, 195.0) == 148  # two zeros are left: a mean of 196
    assert episodes_to_solve([195.0] * 300, 195.0) is None


@pytest.mark.filterwarnings("ignore:.*encountered in matmul:RuntimeWarning")
def test_what_is_not_finite_any_more_is_said_and_ends_the_training() -> None:
    with torch.no_grad():
        run = Run({**SPEC, "training": {**SPEC["training"], "optimiser": {"name": "sgd", "rate": 1e308}}}, 0)
        found = run.findings()
    assert len(run.returns) < 3
    assert math.isnan(dict((m, v) for _, m, v in found.rows)["episodes_to_solve"])


@pytest.mark.parametrize("method", [("score_function", {"samples": 2}), ("arm", {})])
def test_estimators_that_a_roll_out_cannot_serve_are_refused(method: Any) -> None:
    with pytest.raises(
        ReparamError, match=r"one action per state|learning signals cannot be given"
    ) as caught:
        Run(with_method(method[0], **method[1]), 0)
    assert "\n" not in str(caught.value)
