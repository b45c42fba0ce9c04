"""The learner of gradient estimators: what it climbs, and what it carries from step to step."""

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from reparam import estimators, tasks
from reparam.distributions import Gamma
from reparam.engine import learners
from reparam.engine.learners.carried import running_variance
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, Terms, path_noise
from reparam.noise import draw, draw_block, generator
from reparam.program import follow, run

ROWS, BATCH = 12, 4
SGD = {"optimiser": {"name": "sgd", "rate": 0.01}}
X = (draw("uniform", (ROWS, 6), generator("test", "gradient")) < 0.4).float()
TASK = tasks.get("gaussian_vae")(
    {"name": "gaussian_vae", "data": "tiny", "hidden": 5, "latent": 2},
    SimpleNamespace(name="tiny", train=X, test=X, shape=(2, 3)),
)
PARAMS = {n: 50 * p for n, p in TASK.init(generator("test", "gradient", "init")).items()}


def one_step(estimator: Estimator, task: object = TASK, **training: object) -> tuple[dict, dict, dict, dict]:
    """(state before, state after, metrics, noise) of a step on the first rows."""
    learner = GradientLearner(task, estimator, {**SGD, **training})
    block = draw_block(learner.noise(PARAMS, X[:BATCH]), ("test", "gradient"), 1)
    noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in block.items()}
    state = learner.init(PARAMS, X[:BATCH], generator("test", "method"))
    after, metrics = learner.step(state, X[:BATCH], torch.arange(BATCH), noise)
    return state, after, metrics, noise


@pytest.mark.parametrize("sense", [+1.0, -1.0])
def test_it_climbs_the_objective_of_the_whole_training_set(sense: float) -> None:
    """±(N/B) Σ value + log prior, by backward() on the program itself (Kingma & Welling 2014, Eq. 8)."""
    turned = SimpleNamespace(program=TASK.program, log_prior=TASK.log_prior, train=TASK.train, sense=sense)
    _, after, metrics, noise = one_step(estimators.make("pathwise"), turned)
    params = {n: p.clone().requires_grad_() for n, p in PARAMS.items()}
    value = run(TASK.program(X[:BATCH]), params, follow({"z": {"normal": noise["z"]["normal"][0]}})).value
    (sense * ROWS / BATCH * value.sum() + TASK.log_prior(params)).backward()
    for name, p in params.items():
        torch.testing.assert_close(after["params"][name], PARAMS[name] + 0.01 * p.grad)
    torch.testing.assert_close(metrics["objective"], value.detach().mean())


@pytest.mark.parametrize(("gradient", "share"), [("sum", BATCH / ROWS), ("mean", 1 / ROWS)])
def test_an_optimiser_may_be_given_the_share_of_the_minibatch(gradient: str, share: float) -> None:
    whole, part = (
        one_step(estimators.make("pathwise"), **options) for options in ({}, {"gradient": gradient})
    )
    for name, start in PARAMS.items():
        torch.testing.assert_close(
            part[1]["params"][name] - start, share * (whole[1]["params"][name] - start)
        )


def test_a_baseline_remembers_the_signals_it_saw() -> None:
    _, after, metrics, _ = one_step(estimators.make("score_function", {"baseline": "moving_average"}))
    torch.testing.assert_close(after["memory"]["total"]["z"], metrics["objective"])
    assert after["memory"]["weight"] == 1


def test_evaluations_count_every_sample_of_every_datum() -> None:
    _, _, metrics, _ = one_step(estimators.make("pathwise", {"samples": 3}))
    assert metrics["evaluations"] == 3 * BATCH


def test_failed_rejections_add_up() -> None:
    """In the second of two equal steps every candidate of one datum is refused, too."""

    def program(x):
        def value(params, sample):
            z = sample("z", Gamma(params["shape"].expand(BATCH, 2), params["shape"] + x[:, :2]))
            return -(z - 1).square().sum(-1)

        return value

    params = {"shape": torch.full((2,), 3.0)}
    task = SimpleNamespace(program=program, log_prior=lambda p: p["shape"].sum(), train=X, sense=1.0)
    learner = GradientLearner(task, estimators.make("rsvi"), SGD)
    block = draw_block(learner.noise(params, X[:BATCH]), ("test", "failed"), 1)
    noise = {site: {role: value[0].clone() for role, value in roles.items()} for site, roles in block.items()}
    noise["z"]["proposal"][0, 1] = -50.0
    state = learner.init(params, X[:BATCH], generator("test", "method"))
    for count in (1, 2):
        state, metrics = learner.step(state, X[:BATCH], torch.arange(BATCH), noise)
        assert metrics["failed_rejections"] == count
    assert "failed_rejections" not in one_step(estimators.make("pathwise"))[2]


@dataclass(frozen=True)
class Tuned(Estimator):
    """Pathwise, with a tunable that descends (a − 4)²."""

    card = estimators.get("pathwise").card

    def noise(self, sites):
        return path_noise(sites, 1)

    def init(self, sites, generator):
        return {"a": torch.tensor(0.0)}, {}

    def estimate(self, run, params, noise, tunables, memory):
        value = run(params, follow({"z": {"normal": noise["z"]["normal"][0]}})).value
        return Terms(value, (value,), (1.0,), 1, memory, (tunables["a"] - 4).square())


def test_tunables_follow_their_own_loss() -> None:
    _, after, _, _ = one_step(Tuned())
    torch.testing.assert_close(after["tunables"]["a"], torch.tensor(0.08))


LOO = {"name": "score_function", "baseline": "leave_one_out", "samples": 3}


def steps(training: dict, count: int, estimator: str = "rebar", **options: object) -> list[dict]:
    """The states of a training of bits, with the first."""
    task = tasks.get("discrete_vae")(
        {"data": "tiny", "units": 2}, SimpleNamespace(name="tiny", train=X, test=X, valid=None, shape=(2, 3))
    )
    learner = GradientLearner(task, estimators.make(estimator, options), SGD | training)
    params = task.init(generator("test", "alongside", "init"))
    states = [learner.init(params, X[:BATCH], generator("test", "method"))]
    block = draw_block(learner.noise(params, X[:BATCH]), ("test", "alongside"), count)
    for t in range(count):
        noise = {site: {role: value[t] for role, value in roles.items()} for site, roles in block.items()}
        states.append(learner.step(states[-1], X[:BATCH], torch.arange(BATCH), noise)[0])
    return states


def test_estimators_alongside_change_nothing_but_their_own() -> None:
    """The leader's way is the same with and without them, and its like has all that it has itself."""
    alone = steps({}, 4, tuned="tensor")
    others = {"loo": LOO, "nvil": {}, "like": {"name": "rebar", "tuned": "tensor"}}
    together = steps({"alongside": others, "moments": 0.5}, 4, tuned="tensor")
    for key in ("params", "tunables", "tunable_optimiser"):
        torch.testing.assert_close(together[-1][key], alone[-1][key], rtol=0, atol=0)
    like = together[-1]["alongside"]["like"]
    for key in ("tunables", "moments"):
        torch.testing.assert_close(like[key], together[-1][key], rtol=0, atol=0)
    nvil = [state["alongside"]["nvil"]["tunables"]["baseline.z1.1.bias"] for state in together[:2]]
    assert not torch.equal(*nvil)


def test_an_estimator_alongside_sees_the_parameters_and_noise_of_its_own_training() -> None:
    """At the first step, before they part, its estimate is that of a training of its own."""
    own = steps({"moments": 0.9}, 1, "score_function", baseline="leave_one_out", samples=3)[-1]
    other = steps({"alongside": {"loo": LOO}, "moments": 0.9}, 1)[-1]["alongside"]["loo"]
    torch.testing.assert_close(other["moments"], own["moments"], rtol=0, atol=0)


def test_running_moments_are_weighed_by_age() -> None:
    """Against the gradients that plain steps of rate 0.01 have taken, for the mean over the minibatch."""
    states = steps({"moments": 0.7}, 3, "disarm")
    moved = [
        {n: (new["params"][n] - old["params"][n]) / 0.01 / ROWS for n in old["params"]}
        for old, new in pairwise(states)
    ]
    weights = torch.tensor([0.49, 0.7, 1.0]) / 2.19
    found = running_variance(states[-1]["moments"])
    for name, entry in found.items():
        g = torch.stack([gradient[name] for gradient in moved])
        w = weights.reshape(-1, *(1,) * (g.ndim - 1))
        torch.testing.assert_close(entry, (w * g**2).sum(0) - (w * g).sum(0) ** 2, rtol=1e-3, atol=1e-4)


def test_tunables_may_be_trained_before_the_parameters() -> None:
    states = steps({"tune_first": {"nvil": 2, "rebar": 1}, "optimiser": {"name": "adam"}}, 3, "nvil")
    first, last = states[0]["params"], states[2]["params"]
    assert all(torch.equal(first[name], last[name]) for name in first)
    assert states[2]["optimiser"]["count"] == 0 and states[3]["optimiser"]["count"] == 1
    assert any(not torch.equal(states[3]["params"][name], first[name]) for name in first)
    baselines = [state["tunables"]["baseline.z1.1.bias"] for state in states]
    assert len({entry.item() for entry in baselines}) == 4


def test_tunables_may_have_a_multiple_of_the_rate() -> None:
    """Plain steps: ten times the way."""
    once, scaled = (steps({"tunable_scale": scale}, 1, "nvil") for scale in (1, 10))
    torch.testing.assert_close(scaled[1]["params"], once[1]["params"], rtol=0, atol=0)
    start = once[0]["tunables"]
    for name, entry in once[1]["tunables"].items():
        torch.testing.assert_close(scaled[1]["tunables"][name] - start[name], 10 * (entry - start[name]))


@pytest.mark.parametrize(
    "option", [{"alongside": {}}, {"gradient": "sum"}, {"moments": 0.5}, {"tune_first": {}}]
)
def test_other_learners_refuse_what_they_cannot_do(option: dict) -> None:
    with pytest.raises(ReparamError, match=f"{next(iter(option))} is for gradient estimators"):
        learners.make(TASK, {"name": "wake_sleep"}, SGD | option)


def test_a_learner_along_a_gradient_takes_its_share() -> None:
    made = learners.make(TASK, {"name": "backpropagation"}, SGD | {"gradient": "sum"})
    assert made.share(ROWS, BATCH) == BATCH / ROWS
