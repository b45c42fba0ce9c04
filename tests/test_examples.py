"""The examples run, do what they say, and stay short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

VAE = Path(__file__).resolve().parent.parent / "examples" / "bernoulli_vae.py"


@pytest.mark.slow
def test_the_vae_s_bound_improves() -> None:
    """By five nats an image from the first epoch to the second."""
    told = subprocess.run([sys.executable, str(VAE), "2"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^epoch \d: (-\d+\.\d\d) nats per image$", told, re.MULTILINE)
    first, last = (float(number) for number in found)
    assert last > first + 5


def test_the_vae_fits_in_forty_lines_and_uses_a_plain_optimiser() -> None:
    text = VAE.read_text()
    assert len(text.splitlines()) < 40
    assert "torch.optim." in text and "estimate(" in text
