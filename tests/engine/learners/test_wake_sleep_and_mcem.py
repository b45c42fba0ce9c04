"""The two learners that follow no gradient of the bound."""

from types import SimpleNamespace

import pytest
import torch

from reparam import tasks
from reparam.engine import hmc, learners, paths
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator

ROWS, BATCH = 12, 4
SGD = {"optimiser": {"name": "sgd", "rate": 0.01}}
ADAGRAD = {"optimiser": {"name": "adagrad", "rate": 0.05}}


def vae(**options: object) -> object:
    train = (draw("uniform", (ROWS, 6), generator("test", "learners")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, shape=(2, 3))
    given = {"name": "gaussian_vae", "data": "tiny", "hidden": 5, "latent": 2, "kl": "sampled", **options}
    return tasks.get("gaussian_vae")(given, data)


def setting(
    method: str, training: dict[str, object], own: dict[str, object] | None = None, **options: object
) -> tuple[object, dict, tuple]:
    """A learner with its `own` options, its state, and the arguments (x, index, noise) of its first step."""
    task = vae(**options)
    params = {n: 50 * p for n, p in task.init(generator("test", "learners", "init")).items()}
    learner = learners.make(task, {"name": method, "options": own or {}}, training)
    index = torch.tensor([7, 0, 3, 11])
    x = task.train[index]
    noise = draw_block(learner.noise(params, x), ("test", "learners", "noise"), 1)
    noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in noise.items()}
    return learner, learner.init(params, x, generator("test", "method")), (x, index, noise)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_wake_phase_is_the_decoder_part_of_the_pathwise_gradient(likelihood: str) -> None:
    """Same code, same noise: the decoder's step and the bound's reading are AEVB's; the encoder's step is not.

    A Gaussian dream is differentiable in the decoder: here the sleep phase would leak into it.
    """
    after, readings = {}, {}
    for method in ("wake_sleep", "pathwise"):
        learner, state, arguments = setting(method, SGD, likelihood=likelihood)
        state, readings[method] = learner.step(state, *arguments)
        after[method] = state["params"]
    for name, value in after["wake_sleep"].items():
        same = torch.allclose(value, after["pathwise"][name], rtol=1e-5, atol=1e-6)
        assert same == name.startswith("decoder."), name
    torch.testing.assert_close(readings["wake_sleep"]["objective"], readings["pathwise"]["objective"])


def test_sleep_phase_climbs_log_q_of_the_dreamed_pairs() -> None:
    learner, state, (x, index, noise) = setting("wake_sleep", SGD)
    task, before = learner.task, state["params"]
    params = {n: p.clone().requires_grad_() for n, p in before.items()}
    z = noise["dreamed_z"]["normal"]
    probabilities = torch.sigmoid(task.decode(before, z).logits)
    dream = (noise["dreamed_x"]["uniform"] > 1 - probabilities).float()
    q = task.encode(params, dream)
    log_q = torch.distributions.Normal(q.loc, q.scale).log_prob(z).sum()
    objective = ROWS / BATCH * log_q + task.log_prior(params)
    objective.backward()
    after = learner.step(state, x, index, noise)[0]["params"]
    for name in before:
        if name.startswith("encoder."):
            torch.testing.assert_close(after[name], before[name] + 0.01 * params[name].grad)


@pytest.mark.parametrize("classes", [2, 4])
def test_both_phases_on_layers_of_discrete_units(classes: int) -> None:
    """Two layers: the model climbs log p at the samples of q, q climbs log q at the model's own samples."""
    train = (draw("uniform", (ROWS, 6), generator("test", "learners")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, valid=None, shape=(2, 3))
    task = tasks.get("discrete_vae")({"data": "tiny", "units": 3, "layers": 2, "classes": classes}, data)
    source = generator("test", "learners", "discrete")
    before = {n: p + draw("normal", tuple(p.shape), source) for n, p in task.init(source).items()}
    learner = learners.make(task, {"name": "wake_sleep"}, SGD)
    x = train[:BATCH]
    noise = draw_block(learner.noise(before, x), ("test", "learners", "noise"), 1)
    noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in noise.items()}
    state = learner.init(before, x, source)
    after = learner.step(state, x, torch.arange(BATCH), noise)[0]["params"]

    params = {n: p.clone().requires_grad_() for n, p in before.items()}
    units, options = task.options.variables, task.options

    def affine(name: str, z: torch.Tensor) -> object:
        seen = units.encode(z)
        return units.law(seen @ params[f"{name}.0.weight"].T + params[f"{name}.0.bias"])

    def q(x: torch.Tensor, z1: torch.Tensor | None, z2: torch.Tensor | None) -> torch.Tensor | tuple:
        first = units.law(options.map(params, "encoder.z1", x - train.mean(0)))
        own1 = first.path(noise["z1"]).detach() if z1 is None else z1
        second = affine("encoder.z2", own1)
        own2 = second.path(noise["z2"]).detach() if z2 is None else z2
        return (own1, own2) if z1 is None else first.log_prob(own1) + second.log_prob(own2)

    z1, z2 = q(x, None, None)
    top = units.law(params["prior.logits"].expand(BATCH, -1))
    pixels = options.map(params, "decoder.x", units.encode(z1))
    log_p = top.log_prob(z2) + affine("decoder.z1", z2).log_prob(z1)
    log_p = log_p + torch.distributions.Bernoulli(logits=pixels).log_prob(x).sum(-1)
    dream2 = top.path(noise["dreamed_z2"]).detach()
    dream1 = affine("decoder.z1", dream2).path(noise["dreamed_z1"]).detach()
    shown = options.map(params, "decoder.x", units.encode(dream1)).sigmoid()
    dream = (noise["dreamed_x"]["uniform"] > 1 - shown).float()
    (ROWS / BATCH * (log_p.sum() + q(dream, dream1, dream2).sum())).backward()
    for name, entry in params.items():
        torch.testing.assert_close(after[name], before[name] + 0.01 * entry.grad, msg=name)


def test_wake_sleep_needs_a_model_that_dreams() -> None:
    task = tasks.get("bits")({"name": "bits", "target": 0.4}, None)
    with pytest.raises(ReparamError, match="generative model"):
        learners.make(task, {"name": "wake_sleep"}, SGD)


def test_mcem_moves_the_minibatch_s_chains_and_the_decoder_only() -> None:
    learner, state, (x, index, noise) = setting("mcem", ADAGRAD)
    after, metrics = learner.step(state, x, index, noise)
    moved = (after["chains"] != state["chains"]).any(1)
    assert set(moved.nonzero().flatten().tolist()) <= set(index.tolist()) and moved.any()
    for name, value in state["params"].items():
        assert torch.equal(after["params"][name], value) == name.startswith("encoder.")
    assert after["optimiser"]["count"] == 5
    assert 0 <= metrics["acceptance"] <= 1


def test_mcem_continues_its_chains_and_climbs_log_p_of_their_codes() -> None:
    """One update by hand: ten leapfrog steps from the chains' own places, then N/B Σ log p(x, z) + log prior."""
    learner, state, (x, index, noise) = setting("mcem", SGD, own={"updates": 1})
    task, before = learner.task, state["params"]
    state["chains"] = 0.5 * draw("normal", (ROWS, 2), generator("test", "learners", "chains"))
    noise["hmc"]["accept"] = torch.full((BATCH,), 1e-6)
    after, metrics = learner.step(state, x, index, noise)
    end = hmc.leapfrog(
        lambda z: task.log_joint(before, x, z),
        state["chains"][index],
        noise["hmc"]["momentum"],
        state["step_size"],
        10,
    )
    torch.testing.assert_close(after["chains"][index], end.z)
    params = {n: p.clone().requires_grad_() for n, p in before.items()}
    log_p = task.log_joint(params, x, end.z)
    (ROWS / BATCH * log_p.sum() + task.log_prior(params)).backward()
    for name in before:
        if name.startswith("decoder."):
            torch.testing.assert_close(after["params"][name], before[name] + 0.01 * params[name].grad)
    torch.testing.assert_close(metrics["objective"], log_p.detach().mean())


def test_evaluations_are_the_data_whose_density_was_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """AEVB once a datum, wake-sleep also dreams, Monte Carlo EM as often as it calls log p(x, z): 16 times."""
    for method, times in (("pathwise", 1), ("wake_sleep", 2), ("mcem", 16)):
        learner, state, arguments = setting(method, SGD)
        calls, original = [], learner.task.log_joint
        monkeypatch.setattr(learner.task, "log_joint", lambda *a, c=calls, f=original: c.append(1) or f(*a))
        _, metrics = learner.step(state, *arguments)
        assert metrics["evaluations"] == times * BATCH
        assert method != "mcem" or len(calls) == times


@pytest.mark.slow
def test_mcem_raises_the_marginal_likelihood_and_reaches_its_acceptance() -> None:
    """Log p(x) by quadrature on a grid over the two codes, before and after 300 steps."""
    learner, state, _ = setting("mcem", ADAGRAD, weight_prior=False)
    task = learner.task
    axis = torch.linspace(-5, 5, 61)
    grid = torch.cartesian_prod(axis, axis)

    def log_likelihood(params: dict[str, torch.Tensor]) -> torch.Tensor:
        joint = task.log_joint(params, task.train[:, None], grid)
        return (torch.logsumexp(joint, -1) + 2 * (axis[1] - axis[0]).log()).mean()

    start, seen = log_likelihood(state["params"]), []
    specs = learner.noise(state["params"], task.train[:BATCH])
    block = draw_block(specs, ("test", "learners", "run"), 300)
    for i in range(300):
        index = (torch.arange(BATCH) + i * BATCH) % ROWS
        noise = {site: {role: value[i] for role, value in roles.items()} for site, roles in block.items()}
        state, metrics = learner.step(state, task.train[index], index, noise)
        seen.append(metrics["acceptance"])
    assert log_likelihood(state["params"]) > start + 0.5
    assert abs(torch.stack(seen[150:]).mean() - 0.9) < 0.03


@pytest.mark.parametrize("method", ["wake_sleep", "mcem"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_traced_step_equals_the_plain_one(method: str, likelihood: str) -> None:
    learner, state, arguments = setting(method, ADAGRAD, likelihood=likelihood)
    plain, _ = learner.step(state, *arguments)
    traced, _ = paths.build(lambda *given: learner.step(*given), (state, *arguments), "traced")(
        state, *arguments
    )
    for name, value in plain["params"].items():
        torch.testing.assert_close(traced["params"][name], value)


@pytest.mark.parametrize("method", ["wake_sleep", "mcem"])
def test_replicas_in_a_stack_equal_single_ones(method: str) -> None:
    learner, state, (x, index, noise) = setting(method, ADAGRAD)
    other = {site: {role: 1 - value for role, value in roles.items()} for site, roles in noise.items()}
    both = [(state, x, index, noise), (state, x.flip(0), index.flip(0), other)]
    stacked = torch.utils._pytree.tree_map(lambda *leaves: torch.stack(leaves), *both)
    after, _ = torch.vmap(learner.step)(*stacked)
    for i, arguments in enumerate(both):
        single, _ = learner.step(*arguments)
        for name, value in single["params"].items():
            torch.testing.assert_close(after["params"][name][i], value)


def test_unknown_options_are_named() -> None:
    with pytest.raises(ReparamError, match="did you mean 'leapfrogs'"):
        learners.make(vae(), {"name": "mcem", "options": {"leapfrog": 3}}, SGD)
