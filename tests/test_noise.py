"""Named streams: what they depend on, and what they do not."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from reparam.noise import NoiseSpec, draw, draw_block, generator, stream_seed

SPECS = {"a": {"normal": NoiseSpec("normal", (4,))}, "b": {"uniform": NoiseSpec("uniform", (2, 3))}}


def test_a_stream_does_not_depend_on_the_streams_beside_it() -> None:
    together = draw_block(SPECS, ("p", "e", 0), 5)
    alone = draw_block({"b": SPECS["b"]}, ("p", "e", 0), 5)
    assert torch.equal(together["b"]["uniform"], alone["b"]["uniform"])


@pytest.mark.parametrize("axes", [("p", "e", 1), ("p", "f", 0), ("q", "e", 0), ("p", "e", 0, 0)])
def test_every_axis_matters(axes: tuple) -> None:
    assert not torch.equal(
        draw_block(SPECS, ("p", "e", 0), 5)["a"]["normal"], draw_block(SPECS, axes, 5)["a"]["normal"]
    )


def test_axes_cannot_be_confused_by_joining() -> None:
    assert stream_seed("ab", "c") != stream_seed("a", "bc")


def test_seed_zero_is_a_seed() -> None:
    first, again = (draw("normal", (3,), generator("x", 0)) for _ in range(2))
    assert torch.equal(first, again)


def test_the_first_copy_is_the_same_for_any_number_of_copies() -> None:
    blocks = [
        draw_block({"z": {"normal": NoiseSpec("normal", (3,), copies=k)}}, ("p",), 4)["z"]["normal"]
        for k in (1, 2, 5)
    ]
    assert blocks[2].shape == (4, 5, 3)
    assert torch.equal(blocks[0][:, 0], blocks[1][:, 0])
    assert torch.equal(blocks[1], blocks[2][:, :2])
    assert not torch.equal(blocks[2][:, 0], blocks[2][:, 1])


def test_uniforms_lie_strictly_inside_and_have_the_right_law() -> None:
    """Kolmogorov–Smirnov at level 1e-4 on 50,000 draws."""
    for kind, law in (("uniform", stats.uniform), ("normal", stats.norm)):
        draws = draw(kind, (50_000,), generator("law"))
        assert stats.kstest(draws.double().numpy(), law.cdf).pvalue > 1e-4


def test_uniforms_at_the_edges_have_finite_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    for dtype in (torch.float32, torch.float64):
        for extreme in (0.0, 1.0):
            monkeypatch.setattr(
                torch, "rand", lambda *_, e=extreme, d=dtype, **__: torch.full((1,), e, dtype=d)
            )
            u = draw("uniform", (1,), generator("edge"), dtype)
            assert 0 < u.item() < 1
            assert torch.isfinite(torch.logit(u)).all()
