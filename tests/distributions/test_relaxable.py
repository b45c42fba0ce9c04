"""What relaxable laws offer: perturbed choices, conditional on their outcome or not, and their softening."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy import stats

from reparam.distributions import Bernoulli, OneHotCategorical, Relaxable
from reparam.engine.paths import build
from reparam.noise import draw, draw_block, generator

LEVEL = 1e-5
"""Probability that a right law fails one Kolmogorov–Smirnov test; there are some seventy."""
MILD = torch.tensor([[0.3, -1.2, 2.0], [-0.4, 0.9, 0.0]], dtype=torch.float64)
EXTREME = torch.tensor([[0.0, -30.0, 30.0], [30.0, 29.0, -30.0]])
MASKED = torch.tensor([[0.0, -torch.inf, 3.0], [-torch.inf, -torch.inf, 30.0]])
MAKE: dict[str, Callable[[torch.Tensor], Relaxable]] = {
    "bits": lambda logits: Bernoulli(logits=logits),
    "one-hot": lambda logits: OneHotCategorical(logits=logits),
    "one-hot, two variables": lambda logits: OneHotCategorical(logits=logits, event_dims=2),
}
EDGES = (torch.finfo(torch.float32).eps / 4, 1 - torch.finfo(torch.float32).eps / 2)
"""The least and the largest uniform that is ever drawn."""
TEMPERATURES = (0.01, 0.5, 1.0, 10.0)


def uniforms(law: Relaxable, count: int, *axes: str) -> torch.Tensor:
    return draw("uniform", (count, *law.shape), generator("relaxable", *axes), law.logits.dtype)


def states_of(law: Relaxable) -> torch.Tensor:
    """Every state of an event, at every place of the plate: [states, *shape]."""
    states = law.support()
    return states[(slice(None), *(None,) * len(law.plate))].expand(len(states), *law.shape)


def given_noise(law: Relaxable, z: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """The uniform v with perturb_given(z, v) = g: the conditional CDF of g, written out."""
    if isinstance(law, Bernoulli):
        u, q = torch.sigmoid(g - law.logits), torch.sigmoid(-law.logits)
        return torch.where(z > 0, (u - q) / (1 - q), u / q)
    top = g.max(-1, keepdim=True).values
    below = law.probs * ((-g).exp() - (-top).exp())
    return torch.where(z > 0, (-(-top).exp()).exp(), (-below).exp())


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(
    "logits", [MILD, EXTREME, EXTREME.double()], ids=["mild", "extreme", "extreme double"]
)
def test_a_choice_perturbed_given_its_outcome_has_that_outcome(kind: str, logits: torch.Tensor) -> None:
    law = MAKE[kind](logits)
    v = uniforms(law, 500, "given")
    for z in states_of(law):
        assert torch.equal(law.discretize(law.perturb_given(z, {"uniform": v})), z.expand(500, *law.shape))


@pytest.mark.parametrize("kind", MAKE)
def test_the_path_is_the_discretized_perturbed_choice(kind: str) -> None:
    law = MAKE[kind](MILD)
    noise = {"uniform": uniforms(law, 50, "path")}
    assert torch.equal(law.path(noise), law.discretize(law.perturb(noise)))


@pytest.mark.parametrize("conditional", [False, True], ids=["perturb", "perturb_given"])
@pytest.mark.parametrize("kind", MAKE)
def test_perturbed_choices_have_their_law(kind: str, conditional: bool) -> None:
    """Also when drawn given an outcome that is drawn first: the law of total probability.

    Logistic or Gumbel marginals; for choices among several the differences of entries, which are logistic, and the
    largest, which is Gumbel(0). Kolmogorov–Smirnov tests.
    """
    law = MAKE[kind](MILD)
    g = law.perturb({"uniform": uniforms(law, 20_000, "u")})
    if conditional:
        g = law.perturb_given(law.discretize(g), {"uniform": uniforms(law, 20_000, "v")})
    logits = law.logits

    def follows(draws: torch.Tensor, law: stats.rv_continuous) -> bool:
        return stats.kstest(draws.numpy(), law.cdf).pvalue > LEVEL

    marginal = stats.logistic if isinstance(law, Bernoulli) else stats.gumbel_r
    for row in range(2):
        for i in range(3):
            assert follows(g[:, row, i], marginal(loc=logits[row, i].item()))
            j = (i + 1) % 3
            if not isinstance(law, Bernoulli):
                gap = (logits[row, i] - logits[row, j]).item()
                assert follows(g[:, row, i] - g[:, row, j], stats.logistic(loc=gap))
        if not isinstance(law, Bernoulli):
            assert follows(g[:, row].max(-1).values, stats.gumbel_r())


@pytest.mark.parametrize("kind", MAKE)
def test_the_derivative_given_the_outcome_is_that_of_finite_differences(kind: str) -> None:
    """At fixed noise v and outcome z, in the logits as they were given."""
    step = 1e-6
    noise = {"uniform": uniforms(MAKE[kind](MILD), 1, "derivative")[0]}
    for z in states_of(MAKE[kind](MILD)):

        def g(logits: torch.Tensor, z: torch.Tensor = z) -> torch.Tensor:
            return MAKE[kind](logits).perturb_given(z, noise)

        found = torch.func.jacrev(g)(MILD)
        for i in range(2):
            for j in range(3):
                nudge = torch.zeros_like(MILD)
                nudge[i, j] = step
                expected = (g(MILD + nudge) - g(MILD - nudge)) / (2 * step)
                torch.testing.assert_close(found[:, :, i, j], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", MAKE)
def test_the_coupled_choice_has_the_derivative_at_the_noise_that_gives_it(kind: str) -> None:
    """perturb_coupled(z, g) is g, and perturb_given(z, v) at v with perturb_given(z, v) = g, value and derivative."""
    law = MAKE[kind](MILD)
    for u in uniforms(law, 20, "coupled"):
        g = law.perturb({"uniform": u})
        z = law.discretize(g)
        v = given_noise(law, z, g)
        assert ((v > 0) & (v < 1)).all()
        torch.testing.assert_close(law.perturb_given(z, {"uniform": v}), g)
        assert torch.equal(law.perturb_coupled(z, g), g)

        def coupled(logits: torch.Tensor, u: torch.Tensor = u) -> torch.Tensor:
            law = MAKE[kind](logits)
            g = law.perturb({"uniform": u})
            return law.perturb_coupled(law.discretize(g), g)

        def given(logits: torch.Tensor, z: torch.Tensor = z, v: torch.Tensor = v) -> torch.Tensor:
            return MAKE[kind](logits).perturb_given(z, {"uniform": v})

        torch.testing.assert_close(torch.func.jacrev(coupled)(MILD), torch.func.jacrev(given)(MILD))


@pytest.mark.parametrize("kind", MAKE)
def test_softening_goes_from_the_hard_sample_to_the_middle(kind: str) -> None:
    law = MAKE[kind](MILD)
    g = law.perturb({"uniform": uniforms(law, 200, "soft")})
    torch.testing.assert_close(law.soften(g, 1e-8), law.discretize(g), rtol=0, atol=1e-12)
    middle = torch.full_like(g, 1 / 2 if isinstance(law, Bernoulli) else 1 / 3)
    torch.testing.assert_close(law.soften(g, 1e8), middle, rtol=0, atol=1e-6)
    at_one = torch.sigmoid(g) if isinstance(law, Bernoulli) else g.exp() / g.exp().sum(-1, keepdim=True)
    torch.testing.assert_close(law.soften(g, 1.0), at_one)
    torch.testing.assert_close(law.soften(g, 0.3), law.soften(g / 0.3, torch.tensor(1.0)))


def everything(kind: str, logits: torch.Tensor, u: torch.Tensor, v: torch.Tensor, temperature: float):
    """All that estimators ask of a law, in one number per kind of question."""
    law = MAKE[kind](logits)
    g = law.perturb({"uniform": u})
    z = law.discretize(g)
    given, coupled = law.perturb_given(z, {"uniform": v}), law.perturb_coupled(z, g)
    soft = [law.soften(x, temperature) for x in (g, given, coupled)]
    weights = torch.linspace(-1, 1, 3, dtype=logits.dtype)
    parts = [(x * weights).sum() for x in soft]
    masses = [law.log_prob(x).sum() for x in (z, *soft)]
    return torch.stack([*parts, *masses, law.entropy().sum(), law.kl(MAKE[kind](0.5 * logits)).sum()])


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize(
    ("kind", "logits"), [(kind, EXTREME) for kind in MAKE] + [(kind, MASKED) for kind in list(MAKE)[1:]]
)
def test_values_and_derivatives_stay_finite_at_the_edges(
    kind: str, logits: torch.Tensor, temperature: float
) -> None:
    """In float32, at logits of ±30 and at impossible categories, with noise at either end of its range, too."""
    ends = torch.stack([torch.full_like(logits, edge) for edge in EDGES])
    noise = torch.cat([uniforms(MAKE[kind](logits), 40, "edges"), ends])
    u, v = noise.repeat_interleave(3, 0), noise[-3:].repeat(len(noise), 1, 1)

    def one(logits, u, v):
        values = everything(kind, logits, u, v, temperature)
        return values, values

    derivatives, values = torch.vmap(torch.func.jacrev(one, has_aux=True), (None, 0, 0))(logits, u, v)
    assert values.isfinite().all()
    assert derivatives.isfinite().all()


@pytest.mark.parametrize("kind", MAKE)
def test_traced_and_vmapped_values_and_derivatives_are_the_eager_ones(kind: str) -> None:
    law = MAKE[kind](MILD)
    block = draw_block({"z": {**law.noise(), "given": law.noise()["uniform"]}}, ("traced",), 4)["z"]
    u, v = block["uniform"].double(), block["given"].double()

    def over_draws(logits, u, v):
        def one(logits, u, v):
            values = everything(kind, logits, u, v, 0.5)
            return values, values

        return torch.vmap(torch.func.jacrev(one, has_aux=True), (None, 0, 0))(logits, u, v)

    eager = over_draws(MILD, u, v)
    torch.testing.assert_close(build(over_draws, (MILD, u, v), "traced")(MILD, u, v), eager)
    looped = [torch.func.jacrev(everything, 1)(kind, MILD, u[i], v[i], 0.5) for i in range(4)]
    torch.testing.assert_close(eager[0], torch.stack(looped))
