"""How weights start."""

import torch

from reparam.models.dense import normalised
from reparam.noise import generator


def test_normalised_units_have_incoming_weights_of_norm_one() -> None:
    """Directions are uniform: of 2,000 the entries' mean is within six standard errors of 0, √(1/3 / 6,000)."""
    found = normalised(3, 2000, generator("test", "normalised"))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2000))
    assert found.mean().abs() < 6 * (1 / 3 / 6000) ** 0.5
