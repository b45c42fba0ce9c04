"""Laws to torch.distributions and back: the same densities, shapes and derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.distributions as td
from torch import Tensor

from reparam import distributions
from reparam.distributions import (
    Bernoulli,
    Categorical,
    Dirichlet,
    Exponential,
    FromCDF,
    Law,
    Logistic,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    StudentT,
    Uniform,
    from_torch,
)
from reparam.errors import ReparamError

KINDS = {
    name: kind
    for name in distributions.__all__
    if isinstance(kind := getattr(distributions, name), type)
    and issubclass(kind, Law)
    and name not in ("Law", "Relaxable")
}
WITHOUT = {
    "FromCDF",
    "FromInverseCDF",
    "FromStandardization",
    "FromTriangularStandardization",
    "HypersphericalUniform",
    "Logistic",
    "NormalizingFlow",
    "OMTMultivariateNormal",
    "PowerSpherical",
    "VonMisesFisher",
}
"""Laws that torch.distributions does not have."""
CONVERTIBLE = pytest.mark.parametrize("name", sorted(KINDS.keys() - WITHOUT))


FIRST, SECOND = torch.tensor([0.4, 1.5, 2.8]), torch.tensor([2.2, 0.9, 3.1])
LOGITS = torch.tensor([0.3, -1.0, 0.8])
TEMPERATURE = torch.tensor(0.7)
TRIL = torch.tensor([[1.3, 0.0, 0.0], [0.5, 0.4, 0.0], [-2.0, 1.0, 2.2]])
MEANS, SCALES = torch.tensor([[-1.0], [1.5]]).expand(2, 3), torch.stack([FIRST, SECOND])
TWO_NUMBERS = (
    "Beta",
    "Cauchy",
    "Gamma",
    "Gumbel",
    "Kumaraswamy",
    "Laplace",
    "LogNormal",
    "Normal",
    "VonMises",
    "Weibull",
)
RELAXED = ("ExpRelaxedCategorical", "LogitRelaxedBernoulli", "RelaxedBernoulli", "RelaxedOneHotCategorical")
ASKEW: dict[str, Law] = {
    **{name: KINDS[name](FIRST, SECOND) for name in TWO_NUMBERS},
    **{name: KINDS[name](logits=LOGITS) for name in ("Bernoulli", "Categorical", "OneHotCategorical")},
    **{name: KINDS[name](TEMPERATURE, logits=LOGITS) for name in RELAXED},
    "Dirichlet": Dirichlet(FIRST),
    "Exponential": Exponential(FIRST),
    "MixtureSameFamily": MixtureSameFamily(Categorical(logits=LOGITS[:2]), Normal(MEANS, SCALES)),
    "MultivariateNormal": MultivariateNormal(FIRST, scale_tril=TRIL),
    "StudentT": StudentT(FIRST, LOGITS, SECOND),
    "Uniform": Uniform(-FIRST, SECOND),
}
"""Laws whose parameters, and entries, cannot change places unseen."""


def inside(law: Law) -> Tensor:
    """A point of the law's support."""
    noise = {
        role: torch.full(spec.shape, 0.3) + (0.2 * torch.arange(3.0) if spec.shape else 0)
        for role, spec in law.noise().items()
    }
    return law.path(noise)


def parameters_of(distribution: td.Distribution) -> dict[str, Tensor]:
    while isinstance(distribution, td.Independent):
        distribution = distribution.base_dist
    return {
        name: getattr(distribution, name)
        for name in (
            "loc",
            "scale",
            "scale_tril",
            "df",
            "rate",
            "concentration",
            "concentration0",
            "concentration1",
            "low",
            "high",
            "logits",
            "temperature",
        )
        if hasattr(distribution, name)
    }


@CONVERTIBLE
def test_there_and_back_again(name: str) -> None:
    law = ASKEW[name]
    z = inside(law)
    distribution = law.to_torch()
    assert tuple(distribution.batch_shape) == law.plate
    torch.testing.assert_close(distribution.log_prob(z), law.log_prob(z))
    back = from_torch(distribution)
    assert type(back) is type(law)
    assert (back.shape, back.event_dims, back.plate) == (law.shape, law.event_dims, law.plate)
    torch.testing.assert_close(back.log_prob(z), law.log_prob(z))
    torch.testing.assert_close(parameters_of(back.to_torch()), parameters_of(distribution))


@CONVERTIBLE
def test_more_event_axes_become_independent(name: str) -> None:
    """A batch of two distributions as one event, and as a plate of two."""
    single = KINDS[name].example().to_torch()
    batch = single.expand((2,))
    plate, event = from_torch(batch), from_torch(td.Independent(batch, 1))
    assert (plate.plate, event.plate) == ((2,), ())
    assert event.event_dims == plate.event_dims + 1
    z = inside(KINDS[name].example())
    both = torch.stack([z, z])
    torch.testing.assert_close(plate.log_prob(both), batch.log_prob(both))
    torch.testing.assert_close(event.log_prob(both), batch.log_prob(both).sum(-1))
    assert tuple(event.to_torch().batch_shape) == ()
    assert event.to_torch().event_shape == td.Independent(batch, 1).event_shape


MOMENTS = sorted(
    name for name in ASKEW if hasattr(ASKEW[name], "mean") and name not in ("Cauchy", "VonMises", "StudentT")
)


@pytest.mark.parametrize("name", MOMENTS)
def test_torch_s_moments_are_those_of_its_parameters_by_the_law(name: str) -> None:
    """Parameters in one another's places on both ways would leave densities alike, but other moments than the law's."""
    distribution = ASKEW[name].to_torch()
    torch.testing.assert_close(distribution.mean, ASKEW[name].mean)
    torch.testing.assert_close(distribution.variance, ASKEW[name].variance)


def test_bare_distributions_have_one_entry_per_plate_entry() -> None:
    law = from_torch(td.Normal(torch.zeros(4, 3), torch.ones(3)))
    assert (law.plate, law.event_dims) == ((4, 3), 0)
    assert isinstance(Normal(torch.zeros(3), torch.ones(3), event_dims=0).to_torch(), td.Normal)


def test_derivatives_pass_both_ways() -> None:
    loc = torch.tensor([0.3, -1.0], requires_grad=True)
    z = torch.tensor([0.1, 0.2])
    (there,) = torch.autograd.grad(Normal(loc, torch.ones(2)).to_torch().log_prob(z), loc)
    (back,) = torch.autograd.grad(from_torch(td.Normal(loc, torch.ones(2))).log_prob(z).sum(), loc)
    torch.testing.assert_close(there, z - loc)
    torch.testing.assert_close(back, z - loc)


def test_probabilities_and_covariances_convert_as_well_as_logits_and_factors() -> None:
    probs = torch.tensor([0.2, 0.7, 0.1])
    torch.testing.assert_close(Bernoulli(probs=probs).to_torch().base_dist.probs, probs)
    torch.testing.assert_close(from_torch(td.Categorical(probs=probs)).probs, probs)
    assert isinstance(from_torch(td.Categorical(probs=probs)), Categorical)
    covariance = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    law = from_torch(td.MultivariateNormal(torch.zeros(2), covariance_matrix=covariance))
    torch.testing.assert_close(law.covariance_matrix, covariance)


def test_what_has_no_counterpart_is_refused_by_name() -> None:
    for law in (Logistic.example(), FromCDF.example()):
        with pytest.raises(
            ReparamError, match=f"torch.distributions has no {type(law).__name__}; it has Bern"
        ):
            law.to_torch()
    for distribution in (td.Poisson(torch.ones(2)), td.Independent(td.Poisson(torch.ones(2)), 1)):
        with pytest.raises(ReparamError, match="no law for torch's Poisson; there is one for Bernoulli, "):
            from_torch(distribution)


def test_every_other_law_is_tried() -> None:
    assert {name for name, kind in KINDS.items() if not _converts(kind)} == WITHOUT


def _converts(kind: type[Law]) -> bool:
    try:
        kind.example().to_torch()
    except ReparamError:
        return False
    return True
