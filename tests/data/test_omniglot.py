"""Area averaging against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from reparam.data import omniglot


def brute_force(image):
    """Every cell as an exact sum of covered areas."""
    side = Fraction(15, 4)

    def cover(cell, pixel):
        return max(
            Fraction(0), min((cell + 1) * side, Fraction(pixel + 1)) - max(cell * side, Fraction(pixel))
        )

    reduced = np.zeros((28, 28), dtype=np.uint8)
    spans = [[(p, cover(c, p)) for p in range(105) if cover(c, p) > 0] for c in range(28)]
    for row in range(28):
        for column in range(28):
            area = sum(
                height * width for y, height in spans[row] for x, width in spans[column] if image[y, x]
            )
            reduced[row, column] = math.floor(area / side**2 * 255 + Fraction(1, 2))
    return reduced


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_against_brute_force(density):
    ink = np.random.default_rng(6).random((1, 105, 105)) < density
    assert np.array_equal(omniglot.area_average(ink)[0], brute_force(ink[0]))


def test_blank_and_full_and_more_than_one_batch():
    ink = np.zeros((1030, 105, 105), dtype=bool)
    ink[-1] = True
    reduced = omniglot.area_average(ink)
    assert not reduced[:-1].any() and (reduced[-1] == 255).all()
