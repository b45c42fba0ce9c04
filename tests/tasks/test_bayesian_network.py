"""The bound of random networks: likelihoods, divergences and their shares, against torch.distributions and by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributions as td
from small_tasks import in_doubles
from torch import Tensor

from reparam import tasks
from reparam.errors import ReparamError
from reparam.models.weight_prior import POLYNOMIAL
from reparam.noise import draw, draw_block, generator
from reparam.program import describe, follow, run

ROWS = 12
X = draw("uniform", (ROWS, 3), generator("test", "bayesian network"))
LABELS = torch.arange(ROWS) % 3
DATA = SimpleNamespace(
    name="tiny",
    train=X,
    test=X[:3],
    valid=None,
    shape=(1, 3),
    train_labels=LABELS,
    test_labels=LABELS[:3],
    valid_labels=None,
)


def made(**options: Any) -> tuple[Any, dict[str, Tensor]]:
    task = tasks.get("bayesian_network")(
        {"name": "bayesian_network", "data": "tiny", "width": 4, "depth": 2, "initial_rho": -1.0, **options},
        DATA,
    )
    return in_doubles(task, "bayesian network")


def values(task: Any, params: dict[str, Tensor], draws: int = 1) -> tuple[Tensor, list[dict[str, Any]]]:
    """The value of the training rows, [draws, ROWS], and the noise of each draw."""
    program = task.program(task.train)
    specs = {site: entry.law.noise() for site, entry in describe(program, params).items()}
    block = draw_block(specs, ("test", "values"), draws, dtype=torch.float64)
    noise = [{s: {r: v[i] for r, v in roles.items()} for s, roles in block.items()} for i in range(draws)]
    return torch.stack([run(program, params, follow(n)).value for n in noise]), noise


def forward(layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    """log p(label) of each row under these weights and biases."""
    h = X.double()
    for i, (weight, bias) in enumerate(layers):
        h = h @ weight.mT + bias
        h = h.clamp_min(0) if i < len(layers) - 1 else h
    return td.Categorical(logits=h).log_prob(LABELS)


def laws(params: dict[str, Tensor]) -> list[td.Normal]:
    """Of weights and biases together, [outputs, inputs + 1], layer by layer."""
    joined = [
        [
            torch.cat([params[f"{group}.{i}.weight"], params[f"{group}.{i}.bias"][:, None]], 1)
            for i in range(3)
        ]
        for group in ("mean", "rho")
    ]
    return [td.Normal(mean, (1 + rho.exp()).log()) for mean, rho in zip(*joined, strict=True)]


PRIORS = {
    "gaussian": td.Normal(torch.tensor(0.0).double(), 0.7),
    "mixture": td.MixtureSameFamily(
        td.Categorical(torch.tensor([0.25, 0.75]).double()),
        td.Normal(torch.zeros(2).double(), torch.tensor([0.7, 0.1]).double()),
    ),
}


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("prior", PRIORS)
def test_the_value_at_one_weight_sample(prior: str, learned: bool) -> None:
    """Blundell et al. 2015, Eq. 2, by torch.distributions: log p(y|w) − (log q(w) − log p(w)) / N."""
    deviations = {"gaussian": [0.7], "mixture": [0.7, 0.1]}[prior]
    task, params = made(
        weights="shared",
        prior=prior,
        kl="sampled",
        prior_deviations=[1.3 for _ in deviations] if learned else deviations,
        prior_weight=0.5 if learned else 0.25,
        learn_prior=learned,
    )
    if learned:  # from the other start that is given above
        params["prior.log_deviations"] = torch.tensor(deviations).double().log()
        params["prior.logit"] = torch.tensor(0.25).double().logit()
    found, noise = values(task, params)
    q = laws(params)
    drawn = [law.mean + law.stddev * noise[0][f"weights_{i}"]["normal"] for i, law in enumerate(q)]
    divergence = sum(
        (law.log_prob(w) - PRIORS[prior].log_prob(w)).sum() for law, w in zip(q, drawn, strict=True)
    )
    expected = forward([(w[:, :-1], w[:, -1]) for w in drawn]) - divergence / ROWS
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("way", ["shared", "per_example"])
def test_the_sampled_divergence_has_the_closed_form_as_its_mean(way: str) -> None:
    """On the same noise: the difference of the values has mean 0, within six standard errors of 200 draws."""
    options = {"weights": way, "prior": "gaussian", "prior_deviations": [0.7]}
    sampled, params = made(kl="sampled", **options)
    exact, _ = made(**options)
    difference = values(sampled, params, 200)[0] - values(exact, params, 200)[0]
    means = difference.mean(1)
    assert means.std() > 1e-3 and means.mean().abs() < 6 * means.std() / 200**0.5


@pytest.mark.parametrize("way", ["shared", "per_example", "local", "flipout"])
def test_the_closed_form_is_taken_once(way: str) -> None:
    """N times the mean value is log-likelihood less c KL, whatever the way."""
    task, params = made(weights=way, prior="gaussian", prior_deviations=[0.7], kl_scale=0.5)
    plain, _ = made(weights=way)
    difference = (values(plain, params)[0] - values(task, params)[0]).sum()
    divergence = sum(td.kl_divergence(law, PRIORS["gaussian"]).sum() for law in laws(params))
    torch.testing.assert_close(difference, 0.5 * divergence, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("posterior", "alphas", "numbers"),
    [
        ("relative", "weight", 3 * 4 + 4 * 4 + 4 * 3),
        ("relative", "layer", 40),
        ("gaussian_dropout", "unit", 11),
    ],
)
def test_the_log_uniform_divergence_counts_what_is_random(posterior: str, alphas: str, numbers: int) -> None:
    """One term for each weight (type B) or each input (type A); with all α equal, numbers times the polynomial."""
    task, params = made(posterior=posterior, alphas=alphas, prior="log_uniform")
    plain, _ = made(posterior=posterior, alphas=alphas)
    params = {n: torch.full_like(p, 1.2) if n.startswith("alpha") else p for n, p in params.items()}
    alpha = math.exp(-1.2)
    one = -0.5 * math.log(alpha) - sum(c * alpha ** (i + 1) for i, c in enumerate(POLYNOMIAL))
    difference = (values(plain, params)[0] - values(task, params)[0]).sum()
    assert difference.item() == pytest.approx(numbers * one, rel=1e-9)


def test_learned_alphas_start_at_the_rates_and_stay_below_one() -> None:
    task = made(posterior="relative", alphas="weight")[0]
    params = task.init(generator("test", "alphas"))
    assert task.network.alpha(params, 0).unique().item() == pytest.approx(0.25)
    assert task.network.alpha(params, 1).unique().item() == pytest.approx(1.0, abs=0.011)
    passed = {n: -p for n, p in params.items()}
    assert (task.network.alpha(passed, 1) < 1).all()


@pytest.mark.parametrize("posterior", ["binary_dropout", "gaussian_dropout", "relative"])
def test_dropout_varies_by_alpha_times_the_squared_weights(posterior: str) -> None:
    """One affine map of ones to one output: mean Σ w + b and variance Σ α w², α = p/(1 − p) or as learned for each
    input, within six standard errors."""
    learned = posterior != "binary_dropout"
    task, _ = made(posterior=posterior, depth=1, width=1, alphas="unit" if learned else "fixed")
    network, weights = task.network, torch.tensor([[0.4, -1.0, 2.0]], dtype=torch.float64)
    alpha = torch.tensor([0.9, 0.5, 0.2] if learned else [0.25] * 3, dtype=torch.float64)
    bias = torch.tensor([0.7], dtype=torch.float64)
    params = {"mean.0.weight": weights, "mean.0.bias": bias, "alpha.0.weight": -alpha.log()}
    x = torch.ones(40_000, 3, dtype=torch.float64)
    found = network._affine(params, 0, x, drawing(posterior))
    variance = (alpha * weights.square()).sum()
    assert (found.mean() - weights.sum() - bias).abs() < 6 * (variance / 40_000).sqrt()
    assert (found.var() / variance - 1).abs() < 6 * (2 / 40_000) ** 0.5
    if posterior == "binary_dropout":
        assert network._factors(params, 1, x, drawing(posterior)).unique().tolist() == [0.0, 2.0]


def drawing(stream: str) -> Any:
    """A `sample` that draws from this stream."""

    def sample(name: str, law: Any, *_: Any) -> Tensor:
        noise = draw_block({name: law.noise()}, ("test", stream), 1, dtype=torch.float64)
        return law.path({role: value[0] for role, value in noise[name].items()})

    return sample


def test_shares_of_an_epoch_sum_to_one_and_halve() -> None:
    """π_i = 2^(M−i) / (2^M − 1), M = 4 (Blundell et al. 2015, Eq. 9), times M."""
    task, _ = made(prior="gaussian", kl_weights="geometric")
    shares = [task.at_step(task.train[:3], step, 3)[:, -1] for step in range(5)]
    assert [s.unique().numel() for s in shares] == [1] * 5
    weights = [s[0].item() / 4 for s in shares]
    assert weights[:4] == pytest.approx([8 / 15, 4 / 15, 2 / 15, 1 / 15]) and weights[4] == weights[0]
    uniform, _ = made(prior="gaussian")
    assert torch.equal(uniform.at_step(task.train[:3], 0, 3), task.train[:3])


def test_the_share_scales_the_divergence_alone() -> None:
    task, params = made(prior="gaussian")
    before = values(task, params)[0]
    task.train = torch.cat([task.train[:, :-1], 3 * task.train[:, -1:]], 1)
    after = values(task, params)[0]
    divergence = sum(td.kl_divergence(law, td.Normal(0.0, 1.0)).sum() for law in laws(params))
    torch.testing.assert_close(before - after, (2 * divergence / ROWS).expand_as(before))


def test_predictions_do_not_depend_on_the_way() -> None:
    """Per datum all ways have one law: predictions are sampled locally, and without samples all is at its mean."""
    tasks_made = [made(weights=way) for way in ("shared", "local")]
    found = [task.predict(params, task.train) for task, params in tasks_made]
    assert torch.equal(*found)
    params = tasks_made[0][1]
    expected = forward([(params[f"mean.{i}.weight"], params[f"mean.{i}.bias"]) for i in range(3)])
    picked = found[0].log_softmax(-1)[torch.arange(ROWS), LABELS]
    torch.testing.assert_close(picked, expected)


@pytest.mark.parametrize("way", ["shared", "flipout", "local"])
def test_data_share_no_weights_in_predictions(way: str) -> None:
    """Equal rows, which one weight sample would give equal outputs."""
    task, params = made(weights=way)
    one, other = task.predict(params, task.train[:1].repeat(2, 1), drawing("predictions"))
    assert (one - other).abs().min() > 1e-3


def test_the_regression_is_the_printed_curve() -> None:
    """|∂y/∂ε| ≤ 1 + 0.6π + 1.2π, and no ε is beyond six standard deviations."""
    task = tasks.get("bayesian_network")({"name": "bayesian_network", "points": 1000})
    x, y = task.train[:, 0], task.train[:, 1]
    rest = y - x - 0.3 * torch.sin(2 * math.pi * x) - 0.3 * torch.sin(4 * math.pi * x)
    assert x.min() > 0 and x.max() < 0.5 and rest.abs().max() < 6 * 0.02 * (1 + 1.8 * math.pi)
    slope = 1 + 0.6 * math.pi * torch.cos(2 * math.pi * x) + 1.2 * math.pi * torch.cos(4 * math.pi * x)
    assert (rest / slope)[slope.abs() > 2].std().item() == pytest.approx(0.02, rel=0.15)
    found = task.log_likelihood(torch.zeros(1000, 1), y)
    torch.testing.assert_close(found, td.Normal(0.0, 0.02).log_prob(y))


def test_labels_that_are_no_integers_are_outputs() -> None:
    rewards = DATA.train_labels - 0.5
    task = tasks.get("bayesian_network")(
        {"name": "bayesian_network", "data": "tiny", "width": 4, "initial_rho": -1, "output_deviation": 2.0},
        SimpleNamespace(**{**vars(DATA), "train_labels": rewards, "test_labels": rewards[:3]}),
    )
    assert task.classes == 1 and torch.equal(task.train[:, -2], rewards)
    expected = td.Normal(torch.zeros(ROWS), 2.0).log_prob(rewards)
    torch.testing.assert_close(task.log_likelihood(torch.zeros(ROWS, 1), rewards), expected)
    params = task.init(generator("test", "whole number"))
    assert params["rho.0.bias"].dtype == params["rho.0.weight"].dtype == torch.float32


def test_validation_rows_keep_their_labels() -> None:
    task, _ = made(valid_size=4, pixel_scale=2.0)
    assert torch.equal(task.valid[:, -2].long(), LABELS[8:]) and torch.equal(task.valid[:, :3], 2 * X[8:])
    assert len(task.train) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"posterior": "point", "prior": "gaussian"}, "needs random weights"),
        ({"prior": "log_uniform"}, "relative and gaussian_dropout"),
        ({"prior": "mixture", "prior_deviations": [1.0, 0.1], "weights": "shared"}, "no closed form"),
        ({"prior": "gaussian", "kl": "sampled"}, "shared or per_example"),
        ({"prior": "mixture", "kl": "sampled", "weights": "shared"}, "two for the prior mixture"),
        ({"prior": "gaussian", "prior_deviations": [0.0]}, "must be positive"),
        ({"alphas": "layer"}, "no α to learn"),
        ({"posterior": "gaussian_dropout", "alphas": "weight"}, "per layer or unit"),
        ({"learn_prior": True}, "nothing to learn"),
        ({"hidden_rate": 1.0}, "below 1"),
        ({"posterior": "relative", "prior": "log_uniform", "input_rate": 0.0}, "infinite at α = 0"),
        ({"posterior": "relative", "alphas": "layer", "hidden_rate": 0.6}, "at most 0.5, got 0.6"),
        ({"posterior": "dropout"}, "use one of point"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        made(**options)


def test_a_smaller_training_set_is_drawn_with_its_labels() -> None:
    whole, part = (
        tasks.make({"name": "bayesian_network", "data": "digits", "train_size": n}) for n in (None, 20)
    )
    assert len(part.train) == 20 and len(part.test) == len(whole.test)
    assert all((whole.train == row).all(1).any() for row in part.train)
