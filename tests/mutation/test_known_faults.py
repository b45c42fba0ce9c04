"""Faults that libraries of estimators are known to have had: each must be seen, by the contract if it biases."""

from __future__ import annotations

import ast
from typing import NamedTuple

import pytest
import torch
from planting import PACKAGE, ROOT, admitted, contract_is_red, planted, suite_is_red


class Fault(NamedTuple):
    what: str
    estimators: tuple[str, ...]
    file: str
    text: str
    instead: str


FAULTS = [
    Fault(
        "moving average updated before it is used",
        ("score_function",),
        "estimators/score_function.py",
        "self._baselines(run, params, fresh, signals, memory)",
        "self._baselines(run, params, fresh, signals, self._remember(signals, memory))",
    ),
    Fault(
        "correction dropped",
        ("rebar",),
        "estimators/rebar.py",
        "slope * moved(relaxed(g)) - slope_given * moved(relaxed(given))",
        "slope * moved(relaxed(g))",
    ),
    Fault(
        "correction dropped",
        ("muprop",),
        "estimators/muprop.py",
        "losses.append(used[name] / scale * log_q[name] + _constant(by_slope) * means[name])",
        "losses.append(used[name] / scale * log_q[name])",
    ),
    Fault(
        "correction dropped",
        ("rsvi", "grep"),
        "estimators/corrected.py",
        "losses = [value.mean(0), *(correction.mean(0) for correction in corrections)]",
        "losses = [value.mean(0)]",
    ),
    Fault(
        "later layers left hard",
        ("rebar",),
        "estimators/rebar.py",
        "return self.relax(law, g, law.logits, self.temperature_at(other, tunables))",
        "return law.discretize(g)",
    ),
    Fault(
        "later layers left hard",
        ("relax",),
        "estimators/rebar.py",
        "return self.relax(law, g, law.logits, self.temperature_at(other, tunables))",
        "return law.discretize(g)",
    ),
    Fault(
        "sign of a log1p",
        ("rebar",),
        "distributions/base.py",
        "uniform.log() - torch.log1p(-uniform)",
        "uniform.log() + torch.log1p(-uniform)",
    ),
    Fault(
        "sign of a log1p",
        ("score_function",),
        "distributions/base.py",
        "uniform.log() - torch.log1p(-uniform)",
        "uniform.log() + torch.log1p(-uniform)",
    ),
    Fault(
        "conditional noise not conditioned",
        ("rebar",),
        "estimators/rebar.py",
        "given = law.perturb_given(site.z, fresh)",
        "given = law.perturb(fresh)",
    ),
    Fault(
        "wrong sign of the importance weights",
        ("reweighted_wake_sleep",),
        "estimators/reweighted_wake_sleep.py",
        "weights = values.detach().softmax(0)",
        "weights = (-values.detach()).softmax(0)",
    ),
    Fault(
        "wrong sign of the importance weights",
        ("vimco",),
        "estimators/vimco.py",
        "bound = sample_bound(values)",
        "bound = sample_bound(values) - 2 * (sample_bound(values) - sample_bound(values.detach()))",
    ),
    Fault(
        "no gradient for a discrete guide",
        ("vimco",),
        "estimators/vimco.py",
        "(used[name] * entries).sum(0)",
        "(used[name] * entries.detach()).sum(0)",
    ),
    Fault(
        "5 % shrink",
        ("score_function",),
        "estimators/score_function.py",
        "losses.append((signal * log_q[name]).mean(0))",
        "losses.append((0.95 * signal * log_q[name]).mean(0))",
    ),
    Fault(
        "5 % shrink",
        ("disarm",),
        "estimators/arm.py",
        "losses.append(law.sum_event(contrast",
        "losses.append(0.95 * law.sum_event(contrast",
    ),
    Fault(
        "5 % shrink",
        ("arm",),
        "estimators/arm.py",
        "losses[name] = change * site",
        "losses[name] = 0.95 * change * site",
    ),
    Fault(
        "5 % shrink",
        ("rebar",),
        "estimators/rebar.py",
        "*(signals[name] * log_q[name] for name in log_q)",
        "*(0.95 * signals[name] * log_q[name] for name in log_q)",
    ),
    Fault(
        "threshold of a bit reversed",
        ("score_function",),
        "distributions/bernoulli.py",
        "return (g > 0)",
        "return (g < 0)",
    ),
    Fault(
        "own signal in the leave-one-out mean",
        ("score_function",),
        "estimators/score_function.py",
        "(s.sum(0) - s) / (self.samples - 1)",
        "s.mean(0)",
    ),
    Fault(
        "mean zero",
        ("disarm",),
        "estimators/arm.py",
        "contrast = (change * (z - z.mean(0)))",
        "contrast = (change * (z - z.flip(0)).square())",
    ),
    Fault(
        "one detach too few: the noise of the score's sample",
        ("score_function",),
        "estimators/base.py",
        "law.path(noise[name]).detach()",
        "law.path(noise[name])",
    ),
    Fault(
        "one detach too few: live parameters in the replays",
        ("rebar",),
        "estimators/rebar.py",
        "stopped = {parameter: entry.detach() for parameter, entry in params.items()}",
        "stopped = dict(params)",
    ),
    Fault(
        "one detach too many: f's own dependence on the parameters",
        ("score_function",),
        "estimators/score_function.py",
        "losses = [values.mean(0)]",
        "losses = [values.detach().mean(0)]",
    ),
    Fault(
        "one detach too many: the path",
        ("pathwise",),
        "estimators/pathwise.py",
        "return law.path(noise)",
        "return law.path(noise).detach()",
    ),
    Fault(
        "sign of the implicit derivative",
        ("implicit",),
        "estimators/implicit.py",
        "return differentiable_root(law.cdf, law.path(noise))",
        "return 2 * law.path(noise).detach() - differentiable_root(law.cdf, law.path(noise))",
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.what}-{fault.estimators[0]}")
def test_a_known_fault_is_seen(fault: Fault) -> None:
    torch.set_num_threads(1)
    file = PACKAGE / fault.file
    source = file.read_text(encoding="utf-8")
    for name in fault.estimators:
        admitted(name)
    assert source.count(fault.text) == 1, f"{fault.text!r} is not in {fault.file} once"
    with planted(file, ast.parse(source.replace(fault.text, fault.instead))):
        own = ROOT / "tests" / "estimators" / f"test_{fault.estimators[0]}.py"
        assert contract_is_red(fault.estimators) or suite_is_red(own)


@pytest.mark.slow
def test_without_a_fault_the_contract_is_green() -> None:
    assert not contract_is_red(sorted({name for fault in FAULTS for name in fault.estimators}))
