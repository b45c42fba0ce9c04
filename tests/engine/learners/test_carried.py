"""Noise that several estimators share."""

from __future__ import annotations

import pytest
import torch

from reparam.engine.learners.carried import common, part
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


def test_the_most_copies_serve_all_and_the_first_ones_are_shared() -> None:
    few = {"z": {"uniform": NoiseSpec("uniform", (3,), 2), "other": NoiseSpec("normal", (1,))}}
    many = {"z": {"uniform": NoiseSpec("uniform", (3,), 4)}}
    for wanted in ([few, many], [many, few]):
        assert common(wanted) == {"z": {**few["z"], **many["z"]}}
    drawn = {"z": {"uniform": torch.arange(12.0).view(4, 3), "other": torch.ones(1)}}
    assert torch.equal(part(drawn, few)["z"]["uniform"], drawn["z"]["uniform"][:2])
    assert torch.equal(part(drawn, few)["z"]["other"], drawn["z"]["other"])
    assert list(part(drawn, many)["z"]) == ["uniform"]


@pytest.mark.parametrize(
    "other",
    [NoiseSpec("normal", (3,), 2), NoiseSpec("uniform", (4,), 2), NoiseSpec("uniform", (3,))],
    ids=["kind", "shape", "copies"],
)
def test_noise_that_cannot_be_shared_is_refused(other: NoiseSpec) -> None:
    wanted = [{"z": {"u": NoiseSpec("uniform", (3,), 2)}}, {"z": {"u": other}}]
    for order in (wanted, wanted[::-1]):
        with pytest.raises(ReparamError, match="'u' of site 'z'; train these estimators apart"):
            common(order)
