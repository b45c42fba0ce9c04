"""Faults planted in the source, one at a time: the tests named beside each must turn red.

A mutant whose text is no longer in its file fails here, so that the list follows the code.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import fresh
import pytest
from fresh import ROOT


class Mutant(NamedTuple):
    file: str
    text: str
    fault: str
    tests: str


MUTANTS = [
    Mutant("noise.py", "str(axis) for axis in axes]", "str(axis) for axis in axes[:-1]]", "test_noise.py"),
    Mutant("noise.py", "one(site, role, spec, k)", "one(site, role, spec, 0)", "test_noise.py"),
    Mutant("program.py", "    if law.plate == plate:", "    if True:", "test_program.py"),
    Mutant("program.py", "        if name in sites:", "        if False:", "test_program.py"),
    Mutant(
        "distributions/normal.py",
        "- self.scale.log() - 0.5",
        "- 0.5",
        "distributions/test_contract.py",
    ),
    Mutant(
        "distributions/normal.py", "- 1 - ratio.log()", "- 1 + ratio.log()", "distributions/test_contract.py"
    ),
    Mutant(
        "estimators/score_function.py",
        "losses = [values.mean(0)]",
        "losses = []",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        'memory["total"][name] / weight',
        "0.05 * signal",
        "estimators/test_contract.py -k every_setting[score_function] -m slow",
    ),
    Mutant("engine/gradient.py", "+ scales[name] * part[name]", "+ part[name]", "engine/test_gradient.py"),
    Mutant("engine/gradient.py", "inner.values()", "params.values()", "engine/test_gradient.py"),
    Mutant(
        "engine/optimisers.py",
        "(total[name] + self.eps).rsqrt()",
        "(total[name] + self.eps)",
        "engine/test_optimisers.py",
    ),
    Mutant("engine/optimisers.py", ">= self.warmup", ">= 0", "engine/test_optimisers.py"),
    Mutant("engine/optimisers.py", "1 - b2**count", "1 - b1**count", "engine/test_optimisers.py"),
    Mutant("engine/minibatch.py", '"minibatches", epoch', '"minibatches"', "engine/test_minibatch.py"),
    Mutant("engine/minibatch.py", "epochs.start * rows", "0", "engine/test_minibatch.py"),
    Mutant(
        "cells/status.py", 'or status["source"] != key.source ', "", "cells/test_run.py -k does_not_match"
    ),
    Mutant(
        "cells/status.py",
        'sha256(history) == status["history"]',
        "True",
        "cells/test_run.py -k does_not_match",
    ),
    Mutant("cells/train.py", "or t % BLOCK == 0 or", "or", "cells/test_train.py -k resumes"),
    Mutant("cells/checkpoint.py", 'if content["key"] == key else None', "", "cells/test_train.py -k resumes"),
    Mutant(
        "cells/train.py",
        '"state": state,',
        '"state": {**state, "optimiser": self.initial(seeds[0])["optimiser"]},',
        "cells/test_train.py -k resumes",
    ),
    Mutant("cells/train.py", 'list(saved["objectives"])', "[]", "cells/test_train.py -k resumes"),
    Mutant("cells/train.py", '"step": step,\n', '"step": t,\n', "cells/test_train.py -k resumes"),
    Mutant(
        "cells/train.py",
        'self.spec["experiment"], seed)',
        'self.spec["estimator"], seed)',
        "cells/test_run.py -k share",
    ),
    Mutant("cells/train.py", "if len(bad) or not finite:", "if False:", "cells/test_run.py -k diverged"),
    Mutant("cells/parent.py", "os._exit(143)", "return", "cells/test_run.py -k gone"),
    Mutant(
        "engine/learners/gradient.py",
        "self.task.sense * share * len(self.task.train) / x.shape[0]",
        "share * len(self.task.train) / x.shape[0]",
        "engine/learners/test_gradient.py",
    ),
    Mutant(
        "engine/learners/carried.py",
        '"memory": estimate.memory',
        '"memory": state["memory"]',
        "engine/learners/test_gradient.py",
    ),
    Mutant(
        "engine/learners/wake_sleep.py",
        'self.task.program(dreamed["x"])',
        'self.task.program(run(self.task.model(x), params, follow(dreaming)).sites["x"].z)',
        "engine/learners/test_wake_sleep_and_mcem.py -k wake_phase",
    ),
    Mutant(
        "engine/learners/mcem.py",
        'state["chains"][index],',
        'torch.zeros_like(state["chains"][index]),',
        "engine/learners/test_wake_sleep_and_mcem.py -k continues",
    ),
    Mutant(
        "engine/learners/mcem.py",
        "passes = self.leapfrogs + 1 + self.updates",
        "passes = 1",
        "engine/learners/test_wake_sleep_and_mcem.py -k evaluations",
    ),
    Mutant("engine/hmc.py", "uniform.log() < log_ratio", "uniform < 2", "engine/test_hmc.py"),
    Mutant("tasks/gaussian_vae.py", "- q.kl(", "- 0.5 * q.kl(", "tasks/test_gaussian_vae.py"),
    Mutant(
        "measure/bound.py",
        "rows(context, split,",
        'rows(context, "train",',
        "measure/test_measurements.py -k bound",
    ),
    Mutant(
        "measure/gradient_variance.py",
        " - noise / draws",
        "",
        "measure/test_gradient_variance.py -k whole_gradient",
    ),
    Mutant(
        "measure/gradient_variance.py",
        "(*context.axes, m), draws",
        "context.axes, draws",
        "measure/test_gradient_variance.py -k dynamic",
    ),
    Mutant(
        "measure/marginal_likelihood.py",
        "proposal = likelihood.FittedGaussian.fit(z, likelihood.INFLATION)",
        "pass",
        "measure/test_measurements.py -k fitted",
    ),
    Mutant(
        "measure/likelihood.py", "total - math.log(samples)", "total", "measure/test_likelihood.py -k weights"
    ),
    Mutant(
        "measure/oracle_checks.py",
        "if not finding.passed]",
        "if False]",
        "measure/test_oracle_checks.py -k broken",
    ),
    Mutant("cells/train.py", '"measure", name)', '"measure", name, step)', "cells/test_train.py -k share"),
    Mutant(
        "cells/train.py",
        'noise["data"]["uniform"])',
        "torch.full_like(x, 0.5))",
        "cells/test_train.py -k pixels",
    ),
    Mutant(
        "cells/train.py",
        "minibatch_indices(self.axes(s)",
        "minibatch_indices(self.axes(0)",
        "cells/test_run.py -k rows",
    ),
    Mutant(
        "evidence/verdicts.py",
        "holm(p_for, tested), holm(p_against, tested)",
        "p_for, p_against",
        "evidence/test_verdicts.py -k false_alarms",
    ),
    Mutant(
        "evidence/verdicts.py",
        "any(map(math.isnan, ps))",
        "all(map(math.isnan, ps))",
        "evidence/test_verdicts.py -k without_a_test",
    ),
    Mutant(
        "evidence/comparisons.py",
        'if finding is not None and lost["diverged"]:',
        "if False:",
        "evidence/test_verdicts.py -k diverged",
    ),
    Mutant(
        "evidence/comparisons.py",
        "right = rows[:, 1]",
        "right = np.sort(rows[:, 1])",
        "evidence/test_verdicts.py -k paired",
    ),
    Mutant(
        "evidence/quantities.py",
        "return float(seen[reached.index[0]])",
        "return float(reached.index[0])",
        "evidence/test_verdicts.py -k reach",
    ),
    Mutant(
        "evidence/statistics.py",
        "np.isnan(y).any(-1), np.nan, p",
        "np.isnan(y).any(-1), 1.0, p",
        "evidence/test_statistics.py",
    ),
    Mutant("evidence/history.py", "if digest != expected:", "if False:", "evidence/test_build.py"),
    Mutant(
        "evidence/ledger.py",
        "if verdict.has_data and verdict.claim.digest not in used:",
        "if False:",
        "evidence/test_build.py -k changed_rule",
    ),
    Mutant(
        "plan/experiments.py",
        "_merge(merged, overlay or {})",
        "_merge(overlay or {}, merged)",
        "plan/test_experiments.py",
    ),
    Mutant(
        "engine/paths.py",
        "if not any(map(_mutates, graph.graph.nodes)):",
        "if True:",
        "engine/test_paths.py -k written",
    ),
    Mutant("plan/packs.py", "items[start::count]", "items[start :: count + 1]", "plan/test_packs.py"),
    Mutant(
        "plan/sources.py",
        'found += _registered("measurement"',
        '_registered("measurement"',
        "plan/test_sources.py",
    ),
    Mutant("plan/state.py", 'or status["spec"] != cell.spec_hash', "", "plan/test_state.py"),
    Mutant(
        "data/loading.py", "order[train : train + test]", "order[:test]", "data/test_loading.py -k overlap"
    ),
    Mutant(
        "report/figures.py",
        'PAPER_DATA = ("standard", "paper")',
        'PAPER_DATA = ("quick", "standard", "paper")',
        "papers/kingma2014/test_kingma2014.py -k keeps",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.file}:{m.fault[:30]}" for m in MUTANTS])
def test_the_tests_see_the_fault(mutant: Mutant, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "src" / "reparam" / mutant.file
    source = file.read_text()
    assert source.count(mutant.text) >= 1, "the mutant no longer fits its file: mend the list"
    file.write_text(source.replace(mutant.text, mutant.fault, 1))
    first, *rest = mutant.tests.split()
    paths = [
        str(ROOT / "tests" / first),
        *(str(ROOT / "tests" / r) if "/" in r or r == "engine" else r for r in rest),
    ]
    output = tmp_path / "output"
    code = fresh.call(output, fresh.run_tests, tmp_path / "src", *paths)
    assert code == 1, f"the fault went unseen (exit {code}):\n{output.read_text()[-1500:]}"
