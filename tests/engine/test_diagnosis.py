"""Torch's own words are cut where a word ends."""

from __future__ import annotations

import pytest

from reparam.engine.diagnosis import LONGEST, lifted, unlifted
from reparam.errors import ReparamError


def test_long_words_are_cut_between_words() -> None:
    essay = "vmap: " + "something " * 30 + "\nand more"
    with pytest.raises(ReparamError) as caught, lifted():
        raise RuntimeError(essay)
    shown = str(caught.value).partition("torch says: ")[2].removesuffix(")")
    assert shown.endswith("something …") and LONGEST - 10 < len(shown) <= LONGEST
    assert "draws" not in str(caught.value)


def test_other_errors_are_left_alone() -> None:
    assert unlifted(RuntimeError("out of luck")) is None and unlifted(ValueError("vmap")) is None
    with pytest.raises(RuntimeError, match="out of luck"), lifted():
        raise RuntimeError("out of luck")
