"""The relaxed objective against torch's Concrete laws, and what the learner refuses."""

from types import SimpleNamespace

import pytest
import torch
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical

from reparam import measure, tasks
from reparam.engine import learners
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator

ROWS, PIXELS = 6, 4
SGD = {"optimiser": {"name": "sgd", "rate": 0.01}}
POSTERIOR, PRIOR = 0.7, 0.4


def setting(
    task: str, own: dict[str, object], training: dict[str, object] = SGD, **options: object
) -> tuple[object, dict, tuple]:
    """A learner, its state, and the arguments (x, index, noise) of a step on all data; parameters are moved."""
    train = (draw("uniform", (ROWS, PIXELS), generator("test", "relaxed")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, valid=None, shape=(2, 2))
    made = tasks.get(task)({"data": "tiny", "units": 3, "layers": 2, **options}, data)
    learner = learners.make(made, {"name": "relaxed_bound", "options": own}, training)
    source = generator("test", "relaxed", "weights")
    params = {n: p + 0.5 * draw("normal", tuple(p.shape), source) for n, p in made.init(source).items()}
    noise = draw_block(learner.noise(params, train), ("test", "relaxed"), 1)
    noise = {site: {role: entry[0] for role, entry in roles.items()} for site, roles in noise.items()}
    return learner, learner.init(params, train, source), (train, torch.arange(ROWS), noise)


def affine(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> torch.Tensor:
    return inputs @ p[f"{name}.0.weight"].T + p[f"{name}.0.bias"]


@pytest.mark.parametrize("classes", [2, 4])
def test_a_step_climbs_the_relaxed_bound_by_hand(classes: int) -> None:
    """Two layers of bits, and of choices, with a temperature for q and one for p: densities are torch's."""
    own = {
        "temperature": POSTERIOR,
        "prior_temperature": PRIOR,
        "estimator": {"name": "iwae", "samples": 2},
    }
    learner, state, (x, index, noise) = setting("discrete_vae", own, classes=classes)
    p = {n: entry.clone().requires_grad_() for n, entry in state["params"].items()}
    corners = torch.cartesian_prod(*2 * [torch.tensor([-1.0, 1.0])])

    def law(temperature: float, logits: torch.Tensor) -> torch.distributions.Distribution:
        if classes == 2:
            return LogitRelaxedBernoulli(torch.tensor(temperature), logits=logits)
        return ExpRelaxedCategorical(torch.tensor(temperature), logits=logits.unflatten(-1, (3, 4)))

    def total(density: torch.Tensor) -> torch.Tensor:
        return density.reshape(ROWS, -1).sum(-1)

    def sample(logits: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if classes == 2:
            z = (logits + torch.logit(u)) / POSTERIOR
            return z, 2 * torch.sigmoid(z) - 1
        z = ((logits.unflatten(-1, (3, 4)) - torch.log(-torch.log(u))) / POSTERIOR).log_softmax(-1)
        return z, (z.exp() @ corners).flatten(-2)

    weights = []
    for k in range(2):
        q1 = affine(p, "encoder.z1", x - x.mean(0))
        z1, seen1 = sample(q1, noise["z1"]["uniform"][k])
        q2 = affine(p, "encoder.z2", seen1)
        z2, seen2 = sample(q2, noise["z2"]["uniform"][k])
        prior = p["prior.logits"].expand(ROWS, -1)
        weight = total(law(PRIOR, prior).log_prob(z2))
        weight = weight + total(law(PRIOR, affine(p, "decoder.z1", seen2)).log_prob(z1))
        weight = weight - total(law(POSTERIOR, q1).log_prob(z1)) - total(law(POSTERIOR, q2).log_prob(z2))
        pixels = torch.distributions.Bernoulli(logits=affine(p, "decoder.x", seen1))
        weights.append(weight + pixels.log_prob(x).sum(-1))
    bound = torch.stack(weights).exp().mean(0).log()
    bound.sum().backward()
    after, metrics = learner.step(state, x, index, noise)
    torch.testing.assert_close(metrics["objective"], bound.mean().detach())
    for name, entry in p.items():
        expected = state["params"][name] + 0.01 * entry.grad
        torch.testing.assert_close(after["params"][name], expected, rtol=1e-3, atol=1e-5)


def test_structured_prediction_runs_through_soft_bits() -> None:
    learner, state, (x, index, noise) = setting("structured_prediction", {"temperature": POSTERIOR})
    p, seen = state["params"], x[:, :2] - x[:, :2].mean(0)
    for name in ("z1", "z2"):
        logits = affine(p, f"layers.{name}", seen) + torch.logit(noise[name]["uniform"])
        seen = 2 * torch.sigmoid(logits / POSTERIOR) - 1
    pixels = torch.distributions.Bernoulli(logits=affine(p, "pixels.lower", seen))
    expected = pixels.log_prob(x[:, 2:]).sum(-1).mean()
    torch.testing.assert_close(learner.step(state, x, index, noise)[1]["objective"], expected)


def test_bounds_are_measured_on_the_hard_units_and_the_relaxed_one_by_its_own_name() -> None:
    """At a temperature of 1e-5 the soft bits are bits: only then do the two agree."""
    found = {}
    for temperature in (1e-5, 5.0):
        learner, state, _ = setting("structured_prediction", {"temperature": temperature})
        where = measure.Context(
            learner.task, learner, state["params"], ("test",), torch.device("cpu"), state, ROWS
        )
        hard, soft = (
            measure.get(name)(where, {"samples": 50}).metrics
            for name in ("multi_sample_bound", "relaxed_bound")
        )
        found[temperature] = hard["bound_50/test"], soft["relaxed_bound_50/test"]
    assert found[1e-5][0] == found[5.0][0]
    assert abs(found[1e-5][0] - found[1e-5][1]) < 1e-3 < abs(found[5.0][0] - found[5.0][1])


@pytest.mark.parametrize("name", ["log_variance", "gradient_variance"])
def test_the_variance_of_a_relaxed_cell_is_that_of_its_own_gradient(name: str) -> None:
    """Hot units hardly vary: at a temperature of 1,000 next to nothing is left of the variance."""
    options = {"log_variance": {"draws": 50}, "gradient_variance": {"minibatches": 2, "draws": 20}}[name]
    found = []
    for temperature in (0.5, 1000.0):
        learner, state, _ = setting("structured_prediction", {"temperature": temperature})
        where = measure.Context(
            learner.task, learner, state["params"], ("test",), torch.device("cpu"), state, 3
        )
        metrics = measure.get(name)(where, options).metrics
        found.append(metrics.get("variance/pixels", metrics.get("gradient_variance/pixels/noise")))
    assert found[1] < 1e-4 * found[0]


@pytest.mark.parametrize(
    ("task", "own", "words"),
    [
        ("discrete_vae", {}, "temperature must be a positive number, got None"),
        ("discrete_vae", {"temperature": -1}, "got -1"),
        ("discrete_vae", {"temperature": 1, "prior_temperature": 0}, "prior_temperature"),
        ("discrete_vae", {"tau": 1}, "no option 'tau'"),
        ("structured_prediction", {"temperature": 1, "prior_temperature": 1}, "leave prior_temperature out"),
    ],
)
def test_what_cannot_be_relaxed_is_refused(task: str, own: dict[str, object], words: str) -> None:
    with pytest.raises(ReparamError, match=words):
        setting(task, own)


def test_a_task_without_a_relaxation_is_refused() -> None:
    task = tasks.get("bits")({"name": "bits", "target": 0.4}, None)
    with pytest.raises(ReparamError, match="a task with a relaxation"):
        learners.make(task, {"name": "relaxed_bound", "options": {"temperature": 1}}, SGD)


def test_weight_decay_pulls_on_weights_per_datum() -> None:
    """−N c/2 Σ w², whose gradient beside the sum over N data is N c w; biases are free."""
    learner, state, _ = setting("structured_prediction", {"temperature": 1.0}, weight_decay=0.3)
    params = {n: p.clone().requires_grad_() for n, p in state["params"].items()}
    learner.task.log_prior(params).backward()
    for name, entry in params.items():
        expected = -ROWS * 0.3 * state["params"][name] if name.endswith(".weight") else None
        assert entry.grad is None if expected is None else torch.allclose(entry.grad, expected), name
    for wrong in (-0.1, True, "a"):
        with pytest.raises(ReparamError, match="weight_decay"):
            setting("structured_prediction", {"temperature": 1.0}, weight_decay=wrong)
