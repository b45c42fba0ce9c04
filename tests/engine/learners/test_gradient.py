"""The learner of gradient estimators: what it climbs, and what it carries from step to step."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from reparam import estimators, tasks
from reparam.distributions import Gamma
from reparam.engine.learners.gradient import GradientLearner
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


def one_step(estimator: Estimator, task: object = TASK) -> tuple[dict, dict, dict, dict]:
    """(state before, state after, metrics, noise) of a step on the first rows."""
    learner = GradientLearner(task, estimator, SGD)
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
