"""Faults planted in the source, one at a time: the tests named beside each must turn red.

A mutant whose text is no longer in its file fails here, so that the list follows the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


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
    Mutant("distributions/bernoulli.py", "logistic > 0", "logistic < 0", "distributions/test_contract.py"),
    Mutant(
        "estimators/pathwise.py",
        "run(params, follow(one)).value",
        "run(params, lambda name, law: law.path(one[name]).detach()).value",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        "law.path(draw[name]).detach()",
        "law.path(draw[name])",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        "losses = [values.mean(0)]",
        "losses = []",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        "(signal.sum(0) - signal)",
        "signal.sum(0)",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        'memory["average"][name] / weight',
        "0.05 * signal",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/score_function.py",
        "values.sum(dim=tuple(range(-missing, 0)))",
        "values.mean(dim=tuple(range(-missing, 0)))",
        "estimators/test_contract.py",
    ),
    Mutant(
        "estimators/exact.py",
        "_log_q(trace).exp()",
        "_log_q(trace).exp().detach()",
        "estimators/test_contract.py",
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
    Mutant("cells/status.py", 'or status["source"] != key.source ', "", "cells/test_run.py"),
    Mutant("cells/status.py", 'sha256(history) == status["history"]', "True", "cells/test_run.py"),
    Mutant("cells/train.py", "t % BLOCK == 0:", "False:", "cells/test_kill.py -k fast"),
    Mutant("cells/train.py", 'list(saved["objectives"])', "[]", "cells/test_kill.py -k fast"),
    Mutant("cells/train.py", '"step": step,\n', '"step": t,\n', "cells/test_kill.py -k fast"),
    Mutant(
        "cells/train.py",
        'self.spec["experiment"], seed)',
        'self.spec["estimator"], seed)',
        "cells/test_run.py",
    ),
    Mutant("cells/train.py", "if len(bad) or not finite:", "if False:", "cells/test_run.py"),
    Mutant("cells/parent.py", "os._exit(143)", "return", "cells/test_run.py -k gone"),
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
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *paths]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, f"the fault went unseen (exit {done.returncode}):\n{done.stdout[-1500:]}"
