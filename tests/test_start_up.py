"""Planning and `reparam --help` start without the slow imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reparam


@pytest.mark.parametrize("module", ["reparam.cli", "reparam.plan.plan", "reparam.tracking.export"])
def test_torch_is_not_loaded(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_modules_are_there_on_first_use() -> None:
    code = (
        "import sys, reparam\n"
        "assert 'torch' not in sys.modules\n"
        "assert reparam.estimators.make('rebar') == reparam.Rebar()\n"
        "assert reparam.distributions.Normal is reparam.Normal\n"
        "assert all(getattr(reparam, name) is not None for name in reparam.__all__)\n"
        "assert not hasattr(reparam, 'estimator')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_loads_no_table_library_either() -> None:
    code = (
        "import sys; from reparam import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'torch', 'pandas', 'wandb', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_public_names_are_in_order() -> None:
    """Laws, then estimators, then functions, each in the order of their letters."""
    names, home = list(reparam._HOMES), reparam._HOMES
    kind = {name: 2 if name[0].islower() else home[name].startswith("estimators") for name in names}
    assert names == sorted(names, key=lambda name: (kind[name], name))
