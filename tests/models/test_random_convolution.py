"""Random convolutions: each datum's law, and what data share, against unrolled matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.models import random_convolution
from reparam.noise import draw, generator

SOURCE = generator("test", "random convolution")
X = draw("normal", (2, 2, 3, 3), SOURCE, torch.float64)
MEAN = draw("normal", (3, 2, 3, 3), SOURCE, torch.float64)
SCALE = draw("uniform", (3, 2, 3, 3), SOURCE, torch.float64)
DRAWS = 20_000
FIRST = X[:, :, :2, :2].flatten(1), SCALE[0, :, 1:, 1:].flatten()
"""What the output's first pixel sees of each datum, and the deviations of its weights there, of the first channel."""


def outputs(way: str, channel: int) -> Tensor:
    """[draws, batch] of the first pixel of a channel."""

    def program(params, sample):
        return random_convolution.WAYS[way](sample, "w", X, params["mean"], SCALE)[:, channel, 0, 0]

    return signal_to_noise.estimates(Pathwise(), program, {"mean": MEAN}, DRAWS, ("test", way)).value


@pytest.mark.parametrize("way", random_convolution.WAYS)
def test_a_pixel_has_its_mean_and_variance_and_data_share_what_they_should(way: str) -> None:
    """Six standard errors each, of a variance at most √(14/draws) times it; false alarms of both tests: below 1e-7."""
    found = outputs(way, 0)
    seen, deviations = FIRST
    mean = seen @ MEAN[0, :, 1:, 1:].flatten()
    variance = seen.square() @ deviations.square()
    assert ((found.mean(0) - mean).abs() < 6 * (variance / DRAWS).sqrt()).all()
    assert ((found.var(0) / variance - 1).abs() < 6 * (14 / DRAWS) ** 0.5).all()
    products = (found - found.mean(0)).prod(1)
    together = (seen[0] * seen[1] * deviations.square()).sum() if way == "shared" else torch.zeros(())
    assert (products.mean() - together).abs() < 6 * products.std() / DRAWS**0.5


def test_signs_are_those_of_channels() -> None:
    """With x = 1 and a kernel of one weight per channel pair, all pixels of a channel move together."""
    like = torch.ones(5, 2, 6, 6)
    kernel = torch.zeros(3, 2, 3, 3)
    kernel[:, :, 1, 1] = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])

    def sample(name, law):
        source = generator("test", "signs", name)
        return law.path({role: draw(s.kind, s.shape, source) for role, s in law.noise().items()})

    found = random_convolution.flipout(sample, "w", like, torch.zeros_like(kernel), kernel)
    assert torch.equal(found, found[:, :, :1, :1].expand_as(found))
    assert len(found[:, :, 0, 0].abs().unique(dim=0)) > 1


def test_without_noise_it_is_the_convolution_of_the_other_models() -> None:
    expected = torch.nn.functional.conv2d(X, MEAN, stride=2, padding=1)
    for way in random_convolution.WAYS.values():
        found = way(
            lambda name, law: (
                law.path({"normal": torch.zeros(law.shape)}) if "_" not in name else torch.ones(law.shape)
            ),
            "w",
            X,
            MEAN,
            SCALE,
        )
        torch.testing.assert_close(found, expected)
