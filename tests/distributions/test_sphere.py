"""Unit vectors: areas, rotations, the uniform law on spheres and tori."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from reparam.distributions import HypersphericalUniform, VonMisesFisher
from reparam.distributions.sphere import angle_from_circle, circle_from_angle, log_area, rotate, unit
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
