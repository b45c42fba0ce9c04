"""Unit vectors: areas, rotations, the uniform law on spheres and tori."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from reparam.distributions import HypersphericalUniform, VonMisesFisher
from reparam.distributions.sphere import angle_from_circle, circle_from_angle, log_area, rotate, unit
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.noise import draw_block

LEVEL = 1e-6


def draws_of(law, count: int) -> torch.Tensor:
    noise = draw_block({"z": law.noise()}, ("sphere",), count, dtype=torch.float64)["z"]
    return torch.vmap(law.path)(noise)


def test_areas_of_small_spheres() -> None:
    areas = [math.exp(log_area(m)) for m in (1, 2, 3, 4)]
    assert areas == pytest.approx([2, 2 * math.pi, 4 * math.pi, 2 * math.pi**2])


@pytest.mark.parametrize("m", [2, 3, 7])
def test_the_rotation_takes_one_direction_to_the_other_and_keeps_angles(m: int) -> None:
    start, end, x, y = (
        unit(torch.randn(m, generator=torch.Generator().manual_seed(i), dtype=torch.float64))
        for i in range(4)
    )
    torch.testing.assert_close(rotate(start, start, end), end)
    torch.testing.assert_close(rotate(x, start, end) @ rotate(y, start, end), x @ y)
    torch.testing.assert_close(rotate(x, start, start), x)
    still = x - (x @ start) * start  # what is orthogonal to the plane stays
    along = unit(end - (end @ start) * start)
    still = still - (still @ along) * along
    torch.testing.assert_close(rotate(still, start, end), still)


@pytest.mark.parametrize("m", [2, 3, 10])
def test_the_uniform_law_has_uniform_coordinates(m: int) -> None:
    """A coordinate t has (1 + t) / 2 ~ Beta((m − 1)/2, (m − 1)/2); one Kolmogorov–Smirnov test at 1e-6 for each."""
    law = HypersphericalUniform(m, (2,), dtype=torch.float64)
    z = draws_of(law, 4000)
    assert (law.plate, z.shape) == ((2,), (4000, 2, m))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(4000, 2, dtype=torch.float64))
    beta = stats.beta((m - 1) / 2, (m - 1) / 2)
    for t in z.reshape(4000, -1).T:
        assert stats.kstest((1 + t.numpy()) / 2, beta.cdf).pvalue > LEVEL
    torch.testing.assert_close(law.entropy(), torch.full((2,), log_area(m), dtype=torch.float64))


def test_a_torus_is_a_product_of_circles() -> None:
    torus = HypersphericalUniform(2, (5, 3), event_dims=2, dtype=torch.float64)
    z = draws_of(torus, 4000)
    assert (torus.plate, z.shape) == ((5,), (4000, 5, 3, 2))
    torch.testing.assert_close(torus.log_prob(z[0]), torch.full((5,), -3 * math.log(2 * math.pi)).double())
    angles = angle_from_circle(z)
    torch.testing.assert_close(circle_from_angle(angles), z)
    for angle in angles[:, 0].T:
        assert stats.kstest((angle.numpy() + math.pi) / (2 * math.pi), "uniform").pvalue > LEVEL
    around = VonMisesFisher(z[0], torch.ones(5, 3, dtype=torch.float64), event_dims=2)
    one = VonMisesFisher(z[0], torch.ones(5, 3, dtype=torch.float64))
    torch.testing.assert_close(around.log_prob(z[1]), one.log_prob(z[1]).sum(-1))
    torch.testing.assert_close(around.kl(torus), one.kl(HypersphericalUniform(2, (5, 3))).sum(-1))
    torch.testing.assert_close(around.entropy(), one.entropy().sum(-1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: HypersphericalUniform(1),
            "HypersphericalUniform needs vectors of at least 2 dimensions, got",
        ),
        (lambda: HypersphericalUniform(3, event_dims=0), "event_dims counts the vector's axis"),
        (lambda: VonMisesFisher(torch.ones(1), torch.ones(())), "VonMisesFisher needs vectors of at least 2"),
        (
            lambda: VonMisesFisher(torch.zeros(3), torch.ones(())).validate(),
            "The length of VonMisesFisher's mean_direction must be positive",
        ),
        (
            lambda: VonMisesFisher(torch.tensor([1.0, torch.inf]), torch.ones(())).validate(),
            "VonMisesFisher's mean_direction must be finite",
        ),
        (
            lambda: VonMisesFisher(torch.ones(3), torch.zeros(())).validate(),
            "VonMisesFisher's concentration must be positive and finite, but holds 0",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def gradients(noise: dict[str, dict[str, torch.Tensor]], mu: torch.Tensor, kappa: torch.Tensor) -> list:
    """Of the path, of a draw by rejection, and of density and divergence, in direction and concentration."""

    def loss(mu: torch.Tensor, kappa: torch.Tensor) -> torch.Tensor:
        law = VonMisesFisher(mu, kappa)
        z, draw = law.path(noise["path"]), law.accept(noise["rejection"])
        entries = z.sin().sum(-1) + law.log_prob(z) + law.kl(HypersphericalUniform(3, (2,)))
        return (entries + draw.z.cos().sum(-1) + draw.log_density).sum()

    return list(torch.func.grad(loss, (0, 1))(mu, kappa))


def arguments(dtype: torch.dtype) -> tuple:
    mu = torch.tensor([[1.0, 0.3, -0.2], [0.0, -1.0, 2.0]], dtype=dtype)
    law = VonMisesFisher(mu, torch.tensor([0.7, 30.0], dtype=dtype))
    block = draw_block({"path": law.noise(), "rejection": law.rejection_noise()}, ("graph",), 1, dtype=dtype)
    noise = {site: {role: draw[0] for role, draw in roles.items()} for site, roles in block.items()}
    return noise, mu, law.concentration


def test_traced_gradients_equal_eager() -> None:
    given = arguments(torch.float32)
    torch.testing.assert_close(build(gradients, given, "traced")(*given), gradients(*given))


def test_second_derivatives_in_the_concentration_are_those_of_differences() -> None:
    """(Paths around another direction have another frame, so in the direction only means of them agree.)"""
    noise, mu, kappa = arguments(torch.float64)

    def slope(kappa: torch.Tensor) -> torch.Tensor:
        return gradients(noise, mu, kappa)[1]

    second = torch.func.grad(lambda k: slope(k).sum())(kappa)
    step = 1e-5 * kappa
    torch.testing.assert_close(
        second, (slope(kappa + step) - slope(kappa - step)) / (2 * step), rtol=1e-5, atol=1e-7
    )
