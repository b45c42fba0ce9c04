"""The benchmarks run against the engine as it is."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reparam import estimators

STEP = Path(__file__).resolve().parent.parent / "benchmarks" / "step.py"


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["adam", "adagrad"])
def test_every_contestant_is_timed_and_compared(optimiser: str) -> None:
    command = [sys.executable, str(STEP), "--optimiser", optimiser, "--rounds", "1", "--steps", "2"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = dict(re.findall(r"^(\S.*?) {2,}\d+\.\d+ +(\d+\.\d+) ", told, re.MULTILINE))
    assert list(rows) == ["plain loop", "engine, traced", "engine, compiled", "matrix products only"]
    assert rows["plain loop"] == "1.00" and all(float(ratio) > 0 for ratio in rows.values())


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(STEP.with_name(name)), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_moments_are_compared_with_a_loop() -> None:
    told = run("moments.py", "--rounds", "1", "--seconds", "0.01", "--only", "one bit")
    rows = dict(re.findall(r"^  (\w+) +\d+\.\d+ +(\d+\.\d) +ready in", told, re.MULTILINE))
    assert list(rows) == ["loop", "traced", "compiled"] and rows["loop"] == "1.0"
    assert float(rows["traced"]) > 20


@pytest.mark.slow
def test_every_registered_estimator_is_timed() -> None:
    told = run("estimators.py", "--rounds", "1", "--seconds", "0.001")
    timed = re.findall(
        r"^(\w+) +(?:\d+ bits|10 of 8|Gaussian|Gamma) +\d+ +\d+\.\d+ +\d+\.\d+  ", told, re.MULTILINE
    )
    assert timed == estimators.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["score_function", "leave_one_out", "disarm", "rebar", "relax"])
def test_the_plain_discrete_vae_follows_the_exact_gradient(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hand-written loops are right, too: 600 draws, within 6 standard errors per entry (false alarm 1e-7)."""
    monkeypatch.syspath_prepend(str(STEP.parent))
    plain = importlib.import_module("plain_discrete_vae")
    torch.manual_seed(0)
    vae = plain.PlainDiscreteVae(pixels=4, units=2, surrogate_units=3)
    x = (torch.rand(3, 4) < 0.5).float()
    if name == "relax":
        torch.nn.init.constant_(vae.surrogate_scale, 0.5)
    logits = vae.encoder(x)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 2)
    z = states[:, None].expand(4, 3, 2)
    log_q = plain.log_bits(logits.expand_as(z), z)
    exact = -(log_q.exp() * vae.f(z, logits.expand_as(z), x)).sum(0).mean()
    truth = torch.autograd.grad(exact, vae.model())
    draws = []
    for _ in range(600):
        vae.zero_grad(set_to_none=True)
        plain.ESTIMATORS[name](vae, x)
        draws.append(torch.cat([entry.grad.flatten().clone() for entry in vae.model()]))
    found = torch.stack(draws)
    error = found.std(0) / len(draws) ** 0.5
    off = (found.mean(0) - torch.cat([entry.flatten() for entry in truth])).abs()
    assert (off < 6 * error + 1e-7).all()
    assert all(entry.grad is not None and entry.grad.isfinite().all() for entry in vae.tuned(name))
