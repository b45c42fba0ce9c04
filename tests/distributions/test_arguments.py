"""Wrong arguments of every law and flow are told in one line, where the law is made or validated."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from reparam import distributions as d
from reparam.distributions import Law
from reparam.distributions.arguments import broadcasts
from reparam.distributions.sphere import OnSphere
from reparam.errors import ReparamError
from reparam.estimators.laws import laws

THREE = torch.ones(3)
PLANAR = d.PlanarFlow(THREE, THREE, THREE[0])
MIXED = d.Normal(torch.zeros(2, 3), torch.ones(2, 3))
RIGHT: dict[str, dict[str, Any]] = {
    "NormalizingFlow": {"base": d.Normal(THREE, THREE), "flows": [PLANAR]},
    "MixtureSameFamily": {
        "mixture_distribution": d.Categorical(torch.ones(2)),
        "component_distribution": MIXED,
    },
    "HypersphericalUniform": {"dimension": 3, "plate": (2,)},
    "FromInverseCDF": {"icdf": lambda u, loc: loc + torch.logit(u)},
    "FromCDF": {"cdf": lambda z, loc: torch.sigmoid(z - loc)},
    "FromStandardization": {"standardize": lambda z, loc: z - loc, "base": "normal"},
    "FromTriangularStandardization": {"standardize": lambda z, loc: z - loc, "base": "normal"},
    "Uniform": {"low": 0 * THREE, "high": THREE},
}
for user in ("FromInverseCDF", "FromCDF", "FromStandardization", "FromTriangularStandardization"):
    RIGHT[user] |= {"parameters": (0 * THREE,), "shape": (3,), "support": (-1e9, 1e9)}
for choice in ("Bernoulli", "Categorical", "OneHotCategorical"):
    RIGHT[choice] = {"logits": THREE}
for relaxed in (
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
    "ExpRelaxedCategorical",
    "RelaxedOneHotCategorical",
):
    RIGHT[relaxed] = {"temperature": 0.5, "logits": THREE}
for sphere in ("VonMisesFisher", "PowerSpherical"):
    RIGHT[sphere] = {"mean_direction": THREE, "concentration": THREE[0]}
for full in ("MultivariateNormal", "OMTMultivariateNormal"):
    RIGHT[full] = {"loc": THREE, "scale_tril": torch.eye(3)}
WRONG = (
    None,
    1.5,
    -1,
    7,
    True,
    "x",
    [1.0, 2.0],
    (1.0,),
    {},
    object(),
    torch.zeros(7, 2),
    torch.tensor(-1.0),
    torch.zeros(0),
    torch.ones(3, dtype=torch.int64),
    torch.ones(3, dtype=torch.complex64),
    THREE.numpy(),
    d.Normal,
    d.Categorical(torch.ones(5, 2)),
    d.Normal(torch.zeros(4, 2, 3), torch.ones(4, 2, 3)),
    [torch.nn.Identity()],
)


def right(name: str) -> dict[str, Any]:
    names = inspect.signature(getattr(d, name)).parameters
    return RIGHT.get(name) or {parameter: THREE for parameter in names if parameter != "event_dims"}


@pytest.mark.parametrize("name", laws())
def test_a_wrong_argument_is_told_in_one_line(name: str) -> None:
    """Whatever is given for any argument, the law is refused by a ReparamError, or it is one."""
    kind = getattr(d, name)
    kind(**right(name)).validate()
    refused = 0
    for argument in inspect.signature(kind).parameters.keys() - {"dtype", "device"}:
        for wrong in WRONG:
            given = {**right(name), argument: wrong}
            if isinstance(wrong, type) and argument in ("icdf", "cdf", "standardize"):
                continue  # it is a function
            try:
                law = kind(**given)
                law.validate()
            except ReparamError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 300
                refused += 1
            else:
                specs = law.noise().items()
                z = law.path({role: torch.full(spec.shape, 0.4) for role, spec in specs})
                assert z.shape == law.shape, (argument, wrong)
                assert law.log_prob(z).shape == law.plate, (argument, wrong)
    assert refused > len(WRONG) / 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: d.VonMisesFisher(THREE, 1.0), r"must be tensors, got 1\.0; write torch\.tensor\(1\.0\)"),
        (lambda: d.Normal([0.0, 1.0], THREE), r"got \[0\.0, 1\.0\]; write torch\.tensor\(\[0\.0, 1\.0\]\)"),
        (lambda: d.Normal(None, THREE), "must be tensors, got None$"),
        (
            lambda: d.Normal(THREE.long(), THREE),
            r"a floating-point type, got torch\.int64; write \.float\(\)",
        ),
        (lambda: d.HypersphericalUniform(2.5), r"dimension must be an integer ≥ 2, got 2\.5"),
        (lambda: d.HypersphericalUniform(1), "vectors of at least 2 dimensions"),
        (lambda: d.HypersphericalUniform(3, 4), r"plate must be a sequence of sizes such as \(3,\), got 4"),
        (
            lambda: d.Normal(THREE, THREE, event_dims=1.5),
            r"Normal: event_dims must be an integer ≥ 0, got 1\.5",
        ),
        (
            lambda: d.Normal(THREE, THREE, event_dims=2),
            "Normal: event_dims=2 does not fit parameters of shape",
        ),
        (lambda: d.RelaxedBernoulli(THREE, THREE), r"temperature must be .* got a tensor of shape \(3,\)"),
        (lambda: d.NormalizingFlow(THREE, [PLANAR]), r"base must be a Law, got a tensor of shape \(3,\)"),
        (lambda: d.NormalizingFlow(MIXED, PLANAR), r"flows must be a list of flows, got .*; write \[flow\]"),
        (lambda: d.NormalizingFlow(MIXED, [torch.nn.Identity()]), "an entry of flows must be a Flow"),
        (
            lambda: d.NormalizingFlow(d.Normal(THREE[:2], THREE[:2]), [PLANAR]),
            r"PlanarFlow has parameters of the shape \(3,\), which does not broadcast to .* base law, \(2,\)",
        ),
        (lambda: d.PlanarFlow(THREE, THREE[:2], THREE[0]), r"shapes \(3,\), \(2,\), \(1,\), which do not"),
        (lambda: d.PlanarFlow(THREE, THREE, 0.0), "PlanarFlow: its parameters must be tensors"),
        (lambda: d.RadialFlow(THREE[0], THREE[0], THREE[0]), "RadialFlow moves vectors over the last axis"),
        (lambda: d.TransformFlow(torch.exp), "transform must be a Transform"),
        (
            lambda: d.MixtureSameFamily(THREE, MIXED),
            r"mixture_distribution must be a Categorical, got .*; write Categorical\(logits=…\)",
        ),
        (lambda: d.MixtureSameFamily(d.Categorical(THREE), THREE), "component_distribution must be a Law"),
        (
            lambda: d.MixtureSameFamily(
                d.Categorical(torch.ones(5, 2)), d.Normal(torch.zeros(4, 2, 3), THREE)
            ),
            r"MixtureSameFamily: its parameters have shapes \(5, 2\), \(4, 2\), which do not broadcast",
        ),
        (lambda: d.FromCDF(0.5, ()), r"FromCDF needs a function of a tensor and the parameters, got 0\.5"),
        (lambda: d.FromCDF(torch.sigmoid, THREE), "parameters must be a list of tensors"),
        (lambda: d.FromCDF(torch.sigmoid, (0.5,)), "FromCDF: its parameters must be tensors"),
        (lambda: d.FromCDF(torch.sigmoid, (THREE,), (1.0, 0.0)), r"two numbers \(low, high\) in order"),
        (lambda: d.FromCDF(torch.sigmoid, (THREE,), 1.0), r"two numbers \(low, high\) in order"),
        (lambda: d.FromCDF(torch.sigmoid, (), shape=3), r"FromCDF: shape must be a sequence of sizes"),
        (lambda: d.Dirichlet(0.5), "Dirichlet: its parameters must be tensors"),
        (lambda: d.Dirichlet(torch.ones(2, 0)), "Dirichlet needs a vector of concentrations"),
    ],
)
def test_the_line_says_what_is_wrong(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        make()


def test_a_temperature_keeps_its_derivative_and_numbers_take_the_logits_type() -> None:
    temperature = torch.tensor(0.5, requires_grad=True)
    assert d.RelaxedBernoulli(temperature, THREE).temperature is temperature
    assert d.RelaxedBernoulli(1, THREE.double()).temperature.dtype == torch.float64


SIZED = [name for name, law in laws().items() if hasattr(law, "kl") and not isinstance(law, OnSphere)]


def of_size(name: str, size: int) -> Law:
    """A law of events of this size."""
    given = right(name).items()
    return getattr(d, name)(
        **{p: torch.eye(size) if p == "scale_tril" else value[:1].expand(size) for p, value in given}
    )


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_divergence_between_events_of_other_sizes_is_refused(name: str, size: int) -> None:
    law = of_size(name, 3)
    assert law.kl(of_size(name, 3)).abs() < 1e-5
    with pytest.raises(ReparamError, match=r"shape \(3,\), and one of the shape|3 categories cannot"):
        law.kl(of_size(name, size))


def test_a_divergence_to_a_sphere_of_another_dimension_is_refused() -> None:
    for kind in (d.VonMisesFisher, d.PowerSpherical):
        with pytest.raises(ReparamError, match=r"shape \(3,\), and one of the shape \(4,\)"):
            kind(THREE, THREE[0]).kl(d.HypersphericalUniform(4))


def test_a_divergence_to_one_law_for_the_plate_broadcasts() -> None:
    law = d.Normal(torch.zeros(5, 3), THREE)
    for other in (d.Normal(THREE, THREE), d.Normal(THREE[0], THREE[0])):
        torch.testing.assert_close(law.kl(other), torch.full((5,), 1.5))
    with pytest.raises(ReparamError, match=r"shape \(3,\), and one of the shape \(5, 3\)"):
        d.Normal(THREE, THREE).kl(law)


def test_what_broadcasts_is_what_torch_expands() -> None:
    shapes = ((), (1,), (3,), (1, 3), (2, 1), (2, 3), (5, 2, 3))
    for one in shapes:
        for other in shapes:
            try:
                torch.zeros(one).expand(other)
                expands = True
            except RuntimeError:
                expands = False
            assert broadcasts(one, other) == expands
